"""How soon a stop is a stop, how fast a recall is, and how long a small broadcast waits behind a large one."""

import asyncio
import time
from dataclasses import dataclass

from tests.bench.chart import bars
from tests.bench.parts import enter_emulated_people, enter_people, system
from tests.bench.report import Table, ratio

QUIET = {"BROADCAST_LOG_LEVEL": "warning"}
SENDING_SECONDS = 12
LARGE = 100_000


@dataclass(frozen=True)
class Stops:
    """The worst of several stops, in seconds after the answer to Stop: the last message (negative: before it), and
    the moment `stopped` was shown. And the rate of the recall afterwards, as a share of the allowance.
    """

    last_message: float
    shown: float
    recall: float


async def measure(rates: tuple[int, ...] = (30, 1000)) -> Table:
    """At the free rate and at the paid one."""
    found = [(rate, await wait_behind(rate), await stops(rate)) for rate in rates]
    return Table(
        "latency",
        "Stop, fairness, recall",
        f"The time from Send to `sent` of a broadcast to 10 people, begun two seconds after one to {LARGE:,}; the last"
        " message after the answer to Stop (negative: before it) and the moment `stopped` was shown, worst of 5; the"
        " rate of the recall afterwards as a share of the allowance.",
        (
            "allowed a second",
            "small one sent after",
            "last message after Stop",
            "stopped shown after",
            "recall rate / allowed",
        ),
        [
            (str(rate), f"{waited:.1f} s", f"{stop.last_message:.3f} s", f"{stop.shown:.2f} s", ratio(stop.recall))
            for rate, waited, stop in found
        ],
        bars("stop", "Stopped is shown after, s", [(f"{rate} a second", stop.shown) for rate, _, stop in found]),
    )


async def wait_behind(rate: int) -> float:
    """Seconds that a broadcast to ten people takes behind a large one. Most of the large one's people do not exist."""
    async with system(rate=rate, people=10, settings=QUIET) as running:
        chats = (await running.emulator("GET", "/chats?limit=10"))["chats"]
        first = min(chat["chat_id"] for chat in chats) - 1
        await asyncio.to_thread(enter_people, f"sqlite:///{running.stack.plan.var}/broadcasts.db", LARGE, first)
        everyone = await running.audience()
        people = (await running.call("GET", "/v1/recipients?bot=main&limit=10"))["items"]
        few = await running.audience("few", {"kind": "list", "recipient_ids": [one["id"] for one in people]})
        await running.press("send", await running.broadcast(everyone, "large"))
        await asyncio.sleep(2)
        small = await running.broadcast(few, "small")
        started = time.monotonic()
        await running.press("send", small)
        await running.until_status(small, "sent", seconds=100)
        return time.monotonic() - started


async def stops(rate: int, times: int = 5) -> Stops:
    """Stop and resume again and again, then recall what was sent."""
    async with system(rate=rate, people=rate * SENDING_SECONDS, settings=QUIET) as running:
        await running.limits(rate=rate, delete_rate=rate)
        await enter_emulated_people(running)
        broadcast = await running.broadcast(await running.audience(), "large")
        lasts, shown = [], []
        for n in range(times):
            await running.press("resume" if n else "send", broadcast)
            await asyncio.sleep(1.5)
            assert (await running.get(broadcast))["status"] == "sending", "it ended before it could be stopped"
            await running.press("stop", broadcast)
            answered = time.time()
            await running.until_status(broadcast, "stopped")
            shown.append(time.time() - answered)
            lasts.append((await running.totals())["last_sent_at"] - answered)
        delivered = (await running.get(broadcast))["counts"]["delivered"]
        started = time.monotonic()
        await running.press("recall", broadcast)
        await running.until_status(broadcast, "created", seconds=100)
        return Stops(max(lasts), max(shown), delivered / (time.monotonic() - started) / rate)
