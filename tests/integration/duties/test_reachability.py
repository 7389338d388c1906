"""What a broadcast found out about people is known to the next one."""

from typing import Any

from sqlalchemy import Row, select, update

from broadcast_api.adapters.schema import recipients
from broadcast_contracts import Outcome, ProgressV1, Result
from tests.integration.duties.parts import Parts
from tests.integration.duties.stage import Stage
from tests.integration.duties.workers import SENT_AT, Owner, nonce


def directory(stage: Stage) -> list[Row[Any]]:
    with stage.database.read() as connection:
        return list(connection.execute(select(recipients).order_by(recipients.c.id)))


def set_all(stage: Stage, **values: Any) -> None:
    with stage.database.write() as connection:
        connection.execute(update(recipients).values(values))


async def test_each_outcome_changes_the_directory_and_the_next_broadcast_leaves_them_out(
    stage: Stage, parts: Parts
) -> None:
    stage.people(6)
    id = stage.sending()
    await parts.go()
    owner = Owner(parts.ledger, stage.key(id))
    told = (Outcome.BLOCKED, Outcome.DEACTIVATED, Outcome.NOT_STARTED, Outcome.DELIVERED, Outcome.REFUSED)
    for n, outcome in enumerate(told):
        await owner.settle(outcome, [n])
    await owner.settle(Outcome.UNCONFIRMED, [5])
    await parts.go()
    assert [person.status for person in directory(stage)] == [
        "blocked",
        "deactivated",
        "not_started",
        "active",
        "active",
        "active",
    ]
    next = stage.sending()
    await parts.go()
    run = stage.run(next)
    assert (run.total, run.size, run.blocked, run.failed) == (6, 3, 1, 3)
    assert [row.outcome for row in stage.deliveries(next)][:3] == ["not_started", "deactivated", "blocked"]


async def test_who_got_a_message_is_reachable_whatever_was_thought(stage: Stage, parts: Parts) -> None:
    stage.people(1)
    id = stage.sending()
    await parts.go()
    set_all(stage, status="blocked", status_at=SENT_AT - 1)
    await Owner(parts.ledger, stage.key(id)).settle(Outcome.DELIVERED, [0])
    await parts.go()
    assert [(person.status, person.status_at) for person in directory(stage)] == [("active", SENT_AT)]


async def test_older_news_does_not_undo_newer(stage: Stage, parts: Parts) -> None:
    stage.people(2)
    id = stage.sending()
    await parts.go()
    set_all(stage, status="active", status_at=SENT_AT + 1)
    owner = Owner(parts.ledger, stage.key(id))
    await owner.settle(Outcome.BLOCKED, [0])
    await parts.go()
    assert [person.status for person in directory(stage)] == ["active", "active"]


async def test_a_group_that_moved_is_known_by_its_new_chat(stage: Stage, parts: Parts) -> None:
    stage.people(2)
    id = stage.sending()
    await parts.go()
    owner = Owner(parts.ledger, stage.key(id))
    await owner.open([0, 1])
    state = await owner.look()
    moved = [
        Result(i=i, window=state.version, outcome=Outcome.DELIVERED, messages=[5], chat=-100, at=SENT_AT)
        for i in (0, 1)
    ]
    await owner.append(ProgressV1(nonce=nonce(), owner="owner", results=moved))
    await parts.go()
    assert [person.chat_id for person in directory(stage)] == [-100, 1002], "two cannot be one"
