"""The rows equal the ledgers, whatever happens to the records on their way."""

import asyncio
import random
from typing import Any

import pytest
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from sqlalchemy import update

from broadcast_api.adapters.schema import batches, deliveries, runs
from broadcast_api.duties import projection
from broadcast_api.duties.outcome_rows import Advance, write
from broadcast_contracts import (
    BatchKey,
    Cause,
    CloseV1,
    Outcome,
    ParkedV1,
    ProgressV1,
    ReopenV1,
    ResolveV1,
    Result,
    decode,
    encode,
)
from broadcast_contracts.topology import DEAD, LEDGER, PROJECTION, dead_subject, ledger_subject
from broadcast_delivery import fold
from broadcast_delivery.jetstream import JetStreamLedger
from tests.integration.duties.parts import Parts, remake
from tests.integration.duties.stage import Stage
from tests.integration.duties.workers import SENT_AT, Owner, finish, nonce, send_jobs

PROJECTED = ("version", "closed_leg", "in_flight", "sealed", "delivered", "failed", "blocked", "unconfirmed", "skipped")


async def written_history(stage: Stage, parts: Parts) -> Any:
    """Two batches with everything that can happen to one; nothing of it is projected."""
    stage.people(20)
    id = stage.sending()
    await parts.freezer.step()
    await parts.planner.step()
    first, second = Owner(parts.ledger, stage.key(id, 0)), Owner(parts.ledger, stage.key(id, 1))
    await first.settle(Outcome.DELIVERED, [0, 1, 2])
    await second.settle(Outcome.BLOCKED, [0, 1])
    await first.open([3, 4, 5])
    await first.report(Outcome.UNATTEMPTED, [3])
    await first.append(ResolveV1(nonce=nonce()))
    await second.settle(Outcome.REFUSED, [2])
    await first.append(CloseV1(nonce=nonce(), leg=1))
    await first.append(ReopenV1(nonce=nonce(), leg=2))
    for i in range(6, 10):
        await first.settle(Outcome.DELIVERED, [i])
    await first.settle(Outcome.SKIPPED, [3])
    await first.seal()
    await second.open([7, 8])
    return id


async def all_records(js: JetStreamContext) -> list[Msg]:
    subscription = await js.pull_subscribe_bind(PROJECTION.durable, PROJECTION.stream)
    messages = await subscription.fetch(500, timeout=0.3)
    await subscription.unsubscribe()
    return messages


def delivered_again(message: Msg) -> Msg:
    return Msg(message._client, message.subject, message.reply, message.data, message.headers)


def picture(stage: Stage, id: Any) -> Any:
    """All that the projection writes."""
    rows = [[getattr(row, name) for name in PROJECTED] for row in stage.batches(id)]
    people = [(row.outcome, row.reason, row.message_ids, row.sent_at, row.chat_id) for row in stage.deliveries(id)]
    return rows, people


def forget(stage: Stage) -> None:
    with stage.database.write() as connection:
        connection.execute(update(batches).values(dict.fromkeys(PROJECTED, 0) | {"sealed": False}))
        connection.execute(update(runs).values(delivered=0, failed=0, blocked=0, unconfirmed=0, skipped=0))


async def test_each_recipient_batch_and_run_says_what_the_ledger_says(stage: Stage, parts: Parts) -> None:
    id = await written_history(stage, parts)
    await parts.go()
    delivered, unconfirmed = (Outcome.DELIVERED, f"{SENT_AT}"), ("unconfirmed", "")
    expected = [delivered] * 3 + [("skipped", f"{SENT_AT}")] + [unconfirmed] * 2 + [delivered] * 4
    assert [(row.outcome, str(row.sent_at or "")) for row in stage.deliveries(id)[:10]] == expected
    assert stage.deliveries(id)[0].message_ids == "100"
    first, second = stage.batches(id)
    assert (first.sealed, first.delivered, first.unconfirmed, first.skipped, first.in_flight) == (True, 7, 2, 1, 0)
    assert (second.sealed, second.failed, second.blocked, second.in_flight) == (False, 3, 2, 2)
    run = stage.run(id)
    assert (run.delivered, run.failed, run.blocked, run.unconfirmed, run.skipped) == (7, 3, 2, 2, 1)


@pytest.mark.parametrize("seed", range(5))
async def test_shuffled_repeated_records_and_lost_caches_change_nothing(
    stage: Stage, parts: Parts, js: JetStreamContext, seed: int
) -> None:
    id = await written_history(stage, parts)
    records = await all_records(js)
    await parts.sends.project([delivered_again(record) for record in records])
    right = picture(stage, id)
    forget(stage)
    chance = random.Random(seed)
    projections = [parts.sends, *(Parts(stage.again(), js).sends for _ in range(2))]
    shuffled = records * 3
    chance.shuffle(shuffled)
    while shuffled:
        some = [delivered_again(shuffled.pop()) for _ in range(min(len(shuffled), chance.randint(1, 6)))]
        await chance.choice(projections).project(some)
    assert picture(stage, id) == right
    assert stage.run(id).delivered == 7


