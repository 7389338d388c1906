"""A bounded window of batches for each run, in turns; nothing of a stopped leg can be used."""

import asyncio
from datetime import UTC, datetime

import pytest
from nats.js import JetStreamContext
from nats.js.errors import KeyNotFoundError, NoStreamResponseError

from broadcast_api.duties.issue import Issue
from broadcast_contracts import CloseV1, Outcome, ResolveV1, RunControlV1, decode
from broadcast_contracts.topology import CONTROL, JOBS, LEDGER, control_key, ledger_subject
from broadcast_delivery.topology import ensure
from tests.integration.duties.parts import Parts, remake
from tests.integration.duties.stage import Stage
from tests.integration.duties.workers import Owner, finish, nonce, send_jobs


async def test_a_job_says_all_that_a_dispatcher_needs(stage: Stage, parts: Parts, js: JetStreamContext) -> None:
    stage.people(13)
    id = stage.sending()
    await parts.go()
    first, second = await send_jobs(js)
    chats = [row.chat_id for row in stage.deliveries(id)]
    assert (first.key, first.leg, first.content.text, first.bot) == (stage.key(id, 0), 1, "hello", "main")
    assert (first.chats, second.chats) == (chats[:10], chats[10:])
    assert 47 < (first.not_after - datetime.now(UTC)).total_seconds() / 3600 <= 48


async def test_a_run_has_at_most_a_window_of_unfinished_batches_out(
    stage: Stage, parts: Parts, js: JetStreamContext
) -> None:
    stage.people(60)
    id = stage.sending()
    await parts.go()
    jobs = await send_jobs(js)
    assert [job.batch for job in jobs] == [0, 1]
    await finish(parts.ledger, jobs[1])
    await parts.go()
    assert [job.batch for job in await send_jobs(js)] == [2]
    assert [row.issues for row in stage.batches(id)] == [1, 1, 1, 0, 0, 0]


async def test_a_small_broadcast_behind_a_huge_one_takes_turns_with_it(
    stage: Stage, parts: Parts, js: JetStreamContext
) -> None:
    small = stage.people(10, department="small")
    stage.people(100)
    huge = stage.sending()
    urgent = stage.sending(stage.audience({"kind": "list"}, members=small))
    await parts.freezer.step()
    await parts.planner.step()
    assert [job.broadcast_id for job in await send_jobs(js)] == [huge, urgent, huge]


async def test_the_last_batch_waits_until_it_is_full_or_the_audience_frozen(
    stage: Stage, parts: Parts, js: JetStreamContext
) -> None:
    stage.people(25)
    id = stage.sending()
    parts.freezer._first_slice = 15
    await parts.freezer.step()
    await parts.planner.step()
    assert [job.batch for job in await send_jobs(js)] == [0]
    await parts.freezer.step()
    await parts.planner.step()
    assert [(job.batch, len(job.chats)) for job in await send_jobs(js)] == [(1, 10)]
    assert stage.run(id).frozen


async def test_a_test_message_goes_at_once_on_a_lane_of_its_own(
    stage: Stage, parts: Parts, js: JetStreamContext
) -> None:
    people = stage.people(3)
    id = stage.broadcast(text="draft")
    numbers = [stage.test(id, person) for person in people]
    await parts.planner.step()
    jobs = await send_jobs(js, "test")
    assert [(job.run, job.batch, job.chats, job.content.text) for job in jobs] == [
        (0, number, [1000 + person], "draft") for number, person in zip(numbers, people, strict=True)
    ]
    await finish(parts.ledger, jobs[1])
    await parts.go()
    assert stage.outcomes(id, run=0) == [None, "delivered", None]


async def test_planners_that_race_issue_each_batch_once(stage: Stage, js: JetStreamContext) -> None:
    stage.people(200)
    ids = [stage.sending(), stage.sending()]
    await Parts(stage, js).freezer.step()
    planners = [Parts(stage.again(), js).planner for _ in range(4)]
    await asyncio.gather(*(planner.step() for planner in planners))
    jobs = await send_jobs(js)
    assert sorted(job.key for job in jobs) == sorted(stage.key(id, batch) for id in ids for batch in (0, 1))


async def test_what_was_marked_when_nats_went_away_is_published_when_it_is_back(
    stage: Stage, parts: Parts, js: JetStreamContext
) -> None:
    stage.people(20)
    stage.sending()
    await parts.freezer.step()
    await js.delete_stream(JOBS.name)
    with pytest.raises(NoStreamResponseError):
        await parts.planner.step()
    await ensure(js, ("main",))
    await parts.planner.step()
    assert [job.batch for job in await send_jobs(js)] == [0, 1]


async def test_the_workers_are_told_which_leg_runs(stage: Stage, parts: Parts, js: JetStreamContext) -> None:
    stage.people(10)
    id = stage.sending()
    bucket = await js.key_value(CONTROL.name)
    with pytest.raises(KeyNotFoundError):
        await bucket.get(control_key(id, 1))
    await parts.go()
    assert decode(RunControlV1, (await bucket.get(control_key(id, 1))).value or b"") == RunControlV1(leg=1)
    stage.press("stop", id)
    await parts.settler.step()
    said = decode(RunControlV1, (await bucket.get(control_key(id, 1))).value or b"")
    assert said == RunControlV1(leg=1, stopped=True)


async def marked(stage: Stage, parts: Parts) -> list[Issue]:
    """What a planner had marked when it fell asleep."""
    await parts.planner._mark_all()
    issues = list(parts.planner._marked)
    parts.planner._marked.clear()
    return issues


