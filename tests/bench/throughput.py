"""How fast one dispatcher is with the pace lifted, against a bare aiogram loop with the same concurrency."""

import asyncio
import json
import sys
from dataclasses import dataclass

from tests.bench.parts import cpu_seconds, enter_emulated_people, peak_megabytes, span, system
from tests.bench.report import Table, ratio

WINDOW, BATCHES = 25, 4
SETTINGS = {"BROADCAST_WINDOW": str(WINDOW), "BROADCAST_WINDOW_BATCHES": str(BATCHES), "BROADCAST_LOG_LEVEL": "warning"}


@dataclass(frozen=True)
class Comparison:
    """Messages a second and CPU seconds a message of both, medians; MB of the dispatcher."""

    bare: float
    ours: float
    bare_cost: float
    our_cost: float
    memory: float

    @property
    def rate(self) -> float:
        """Ours to bare; 1 is as fast."""
        return self.ours / self.bare


async def compare(people: int, rounds: int) -> Comparison:
    """Alternates the two, so that both meet the same machine."""
    rates: dict[str, list[float]] = {"bare": [], "dispatcher": []}
    costs: dict[str, list[float]] = {"bare": [], "dispatcher": []}
    async with system(people=people, settings=SETTINGS) as running:
        await enter_emulated_people(running)
        everyone = await running.audience()
        chats = [chat["chat_id"] for chat in (await running.emulator("GET", "/chats?limit=1000000"))["chats"]]
        dispatcher = running.stack.parts["dispatcher-0"].pid
        assert dispatcher is not None
        for n in range(rounds):
            cpu = await _bare(running.stack.telegram_url, f"bare{n}", chats)
            count, seconds = await span(running, f"bare{n}")
            rates["bare"].append(count / seconds)
            costs["bare"].append(cpu / count)

            cpu = cpu_seconds(dispatcher)
            broadcast = await running.broadcast(everyone, f"ours{n}")
            await running.press("send", broadcast)
            await running.until_status(broadcast, "sent", seconds=300)
            count, seconds = await span(running, f"ours{n}")
            rates["dispatcher"].append(count / seconds)
            costs["dispatcher"].append((cpu_seconds(dispatcher) - cpu) / count)
        memory = peak_megabytes(dispatcher)
    bare, ours = (sorted(rates[name])[rounds // 2] for name in ("bare", "dispatcher"))
    bare_cost, our_cost = (sorted(costs[name])[rounds // 2] for name in ("bare", "dispatcher"))
    return Comparison(bare, ours, bare_cost, our_cost, memory)


async def measure(people: int = 6000, rounds: int = 3) -> Table:
    """The table."""
    found = await compare(people, rounds)
    return Table(
        "throughput",
        "Throughput of one dispatcher",
        f"{people:,} messages with the pace lifted, {WINDOW * BATCHES} in the air, median of {rounds}. The bare loop is"
        " `asyncio.gather` over aiogram's `send_message`: it records nothing. The api, NATS and the emulator run beside"
        " the dispatcher on the same two cores.",
        ("", "messages/s", "ratio to bare", "CPU µs a message", "ratio to bare", "peak memory"),
        (
            ("bare aiogram", f"{found.bare:.0f}", "1.00", f"{found.bare_cost * 1e6:.0f}", "1.00", ""),
            (
                "dispatcher",
                f"{found.ours:.0f}",
                ratio(found.rate),
                f"{found.our_cost * 1e6:.0f}",
                ratio(found.our_cost / found.bare_cost),
                f"{found.memory:.0f} MB",
            ),
        ),
    )


async def _bare(url: str, text: str, chats: list[int]) -> float:
    """Answers its CPU seconds."""
    options = {"url": url, "token": "1000000001:EMULATED", "text": text, "concurrency": WINDOW * BATCHES}
    arguments = [f"--{name}={value}" for name, value in options.items()]
    command = [sys.executable, "-m", "tests.bench.bare", *arguments]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    output, _ = await process.communicate(json.dumps(chats).encode())
    assert process.returncode == 0
    return float(output)
