"""What an operator decided is carried out once, whatever dies on the way, and the counts are exact all along."""

import asyncio
from uuid import UUID

import pytest
from nats.js import JetStreamContext
from sqlalchemy import update

from broadcast_api.adapters.schema import decisions, recipients
from broadcast_api.duties import decisions as duty
from broadcast_contracts import Answer, AnswerV1, Counts, Outcome, SendCountsV1, decode
from broadcast_contracts.topology import COUNTS, LEDGER, counts_subject
from broadcast_delivery import fold
from tests.integration.duties.parts import Parts
from tests.integration.duties.stage import Stage
from tests.integration.duties.workers import SENT_AT, Owner, finish, finish_recall, recall_jobs, send_jobs


async def sent(stage: Stage, parts: Parts, js: JetStreamContext) -> UUID:
    """Batches of ten: 0 blocked, 1 and 2 unconfirmed in the first; 0 unconfirmed in the second. Three unreachable."""
    stage.people(20)
    stage.people(3, "blocked")
    id = stage.sending()
    await parts.go()
    first, second = (Owner(parts.ledger, job.key) for job in await send_jobs(js))
    await first.settle(Outcome.BLOCKED, [0])
    await first.settle(Outcome.UNCONFIRMED, [1, 2])
    await first.settle(Outcome.DELIVERED, range(3, 10))
    await first.seal()
    await second.settle(Outcome.UNCONFIRMED, [0])
    await second.settle(Outcome.DELIVERED, range(1, 10))
    await second.seal()
    await parts.go()
    assert stage.status(id) == "sent"
    return id


async def test_delivered_and_leave_change_what_is_counted_and_send_nothing(
    stage: Stage, parts: Parts, js: JetStreamContext
) -> None:
    id = await sent(stage, parts, js)
    who = [row.recipient_id for row in stage.deliveries(id) if row.outcome == "unconfirmed"]
    stage.answer(id, Answer.DELIVERED, who[:1])
    stage.answer(id, Answer.LEAVE, None)
    await parts.go()
    assert stage.counts(id) == Counts(total=23, delivered=17, failed=4, blocked=4, unconfirmed=2)
    answers = [(row.outcome, row.answer) for row in stage.deliveries(id) if row.recipient_id in who]
    assert answers == [("delivered", "delivered"), ("unconfirmed", "leave"), ("unconfirmed", "leave")]
    assert (stage.status(id), await send_jobs(js)) == ("sent", [])
    assert stage.doubts.unanswered(id, 1) == 0


async def test_the_world_is_told_how_the_batch_stands(stage: Stage, parts: Parts, js: JetStreamContext) -> None:
    id = await sent(stage, parts, js)
    stage.answer(id, Answer.DELIVERED, None)
    await parts.go()
    said = await js.get_last_msg(COUNTS.name, counts_subject("send", stage.key(id, 0)))
    told = decode(SendCountsV1, said.data or b"")
    assert (told.delivered, told.unconfirmed, told.version) == (9, 0, stage.batches(id)[0].version)


async def test_a_resend_attempts_exactly_those_again_and_ends_in_sent(
    stage: Stage, parts: Parts, js: JetStreamContext
) -> None:
    id = await sent(stage, parts, js)
    stage.answer(id, Answer.RESEND, None)
    await parts.go()
    assert stage.status(id) == "sending"
    assert stage.counts(id) == Counts(total=23, delivered=16, failed=4, blocked=4, pending=3)
    jobs = await send_jobs(js)
    assert [(job.batch, job.leg) for job in jobs] == [(0, 2), (1, 2)]
    assert [fold(await parts.ledger.read(job.key), "send").pending(range(10)) for job in jobs] == [[1, 2], [0]]
    for job in jobs:
        await finish(parts.ledger, job)
    await parts.go()
    assert stage.counts(id) == Counts(total=23, delivered=19, failed=4, blocked=4)
    assert stage.events(id)[-3:] == ["Sent", "UnconfirmedAnswered", "Sent"]


