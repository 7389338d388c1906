"""A job that got lost is issued again; a job that waits, or a batch that moves, is left alone."""

from nats.js import JetStreamContext

from broadcast_contracts import Outcome
from broadcast_contracts.topology import JOBS
from tests.integration.duties.parts import Parts
from tests.integration.duties.stage import Stage
from tests.integration.duties.test_recall import sent
from tests.integration.duties.workers import Owner, finish, finish_recall, recall_jobs, send_jobs


async def test_a_lost_job_is_issued_again_after_two_sweeps(stage: Stage, parts: Parts, js: JetStreamContext) -> None:
    stage.people(15)
    id = stage.sending()
    await parts.go()
    await send_jobs(js)  # taken, acknowledged, forgotten
    await parts.sweeper.step()
    assert await send_jobs(js) == []
    await parts.sweeper.step()
    jobs = await send_jobs(js)
    assert [job.key for job in jobs] == [stage.key(id, 0), stage.key(id, 1)]
    for job in jobs:
        await finish(parts.ledger, job)
    await parts.go()
    assert stage.status(id) == "sent"


async def test_a_job_that_waits_is_not_doubled(stage: Stage, parts: Parts, js: JetStreamContext) -> None:
    stage.people(15)
    stage.sending()
    await parts.go()
    for _ in range(3):
        assert not await parts.sweeper.step()
    assert len(await send_jobs(js)) == 2


async def test_a_batch_that_moves_is_not_issued_again(stage: Stage, parts: Parts, js: JetStreamContext) -> None:
    stage.people(10)
    id = stage.sending()
    await parts.go()
    await send_jobs(js)
    owner = Owner(parts.ledger, stage.key(id))
    for i in range(3):
        await parts.sweeper.step()
        await owner.settle(Outcome.DELIVERED, [i])
        await parts.go()
    assert await send_jobs(js) == []


async def test_a_stream_of_jobs_that_was_emptied_loses_nobody(stage: Stage, parts: Parts, js: JetStreamContext) -> None:
    (person, *_) = stage.people(15)
    tried = stage.broadcast()
    stage.test(tried, person)
    stage.sending()
    await parts.go()
    await js.purge_stream(JOBS.name)
    await parts.sweeper.step()
    assert await parts.sweeper.step()
    assert [len(await send_jobs(js)), len(await send_jobs(js, "test"))] == [2, 1]


async def test_a_lost_recall_job_is_issued_again(stage: Stage, parts: Parts, js: JetStreamContext) -> None:
    id = await sent(stage, parts, js, 10)
    stage.press("recall", id)
    await parts.go()
    await recall_jobs(js)
    await parts.sweeper.step()
    await parts.sweeper.step()
    (job,) = await recall_jobs(js)
    await finish_recall(parts.recall_ledger, job)
    await parts.go()
    assert stage.status(id) == "created"


async def test_a_stopped_run_is_left_alone(stage: Stage, parts: Parts, js: JetStreamContext) -> None:
    stage.people(10)
    id = stage.sending()
    await parts.go()
    stage.press("stop", id)
    await parts.go()
    await parts.go()
    await send_jobs(js)
    await parts.sweeper.step()
    assert not await parts.sweeper.step()
    assert await send_jobs(js) == []
