"""`python -m tests.bench [NAME…]`: print the figures and write docs/benchmarks.md."""

import argparse
import asyncio
import sys
import time
import traceback
from collections.abc import Awaitable, Callable

from tests.bench import files, latency, lists, pacing, people, planning, projection, throughput
from tests.bench.report import Table, write

SECTIONS: dict[str, Callable[[], Awaitable[Table]]] = {
    "throughput": throughput.measure,
    "pacing": pacing.measure,
    "planning": planning.measure,
    "latency": latency.measure,
    "lists": lists.measure,
    "files": files.measure,
    "import": people.measure_import,
    "preview": people.measure_preview,
    "projection": projection.measure,
}

SECTION_SECONDS = 360
"""The longest that a section may take."""


def main() -> None:
    """All sections unless some are named. One that fails leaves the page's old figures; the exit code is 1 then."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*SECTIONS, []], default=[])
    failed = False
    for name in parser.parse_args().names or SECTIONS:
        started = time.monotonic()
        try:
            table = asyncio.run(_measure(name))
        except Exception:
            traceback.print_exc()
            failed = True
            continue
        write(table)
        print(f"{table.markdown()}\n({name}: {time.monotonic() - started:.0f} s)\n", flush=True)
    sys.exit(failed)


async def _measure(name: str) -> Table:
    async with asyncio.timeout(SECTION_SECONDS):
        return await SECTIONS[name]()


if __name__ == "__main__":
    main()
