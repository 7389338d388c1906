"""The api is killed, led by another replica, and loses its database."""

import asyncio
import contextlib
import signal
from itertools import pairwise
from uuid import uuid4

import httpx
import pytest

from deploy.local.stack import free_port
from tests.chaos.run import patiently
from tests.chaos.stage import Stage
from tests.support.postgres import PostgresServer

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.xdist_group("chaos"), pytest.mark.timeout(300)]

TAKEOVER_SECONDS = 5
"""The longest silence when a leader dies: its lock ends with its connection, and the others ask for it every second."""


async def test_the_api_killed_around_send_starts_one_run(stage: Stage) -> None:
    """Before the commit, between commit and publishing, or after: a repeat under the same key tells no difference."""
    run, key = await stage.run(), uuid4().hex
    press = asyncio.create_task(run.press("send", key=key))
    await asyncio.sleep(stage.luck.uniform(0, 0.15))
    await stage.kill("api")
    with contextlib.suppress(httpx.TransportError):
        await press
    await stage.revive("api")
    await run.hit()
    assert (await patiently(lambda: run.press("send", key=key))).status_code == 202
    state = await run.until_status("sent")
    assert state["run"] == 1
    await stage.close_the_books(run)


@pytest.mark.chaos
async def test_the_api_killed_in_the_middle_again_and_again(stage: Stage) -> None:
    run = await stage.sending(at=(0.0, 0.2))
    for _ in range(2):
        await stage.kill("api")
        await stage.revive("api")
        await asyncio.sleep(stage.luck.uniform(0, 1))
    await run.hit()
    await run.until_status("sent")
    await stage.close_the_books(run)


async def test_the_leading_api_killed_and_a_second_replica_takes_over(stage: Stage) -> None:
    second = f"http://127.0.0.1:{free_port()}"
    await stage.stack.start_api("api-2", second)
    run = await stage.sending(at=(0.1, 0.5))
    await stage.kill("api")
    await run.hit()
    run.system = stage.through(second)
    await run.until_status("sent")
    arrivals = await run.sent_at()
    assert max(later - earlier for earlier, later in pairwise(arrivals)) < TAKEOVER_SECONDS
    await stage.close_the_books(run)
    await stage.revive("api")


@pytest.mark.chaos
async def test_the_leading_api_paused_loses_the_lead_and_wakes_to_do_no_harm(stage: Stage) -> None:
    second = f"http://127.0.0.1:{free_port()}"
    await stage.stack.start_api("api-2", second)
    run = await stage.sending(at=(0.1, 0.5))
    stage.stack.parts["api"].signal(signal.SIGSTOP)
    await run.hit()
    run.system = stage.through(second)
    await asyncio.sleep(stage.luck.uniform(0, 15))
    stage.stack.parts["api"].signal(signal.SIGCONT)
    await run.until_status("sent")
    await stage.close_the_books(run)


@pytest.mark.chaos
async def test_postgresql_restarted_in_the_middle(stage: Stage, own_postgres: PostgresServer) -> None:
    run = await stage.sending()
    own_postgres.stop(stage.luck.choice((signal.SIGQUIT, signal.SIGINT)))
    await asyncio.sleep(stage.luck.uniform(0, 3))
    own_postgres.start()
    await run.hit()
    await run.until_status("sent")
    await stage.close_the_books(run)
