"""Give a batch its log back where the stream has lost it, by age or by accident, from the copy in SQL.

Without this a resumed run would start from an empty log and send to everybody again.
"""

import asyncio
import contextlib
import logging
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Row, select, update

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.queries import utc
from broadcast_api.adapters.schema import batches, deliveries
from broadcast_contracts import Answer, BatchKey, Outcome, ProgressV1, Result
from broadcast_delivery.fold import Fold, Purpose, fold
from broadcast_delivery.logs import of_batch
from broadcast_delivery.ports import Conflict, Ledger

log = logging.getLogger(__name__)

OWNER, LOST = "reseed", "lost"
"""Who opens the attempts that are known, and those that may have been made."""


def half_reseeded(state: Fold) -> bool:
    """Whether a log is being restored: the results are still missing, so neither work on it nor project it."""
    return any(attempt.owner == OWNER for attempt in state.in_flight.values())


async def restored(
    database: Database, ledger: Ledger, run: Row[Any], batch: Row[Any], since: datetime | None
) -> tuple[Fold, datetime]:
    """The log of a batch, given back first if it is lost, and since when the ledger is kept that has it.

    `batch` is its row as it stood before it was issued now; `since` is its `ledger_since`.
    """
    key = BatchKey(run.broadcast_id, run.run, batch.batch)
    while True:
        kept_since = await ledger.kept_since()  # before the log is read: who finds it empty later knows that it is lost
        state = fold(await ledger.read(key), "send")
        lost = since is not None and kept_since != utc(since)
        if not lost and state.version >= batch.version and not half_reseeded(state):
            return state, kept_since
        log.error("ledger_lost", extra={**of_batch(key), "log": state.version, "projected": batch.version})
        with contextlib.suppress(Conflict):
            quiet = batch.closed_leg >= max(1, batch.issued_leg) and not batch.in_flight
            return await reseed(database, ledger, run, batch, state, quiet=quiet, kept_since=kept_since), kept_since


async def reseed(
    database: Database,
    ledger: Ledger,
    run: Row[Any],
    batch: Row[Any],
    state: Fold,
    *,
    quiet: bool,
    kept_since: datetime,
) -> Fold:
    """Append what SQL knows and the log (as `state`) does not; answers the log's new state.

    Whoever has no outcome stays pending only where it was `quiet`: the batch closed, with nothing in flight. Else an
    attempt of theirs may have been lost with the log, and its owner may be alive and about to make it: it counts as in
    flight, so that everybody waits until an owner would have ended. Raises `Conflict`; a repeat goes on where a crash
    cut it short.
    """
    key = BatchKey(run.broadcast_id, run.run, batch.batch)
    known, others = await asyncio.to_thread(_in_sql, database, run, batch)
    missing = [i for i in known if i not in state.results]
    opened = [i for i in missing if i not in state.in_flight]
    version = await ledger.append(key, state.version, ProgressV1(nonce=uuid4().hex, owner=OWNER, opened=opened))
    await asyncio.to_thread(lower, database, "send", run.id, batch.batch, version)
    windows = {i: attempt.window for i, attempt in state.in_flight.items()} | dict.fromkeys(opened, version)
    results = [known[i].model_copy(update={"window": windows[i]}) for i in missing]
    doubtful = [] if quiet else state.pending(others)
    step = ProgressV1(nonce=uuid4().hex, owner=LOST, results=results, opened=doubtful)
    await ledger.append(key, version, step)
    await asyncio.to_thread(_belongs_to, database, run.id, batch.batch, kept_since)
    return fold(await ledger.read(key), "send")


def _in_sql(database: Database, run: Row[Any], batch: Row[Any]) -> tuple[dict[int, Result], list[int]]:
    """The outcomes of a batch, and who has none. Whoever waits for a resend and has messages is in doubt once more."""
    first = batch.batch * run.batch_size
    within = deliveries.c.position.between(first, first + batch.size - 1)
    with database.read() as connection:
        rows = connection.execute(select(deliveries).where(deliveries.c.run_id == run.id, within)).all()
    known = {
        row.position - first: Result(
            i=row.position - first,
            outcome=Outcome(row.outcome or Outcome.UNCONFIRMED),
            at=row.sent_at or 0,
            messages=[int(id) for id in (row.message_ids or "").split(",") if id],
            reason=row.reason or "",
            answer=Answer(row.answer) if row.answer else None,
        )
        for row in rows
        if row.outcome or row.message_ids
    }
    return known, [row.position - first for row in rows if row.position - first not in known]


def _belongs_to(database: Database, run_id: int, batch: int, kept_since: datetime) -> None:
    of_batch = (batches.c.run_id == run_id, batches.c.batch == batch)
    with database.write() as connection:
        connection.execute(update(batches).where(*of_batch).values(ledger_since=kept_since))


def lower(database: Database, purpose: Purpose, run_id: int, batch: int, version: int) -> None:
    """A stream that was made anew counts from 1 again: let the projection take what follows."""
    projected = batches.c.version if purpose == "send" else batches.c.recall_version
    with database.write() as connection:
        connection.execute(
            update(batches)
            .where(batches.c.run_id == run_id, batches.c.batch == batch, projected > version)
            .values({projected: version})
        )
