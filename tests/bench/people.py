"""A CSV file of people going in, and audiences counted, on each engine, against what the engine takes at the least."""

import asyncio
import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from sqlalchemy import func, select, text

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.directory import Directory
from broadcast_api.adapters.imports import Imports
from broadcast_api.adapters.schema import recipient_tags, recipients
from broadcast_api.entrypoints.http.people_csv import open_people
from tests.bench.report import Table, ratio
from tests.support.postgres import PostgresServer

DEPARTMENTS = {"field": "department", "in": [f"Department {n}" for n in range(8)]}
JOINED = {"field": "joined", "after": "2024-06-01", "before": "2025-06-01"}
MANY, HALF, FEW = ({"field": "tags", "in": [tag]} for tag in ("many", "half", "few"))
RULES: dict[str, Any] = {
    "everybody": {"all": []},
    "eight departments": DEPARTMENTS,
    "a tag of 9 in 10": MANY,
    "a tag of 1 in 1,000": FEW,
    "without a tag of half": {"not": HALF},
    "two tags without a third": {"all": [MANY, HALF, {"not": FEW}]},
    "departments without a tag": {"all": [DEPARTMENTS, {"not": HALF}]},
    "joined between": JOINED,
    "nested": {
        "all": [
            {"any": [DEPARTMENTS, {"all": [MANY, {"field": "language", "in": ["ru"]}]}]},
            {"not": {"any": [FEW, {"field": "kind", "in": ["contractor"]}]}},
            JOINED,
        ]
    },
}

PEOPLE = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
INSERT INTO recipients (bot, chat_id, status, first_name, last_name, kind, department, position, language, search,
    tag_lines, status_at, joined_at, created_at, updated_at)
SELECT 'main', i, CASE WHEN i % 10 = 0 THEN 'blocked' ELSE 'active' END, 'Name', 'Surname',
    CASE WHEN i % 7 = 0 THEN 'contractor' ELSE 'employee' END, 'Department ' || (i % 20), 'Position ' || (i % 50),
    CASE WHEN i % 3 = 0 THEN 'en' ELSE 'ru' END, 'name surname',
    CASE WHEN i % 1000 = 0 THEN '{n}few' ELSE '' END || CASE WHEN i % 2 = 0 THEN '{n}half' ELSE '' END
        || CASE WHEN i % 10 < 9 THEN '{n}many' ELSE '' END || '{n}',
    0, {joined}, {joined}, {joined}
FROM n
"""
TAGS = """
INSERT INTO recipient_tags (recipient_id, tag)
SELECT id, tag FROM recipients, (SELECT 'few' AS tag UNION SELECT 'half' UNION SELECT 'many') AS tags
WHERE tag_lines LIKE '%{n}' || tag || '{n}%'
"""
JOINED_AT = {
    "sqlite": "datetime('2024-01-01', '+' || (i % 900) || ' days') || '.000000'",
    "postgresql": "timestamptz '2024-01-01Z' + (i % 900) * interval '1 day'",
}


async def measure_import(rows: int = 100_000) -> Table:
    """Against the same rows written by the engine itself, in the same table."""
    return await asyncio.to_thread(_measure_import, rows)


async def measure_preview(people: int = 1_000_000) -> Table:
    """Against a plain count of the same people."""
    return await asyncio.to_thread(_measure_preview, people)


def _measure_import(rows: int) -> Table:
    lines = []
    with engines() as urls:
        for url in urls:
            with opened(url) as database:
                new, again = import_seconds(database, rows), import_seconds(database, rows)
            with opened(url) as database:
                floor = timed(lambda database=database: fill(database, rows))  # type: ignore[misc]
                shown = (f"{rows / new:,.0f}", f"{rows / again:,.0f}", f"{rows / floor:,.0f}")
                lines.append((database.engine.dialect.name, *shown, ratio(floor / new)))
    return Table(
        "import",
        "Import of people",
        f"{rows:,} rows of CSV with two tags each, read, checked and entered; then the same file again. The floor:"
        " as many people with tags made up by INSERT ... SELECT of the engine itself.",
        ("engine", "rows/s, new", "rows/s, known", "floor", "ratio, new"),
        lines,
    )


def _measure_preview(people: int) -> Table:
    lines = []
    with engines() as urls:
        for url in urls:
            with opened(url) as database:
                fill(database, people)
                floor, took = preview_seconds(database)
                worst = max(took, key=lambda name: took[name])
                lines += [
                    (database.engine.dialect.name, name, f"{seconds:.2f} s", ratio(seconds / floor))
                    for name, seconds in {"count(*) of the bot": floor, **took}.items()
                    if name in ("count(*) of the bot", "everybody", worst)
                ]
    return Table(
        "preview",
        "Audience preview",
        f"{people:,} people; counts by status and ten of them, best of three. Of {len(RULES)} rules, the plainest and"
        " the slowest: " + "; ".join(RULES) + ".",
        ("engine", "rule", "took", "ratio"),
        lines,
    )


@contextlib.contextmanager
def engines() -> Iterator[list[str]]:
    """The URLs of an SQLite file and of a PostgreSQL database of our own."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, tempfile.TemporaryDirectory(prefix="bench-") as data:
        server = PostgresServer(Path(data))
        server.start()
        try:
            yield [f"sqlite:///{folder}/people.db", server.dsn.replace("postgresql://", "postgresql+psycopg://")]
        finally:
            server.stop()


