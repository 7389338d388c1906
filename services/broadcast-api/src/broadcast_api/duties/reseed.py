"""Give a batch its log back where the stream has lost it, by age or by accident, from the copy in SQL.

Without this a resumed run would start from an empty log and send to everybody again.
"""

import asyncio
import contextlib
import logging
from typing import Any
from uuid import uuid4

from sqlalchemy import Row, select, update

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.schema import batches, deliveries
from broadcast_contracts import Answer, BatchKey, Outcome, ProgressV1, Result
from broadcast_delivery.fold import Fold, Purpose, fold
from broadcast_delivery.logs import of_batch
from broadcast_delivery.ports import Conflict, Ledger

log = logging.getLogger(__name__)

OWNER = "reseed"
LOST = "the ledger was lost"


def half_reseeded(state: Fold) -> bool:
    """Whether a log is being restored: the results are still missing, so neither work on it nor project it."""
    return any(attempt.owner == OWNER for attempt in state.in_flight.values())


async def restored(database: Database, ledger: Ledger, run: Row[Any], batch: Row[Any]) -> Fold:
    """The log of a batch, given back first if it is lost; `batch` is its row as it stood before it was issued now."""
    key = BatchKey(run.broadcast_id, run.run, batch.batch)
    state = fold(await ledger.read(key), "send")
    while state.version < batch.version or half_reseeded(state):
        log.error("ledger_lost", extra={**of_batch(key), "log": state.version, "projected": batch.version})
        with contextlib.suppress(Conflict):
            quiet = batch.closed_leg >= max(1, batch.issued_leg) and not batch.in_flight
            return await reseed(database, ledger, run, batch, state, doubt="" if quiet else LOST)
        state = fold(await ledger.read(key), "send")
    return state


async def reseed(
    database: Database, ledger: Ledger, run: Row[Any], batch: Row[Any], state: Fold, *, doubt: str
) -> Fold:
    """Append what SQL knows and the log (as `state`) does not; answers the log's new state.

    Whoever is pending stays so only where `doubt` is empty: where the batch had been closed with nothing in flight.
    Else an attempt may have been lost with the log, and they are unconfirmed, with `doubt` as the reason. Raises
    `Conflict`; a repeat goes on where a crash cut it short.
    """
    key = BatchKey(run.broadcast_id, run.run, batch.batch)
    known = {result.i: result for result in await asyncio.to_thread(_results, database, run, batch, doubt)}
    missing = [i for i in known if i not in state.results]
    opened = [i for i in missing if i not in state.in_flight]
    version = await ledger.append(key, state.version, ProgressV1(nonce=uuid4().hex, owner=OWNER, opened=opened))
    await asyncio.to_thread(lower, database, "send", run.id, batch.batch, version)
    windows = {i: attempt.window for i, attempt in state.in_flight.items()} | dict.fromkeys(opened, version)
    results = [known[i].model_copy(update={"window": windows[i]}) for i in missing]
    await ledger.append(key, version, ProgressV1(nonce=uuid4().hex, owner=OWNER, results=results))
    return fold(await ledger.read(key), "send")


def _results(database: Database, run: Row[Any], batch: Row[Any], doubt: str) -> list[Result]:
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
            reason=(row.reason or "") if row.outcome else doubt,
            answer=Answer(row.answer) if row.answer else None,
        )
        for row in rows
        if row.outcome or doubt
    ]


def lower(database: Database, purpose: Purpose, run_id: int, batch: int, version: int) -> None:
    """A stream that was made anew counts from 1 again: let the projection take what follows."""
    projected = batches.c.version if purpose == "send" else batches.c.recall_version
    with database.write() as connection:
        connection.execute(
            update(batches)
            .where(batches.c.run_id == run_id, batches.c.batch == batch, projected > version)
            .values({projected: version})
        )
