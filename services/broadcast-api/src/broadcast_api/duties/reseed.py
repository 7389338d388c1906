"""Give a batch its log back where the stream has lost it, by age or by accident, from the copy in SQL.

Without this a resumed run would start from an empty log and send to everybody again.
"""

import asyncio
import logging
from typing import Any
from uuid import uuid4

from sqlalchemy import Row, select, update

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.schema import batches, deliveries
from broadcast_contracts import Answer, BatchKey, Outcome, ProgressV1, Result
from broadcast_delivery.fold import Fold
from broadcast_delivery.logs import of_batch
from broadcast_delivery.ports import Ledger

log = logging.getLogger(__name__)

OWNER = "reseed"
LOST = "the ledger was lost"


def half_reseeded(state: Fold) -> bool:
    """Whether a log is being restored: the results are still missing, so neither work on it nor project it."""
    return any(attempt.owner == OWNER for attempt in state.in_flight.values())


async def reseed(database: Database, ledger: Ledger, run: Row[Any], batch: Row[Any], state: Fold) -> None:
    """Append what SQL knows and the log (as `state`) does not; `batch` is its row as it stood before it was issued now.

    Those still pending stay so only where the batch had been closed with nothing in flight; else an attempt may have
    been lost with the log, and they are unconfirmed. Raises `Conflict`; a repeat goes on where a crash cut it short.
    """
    key = BatchKey(run.broadcast_id, run.run, batch.batch)
    log.error("ledger_lost", extra={**of_batch(key), "log": state.version, "projected": batch.version})
    quiet = batch.closed_leg >= max(1, batch.issued_leg) and not batch.in_flight
    known = {result.i: result for result in await asyncio.to_thread(_results, database, run, batch, quiet)}
    missing = [i for i in known if i not in state.results]
    opened = [i for i in missing if i not in state.in_flight]
    version = await ledger.append(key, state.version, ProgressV1(nonce=uuid4().hex, owner=OWNER, opened=opened))
    await asyncio.to_thread(_lower, database, run.id, batch.batch, version)
    windows = {i: attempt.window for i, attempt in state.in_flight.items()} | dict.fromkeys(opened, version)
    results = [known[i].model_copy(update={"window": windows[i]}) for i in missing]
    await ledger.append(key, version, ProgressV1(nonce=uuid4().hex, owner=OWNER, results=results))


def _results(database: Database, run: Row[Any], batch: Row[Any], quiet: bool) -> list[Result]:
    first = batch.batch * run.batch_size
    within = deliveries.c.position.between(first, first + batch.size - 1)
    with database.read() as connection:
        rows = connection.execute(select(deliveries).where(deliveries.c.run_id == run.id, within)).all()
    return [
        Result(
            i=row.position - first,
            outcome=Outcome(row.outcome or Outcome.UNCONFIRMED),
            at=row.sent_at or 0,
            messages=[int(id) for id in (row.message_ids or "").split(",") if id],
            reason=(row.reason or "") if row.outcome else LOST,
            answer=Answer(row.answer) if row.answer else None,
        )
        for row in rows
        if row.outcome or not quiet
    ]


def _lower(database: Database, run_id: int, batch: int, version: int) -> None:
    """A stream that was made anew counts from 1 again: let the projection take what follows."""
    with database.write() as connection:
        connection.execute(
            update(batches)
            .where(batches.c.run_id == run_id, batches.c.batch == batch, batches.c.version > version)
            .values(version=version)
        )
