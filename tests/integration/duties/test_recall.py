"""Whatever was delivered is recalled, oldest first; what cannot be is named."""

from uuid import UUID

import pytest
from nats.js import JetStreamContext

from broadcast_contracts import Answer, Outcome, ProgressV1, Result
from broadcast_contracts.topology import RECALL_LEDGER
from tests.integration.duties.parts import Parts, remake
from tests.integration.duties.stage import Stage
from tests.integration.duties.workers import SENT_AT, Owner, finish, finish_recall, recall_jobs, send_jobs


async def sent(stage: Stage, parts: Parts, js: JetStreamContext, people: int) -> UUID:
    stage.people(people)
    id = stage.sending()
    while stage.status(id) != "sent":
        await parts.go()
        for job in await send_jobs(js):
            await finish(parts.ledger, job)
    return id


async def one_batch(stage: Stage, parts: Parts, people: int) -> tuple[UUID, Owner]:
    """A run of a single batch that was issued, and whoever works on it."""
    stage.people(people)
    id = stage.sending()
    await parts.go()
    return id, Owner(parts.ledger, stage.key(id))


async def test_jobs_name_every_delivered_message_oldest_batch_first_and_keep_to_the_window(
    stage: Stage, parts: Parts, js: JetStreamContext
) -> None:
    id = await sent(stage, parts, js, 35)
    stage.press("recall", id)
    await parts.go()
    jobs = await recall_jobs(js)
    assert [job.batch for job in jobs] == [0, 1]
    chats = [row.chat_id for row in stage.deliveries(id)]
    assert [(p.i, p.chat, p.messages, p.at) for p in jobs[1].posted] == [
        (i, chats[10 + i], [100 + i], SENT_AT + 1) for i in range(10)
    ]
    await finish_recall(parts.recall_ledger, jobs[0])
    await parts.go()
    assert [job.batch for job in await recall_jobs(js)] == [2]


async def test_a_run_is_recalled_when_nothing_is_left(stage: Stage, parts: Parts, js: JetStreamContext) -> None:
    id = await sent(stage, parts, js, 35)
    stage.press("recall", id)
    while stage.status(id) == "recalling":
        await parts.go()
        for job in await recall_jobs(js):
            await finish_recall(parts.recall_ledger, job)
    assert stage.status(id) == "created"
    assert {row.recall_outcome for row in stage.deliveries(id)} == {"recalled"}
    run = stage.run(id)
    assert (run.state, run.delivered, run.recalled, run.unrecalled) == ("recalled", 35, 35, 0)


async def test_only_delivered_messages_are_recalled_and_refusals_are_counted(
    stage: Stage, parts: Parts, js: JetStreamContext
) -> None:
    id, owner = await one_batch(stage, parts, 5)
    await owner.settle(Outcome.DELIVERED, [0, 1, 2])
    await owner.settle(Outcome.BLOCKED, [3])
    await owner.settle(Outcome.UNCONFIRMED, [4])
    await owner.seal()
    await parts.go()
    stage.press("recall", id)
    await parts.go()
    (job,) = await recall_jobs(js)
    assert [posted.i for posted in job.posted] == [0, 1, 2]
    revoker = Owner.of_recall(parts.recall_ledger, job)
    await revoker.settle(Outcome.RECALLED, [0])
    await revoker.settle(Outcome.ALREADY_GONE, [1])
    await revoker.settle(Outcome.TOO_LATE, [2])
    await revoker.seal()
    await parts.go()
    run = stage.run(id)
    assert (run.state, run.recalled, run.unrecalled) == ("recalled", 2, 1)
    assert [row.recall_outcome for row in stage.deliveries(id)] == ["recalled", "already_gone", "too_late", None, None]


async def test_a_message_without_an_id_is_refused_and_the_rest_recalled(
    stage: Stage, parts: Parts, js: JetStreamContext
) -> None:
    id, owner = await one_batch(stage, parts, 3)
    await owner.settle(Outcome.DELIVERED, [0, 1])
    await owner.open([2])
    await owner.report(Outcome.DELIVERED, [2], messages=False)
    await owner.seal()
    await parts.go()
    stage.press("recall", id)
    await parts.go()
    (job,) = await recall_jobs(js)
    await finish_recall(parts.recall_ledger, job)
    await Parts(stage, js).go()
    assert [row.recall_outcome for row in stage.deliveries(id)] == ["recalled", "recalled", "recall_refused"]
    assert (stage.run(id).state, stage.run(id).unrecalled) == ("recalled", 1)


async def test_a_run_that_delivered_nothing_is_recalled_at_once(stage: Stage, parts: Parts) -> None:
    stage.people(3, "blocked")
    id = stage.sending()
    await parts.go()
    stage.press("recall", id)
    await parts.go()
    assert stage.status(id) == "created"


@pytest.mark.parametrize("late", [False, True], ids=["while recalling", "when all was over"])
async def test_a_delivery_reported_after_its_batch_was_recalled_is_recalled_too(
    stage: Stage, parts: Parts, js: JetStreamContext, late: bool
) -> None:
    stage.people(15)
    id = stage.sending()
    await parts.go()
    jobs = await send_jobs(js)
    zombie = Owner(parts.ledger, jobs[0].key)
    await zombie.settle(Outcome.DELIVERED, range(9))
    await zombie.settle(Outcome.UNCONFIRMED, [9])  # its reply was lost, so it thinks
    window = zombie.state.results[9].window
    await zombie.seal()
    await finish(parts.ledger, jobs[1])
    await parts.go()
    stage.press("recall", id)
    await parts.go()
    first, second = await recall_jobs(js)
    await finish_recall(parts.recall_ledger, first)
    if late:
        await finish_recall(parts.recall_ledger, second)
    await parts.go()
    assert (stage.status(id) == "created") is late
    await zombie.fact(9, window, 777)
    await parts.go()
    (job,) = await recall_jobs(js)
    assert (job.batch, [posted.i for posted in job.posted]) == (0, [9])
    for left in [job, *([] if late else [second])]:
        await finish_recall(parts.recall_ledger, left)
    await parts.go()
    assert {row.recall_outcome for row in stage.deliveries(id)} == {"recalled"}
    assert (stage.status(id), stage.run(id).recalled) == ("created", 15)


