"""What the benchmarks share: a system without limits, many people, and what a process cost."""

import contextlib
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import create_engine, text

from deploy.local.stack import Plan, Stack
from tests.support.system import System, opens

TICKS = os.sysconf("SC_CLK_TCK")

PEOPLE = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
INSERT INTO recipients (bot, chat_id, status, first_name, last_name, kind, department, search,
    status_at, joined_at, created_at, updated_at)
SELECT 'main', {first} + i, 'active', 'Name', 'Surname', 'employee', 'Department ' || (i % 20), 'name',
    0, {now}, {now}, {now}
FROM n
"""


@contextlib.asynccontextmanager
async def system(rate: float = 0, people: int = 0, **plan: Any) -> AsyncIterator[System]:
    """A running system; `rate` is the bot's and the emulator's, 0 lifts both. Nobody is in the directory yet."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        bots = {"main": {"token": "1000000001:EMULATED", "rate": rate}}
        stack = Stack(Plan(var=Path(folder), bots=bots, people=people, **plan))
        async with stack.running(), httpx.AsyncClient(timeout=120, headers=opens(stack)) as http:
            running = System(stack, http)
            await running.limits(rate=int(rate), per_chat=0)
            yield running


async def enter_emulated_people(running: System) -> None:
    """Everybody who lives in the emulator."""
    chats = (await running.emulator("GET", "/chats?limit=1000000"))["chats"]
    people = [{"chat_id": chat["chat_id"], "first_name": chat["first_name"]} for chat in chats]
    for start in range(0, len(people), 5000):
        await running.call("PUT", "/v1/recipients", {"bot": "main", "recipients": people[start : start + 5000]})


def enter_people(database_url: str, count: int, first: int = 5_000_000_000) -> None:
    """People for planning and lists, straight into the table: they need not exist in Telegram."""
    engine = create_engine(database_url)
    now = "now()" if engine.dialect.name == "postgresql" else "CURRENT_TIMESTAMP"
    with engine.begin() as connection:
        connection.execute(text(PEOPLE.format(count=count, first=first, now=now)))
        connection.execute(text("ANALYZE"))
    engine.dispose()


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def peak_megabytes(pid: int) -> float:
    """The largest resident size of a process so far."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


async def span(running: System, text_contains: str) -> tuple[int, float]:
    """How many messages arrived, and the seconds between the first and the last."""
    times = (await running.emulator("GET", f"/send_times?text_contains={text_contains}"))["monotonic"]
    return len(times), times[-1] - times[0]
