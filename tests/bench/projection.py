"""How fast results become rows, against the engine's own inserts and updates of the same rows."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import psycopg
from sqlalchemy import bindparam, insert, update

from broadcast_api.adapters.schema import deliveries
from broadcast_api.duties.freeze import SLICE, freeze_slice
from broadcast_api.duties.outcome_rows import Advance, Place, write
from broadcast_contracts import Outcome, Result
from broadcast_delivery import Fold
from tests.bench.chart import bars
from tests.bench.parts import enter_people
from tests.bench.report import Table, ratio
from tests.integration.duties.stage import Stage
from tests.support.postgres import PostgresServer, with_tables

T = TypeVar("T")
BATCH_SIZE, TOGETHER = 250, 4
"""Recipients of a batch, and batches in a transaction: what the projection finds when a run has four batches out."""

ROUNDS = 4
"""A batch is projected in so many portions."""


async def measure(recipients: int = 50_000) -> Table:
    """Both engines."""
    rows = []
    for engine in ("SQLite", "PostgreSQL"):
        with _urls(engine) as urls:
            rows.append((engine, *run(urls, recipients)))
    return Table(
        "projection",
        "Projection",
        f"{recipients:,} results of batches of {BATCH_SIZE}, {TOGETHER} batches a transaction, each in {ROUNDS}"
        " portions; with every portion go the batch's counts and the run's. Compared with bare `INSERT` and `UPDATE` of"
        " as many rows of the same table in transactions of the same size.",
        ("engine", "projected rows/s", "inserted rows/s", "ratio", "updated rows/s", "ratio"),
        [
            (
                engine,
                f"{projected:,.0f}",
                f"{inserted:,.0f}",
                ratio(projected / inserted),
                f"{updated:,.0f}",
                ratio(projected / updated),
            )
            for engine, projected, inserted, updated in rows
        ],
        bars(
            "projection",
            "Rows a second",
            [
                (f"{engine}: {what}", value)
                for engine, *values in rows
                for what, value in zip(("projected", "bare insert", "bare update"), values, strict=True)
            ],
        ),
    )


def run(urls: tuple[str, str], recipients: int) -> tuple[float, float, float]:
    """Rows a second: projected, inserted bare, updated bare."""
    stage = Stage(with_tables(urls[0]), urls[1], BATCH_SIZE)
    enter_people(urls[0], recipients)
    places = _frozen(stage)
    portions = [
        [_advance(place, round) for place in places[start : start + TOGETHER]]
        for start in range(0, len(places), TOGETHER)
        for round in range(ROUNDS)
    ]
    projected = _rate(recipients, portions, lambda portion: write(stage.database, "send", portion))
    run_id, size = -1, BATCH_SIZE * TOGETHER // ROUNDS
    slices = [range(start, min(start + size, recipients)) for start in range(0, recipients, size)]

    def add(positions: range) -> None:
        rows = [{"run_id": run_id, "position": at, "recipient_id": at, "chat_id": at} for at in positions]
        with stage.database.write() as connection:
            connection.execute(insert(deliveries), rows)

    def change(positions: range) -> None:
        rows = [{"at": at, "posted": str(at), "when": 1_800_000_000} for at in positions]
        with stage.database.write() as connection:
            connection.execute(
                update(deliveries)
                .where(deliveries.c.run_id == run_id, deliveries.c.position == bindparam("at"))
                .values(outcome="delivered", message_ids=bindparam("posted"), sent_at=bindparam("when")),
                rows,
            )

    inserted, updated = _rate(recipients, slices, add), _rate(recipients, slices, change)
    stage.close()
    return projected, inserted, updated


def _frozen(stage: Stage) -> list[Place]:
    broadcast = stage.sending()
    run = stage.run(broadcast)
    finished = False
    while not finished:
        with stage.database.write(snapshot=True) as connection:
            finished = freeze_slice(connection, run.id, SLICE).finished
    return [
        Place(stage.key(broadcast, row.batch), run.id, BATCH_SIZE, row.size, 0, "sending", 1)
        for row in stage.batches(broadcast)
    ]


def _advance(place: Place, round: int) -> Advance:
    """After this portion of the batch; the state has all the earlier ones too."""
    ends = [place.size * n // ROUNDS for n in range(ROUNDS + 1)]
    results = {
        i: Result(i=i, outcome=Outcome.DELIVERED, at=1_800_000_000, messages=[i + 1]) for i in range(ends[round + 1])
    }
    state = Fold("send", version=round + 1, results=results, sealed=round + 1 == ROUNDS)
    return Advance(place, state, set(range(ends[round], ends[round + 1])))


def _rate(rows: int, portions: Sequence[T], do: Callable[[T], None]) -> float:
    started = time.perf_counter()
    for portion in portions:
        do(portion)
    return rows / (time.perf_counter() - started)


@contextmanager
def _urls(engine: str) -> Iterator[tuple[str, str]]:
    """A fresh database and event store."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if engine == "SQLite":
            yield f"sqlite:///{folder}/broadcasts.db", f"sqlite:///{folder}/events.db"
            return
        server = PostgresServer(folder)
        try:
            server.start()
            database = f"bench_{uuid4().hex}"
            with psycopg.connect(server.dsn, autocommit=True) as connection:
                connection.execute(f'CREATE DATABASE "{database}"')
            dsn = f"{server.dsn.rpartition('/')[0]}/{database}"
            yield dsn.replace("postgresql://", "postgresql+psycopg://"), dsn
        finally:
            server.stop()
