"""Whether the allowance is used, and never overdrawn, with any number of dispatchers."""

from collections.abc import Mapping
from types import MappingProxyType

from tests.bench.chart import bars
from tests.bench.parts import enter_emulated_people, span, system
from tests.bench.report import Table, ratio


async def measure(
    seconds: Mapping[int, int] = MappingProxyType({30: 15, 1000: 8}), dispatchers: tuple[int, ...] = (1, 2, 4, 8)
) -> Table:
    """At each rate one broadcast that lasts for so many seconds."""
    found = [
        (rate, number, *await run(rate, number, rate * lasting))
        for rate, lasting in seconds.items()
        for number in dispatchers
    ]
    return Table(
        "pacing",
        "Pacing",
        "The share of the allowance that was used between the first and the last message, and the refusals (429) of an"
        " emulator that is strict about every sliding second. All processes share two cores: at 1000 a second they are"
        " the limit, not the pace.",
        ("allowed a second", "dispatchers", "used / allowed", "429"),
        [(str(rate), str(number), ratio(used), str(refused)) for rate, number, used, refused in found],
        bars(
            "pacing",
            "Used of the allowance",
            [(f"{rate}/s, {number} dispatchers", used) for rate, number, used, _ in found],
        ),
    )


async def run(rate: int, dispatchers: int, people: int) -> tuple[float, int]:
    """The share of the allowance that was used, and the refusals."""
    settings = {"BROADCAST_LOG_LEVEL": "warning", "BROADCAST_WINDOW_BATCHES": str(max(4, dispatchers))}
    async with system(rate=rate, people=people, dispatchers=dispatchers, settings=settings) as running:
        await enter_emulated_people(running)
        broadcast = await running.broadcast(await running.audience(), "paced")
        await running.press("send", broadcast)
        await running.until_status(broadcast, "sent", seconds=5 * people / rate + 60)
        count, seconds = await span(running, "paced")
        return (count - 1) / seconds / rate, int((await running.totals())["http_429"])
