"""Stopped means that nothing can leave; sent means that everybody is accounted for."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from nats.js import JetStreamContext

from broadcast_contracts import Counts, Outcome
from broadcast_contracts.topology import CONTROL, LEDGER
from tests.integration.duties.parts import Parts, remake
from tests.integration.duties.stage import Stage
from tests.integration.duties.workers import Owner, finish, send_jobs


def counts_in(stage: Stage, id: UUID, event: str) -> Counts:
    found: Any = [e for e in stage.store.history(id) if type(e).__name__ == event][-1]
    return Counts(**found.counts)


async def test_a_run_is_sent_when_its_last_batch_is_sealed(stage: Stage, parts: Parts, js: JetStreamContext) -> None:
    stage.people(15)
    stage.people(4, "blocked")
    id = stage.sending()
    await parts.go()
    first, second = await send_jobs(js)
    await finish(parts.ledger, first)
    await parts.go()
    assert stage.status(id) == "sending"
    await finish(parts.ledger, second)
    await parts.go()
    assert stage.status(id) == "sent"
    assert counts_in(stage, id, "Sent") == Counts(total=19, delivered=15, failed=4, blocked=4)
    assert stage.events(id) == ["Created", "SendingStarted", "AudienceFrozen", "Sent"]


async def test_a_run_that_can_reach_nobody_is_sent_at_once(stage: Stage, parts: Parts) -> None:
    stage.people(3, "deactivated")
    id = stage.sending()
    await parts.go()
    assert counts_in(stage, id, "Sent") == Counts(total=3, failed=3)


async def test_a_stop_closes_every_issued_batch_and_counts_who_is_left(stage: Stage, parts: Parts) -> None:
    stage.people(50)
    id = stage.sending()
    await parts.go()
    await Owner(parts.ledger, stage.key(id, 1)).settle(Outcome.DELIVERED, [0, 1, 2])
    stage.press("stop", id)
    await parts.go()
    await parts.go()
    assert stage.status(id) == "stopped"
    assert counts_in(stage, id, "Stopped") == Counts(total=50, delivered=3, pending=47)
    assert [row.closed_leg for row in stage.batches(id)] == [1, 1, 0, 0, 0]


async def test_a_stop_waits_for_attempts_in_the_air_and_counts_what_came_of_them(stage: Stage, parts: Parts) -> None:
    stage.people(10)
    id = stage.sending()
    await parts.go()
    owner = Owner(parts.ledger, stage.key(id))
    await owner.open([0, 1])
    stage.press("stop", id)
    for _ in range(3):
        await parts.go()
    assert stage.status(id) == "sending"
    await owner.look()
    await owner.report(Outcome.DELIVERED, [0, 1])
    await parts.go()
    assert stage.status(id) == "stopped"
    assert counts_in(stage, id, "Stopped") == Counts(total=10, delivered=2, pending=8)


async def test_a_stop_counts_only_what_the_fenced_logs_say(stage: Stage, parts: Parts) -> None:
    stage.people(10)
    id = stage.sending()
    await parts.go()
    await Owner(parts.ledger, stage.key(id)).settle(Outcome.DELIVERED, [0, 1])  # not projected yet
    stage.press("stop", id)
    for _ in range(3):
        await parts.settler.step()
    assert stage.status(id) == "sending"
    await parts.go()
    assert counts_in(stage, id, "Stopped") == Counts(total=10, delivered=2, pending=8)


async def test_an_owner_silent_past_its_lease_leaves_its_attempts_unconfirmed(
    stage: Stage, js: JetStreamContext, parts: Parts
) -> None:
    patient = Parts(stage, js, patience=0.6)
    stage.people(10)
    id = stage.sending()
    await patient.go()
    await Owner(parts.ledger, stage.key(id)).open([0, 1])
    stage.press("stop", id)
    await patient.go()
    await patient.go()
    assert stage.status(id) == "sending"
    await asyncio.sleep(0.7)
    await patient.go()
    await patient.go()
    assert stage.status(id) == "stopped"
    assert counts_in(stage, id, "Stopped") == Counts(total=10, unconfirmed=2, pending=8)


async def test_an_owner_that_still_reports_is_not_given_up(stage: Stage, js: JetStreamContext, parts: Parts) -> None:
    patient = Parts(stage, js, patience=0.6)
    stage.people(10)
    id = stage.sending()
    await patient.go()
    owner = Owner(parts.ledger, stage.key(id))
    await owner.open([0, 1, 2])
    stage.press("stop", id)
    await patient.go()
    for i in range(3):
        await asyncio.sleep(0.4)
        await patient.go()
        await owner.look()
        await owner.report(Outcome.DELIVERED, [i])
    await patient.go()
    assert counts_in(stage, id, "Stopped") == Counts(total=10, delivered=3, pending=7)


async def test_everybody_accounted_for_before_the_stop_took_effect_is_sent(
    stage: Stage, parts: Parts, js: JetStreamContext
) -> None:
    stage.people(10)
    id = stage.sending()
    await parts.go()
    (job,) = await send_jobs(js)
    await finish(parts.ledger, job)
    stage.press("stop", id)
    await parts.go()
    assert stage.events(id)[-2:] == ["StopRequested", "Sent"]


async def test_a_stop_before_the_first_message_leaves_everybody_pending(stage: Stage, parts: Parts) -> None:
    stage.people(30)
    id = stage.sending()
    stage.press("stop", id)
    await parts.go()
    await parts.go()
    assert counts_in(stage, id, "Stopped") == Counts(total=30, pending=30)
    assert stage.events(id) == ["Created", "SendingStarted", "StopRequested", "AudienceFrozen", "Stopped"]


async def test_a_stop_does_without_the_hint(stage: Stage, parts: Parts, js: JetStreamContext) -> None:
    stage.people(10)
    id = stage.sending()
    await parts.go()
    await js.delete_key_value(CONTROL.name)
    stage.press("stop", id)
    await parts.go()
    await parts.go()
    assert stage.status(id) == "stopped"


@pytest.mark.parametrize("times", [3])
async def test_stop_and_resume_again_and_again_reaches_everybody_once(
    stage: Stage, parts: Parts, js: JetStreamContext, times: int
) -> None:
    stage.people(12)
    id = stage.sending()
    for n in range(times):
        await parts.go()
        await send_jobs(js)
        await Owner(parts.ledger, stage.key(id)).settle(Outcome.DELIVERED, [n])
        stage.press("stop", id)
        await parts.go()
        await parts.go()
        assert counts_in(stage, id, "Stopped") == Counts(total=12, delivered=n + 1, pending=11 - n)
        stage.press("resume", id)
    await parts.go()
    for job in await send_jobs(js):
        await finish(parts.ledger, job)
    await parts.go()
    assert counts_in(stage, id, "Sent") == Counts(total=12, delivered=12)


async def test_settlers_that_race_record_each_end_once(stage: Stage, parts: Parts, js: JetStreamContext) -> None:
    stage.people(10)
    id = stage.sending()
    await parts.go()
    stage.press("stop", id)
    others = [Parts(stage.again(), js).settler for _ in range(3)]
    for _ in range(3):
        await asyncio.gather(*(settler.step() for settler in others))
        while await parts.sends.step():
            pass
    assert stage.events(id).count("Stopped") == 1


@pytest.mark.parametrize("closed", [False, True], ids=["before the stop", "after its close"])
async def test_a_stop_ends_although_the_ledger_was_lost(
    stage: Stage, parts: Parts, js: JetStreamContext, closed: bool
) -> None:
    stage.people(30)
    id = stage.sending()
    await parts.go()
    owner = Owner(parts.ledger, stage.key(id))
    await owner.settle(Outcome.DELIVERED, range(4))
    await owner.open([4, 5])
    await Owner(parts.ledger, stage.key(id, 1)).settle(Outcome.DELIVERED, [0])
    await parts.go()
    if closed:
        stage.press("stop", id)
        await parts.go()
    await remake(js, LEDGER)
    if not closed:
        stage.press("stop", id)
    impatient = Parts(stage, js, patience=0.0)
    for _ in range(4):
        await impatient.go()
    assert stage.status(id) == "stopped"
    assert counts_in(stage, id, "Stopped") == Counts(total=30, delivered=5, unconfirmed=15, pending=10)
    assert stage.counts(id) == counts_in(stage, id, "Stopped")
