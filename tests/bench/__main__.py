"""`python -m tests.bench [NAME…]`: print the figures and write docs/benchmarks.md."""

import argparse
import asyncio
from collections.abc import Awaitable, Callable

from tests.bench import latency, lists, pacing, people, planning, throughput
from tests.bench.report import Table, write

SECTIONS: dict[str, Callable[[], Awaitable[Table]]] = {
    "throughput": throughput.measure,
    "pacing": pacing.measure,
    "planning": planning.measure,
    "latency": latency.measure,
    "lists": lists.measure,
    "import": people.measure_import,
    "preview": people.measure_preview,
}


def main() -> None:
    """All sections unless some are named."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*SECTIONS, []], default=[])
    tables = []
    for name in parser.parse_args().names or SECTIONS:
        table = asyncio.run(_measure(name))
        print(table.markdown(), flush=True)
        tables.append(table)
        write(tables)


async def _measure(name: str) -> Table:
    return await SECTIONS[name]()


if __name__ == "__main__":
    main()
