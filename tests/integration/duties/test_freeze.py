"""The audience is frozen once: everyone in it has exactly one row, whatever the slices and crashes."""

import threading
from datetime import UTC, datetime

import pytest
from sqlalchemy import insert, update

from broadcast_api.adapters.schema import recipients
from broadcast_api.domain.call import SYSTEM
from broadcast_api.duties import freeze
from broadcast_api.duties.freeze import Freezer
from broadcast_contracts import ProgressV1
from broadcast_delivery.memory import MemoryLedger
from tests.integration.duties.stage import Stage

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freeze, "SLICE", 7)


async def frozen(stage: Stage, first_slice: int = 4) -> None:
    freezer = Freezer(stage.database, stage.runs, MemoryLedger(), first_slice)
    while await freezer.step():
        pass


async def test_everyone_gets_one_row_and_the_unreachable_get_their_outcome_at_once(stage: Stage) -> None:
    active = stage.people(13)
    blocked = stage.people(3, "blocked")
    stage.people(2, "not_started")
    active += stage.people(12)
    stage.people(5, bot="other")
    id = stage.sending()
    await frozen(stage)
    rows = stage.deliveries(id)
    assert [row.position for row in rows] == list(range(-5, 25))
    assert [row.recipient_id for row in rows if row.position >= 0] == active
    assert sorted(row.recipient_id for row in rows if row.outcome == "blocked") == blocked
    assert [row.reason for row in rows if row.outcome] == ["known before sending"] * 5
    run = stage.run(id)
    assert (run.total, run.size, run.failed, run.blocked, run.frozen) == (30, 25, 5, 3, True)


async def test_batches_are_full_except_the_last(stage: Stage) -> None:
    stage.people(25)
    id = stage.sending()
    await frozen(stage)
    assert [(row.batch, row.size) for row in stage.batches(id)] == [(0, 10), (1, 10), (2, 5)]


async def test_a_list_and_attributes_choose_whom_they_say(stage: Stage) -> None:
    staff = stage.people(15, department="staff", language="ru")
    stage.people(10, department="staff", language="en")
    stage.people(10, department="yard", language="ru")
    listed = stage.sending(stage.audience({"kind": "list"}, members=staff[::3]))
    where = {"department": ["staff", "lab"], "language": ["ru"]}
    described = stage.sending(stage.audience({"kind": "attributes", "where": where}))
    await frozen(stage)
    assert [row.recipient_id for row in stage.deliveries(listed)] == staff[::3]
    assert [row.recipient_id for row in stage.deliveries(described)] == staff


async def test_a_crash_between_slices_repeats_nobody_and_loses_nobody(stage: Stage) -> None:
    people = stage.people(50)
    id = stage.sending()
    for _ in range(4):
        await Freezer(stage.database, stage.runs, MemoryLedger(), 4).step()
    assert not stage.run(id).frozen
    await frozen(stage)
    assert [row.recipient_id for row in stage.deliveries(id)] == people


async def test_nobody_is_given_a_place_that_somebody_else_was_sent_to(stage: Stage) -> None:
    """The database is back from a backup: once from before a Send, once from between two slices. The ledger is not."""
    stage.people(25)
    draft, sliced, other = stage.sending(), stage.sending(), stage.sending()
    for id, size in ((sliced, 12), (other, 12)):
        with stage.database.write(snapshot=True) as connection:
            freeze.freeze_slice(connection, stage.run(id).id, size)
    ledger = MemoryLedger()
    for key in (stage.key(draft), stage.key(sliced), stage.key(sliced, 1), stage.key(other)):
        await ledger.append(key, 0, ProgressV1(nonce="1", owner="lost", opened=[0]))
    freezer = Freezer(stage.database, stage.runs, ledger, 4)
    for _ in range(5):
        await freezer.step()
    assert [stage.run(id).total for id in (draft, sliced, other)] == [0, 12, 25]


async def test_a_crash_before_the_freeze_is_recorded_is_made_good_after_the_restart(stage: Stage) -> None:
    stage.people(9)
    id = stage.sending()
    with stage.database.write(snapshot=True) as connection:
        freeze.freeze_slice(connection, stage.run(id).id, 100)
    assert "AudienceFrozen" not in stage.events(id)
    await frozen(stage)
    await frozen(stage)
    assert stage.events(id) == ["Created", "SendingStarted", "AudienceFrozen"]


async def test_somebody_who_blocks_the_bot_during_the_freeze_is_counted_once(stage: Stage) -> None:
    people = stage.people(30)
    id = stage.sending()
    freezer = Freezer(stage.database, stage.runs, MemoryLedger(), 4)
    await freezer.step()
    with stage.database.write() as connection:
        connection.execute(update(recipients).where(recipients.c.id.in_(people[::2])).values(status="blocked"))
    await frozen(stage)
    rows = stage.deliveries(id)
    assert sorted(row.recipient_id for row in rows) == people
    run = stage.run(id)
    assert (run.total, run.size + run.failed) == (30, 30)
    assert [row.position for row in rows] == list(range(-run.failed, run.size))


async def test_nobody_reachable_is_a_frozen_run_of_no_batches(stage: Stage) -> None:
    stage.people(3, "blocked")
    id = stage.sending()
    await frozen(stage)
    assert (stage.run(id).total, stage.run(id).size, stage.batches(id)) == (3, 0, [])


def test_two_freezers_at_once_freeze_everybody_once(stage: Stage) -> None:
    people = stage.people(200)
    id = stage.sending()

    def freeze_all() -> None:
        freezer = Freezer(stage.database, stage.runs, MemoryLedger(), 4)
        while not freezer._slice(stage.run(id)).finished:
            pass

    threads = [threading.Thread(target=freeze_all) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [row.recipient_id for row in stage.deliveries(id)] == people
    assert sum(row.size for row in stage.batches(id)) == 200


async def test_a_run_keeps_the_audience_that_it_was_sent_to(stage: Stage) -> None:
    """Between two slices every audience in the rule is redefined."""
    staff, others = stage.people(15, department="staff"), stage.people(15, department="yard")
    listed = stage.audience({"kind": "list"}, members=staff)
    rule = {"any": [{"audience": str(listed)}, {"field": "department", "in": ["yard"]}]}
    audience = stage.audience({"kind": "rule", "rule": rule})
    id = stage.sending(audience)
    freezer = Freezer(stage.database, stage.runs, MemoryLedger(), 4)
    await freezer.step()
    for changed, definition, members in (
        (listed, {"kind": "list"}, others[:1]),
        (audience, {"kind": "everyone"}, None),
    ):
        stored = stage.store.audience(changed)
        stored.edit(name="other", definition=definition, members=members, call=SYSTEM)
        stage.store.append(stored)
    stage.views.catch_up()
    while await freezer.step():
        pass
    assert [row.recipient_id for row in stage.deliveries(id)] == staff + others


async def test_who_was_invited_and_never_came_is_not_attempted(stage: Stage) -> None:
    stage.people(2)
    with stage.database.write() as connection:
        now = {"created_at": NOW, "updated_at": NOW}
        connection.execute(insert(recipients).values(bot="main", external_id="E", status="not_started", **now))
    id = stage.sending()
    await frozen(stage)
    invited, *_ = stage.deliveries(id)
    assert (invited.position, invited.chat_id, invited.outcome) == (-1, 0, "not_started")
    assert stage.run(id).size == 2
