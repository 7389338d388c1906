"""Lists and one broadcast with 100,000 broadcasts in store, against an empty store."""

import time
from uuid import uuid4

from sqlalchemy import create_engine, text

from tests.bench.parts import system
from tests.bench.report import Table, ratio
from tests.support.system import System

ROWS = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
INSERT INTO broadcasts (id, bot, name, search, text, parse_mode, link_preview, silent, pictures_as_files, files,
    audience_id, status, stopping, created_by_name, created_by_position, created_at, run, version)
SELECT lower(hex(randomblob(16))), bot, name || i, search || i, text, parse_mode, link_preview, silent,
    pictures_as_files, files, audience_id, 'sent', stopping, created_by_name, created_by_position,
    datetime('2026-01-01', '+' || i || ' seconds') || '.000000', run, version
FROM n, (SELECT * FROM broadcasts LIMIT 1)
"""


async def measure(count: int = 100_000, requests: int = 200) -> Table:
    """SQLite; the same requests before and after."""
    async with system(people=10, settings={"BROADCAST_LOG_LEVEL": "warning"}) as running:
        broadcast = await running.broadcast(await running.audience(), f"listed {uuid4()}")
        paths = {
            "first page": "/v1/broadcasts?limit=50",
            "by name": "/v1/broadcasts?limit=50&sort=name",
            "by status": "/v1/broadcasts?limit=50&status=sent",
            "one broadcast": f"/v1/broadcasts/{broadcast}",
        }
        empty = {name: await _percentiles(running, path, requests) for name, path in paths.items()}
        engine = create_engine(f"sqlite:///{running.stack.plan.var}/broadcasts.db")
        with engine.begin() as connection:
            connection.execute(text(ROWS.format(count=count)))
        engine.dispose()
        full = {name: await _percentiles(running, path, requests) for name, path in paths.items()}
    return Table(
        "lists",
        "Lists",
        f"{count:,} broadcasts against a store with one, {requests} requests each, SQLite.",
        ("request", "p50, empty", "p50, full", "ratio", "p99, empty", "p99, full", "ratio"),
        [
            (
                name,
                *(f"{value * 1000:.1f} ms" for value in (empty[name][0], full[name][0])),
                ratio(full[name][0] / empty[name][0]),
                *(f"{value * 1000:.1f} ms" for value in (empty[name][1], full[name][1])),
                ratio(full[name][1] / empty[name][1]),
            )
            for name in paths
        ],
    )


async def _percentiles(running: System, path: str, requests: int) -> tuple[float, float]:
    took = []
    for _ in range(requests):
        started = time.perf_counter()
        await running.call("GET", path)
        took.append(time.perf_counter() - started)
    took.sort()
    return took[requests // 2], took[requests * 99 // 100]
