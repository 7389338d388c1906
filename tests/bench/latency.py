"""How soon a stop is a stop, how fast a recall is, and how long a small broadcast waits behind a large one."""

import asyncio
import time

from tests.bench.parts import enter_emulated_people, system
from tests.bench.report import Table, ratio


async def measure(stops: int = 5) -> Table:
    """At the free rate and at the paid one."""
    rows = []
    for rate in (30, 1000):
        async with system(rate=rate, people=3000, settings={"BROADCAST_LOG_LEVEL": "warning"}) as running:
            await enter_emulated_people(running)
            everyone = await running.audience()
            person = (await running.call("GET", "/v1/recipients?bot=main&limit=10"))["items"]
            few = await running.audience("few", {"kind": "list", "recipient_ids": [one["id"] for one in person]})

            large = await running.broadcast(everyone, "large")
            await running.press("send", large)
            await asyncio.sleep(1)
            started = time.time()
            small = await running.broadcast(few, "small")
            await running.press("send", small)
            await running.until_status(small, "sent")
            waited = time.time() - started

            lasts, rests = [], []
            for _ in range(stops):
                if (await running.get(large))["status"] != "sending":
                    break
                await running.press("stop", large)
                answered = time.time()
                await running.until_status(large, "stopped")
                rests.append(time.time() - answered)
                lasts.append((await running.totals())["last_sent_at"] - answered)
                await running.press("resume", large)
                await asyncio.sleep(0.5)
            await running.limits(rate=0)
            await running.until_status(large, "sent", seconds=200)

            await running.limits(rate=rate, delete_rate=rate)
            if rate > 30:
                started, delivered = time.time(), (await running.get(large))["counts"]["delivered"]
                await running.press("recall", large)
                await running.until_status(large, "created", seconds=200)
                recalled = f"{ratio(delivered / (time.time() - started) / rate)}"
            else:
                recalled = "–"
            rows.append((str(rate), f"{waited:.1f} s", f"{max(lasts):.3f} s", f"{max(rests):.2f} s", recalled))
    return Table(
        "latency",
        "Stop, fairness, recall",
        "A broadcast to 10 people started one second behind one to 3,000; the last message after the answer to Stop"
        " (negative: before it) and the moment `stopped` was shown,"
        f" worst of {stops}; the rate of a recall of 3,000 as a share of the allowance.",
        (
            "allowed a second",
            "small one sent after",
            "last message after Stop",
            "stopped shown after",
            "recall rate / allowed",
        ),
        rows,
    )
