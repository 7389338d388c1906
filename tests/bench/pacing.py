"""Whether the allowance is used, and never overdrawn, with any number of dispatchers."""

from tests.bench.parts import enter_emulated_people, span, system
from tests.bench.report import Table, ratio


async def measure(
    rates: tuple[int, ...] = (30, 1000), dispatchers: tuple[int, ...] = (1, 2, 4, 8), seconds: int = 20
) -> Table:
    """One broadcast long enough for `seconds` at each rate."""
    rows = []
    for rate in rates:
        for number in dispatchers:
            used, refused = await run(rate, number, rate * seconds)
            rows.append((str(rate), str(number), ratio(used), str(refused)))
    return Table(
        "pacing",
        "Pacing",
        "The share of the allowance that was used between the first and the last message, and the refusals (429) of an"
        " emulator that is strict about every sliding second. All processes share two cores: at 1000 a second they are"
        " the limit, not the pace.",
        ("allowed a second", "dispatchers", "used / allowed", "429"),
        rows,
    )


async def run(rate: int, dispatchers: int, people: int) -> tuple[float, int]:
    """The share of the allowance that was used, and the refusals."""
    settings = {"BROADCAST_LOG_LEVEL": "warning", "BROADCAST_WINDOW_BATCHES": str(max(4, dispatchers))}
    async with system(rate=rate, people=people, dispatchers=dispatchers, settings=settings) as running:
        await enter_emulated_people(running)
        broadcast = await running.broadcast(await running.audience(), "paced")
        await running.press("send", broadcast)
        await running.until_status(broadcast, "sent", seconds=20 * people / rate + 60)
        count, seconds = await span(running, "paced")
        return (count - 1) / seconds / rate, int((await running.totals())["http_429"])
