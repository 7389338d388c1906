"""Dispatchers are scaled from one to eight to two in mid-broadcast, as an autoscaler would."""

import asyncio
from itertools import pairwise

import nats
import pytest

from deploy.local.samples import DEPARTMENTS
from tests.chaos.run import Run
from tests.chaos.verdict import account
from tests.support.system import running

PEOPLE, RATE = 3000, 10
"""More than are sent to in the time that this takes on a slow machine; the broadcast is stopped in the end."""

PHASE_MESSAGES = 60
LONGEST_GAP_SECONDS = 1.5

pytestmark = [pytest.mark.chaos, pytest.mark.xdist_group("chaos"), pytest.mark.timeout(420)]


async def test_one_to_eight_to_two_dispatchers_in_mid_broadcast_change_nothing_but_who_sends() -> None:
    bot = {"main": {"token": "1000000001:EMULATED", "rate": RATE}}
    async with running(people=PEOPLE, bots=bot, dispatchers=1, revokers=0) as system:
        stack = system.stack
        audience = await system.audience("all", {"kind": "attributes", "where": {"department": DEPARTMENTS}})
        run = Run(system, PEOPLE, RATE)
        run.id = await system.broadcast(audience, run.text)
        await run.press("send")
        await run.until_arrived(PHASE_MESSAGES)

        for n in range(1, 8):
            await stack.start_worker("dispatcher", n)
            await stack.ready(f"dispatcher-{n}")
        eight = len(await run.sent_at())
        await run.until_arrived(eight + PHASE_MESSAGES)
        await asyncio.gather(*(stack.parts[f"dispatcher-{n}"].stop() for n in (0, 3, 4, 5, 6, 7)))
        two = len(await run.sent_at())
        await run.until_arrived(two + PHASE_MESSAGES)

        await run.insist("stop")
        await run.until_status("stopped")
        client = await nats.connect(**stack.nats_options("operator"))
        result = await account(run, client.jetstream(), bound=0, public_counts=False)
        await client.close()
        arrivals = await run.sent_at()

    assert (result.duplicates, result.lost, result.unconfirmed) == (0, 0, 0)
    assert max(later - earlier for earlier, later in pairwise(arrivals)) < LONGEST_GAP_SECONDS
    for phase in (arrivals[:eight], arrivals[eight:two], arrivals[two:]):
        assert (len(phase) - 1) / (phase[-1] - phase[0]) == pytest.approx(RATE, rel=0.15)
