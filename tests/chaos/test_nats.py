"""NATS is killed, cut off, and robbed of what it holds."""

import asyncio

import pytest

from tests.chaos.stage import OPEN_ATTEMPTS, OUT, PEOPLE, Stage
from tests.support.system import command

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.xdist_group("chaos"), pytest.mark.timeout(300)]


async def test_nats_killed_under_load_and_started_again_delays_and_doubles_nothing(stage: Stage) -> None:
    run = await stage.sending()
    await stage.kill("nats")
    await asyncio.sleep(stage.luck.uniform(0, 3))
    await stage.revive("nats")
    await run.hit()
    await run.until_status("sent")
    await stage.close_the_books(run)


async def test_nats_loses_its_disks_in_mid_broadcast(stage: Stage) -> None:
    run = await stage.sending()
    await stage.lose_disks()
    await run.hit()
    await run.until_status("sent")
    await stage.close_the_books(run, bound=OUT, public_counts=False)
    code, said = await command(stage.stack, "verify")
    assert code == 0, said
    assert "batches from their SQL rows alone" in said


@pytest.mark.chaos
async def test_nats_loses_its_disks_in_the_middle_of_a_recall(stage: Stage) -> None:
    run = await stage.recalling()
    await stage.lose_disks()
    await run.hit()
    state = await run.until_status("created")
    assert state["counts"]["recalled"] == PEOPLE
    await stage.close_the_books(run, public_counts=False)


@pytest.mark.chaos
async def test_nats_loses_its_disks_while_a_run_is_being_stopped(stage: Stage) -> None:
    run = await stage.sending()
    await run.insist("stop")
    await asyncio.sleep(stage.luck.uniform(0, 0.5))
    await stage.lose_disks()
    await run.hit()
    await run.until_status("stopped")
    await stage.close_the_books(run, bound=OUT, public_counts=False)
    await run.insist("resume")
    await run.until_status("sent")
    await stage.close_the_books(run, bound=OUT, public_counts=False)


@pytest.mark.chaos
async def test_nats_out_of_reach_for_seconds(stage: Stage) -> None:
    run = await stage.sending()
    stage.nats.freeze()
    await asyncio.sleep(stage.luck.uniform(3, 8))
    if stage.luck.random() < 0.5:
        stage.nats.cut()
    await stage.nats.open()
    await run.hit()
    await run.until_status("sent")
    await stage.close_the_books(run)


@pytest.mark.chaos
async def test_connections_to_nats_reset_again_and_again(stage: Stage) -> None:
    run = await stage.sending(at=(0.05, 0.1))
    for _ in range(5):
        stage.nats.cut()
        await asyncio.sleep(stage.luck.uniform(0, 1.5))
    await run.hit()
    await run.until_status("sent")
    await stage.close_the_books(run)


@pytest.mark.chaos
async def test_the_consumer_of_send_jobs_deleted(stage: Stage) -> None:
    run = await stage.sending()
    await stage.js.delete_consumer("JOBS", "send-main")
    await run.hit()
    await run.until_status("sent")
    await stage.close_the_books(run)


@pytest.mark.chaos
async def test_the_control_and_pacing_buckets_deleted(stage: Stage) -> None:
    run = await stage.sending()
    for bucket in ("control", "pacing"):
        await stage.js.delete_key_value(bucket)
    await run.hit()
    await run.until_status("sent")
    await stage.close_the_books(run)


@pytest.mark.chaos
async def test_the_queue_of_jobs_emptied(stage: Stage) -> None:
    run = await stage.sending()
    await stage.js.purge_stream("JOBS")
    await run.hit()
    await run.until_status("sent")
    await stage.close_the_books(run)


@pytest.mark.chaos
async def test_the_queue_of_jobs_emptied_and_a_dispatcher_killed(stage: Stage) -> None:
    run = await stage.sending()
    await stage.kill("dispatcher-0")
    await stage.js.purge_stream("JOBS")
    await run.hit()
    await run.until_status("sent")
    await stage.close_the_books(run, bound=OPEN_ATTEMPTS)
