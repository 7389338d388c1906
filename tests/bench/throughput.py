"""How fast one dispatcher is with the pace lifted, against a bare aiogram loop with the same concurrency."""

import asyncio
import json
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from tests.bench.chart import bars
from tests.bench.parts import cpu_seconds, enter_emulated_people, peak_megabytes, span, system
from tests.bench.report import Table, ratio

WINDOW, BATCHES = 25, 4
SETTINGS = {"BROADCAST_WINDOW": str(WINDOW), "BROADCAST_WINDOW_BATCHES": str(BATCHES), "BROADCAST_LOG_LEVEL": "warning"}


RIVALS = {"bare": "gather", "aiogram-broadcaster": "broadcaster"}


@dataclass(frozen=True)
class Comparison:
    """Medians by contestant (`bare`, `aiogram-broadcaster`, `dispatcher`): messages a second, CPU seconds a message,
    deletions a second (`bare` and `dispatcher`); MB of the dispatcher.
    """

    rates: dict[str, float]
    costs: dict[str, float]
    recalls: dict[str, float]
    memory: float

    @property
    def rate(self) -> float:
        """Ours to bare; 1 is as fast."""
        return self.rates["dispatcher"] / self.rates["bare"]


async def compare(people: int, rounds: int, rivals: Sequence[str] = ("bare",)) -> Comparison:
    """The contestants take turns, so that all meet the same machine."""
    rates, costs, recalls = (defaultdict[str, list[float]](list) for _ in range(3))
    async with system(people=people, settings=SETTINGS) as running:
        await running.limits(delete_rate=0)
        await enter_emulated_people(running)
        everyone = await running.audience()
        chats = [chat["chat_id"] for chat in (await running.emulator("GET", "/chats?limit=1000000"))["chats"]]
        dispatcher = running.stack.parts["dispatcher-0"].pid
        assert dispatcher is not None
        for n in range(rounds):
            for rival in rivals:
                figures = await _run(RIVALS[rival], running.stack.telegram_url, f"{rival}{n}", chats)
                count, seconds = await span(running, f"{rival}{n}")
                rates[rival].append(count / seconds)
                costs[rival].append(figures["cpu"] / count)
                recalls[rival].append(figures["deleted"])

            cpu = cpu_seconds(dispatcher)
            broadcast = await running.broadcast(everyone, f"ours{n}")
            await running.press("send", broadcast)
            await running.until_status(broadcast, "sent", seconds=150)
            count, seconds = await span(running, f"ours{n}")
            rates["dispatcher"].append(count / seconds)
            costs["dispatcher"].append((cpu_seconds(dispatcher) - cpu) / count)

            started = time.monotonic()
            await running.press("recall", broadcast)
            await running.until_status(broadcast, "created", seconds=150)
            recalls["dispatcher"].append(count / (time.monotonic() - started))
        memory = peak_megabytes(dispatcher)
    return Comparison(_medians(rates), _medians(costs), _medians(recalls), memory)


async def measure(people: int = 5000, rounds: int = 3) -> Table:
    """The table."""
    found = await compare(people, rounds, tuple(RIVALS))
    bare, bare_cost, bare_recall = found.rates["bare"], found.costs["bare"], found.recalls["bare"]
    rows = []
    for name, rate in found.rates.items():
        cost, recall = found.costs[name], found.recalls[name]
        rows.append(
            (
                "bare aiogram" if name == "bare" else name,
                f"{rate:.0f}",
                ratio(rate / bare),
                f"{cost * 1e6:.0f}",
                ratio(cost / bare_cost),
                f"{recall:.0f}" if recall else "–",
                ratio(recall / bare_recall) if recall else "–",
                f"{found.memory:.0f} MB" if name == "dispatcher" else "",
            )
        )
    return Table(
        "throughput",
        "Throughput of one dispatcher",
        f"{people:,} messages with the pace lifted, {WINDOW * BATCHES} in the air, median of {rounds}. The bare loop is"
        " `asyncio.gather` over aiogram's `send_message` (and `delete_message`): it records nothing."
        " aiogram-broadcaster runs in its fastest form, without a storage, and sends one message at a time; it cannot"
        " recall. The api, NATS and the emulator run beside the dispatcher on the same cores.",
        (
            "",
            "messages/s",
            "ratio to bare",
            "CPU µs a message",
            "ratio to bare",
            "recalled/s",
            "ratio to bare",
            "peak memory",
        ),
        rows,
        bars(
            "throughput",
            "Messages a second, the pace lifted",
            [(row[0], found.rates[n]) for row, n in zip(rows, found.rates, strict=True)],
        ),
    )


def _medians(found: dict[str, list[float]]) -> dict[str, float]:
    return {name: median(values) for name, values in found.items()}


async def _run(way: str, url: str, text: str, chats: list[int]) -> dict[str, float]:
    """What the rival prints."""
    options = {"way": way, "url": url, "token": "1000000001:EMULATED", "text": text, "concurrency": WINDOW * BATCHES}
    arguments = [f"--{name}={value}" for name, value in options.items()]
    command = [sys.executable, "-m", "tests.bench.bare", *arguments]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    output, _ = await process.communicate(json.dumps(chats).encode())
    assert process.returncode == 0, f"{way} failed"
    figures: dict[str, float] = json.loads(output)
    return figures
