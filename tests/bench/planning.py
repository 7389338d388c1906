"""From Send to the first message, and to a frozen audience, by the size of the audience."""

import asyncio
import time

from tests.bench.parts import enter_people, peak_megabytes, system
from tests.bench.report import Table, ratio
from tests.support.system import System


async def measure(sizes: tuple[int, ...] = (10_000, 100_000, 1_000_000)) -> Table:
    """One system for each size, SQLite."""
    results = [await run(size) for size in sizes]
    memory = results[0][2]
    return Table(
        "planning",
        "Planning",
        "SQLite. The first message is the first that the emulator saw; frozen is when every recipient had a row."
        " Memory is the api's.",
        ("recipients", "first message", "frozen", "µs a recipient", "peak memory of the api", "ratio to the smallest"),
        [
            (
                f"{size:,}",
                f"{first:.2f} s",
                f"{frozen:.1f} s",
                f"{frozen / size * 1e6:.0f}",
                f"{peak:.0f} MB",
                ratio(peak / memory),
            )
            for size, (first, frozen, peak) in zip(sizes, results, strict=True)
        ],
    )


async def run(size: int) -> tuple[float, float, float]:
    """Seconds to the first message and to a frozen audience, and the api's peak memory in MB."""
    async with system(rate=30, people=10, settings={"BROADCAST_LOG_LEVEL": "warning"}) as running:
        chats = (await running.emulator("GET", "/chats?limit=1"))["chats"]
        first_chat = chats[0]["chat_id"] - 1
        await asyncio.to_thread(enter_people, f"sqlite:///{running.stack.plan.var}/broadcasts.db", size, first_chat)
        broadcast = await running.broadcast(await running.audience(), "planned")
        api = running.stack.parts["api"].pid
        assert api is not None
        started = time.time()
        await running.press("send", broadcast)
        first = await _first_message(running) - started
        while not (await running.get(broadcast))["audience_frozen"]:
            await asyncio.sleep(0.1)
        frozen = time.time() - started
        assert (await running.get(broadcast))["counts"]["total"] == size
        return first, frozen, peak_megabytes(api)


async def _first_message(running: System) -> float:
    while (first := (await running.totals())["first_sent_at"]) is None:
        await asyncio.sleep(0.01)
    return float(first)
