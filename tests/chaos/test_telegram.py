"""Telegram loses replies, refuses connections, asks for silence, and refuses the token or the content."""

import asyncio

import pytest

from tests.chaos.run import Run
from tests.chaos.stage import OPEN_ATTEMPTS, PEOPLE, Stage

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.xdist_group("chaos"), pytest.mark.timeout(300)]

FIFTH = PEOPLE // 5


async def test_five_replies_in_a_hundred_lost_after_delivery(stage: Stage) -> None:
    for kind in ("server_error_after", "timeout_after", "reset_after"):
        await stage.system.fault(kind=kind, method="sendMessage", probability=0.05 / 3)
    run = await stage.run()
    await run.press("send")
    state = await run.until_status("sent")
    lost = await stage.struck()
    assert state["counts"]["unconfirmed"] == lost
    await stage.close_the_books(run, bound=lost)


@pytest.mark.chaos
async def test_half_of_the_connections_refused(stage: Stage) -> None:
    """The proxy stops listening for half of the time. Who is in its queue at that moment is reset: at most one each."""
    stage.telegram.single_use = True
    stage.telegram.cut()
    run = await stage.run(2 * FIFTH)
    await run.press("send")
    refusals = 0
    while (await run.state())["status"] != "sent":
        stage.telegram.refuse()
        refusals += 1
        await asyncio.sleep(stage.luck.uniform(0.05, 0.25))
        await stage.telegram.open()
        await asyncio.sleep(stage.luck.uniform(0.05, 0.25))
    await stage.close_the_books(run, bound=refusals)


@pytest.mark.chaos
async def test_telegram_out_of_reach_for_seconds(stage: Stage) -> None:
    """Requests that were written when it froze are unconfirmed; nobody who could not connect is."""
    run = await stage.sending()
    stage.telegram.freeze()
    stage.telegram.refuse()
    await asyncio.sleep(stage.luck.uniform(2.5, 5))
    stage.telegram.cut()
    await stage.telegram.open()
    await run.hit()
    await run.until_status("sent")
    await stage.close_the_books(run, bound=2 * OPEN_ATTEMPTS)


@pytest.mark.chaos
async def test_too_many_requests_for_three_in_ten(stage: Stage) -> None:
    run = await stage.sending(2 * FIFTH, at=(0.05, 0.5))
    await stage.system.fault(kind="rate_limited", method="sendMessage", probability=0.3, retry_after=1)
    await asyncio.sleep(stage.luck.uniform(4, 8))
    await stage.system.emulator("DELETE", "/faults")
    await run.hit()
    await run.until_status("sent")
    await stage.close_the_books(run)


async def test_a_token_refused_in_the_middle_stops_the_run_and_fails_nobody(stage: Stage) -> None:
    run = await stage.sending()
    await stopped_by(stage, run, "unauthorized", "bot_unauthorized")


@pytest.mark.chaos
async def test_a_content_refused_in_the_middle_stops_the_run_and_fails_nobody(stage: Stage) -> None:
    run = await stage.sending()
    await stopped_by(stage, run, "content_error", "content_refused")


async def stopped_by(stage: Stage, run: Run, fault: str, cause: str) -> None:
    """The run stops with the cause; once the fault is over it is resumed and reaches everybody."""
    await stage.system.fault(kind=fault, method="sendMessage")
    stopped = await run.until_status("stopped")
    assert stopped["stop_cause"] == cause
    assert stopped["counts"]["failed"] == stopped["counts"]["unconfirmed"] == 0
    await stage.close_the_books(run)
    await stage.system.emulator("DELETE", "/faults")
    await run.hit()
    assert (await run.insist("resume")).status_code == 202
    sent = await run.until_status("sent")
    assert sent["counts"]["delivered"] == run.people
    await stage.close_the_books(run)