async def test_records_that_come_in_order_are_applied_without_reading_the_log_again(
    stage: Stage, parts: Parts, js: JetStreamContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.people(10)
    id = stage.sending()
    await parts.go()
    owner = Owner(parts.ledger, stage.key(id))
    await owner.open([0])
    await parts.go()

    async def no_reading(key: BatchKey) -> Any:
        raise AssertionError("read again")

    blind = JetStreamLedger(js, LEDGER)
    monkeypatch.setattr(blind, "read", no_reading)
    monkeypatch.setattr(parts.sends, "_ledger", blind)
    await owner.report(Outcome.DELIVERED, [0])
    await owner.settle(Outcome.BLOCKED, [1])
    while await parts.sends.step():
        pass
    assert stage.outcomes(id)[:3] == ["delivered", "blocked", None]


async def test_a_group_that_became_a_supergroup_is_known_by_its_new_chat(stage: Stage, parts: Parts) -> None:
    stage.people(2)
    id = stage.sending()
    await parts.go()
    owner = Owner(parts.ledger, stage.key(id))
    await owner.open([0, 1])
    state = await owner.look()
    moved = Result(i=1, window=state.version, outcome=Outcome.DELIVERED, messages=[5], chat=-100, at=SENT_AT)
    await owner.append(ProgressV1(nonce=nonce(), owner="owner", results=[moved]))
    await parts.go()
    assert [row.chat_id for row in stage.deliveries(id)] == [1001, -100]


async def test_a_ledger_that_went_back_lowers_no_row(stage: Stage, parts: Parts, js: JetStreamContext) -> None:
    id = await written_history(stage, parts)
    await parts.go()
    right = picture(stage, id)
    await js.purge_stream(LEDGER.name)
    await parts.sends.refresh()
    await Parts(stage, js).sends.refresh()
    assert picture(stage, id) == right


async def test_a_database_that_lost_its_last_commits_is_brought_up_to_date(stage: Stage, parts: Parts) -> None:
    stage.people(10)
    id = stage.sending()
    await parts.go()
    owner = Owner(parts.ledger, stage.key(id))
    await owner.settle(Outcome.DELIVERED, [0])
    await parts.go()
    old = stage.batches(id)[0].version
    await owner.settle(Outcome.DELIVERED, [1])
    await parts.go()
    with stage.database.write() as connection:
        connection.execute(update(batches).values(version=old, delivered=1))
        connection.execute(update(deliveries).where(deliveries.c.position == 1).values(outcome=None))
    await owner.settle(Outcome.DELIVERED, [2])
    await parts.go()
    assert stage.outcomes(id)[:4] == ["delivered"] * 3 + [None]


async def test_an_older_state_that_comes_late_is_not_written(stage: Stage, parts: Parts, js: JetStreamContext) -> None:
    id = await written_history(stage, parts)
    (place, _) = await asyncio.to_thread(parts.sends._unfinished)
    older = fold((await parts.ledger.read(place.key))[:1], "send")
    await parts.go()
    right = picture(stage, id)
    older.version -= 1
    older.results.clear()
    write(stage.database, "send", [Advance(place, older, set(range(10)))])
    assert picture(stage, id) == right


async def test_a_new_leader_needs_no_redelivery(stage: Stage, parts: Parts, js: JetStreamContext) -> None:
    stage.people(10)
    id = stage.sending()
    await parts.go()
    (job,) = await send_jobs(js)
    await finish(parts.ledger, job)
    await all_records(js)  # taken by a leader that was killed before it wrote anything
    await Parts(stage.again(), js).go()
    assert stage.status(id) == "sent"


async def test_records_survive_a_failed_transaction(
    stage: Stage, parts: Parts, js: JetStreamContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = await written_history(stage, parts)
    await parts.sends.refresh()
    right = picture(stage, id)
    forget(stage)

    def fails(*_: Any) -> None:
        raise ConnectionError("the database is away")

    with monkeypatch.context() as patch:
        patch.setattr(projection, "write", fails)
        with pytest.raises(ConnectionError):
            await parts.sends.step()
    await parts.sends.step()
    assert picture(stage, id) == right


async def parked(js: JetStreamContext) -> list[ParkedV1]:
    state = (await js.stream_info(DEAD.name)).state
    messages = [await js.get_msg(DEAD.name, n) for n in range(state.first_seq, state.last_seq + 1)]
    assert all(message.subject == dead_subject("broadcast-api") for message in messages)
    return [decode(ParkedV1, message.data or b"") for message in messages]


async def waiting(js: JetStreamContext) -> int:
    info = await js.consumer_info(PROJECTION.stream, PROJECTION.durable)
    return (info.num_pending or 0) + (info.num_ack_pending or 0)


async def test_a_record_that_cannot_be_read_is_parked_whole_and_holds_nobody_up(
    stage: Stage, parts: Parts, js: JetStreamContext
) -> None:
    stage.people(20)
    id = stage.sending()
    await parts.go()
    subject = ledger_subject(LEDGER, stage.key(id, 0))
    await js.publish(subject, b"\xff poison", headers={"from": "nobody"})
    await parts.go()
    for job in await send_jobs(js):
        await finish(parts.ledger, job)
    await parts.go()
    assert stage.status(id) == "sent"
    (one,) = await parked(js)
    assert (one.subject, one.headers["from"], one.body_base64) == (subject, "nobody", "/yBwb2lzb24=")
    assert await waiting(js) == 0


async def test_a_record_of_an_unknown_batch_is_parked(stage: Stage, parts: Parts, js: JetStreamContext) -> None:
    stage.people(1)
    id = stage.sending()
    for key in (stage.key(id, 99), stage.key(id, 0, run=7)):
        await js.publish(ledger_subject(LEDGER, key), encode(CloseV1(nonce=nonce(), leg=1)))
    await parts.go()
    assert [one.reason for one in await parked(js)] == ["no such batch"] * 2
    assert await waiting(js) == 0


async def test_a_content_that_telegram_refuses_stops_the_whole_run_and_says_why(
    stage: Stage, parts: Parts, js: JetStreamContext
) -> None:
    stage.people(20)
    id = stage.sending()
    await parts.go()
    refusal = CloseV1(nonce=nonce(), leg=1, cause=Cause.CONTENT_REFUSED, detail="can't parse entities")
    await parts.ledger.append(stage.key(id), 0, refusal)
    for _ in range(3):
        await parts.go()
    assert stage.status(id) == "stopped"
    requested = next(e for e in stage.store.history(id) if type(e).__name__ == "StopRequested")
    assert (requested.cause, requested.detail) == ("content_refused", "can't parse entities")  # type: ignore[attr-defined]
    for batch in (0, 1):
        assert fold(await parts.ledger.read(stage.key(id, batch)), "send").closed


async def test_a_refusal_of_an_earlier_leg_does_not_stop_the_resumed_run(
    stage: Stage, parts: Parts, js: JetStreamContext
) -> None:
    stage.people(10)
    id = stage.sending()
    await parts.go()
    refusal = CloseV1(nonce=nonce(), leg=1, cause=Cause.BOT_UNAUTHORIZED, detail="401")
    await parts.ledger.append(stage.key(id), 0, refusal)
    old = [delivered_again(record) for record in await all_records(js)]
    await parts.sends.project([delivered_again(record) for record in old])
    for _ in range(3):
        await parts.go()
    stage.press("resume", id)
    await parts.sends.project(old)
    assert not stage.store.broadcast(id).stopping


async def test_a_test_message_that_telegram_refuses_ends_with_the_reason(
    stage: Stage, parts: Parts, js: JetStreamContext
) -> None:
    (person,) = stage.people(1)
    id = stage.broadcast()
    number = stage.test(id, person)
    await parts.go()
    refusal = CloseV1(nonce=nonce(), leg=1, cause=Cause.CONTENT_REFUSED, detail="can't parse entities")
    await parts.ledger.append(BatchKey(id, 0, number), 0, refusal)
    await parts.go()
    (row,) = stage.deliveries(id, run=0)
    assert (row.outcome, row.reason, stage.status(id)) == ("refused", "can't parse entities", "created")


async def test_what_somebody_began_in_a_ledger_made_anew_is_not_taken_for_the_log_that_was_lost(
    stage: Stage, parts: Parts, js: JetStreamContext
) -> None:
    stage.people(10)
    id = stage.sending()
    await parts.go()
    await Owner(parts.ledger, stage.key(id)).settle(Outcome.DELIVERED, range(4))
    await parts.go()
    await remake(js, LEDGER)
    await Owner(parts.ledger, stage.key(id)).open([0])
    again = Parts(stage, js)
    await again.go()
    assert stage.outcomes(id) == ["delivered"] * 4 + [None] * 6
    await again.issuer.again(stage.run(id).id, 0)
    await again.go()
    assert (stage.outcomes(id), stage.batches(id)[0].in_flight) == (["delivered"] * 4 + [None] * 6, 6)