@contextlib.contextmanager
def opened(url: str) -> Iterator[Database]:
    """With empty tables, whatever was in them."""
    database = Database(url)
    database.create_schema()
    with database.write() as connection:
        connection.execute(recipient_tags.delete())
        connection.execute(recipients.delete())
    yield database
    database.close()


def fill(database: Database, count: int) -> None:
    """People with tags, written by the engine itself."""
    name = database.engine.dialect.name
    words = {"count": count, "n": "\n", "joined": JOINED_AT[name]}
    with database.write() as connection:
        connection.execute(text(PEOPLE.format(**words)))
        connection.execute(text(TAGS.format(**words)))
    if database.is_sqlite:
        with database.write() as connection:
            connection.execute(text("ANALYZE"))
    else:
        plain = str(database.engine.url.set(drivername="postgresql"))
        with psycopg.connect(plain, autocommit=True) as vacuum:
            vacuum.execute("VACUUM ANALYZE")


def import_seconds(database: Database, rows: int) -> float:
    """From the saved file to the end of the import."""
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
        file.write("chat_id,имя,фамилия,отдел,теги\n")
        file.writelines(f"{n},Имя{n},Фамилия{n},Отдел {n % 50},новый|этаж {n % 9}\n" for n in range(1, rows + 1))
        file.flush()
        people, reader = open_people(Path(file.name), 0, ignore_unknown=False, groups=False), Imports(database)
        started = time.perf_counter()
        id = reader.begin(uuid4(), "main", "", people.named, people.rows, lambda: None, rows)
        while (row := reader.get(id)) and row.state == "running":
            time.sleep(0.05)
        assert row is not None
        assert (row.state, row.read, row.refused) == ("finished", rows, 0)
        return time.perf_counter() - started


def preview_seconds(database: Database) -> tuple[float, dict[str, float]]:
    """The floor, and every rule: best of three."""
    directory = Directory(database)

    def count() -> None:
        with database.read() as connection:
            connection.scalar(select(func.count()).select_from(recipients).where(recipients.c.bot == "main"))

    def reach(rule: Any) -> Callable[[], object]:
        return lambda: directory.reach("main", uuid4(), {"kind": "rule", "rule": rule}, None, 10)

    def best(work: Callable[[], object]) -> float:
        return min(timed(work) for _ in range(3))

    return best(count), {name: best(reach(rule)) for name, rule in RULES.items()}


def timed(work: Callable[[], object]) -> float:
    """Seconds that it took."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
