"""Resolve the audience of a run once, into one row for every recipient, slice by slice.

A slice is one transaction of set-based SQL over a range of directory ids; it remembers how far it came in the run's
row, so that a crash repeats nothing and loses nothing. Those known to be unreachable get negative positions and their
outcome at once; the others get the positions 0, 1, 2… that batches are cut from.
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, insert, literal, select, update
from sqlalchemy.exc import DBAPIError

from broadcast_api.adapters.audience_sql import condition
from broadcast_api.adapters.database import Database
from broadcast_api.adapters.schema import batches, deliveries, recipients, runs
from broadcast_api.application.runs import Runs
from broadcast_api.duties.counting import lock_run, recount
from broadcast_contracts import BatchKey
from broadcast_delivery import tracing
from broadcast_delivery.logs import of_batch
from broadcast_delivery.ports import Ledger

log = logging.getLogger(__name__)

SLICE = 10_000
"""Recipients a transaction: a fraction of a second, in which planner and projection wait for the run's row."""

GAP_SECONDS = 0.02
"""Between two slices, so that those who wait get their turn: the first message must not wait for the last recipient."""

UNREACHABLE_BATCH = -1
KNOWN_BEFORE = "known before sending"
LIVE = ("sending", "stopping")

SERIALIZATION_FAILURE = "40001"


@dataclass(frozen=True, slots=True)
class Cut:
    """How a run's audience stands after a slice."""

    total: int
    unreachable: int
    finished: bool


