"""`python -m tests.simulation [--seeds N] [--first SEED] [--mutant NAME]`: run histories and print the violations."""

import argparse
import atexit
import contextlib
import logging
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path

from broadcast_api.adapters.database import Database
from tests.simulation.check import Report, check
from tests.simulation.loop import run
from tests.simulation.mutants import MUTANTS
from tests.simulation.record import record
from tests.simulation.world import World, virtual_clocks

MEMORY = Path("/dev/shm")
COUNTED = ("crashes", "freezes", "doubtful", "delivered", "unconfirmed", "recalled")
"""What is summed over the histories."""


def simulate(seed: int, mutant: str = "") -> Report:
    """One history from beginning to end."""
    logging.disable(logging.CRITICAL)
    folder = Path(tempfile.mkdtemp(prefix="simulation-", dir=MEMORY if MEMORY.exists() else None))
    try:
        with virtual_clocks(), MUTANTS[mutant]() if mutant else _as_it_is():
            world = World(seed, _database(), folder)
            return check(world, run(world.live()))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@cache
def _database() -> Database:
    """One for each process, removed when it ends."""
    folder = tempfile.mkdtemp(prefix="simulation-", dir=MEMORY if MEMORY.exists() else None)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    database = Database(f"sqlite:///{folder}/broadcasts.db")
    database.create_schema()
    return database


def _as_it_is() -> contextlib.AbstractContextManager[None]:
    return contextlib.nullcontext()


def run_seeds(first: int, count: int, mutant: str = "", workers: int = 2) -> Iterator[tuple[int, Report]]:
    """Many histories on several cores, by seed, as they come."""
    seeds = range(first, first + count)
    with ProcessPoolExecutor(workers) as pool:
        yield from zip(seeds, pool.map(partial(simulate, mutant=mutant), seeds, chunksize=10), strict=True)


def main() -> None:
    """Exit code 1 when a history violates a promise; its seed is printed at once, and replays."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--mutant", choices=sorted(MUTANTS), default="")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--record", type=Path, help="the page that shows the result, docs/reliability.md")
    options = parser.parse_args()
    started = time.monotonic()
    totals, histories, violated = dict.fromkeys(COUNTED, 0), 0, 0
    for seed, report in run_seeds(options.first, options.seeds, options.mutant, options.workers):
        histories += 1
        violated += bool(report.violations)
        for name in COUNTED:
            totals[name] += getattr(report, name)
        for violation in report.violations[:3]:
            print(f"seed {seed}: {violation}", flush=True)
        if histories % 500 == 0 or histories == options.seeds:
            print(f"{histories} seeds, {violated} violated; {totals}; {time.monotonic() - started:.0f} s", flush=True)
    if options.record:
        command = f"python -m tests.simulation --first {options.first} --seeds {options.seeds}"
        record(options.record, histories, violated, totals, command)
    sys.exit(1 if violated else 0)


if __name__ == "__main__":
    main()
