"""Dispatchers and revokers are killed, paused and replaced."""

import asyncio
import signal
from itertools import pairwise

import pytest

from tests.chaos.stage import DISPATCHERS, GRACE_SECONDS, LEASE_SECONDS, OPEN_ATTEMPTS, PEOPLE, REVOKERS, Stage
from tests.chaos.stage import REDELIVERY_SECONDS as REDELIVERY

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.xdist_group("chaos"), pytest.mark.timeout(300)]


GAP_SECONDS = 1.5
"""The longest silence when a dispatcher hands its work to another."""


async def test_a_dispatcher_killed_in_the_middle_leaves_its_open_attempts_unconfirmed(stage: Stage) -> None:
    run = await stage.sending()
    await stage.kill(stage.luck.choice(DISPATCHERS))
    await run.hit()
    await run.until_status("sent")
    await stage.close_the_books(run, bound=OPEN_ATTEMPTS)


@pytest.mark.chaos
async def test_both_dispatchers_killed_and_started_again(stage: Stage) -> None:
    run = await stage.sending()
    for name in DISPATCHERS:
        await stage.kill(name)
    await run.hit()
    for name in DISPATCHERS:
        await stage.revive(name)
    await run.until_status("sent")
    await stage.close_the_books(run, bound=OPEN_ATTEMPTS * len(DISPATCHERS))


@pytest.mark.chaos
async def test_a_dispatcher_killed_and_the_run_stopped_comes_to_rest_within_a_lease(stage: Stage) -> None:
    run = await stage.sending()
    await stage.kill(stage.luck.choice(DISPATCHERS))
    await run.hit()
    await run.insist("stop")
    await run.until_status("stopped", LEASE_SECONDS + GRACE_SECONDS + 5)
    await stage.close_the_books(run, bound=OPEN_ATTEMPTS, public_counts=False)
    await run.insist("resume")
    await run.until_status("sent")
    await stage.close_the_books(run, bound=OPEN_ATTEMPTS)


@pytest.mark.chaos
async def test_a_dispatcher_paused_past_its_lease_sends_nothing_when_it_wakes(stage: Stage) -> None:
    """Its jobs are redelivered in the longer pause, and in the shorter one they are not."""
    run = await stage.sending()
    part = stage.stack.parts[stage.luck.choice(DISPATCHERS)]
    part.signal(signal.SIGSTOP)
    lease = LEASE_SECONDS + GRACE_SECONDS
    await asyncio.sleep(lease + stage.luck.choice((1, REDELIVERY + lease)) + stage.luck.random())
    part.signal(signal.SIGCONT)
    await run.hit()
    await run.until_status("sent")
    await stage.close_the_books(run, bound=OPEN_ATTEMPTS)


@pytest.mark.chaos
async def test_a_dispatcher_paused_while_the_run_is_stopped_and_resumed(stage: Stage) -> None:
    run = await stage.sending()
    part = stage.stack.parts[stage.luck.choice(DISPATCHERS)]
    part.signal(signal.SIGSTOP)
    await run.insist("stop")
    await run.until_status("stopped")
    await run.insist("resume")
    await asyncio.sleep(stage.luck.uniform(0, 2))
    part.signal(signal.SIGCONT)
    await run.hit()
    await run.until_status("sent")
    await stage.close_the_books(run, bound=OPEN_ATTEMPTS)


async def test_a_rolling_restart_of_all_dispatchers_leaves_nobody_unconfirmed_and_no_gap(stage: Stage) -> None:
    for name in DISPATCHERS:
        run = await stage.sending(at=(0.1, 0.6))
        await stage.stack.parts[name].stop()
        await run.hit()
        revival = asyncio.create_task(stage.revive(name))
        await run.until_status("sent")
        await revival
        arrivals = await run.sent_at()
        assert max(later - earlier for earlier, later in pairwise(arrivals)) < GAP_SECONDS
        await stage.close_the_books(run)


@pytest.mark.chaos
async def test_a_revoker_killed_in_the_middle_of_a_recall_leaves_no_message_behind(stage: Stage) -> None:
    run = await stage.recalling()
    await stage.kill(stage.luck.choice(REVOKERS))
    await run.hit()
    state = await run.until_status("created")
    assert state["counts"]["recalled"] == PEOPLE
    await stage.close_the_books(run)