class Freezer:
    """`first_slice` (recipients) is small, so that the first message leaves at once whatever the audience's size."""

    def __init__(self, database: Database, runs: Runs, ledger: Ledger, first_slice: int) -> None:
        self._database, self._runs, self._ledger, self._first_slice = database, runs, ledger, first_slice
        self._announced: set[int] = set()
        self._begun: set[int] = set()
        self._refused: set[int] = set()

    async def step(self) -> bool:
        """Freeze one slice of every run that needs it; answers whether a slice was frozen."""
        busy = False
        for run in await asyncio.to_thread(self._live):
            if not run.frozen:
                if run.id not in self._begun and not await self._begin(run):
                    continue
                if busy or run.frozen_up_to:
                    await asyncio.sleep(GAP_SECONDS)
                busy = True
                named = {"broadcast.id": str(run.broadcast_id), "broadcast.run": run.run}
                with tracing.continued("freeze slice", run.trace, named) as note:
                    cut = await asyncio.to_thread(self._slice, run)
                    note("broadcast.recipients", cut.total)
            else:
                cut = Cut(run.total, run.total - run.size, finished=True)
            if cut.finished and run.id not in self._announced:
                # Repeated after every start, in case a crash came between the slice and this.
                await asyncio.to_thread(self._runs.record_frozen, run.broadcast_id, run.run, cut.total, cut.unreachable)
                self._announced.add(run.id)
        return busy

    async def _begin(self, run: Row[Any]) -> bool:
        """Whether nobody was sent to who has no place yet. Asked once: a backup comes back while no replica is up.

        A batch that is not full was not issued. If it has a log all the same, the database is older than the ledger,
        which knows places and not people: whoever gets such a place now need not be who had it.
        """
        key = BatchKey(run.broadcast_id, run.run, run.size // run.batch_size)
        if await self._ledger.read(key):
            if run.id not in self._refused:
                log.critical("ledger_of_another_past", extra=of_batch(key))
            self._refused.add(run.id)
            return False
        self._begun.add(run.id)
        return True

    def _live(self) -> list[Row[Any]]:
        with self._database.read() as connection:
            rows = connection.execute(_LIVE).all()
        for remembered in (self._announced, self._begun, self._refused):
            remembered.intersection_update(row.id for row in rows)
        return list(rows)

    def _slice(self, run: Row[Any]) -> Cut:
        limit = SLICE if run.frozen_up_to else self._first_slice
        while True:
            try:
                with self._database.write(snapshot=True) as connection:
                    return freeze_slice(connection, run.id, limit)
            except DBAPIError as error:
                # Somebody wrote the run's row between our snapshot and our lock: take a new snapshot.
                if getattr(error.orig, "sqlstate", None) != SERIALIZATION_FAILURE:
                    raise


def freeze_slice(connection: Connection, run_id: int, limit: int) -> Cut:
    """Freeze the next `limit` recipients of a run, reachable or not; the transaction must be a snapshot."""
    run = lock_run(connection, run_id)
    if run.frozen:
        return Cut(run.total, run.total - run.size, finished=True)
    matching = and_(recipients.c.bot == run.bot, condition(run.audience), recipients.c.id > run.frozen_up_to)
    found, upper = _range(connection, matching, limit)
    size = total = 0
    if found:
        within = and_(matching, recipients.c.id <= upper)
        size = _insert_reachable(connection, run, within)
        total = size + _insert_unreachable(connection, run, within)
        _cut_batches(connection, run, run.size + size)
    finished = found < limit
    connection.execute(
        update(runs)
        .where(runs.c.id == run_id)
        .values(frozen_up_to=upper or run.frozen_up_to, size=run.size + size, total=run.total + total, frozen=finished)
    )
    recount(connection, run_id)
    return Cut(run.total + total, run.total + total - run.size - size, finished)


def _range(connection: Connection, matching: ColumnElement[bool], limit: int) -> tuple[int, int]:
    """How many the slice has, and its last directory id."""
    ids = select(recipients.c.id).where(matching).order_by(recipients.c.id).limit(limit).subquery()
    found, upper = connection.execute(select(func.count(), func.max(ids.c.id)).select_from(ids)).one()
    return found, upper or 0


def _insert_reachable(connection: Connection, run: Row[Any], within: ColumnElement[bool]) -> int:
    place = func.row_number().over(order_by=recipients.c.id) - 1 + run.size
    rows = select(literal(run.id), place, recipients.c.id, recipients.c.chat_id).where(
        within, recipients.c.status == "active"
    )
    return _insert(connection, ["run_id", "position", "recipient_id", "chat_id"], rows)


def _insert_unreachable(connection: Connection, run: Row[Any], within: ColumnElement[bool]) -> int:
    """The words for their status are the words for their outcome."""
    unreachable = and_(within, recipients.c.status != "active")
    place = -(func.row_number().over(order_by=recipients.c.id) + run.total - run.size)
    chat = func.coalesce(recipients.c.chat_id, 0)  # somebody invited who never came has none
    rows = select(literal(run.id), place, recipients.c.id, chat, recipients.c.status, literal(KNOWN_BEFORE)).where(
        unreachable
    )
    columns = ["run_id", "position", "recipient_id", "chat_id", "outcome", "reason"]
    added = _insert(connection, columns, rows)
    if added:
        blocked = connection.scalar(
            select(func.count()).select_from(recipients).where(unreachable, recipients.c.status == "blocked")
        )
        _grow_unreachable(connection, run.id, added, blocked or 0)
    return added


def _insert(connection: Connection, columns: list[str], rows: Select[Any]) -> int:
    """Answers how many there were, which SQLAlchemy keeps for an INSERT only when asked to."""
    statement = insert(deliveries).from_select(columns, rows).execution_options(preserve_rowcount=True)
    return connection.execute(statement).rowcount


def _grow_unreachable(connection: Connection, run_id: int, added: int, blocked: int) -> None:
    row = and_(batches.c.run_id == run_id, batches.c.batch == UNREACHABLE_BATCH)
    grown = connection.execute(
        update(batches)
        .where(row)
        .values(size=batches.c.size + added, failed=batches.c.failed + added, blocked=batches.c.blocked + blocked)
    )
    if not grown.rowcount:
        connection.execute(
            insert(batches).values(
                run_id=run_id,
                batch=UNREACHABLE_BATCH,
                size=added,
                failed=added,
                blocked=blocked,
                sealed=True,
                recall_sealed=True,
            )
        )


def _cut_batches(connection: Connection, run: Row[Any], size: int) -> None:
    """Cut the positions from the run's old size to `size`; the last batch, if not full, grows with the next slice."""
    full, old = run.batch_size, run.size
    if old % full and size > old:
        last = old // full
        connection.execute(
            update(batches)
            .where(batches.c.run_id == run.id, batches.c.batch == last)
            .values(size=min(full, size - last * full))
        )
    new = range(-(-old // full), -(-size // full))
    rows = [{"run_id": run.id, "batch": batch, "size": min(full, size - batch * full)} for batch in new]
    if rows:
        connection.execute(insert(batches), rows)


_LIVE = select(runs).where(runs.c.state.in_(LIVE)).order_by(runs.c.id)