async def test_a_second_copy_that_becomes_known_while_the_first_is_being_recalled_is_recalled_too(
    stage: Stage, parts: Parts, js: JetStreamContext
) -> None:
    id, owner = await one_batch(stage, parts, 1)
    await owner.settle(Outcome.UNCONFIRMED, [0])
    await owner.seal()
    window = owner.state.results[0].window
    await parts.go()
    stage.answer(id, Answer.RESEND, None)
    await parts.go()
    await owner.look()
    await owner.settle(Outcome.DELIVERED, [0])
    await owner.seal()
    await parts.go()
    stage.press("recall", id)
    await parts.go()
    (job,) = await recall_jobs(js)
    await owner.fact(0, window, 777)
    await parts.go()
    await finish_recall(parts.recall_ledger, job)
    await parts.go()
    (again,) = await recall_jobs(js)
    assert (job.posted[0].messages, again.posted[0].messages) == ([100], [100, 777])
    await finish_recall(parts.recall_ledger, again)
    await parts.go()
    assert (stage.status(id), stage.run(id).recalled) == ("created", 1)


async def test_a_refused_recall_of_somebody_who_turns_out_to_have_nothing_is_none(
    stage: Stage, parts: Parts, js: JetStreamContext
) -> None:
    id, owner = await one_batch(stage, parts, 2)
    await owner.settle(Outcome.UNCONFIRMED, [0, 1])
    await owner.seal()
    windows = [owner.state.results[i].window for i in (0, 1)]
    await parts.go()
    stage.answer(id, Answer.DELIVERED, None)
    await parts.go()
    stage.press("recall", id)
    await parts.go()
    assert [row.recall_outcome for row in stage.deliveries(id)] == ["recall_refused", "recall_refused"]
    await owner.fact(0, windows[0], 777)
    nothing = Result(i=1, window=windows[1], outcome=Outcome.UNATTEMPTED)
    await owner.append(ProgressV1(nonce="late", owner="owner", results=[nothing]))
    await parts.go()
    for job in await recall_jobs(js):
        await finish_recall(parts.recall_ledger, job)
    await parts.go()
    assert [row.recall_outcome for row in stage.deliveries(id)] == ["recalled", None]
    assert (stage.run(id).recalled, stage.run(id).unrecalled) == (1, 0)


async def test_parts_and_known_messages_of_the_unconfirmed_are_recalled_too(
    stage: Stage, parts: Parts, js: JetStreamContext
) -> None:
    id, owner = await one_batch(stage, parts, 4)
    await owner.open(range(4))
    window = owner.state.version
    await owner.fact(0, window, 70, Outcome.PARTLY)
    await owner.fact(1, window, 71, Outcome.UNCONFIRMED)
    await owner.report(Outcome.UNCONFIRMED, [2])
    await owner.report(Outcome.BLOCKED, [3])
    await owner.seal()
    await parts.go()
    run = stage.run(id)
    assert (run.state, run.posted, run.delivered, run.failed, run.unconfirmed) == ("sent", 2, 0, 2, 2)
    stage.press("recall", id)
    await parts.go()
    (job,) = await recall_jobs(js)
    assert [(posted.i, posted.messages) for posted in job.posted] == [(0, [70]), (1, [71])]
    await finish_recall(parts.recall_ledger, job)
    await parts.go()
    assert (stage.status(id), stage.run(id).recalled, stage.run(id).unrecalled) == ("created", 2, 0)


async def test_what_arrived_before_a_resend_that_never_came_is_recalled(
    stage: Stage, parts: Parts, js: JetStreamContext
) -> None:
    id, owner = await one_batch(stage, parts, 1)
    await owner.open([0])
    await owner.fact(0, owner.state.version, 70, Outcome.UNCONFIRMED)
    await owner.seal()
    await parts.go()
    await send_jobs(js)
    stage.answer(id, Answer.RESEND, None)
    await parts.go()
    stage.press("stop", id)
    await parts.go()
    await parts.go()
    (row,) = stage.deliveries(id)
    assert (row.outcome, row.message_ids, stage.run(id).posted) == ("unconfirmed", "70", 1)
    stage.press("recall", id)
    await parts.go()
    (job,) = await recall_jobs(js)
    assert [(posted.messages, posted.at) for posted in job.posted] == [([70], SENT_AT)]


async def test_a_recall_ends_although_the_recall_ledger_was_lost(
    stage: Stage, parts: Parts, js: JetStreamContext
) -> None:
    id = await sent(stage, parts, js, 25)
    stage.press("recall", id)
    await parts.go()
    first, second = await recall_jobs(js)
    await finish_recall(parts.recall_ledger, first)
    owner = Owner.of_recall(parts.recall_ledger, second)
    for i in range(5):
        await owner.settle(Outcome.RECALLED, [i])
    await parts.go()
    await remake(js, RECALL_LEDGER)
    for _ in range(4):
        await parts.sweeper.step()
        for job in await recall_jobs(js):
            await finish_recall(parts.recall_ledger, job)
        await parts.go()
    assert stage.events(id)[-1] == "Recalled"
    assert stage.counts(id).recalled == 25