async def test_nothing_comes_to_rest_and_nothing_is_issued_before_a_decision_is_carried_out(
    stage: Stage, parts: Parts, js: JetStreamContext
) -> None:
    id = await sent(stage, parts, js)
    stage.answer(id, Answer.RESEND, None)
    await parts.settler.step()
    await parts.planner.step()
    assert (stage.status(id), await send_jobs(js)) == ("sending", [])
    stage.press("stop", id)
    await parts.settler.step()
    assert stage.status(id) == "sending"
    await parts.go()
    await parts.go()
    assert stage.status(id) == "stopped"
    assert stage.counts(id) == Counts(total=23, delivered=16, failed=4, blocked=4, unconfirmed=3), "as long as it rests"
    stage.press("resume", id)
    await parts.go()
    for job in await send_jobs(js):
        await finish(parts.ledger, job)
    await parts.go()
    assert stage.counts(id).delivered == 19


@pytest.mark.parametrize("where", ["tell", "write"])
async def test_a_crash_in_the_middle_repeats_nothing(
    stage: Stage, parts: Parts, js: JetStreamContext, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    id = await sent(stage, parts, js)
    stage.answer(id, Answer.RESEND, None)

    def dies(*_: object, **__: object) -> None:
        raise ConnectionError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(duty, where, dies)
        with pytest.raises(ConnectionError):
            await parts.decisions.step()
    await Parts(stage.again(), js).go()
    logs = [await parts.ledger.read(stage.key(id, batch)) for batch in (0, 1)]
    assert [sum(isinstance(entry.record, AnswerV1) for entry in log) for log in logs] == [1, 1]
    assert stage.counts(id).pending == 3


async def test_two_replicas_at_once_carry_a_decision_out_once(stage: Stage, parts: Parts, js: JetStreamContext) -> None:
    id = await sent(stage, parts, js)
    stage.answer(id, Answer.RESEND, None)
    with stage.database.write() as connection:
        back = recipients.c.status == "blocked"
        connection.execute(update(recipients).where(back).values(status="active", status_at=SENT_AT + 60))
    await asyncio.gather(*(replica.decisions.step() for replica in (parts, Parts(stage.again(), js))))
    logs = [await parts.ledger.read(stage.key(id, batch)) for batch in (0, 1)]
    assert [sum(isinstance(entry.record, AnswerV1) for entry in log) for log in logs] == [1, 1]
    await parts.go()
    for job in await send_jobs(js):
        await finish(parts.ledger, job)
    await parts.go()
    stage.resend(id)
    await asyncio.gather(*(replica.decisions.step() for replica in (parts, Parts(stage.again(), js))))
    assert stage.counts(id) == Counts(total=23, delivered=19, pending=4)


async def test_a_decision_that_is_carried_out_again_does_not_touch_what_came_after(
    stage: Stage, parts: Parts, js: JetStreamContext
) -> None:
    id = await sent(stage, parts, js)
    stage.answer(id, Answer.RESEND, None)
    await parts.go()
    for job in await send_jobs(js):
        again = Owner(parts.ledger, job.key)
        await again.look()
        await again.settle(Outcome.UNCONFIRMED, again.state.pending(range(10)))
        await again.seal()
    await parts.go()
    with stage.database.write() as connection:
        connection.execute(update(decisions).values(carried_out=False))
    await parts.go()
    assert (stage.status(id), stage.counts(id).unconfirmed) == ("sent", 3)


async def test_an_answer_finds_its_batch_although_the_stream_lost_the_log(
    stage: Stage, parts: Parts, js: JetStreamContext
) -> None:
    id = await sent(stage, parts, js)
    await js.purge_stream(LEDGER.name)
    who = next(row.recipient_id for row in stage.deliveries(id) if row.outcome == "unconfirmed")
    stage.answer(id, Answer.DELIVERED, [who])
    stage.answer(id, Answer.RESEND, None)
    await parts.go()
    assert stage.counts(id) == Counts(total=23, delivered=17, failed=4, blocked=4, pending=2)
    for job in await send_jobs(js):
        await finish(parts.ledger, job)
    await parts.go()
    assert (stage.status(id), stage.counts(id).delivered) == ("sent", 19)


async def test_what_was_taken_for_delivered_cannot_be_recalled_until_its_fact_comes(
    stage: Stage, parts: Parts, js: JetStreamContext
) -> None:
    id = await sent(stage, parts, js)
    window = fold(await parts.ledger.read(stage.key(id, 1)), "send").results[0].window
    stage.answer(id, Answer.DELIVERED, None)
    await parts.go()
    stage.press("recall", id)
    await parts.go()
    for job in await recall_jobs(js):
        await finish_recall(parts.recall_ledger, job)
    await parts.go()
    assert (stage.status(id), stage.run(id).recalled, stage.run(id).unrecalled) == ("created", 16, 3)
    owner = Owner(parts.ledger, stage.key(id, 1))
    await owner.fact(0, window, 777)
    await parts.go()
    for job in await recall_jobs(js):
        await finish_recall(parts.recall_ledger, job)
    await parts.go()
    assert (stage.run(id).recalled, stage.run(id).unrecalled) == (17, 2)


async def test_a_second_copy_that_becomes_known_after_the_recall_is_recalled_too(
    stage: Stage, parts: Parts, js: JetStreamContext
) -> None:
    id = await sent(stage, parts, js)
    window = fold(await parts.ledger.read(stage.key(id, 1)), "send").results[0].window
    stage.answer(id, Answer.RESEND, None)
    await parts.go()
    for job in await send_jobs(js):
        await finish(parts.ledger, job)
    await parts.go()
    stage.press("recall", id)
    await parts.go()
    for recall in await recall_jobs(js):
        await finish_recall(parts.recall_ledger, recall)
    await parts.go()
    assert (stage.status(id), stage.run(id).recalled) == ("created", 19)
    await Owner(parts.ledger, stage.key(id, 1)).fact(0, window, 777)
    await parts.go()
    assert (stage.run(id).recalled, stage.run(id).delivered) == (18, 19)
    (again,) = await recall_jobs(js)
    assert [(posted.i, posted.messages) for posted in again.posted] == [(0, [100, 777])]
    await finish_recall(parts.recall_ledger, again)
    await parts.go()
    assert stage.run(id).recalled == 19
    assert await recall_jobs(js) == []


def learns(stage: Stage, ids: list[int], status: str, at: int) -> None:
    with stage.database.write() as connection:
        row = recipients.c.id.in_(ids)
        connection.execute(update(recipients).where(row).values(status=status, status_at=at))


async def test_a_resend_reaches_those_who_failed_and_came_back_and_nobody_else(
    stage: Stage, parts: Parts, js: JetStreamContext
) -> None:
    id = await sent(stage, parts, js)
    rows = stage.deliveries(id)
    away = [row.recipient_id for row in rows if row.position < 0]
    (blocked,) = (row.recipient_id for row in rows if row.outcome == "blocked" and row.position >= 0)
    assert stage.doubts.reachable_again(id, 1) == 0, "Telegram said blocked after the directory said active"
    learns(stage, [*away[:2], blocked], "active", SENT_AT + 60)
    assert stage.doubts.reachable_again(id, 1) == 3
    stage.resend(id)
    await parts.go()
    assert stage.counts(id) == Counts(total=23, delivered=16, failed=1, blocked=1, unconfirmed=3, pending=3)
    jobs = await send_jobs(js)
    chats = {row.recipient_id: row.chat_id for row in rows}
    assert [(job.batch, job.leg) for job in jobs] == [(0, 2), (2, 2)]
    assert sorted(jobs[1].chats) == sorted(chats[who] for who in away[:2])
    for job in jobs:
        await finish(parts.ledger, job)
    await parts.go()
    assert stage.status(id) == "sent"
    assert stage.counts(id) == Counts(total=23, delivered=19, failed=1, blocked=1, unconfirmed=3)
    assert stage.doubts.reachable_again(id, 1) == 0


async def test_a_recall_after_a_resend_deletes_everything_that_the_run_delivered(
    stage: Stage, parts: Parts, js: JetStreamContext
) -> None:
    id = await sent(stage, parts, js)
    learns(stage, [row.recipient_id for row in stage.deliveries(id) if row.position < 0], "active", SENT_AT + 60)
    stage.resend(id)
    await parts.go()
    for job in await send_jobs(js):
        await finish(parts.ledger, job)
    await parts.go()
    stage.press("recall", id)
    while stage.status(id) == "recalling":
        await parts.go()
        for recall in await recall_jobs(js):
            await finish_recall(parts.recall_ledger, recall)
    run = stage.run(id)
    assert (run.delivered, run.recalled) == (19, 19)
