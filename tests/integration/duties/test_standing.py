"""How far behind the system is said to be."""

import asyncio

from nats.js import JetStreamContext

from broadcast_api.duties.standing import Lookout
from broadcast_contracts import Outcome
from tests.integration.duties.parts import Parts
from tests.integration.duties.stage import Stage
from tests.integration.duties.workers import Owner


async def test_the_ledger_lags_by_the_age_of_the_oldest_record_that_is_not_projected(
    stage: Stage, parts: Parts, js: JetStreamContext
) -> None:
    stage.people(20)
    id = stage.sending()
    await parts.go()
    lookout = Lookout(js, stage.database, stage.store, ("main",))
    assert (await lookout.look()).ledger_seconds == 0
    owner = Owner(parts.ledger, stage.key(id, 0))
    await owner.settle(Outcome.DELIVERED, [0, 1])
    await parts.go()
    assert (await lookout.look()).ledger_seconds == 0
    await owner.settle(Outcome.DELIVERED, [2])
    await asyncio.sleep(0.5)
    await owner.settle(Outcome.DELIVERED, [3])
    behind = await lookout.look()
    assert behind.unprojected == 4  # a window that was opened and what came of it, twice
    assert 0.5 <= behind.ledger_seconds < 5
    await owner.seal()  # takes the place of all the records before it
    sealed = await lookout.look()
    assert sealed.ledger_seconds < behind.ledger_seconds
    await parts.go()
    assert (await lookout.look()).ledger_seconds == 0