async def test_a_planner_that_overslept_a_stop_publishes_nothing(
    stage: Stage, parts: Parts, js: JetStreamContext
) -> None:
    stage.people(20)
    id = stage.sending()
    await parts.freezer.step()
    stale = await marked(stage, parts)
    stage.press("stop", id)
    await parts.go()
    await parts.go()
    assert stage.status(id) == "stopped"
    for issue in stale:
        await parts.issuer.publish(issue)
    assert await send_jobs(js) == []


async def test_a_planner_that_overslept_the_stop_of_a_later_leg_reopens_nothing(
    stage: Stage, parts: Parts, js: JetStreamContext
) -> None:
    stage.people(20)
    id = stage.sending()
    await parts.go()
    stage.press("stop", id)
    await parts.go()
    await parts.go()
    stage.press("resume", id)
    stale = await marked(stage, parts)
    assert [issue.run.leg for issue in stale] == [2, 2]
    stage.press("stop", id)
    await parts.go()
    await parts.go()
    await send_jobs(js)
    for issue in stale:
        await parts.issuer.publish(issue)
    assert (await Owner(parts.ledger, stage.key(id)).look()).closed
    assert await send_jobs(js) == []


async def test_a_resumed_run_goes_on_with_exactly_those_not_yet_attempted(
    stage: Stage, parts: Parts, js: JetStreamContext
) -> None:
    stage.people(10)
    id = stage.sending()
    await parts.go()
    await Owner(parts.ledger, stage.key(id)).settle(Outcome.DELIVERED, range(4))
    stage.press("stop", id)
    await parts.go()
    await parts.go()
    await send_jobs(js)
    stage.press("resume", id)
    await parts.go()
    (job,) = await send_jobs(js)
    owner = Owner(parts.ledger, job.key)
    state = await owner.look()
    assert (job.leg, state.closed, state.pending(range(10))) == (2, False, [4, 5, 6, 7, 8, 9])


async def test_a_batch_closed_by_a_dispatcher_for_this_leg_is_not_issued_again(
    stage: Stage, parts: Parts, js: JetStreamContext
) -> None:
    stage.people(10)
    id = stage.sending()
    await parts.go()
    await send_jobs(js)
    await parts.ledger.append(stage.key(id), 0, CloseV1(nonce=nonce(), leg=1))
    await parts.issuer.again(stage.run(id).id, 0)
    assert await send_jobs(js) == []


@pytest.mark.parametrize("recreated", [False, True], ids=["aged out", "stream made anew"])
async def test_a_run_whose_ledger_is_gone_resumes_from_the_copy_in_sql(
    stage: Stage, parts: Parts, js: JetStreamContext, recreated: bool
) -> None:
    stage.people(10)
    id = stage.sending()
    await parts.go()
    await Owner(parts.ledger, stage.key(id)).settle(Outcome.DELIVERED, range(4))
    stage.press("stop", id)
    await parts.go()
    await parts.go()
    await send_jobs(js)
    await js.purge_stream(LEDGER.name, subject=ledger_subject(LEDGER, stage.key(id)))
    if recreated:
        await remake(js, LEDGER)
    stage.press("resume", id)
    await parts.go()
    (job,) = await send_jobs(js)
    state = await Owner(parts.ledger, stage.key(id)).look()
    assert state.pending(range(10)) == [4, 5, 6, 7, 8, 9]
    await finish(parts.ledger, job)
    await parts.go()
    await parts.go()
    assert (stage.status(id), stage.outcomes(id)) == ("sent", ["delivered"] * 10)


async def test_whoever_may_have_been_attempted_when_the_ledger_was_lost_is_unconfirmed(
    stage: Stage, parts: Parts, js: JetStreamContext
) -> None:
    stage.people(10)
    id = stage.sending()
    await parts.go()
    await Owner(parts.ledger, stage.key(id)).settle(Outcome.DELIVERED, range(4))
    await parts.go()
    await remake(js, LEDGER)
    await parts.issuer.again(stage.run(id).id, 0)
    await parts.go()
    assert stage.outcomes(id) == ["delivered"] * 4 + [None] * 6
    assert stage.batches(id)[0].in_flight == 6, "somebody may be about to make these attempts"
    owner = Owner(parts.ledger, stage.key(id))
    await owner.look()
    await owner.append(ResolveV1(nonce=nonce()))
    await parts.go()
    assert stage.outcomes(id) == ["delivered"] * 4 + ["unconfirmed"] * 6


async def test_a_batch_of_which_nothing_was_projected_when_the_ledger_was_lost_is_in_doubt_too(
    stage: Stage, parts: Parts, js: JetStreamContext
) -> None:
    stage.people(10)
    id = stage.sending()
    await parts.go()
    await Owner(parts.ledger, stage.key(id)).settle(Outcome.DELIVERED, range(4))
    await remake(js, LEDGER)
    await parts.issuer.again(stage.run(id).id, 0)
    assert (await Owner(parts.ledger, stage.key(id)).look()).pending(range(10)) == []


async def test_a_batch_that_is_first_issued_after_the_loss_is_sent_as_ever(
    stage: Stage, parts: Parts, js: JetStreamContext
) -> None:
    stage.people(40)
    id = stage.sending()
    await parts.go()
    for job in await send_jobs(js):
        await finish(parts.ledger, job)
    await parts.sends.step()
    await remake(js, LEDGER)
    await parts.go()
    for job in await send_jobs(js):
        await finish(parts.ledger, job)
    await parts.go()
    assert (stage.status(id), stage.counts(id).delivered) == ("sent", 40)
