"""Give a batch its log back where the stream has lost it, by age or by accident, from the copy in SQL.

Without this a resumed run would start from an empty log and send to everybody again.
"""

import asyncio
import contextlib
import logging
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Row, case, select, update

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.queries import utc
from broadcast_api.adapters.schema import batches, deliveries
from broadcast_contracts import Answer, BatchKey, LedgerRecord, Outcome, ProgressV1, Result
from broadcast_delivery.fold import Fold, fold
from broadcast_delivery.logs import of_batch
from broadcast_delivery.ports import Conflict, Ledger

log = logging.getLogger(__name__)

OWNER, LOST = "reseed", "lost"
"""Who opens the attempts that are known, and those that may have been made."""


def half_reseeded(state: Fold) -> bool:
    """Whether a log is being restored: the results are still missing, so neither work on it nor project it."""
    return any(attempt.owner == OWNER for attempt in state.in_flight.values())


class BatchLog:
    """The log of a batch for whoever decides about it. `since` is the row's `ledger_since`."""

    def __init__(
        self, database: Database, ledger: Ledger, run: Row[Any], batch: Row[Any], since: datetime | None
    ) -> None:
        """`batch` is the row as it stood before it was issued now."""
        self._database, self._ledger, self._run, self._batch = database, ledger, run, batch
        self._since = utc(since) if since else None
        self._at_least = int(batch.version)
        self.key = BatchKey(run.broadcast_id, run.run, batch.batch)

    async def read(self) -> Fold:
        """Its state; given back first if it is lost. Raises nats-py's errors."""
        while True:
            kept_since = await self._ledger.kept_since()  # first: a ledger that is lost meanwhile is noticed next time
            state = fold(await self._ledger.read(self.key), "send")
            if self._since in (None, kept_since) and state.version >= self._at_least and not half_reseeded(state):
                self._since = kept_since
                return state
            log.error("ledger_lost", extra={**of_batch(self.key), "log": state.version, "projected": self._at_least})
            with contextlib.suppress(Conflict):
                quiet = self._batch.closed_leg >= max(1, self._batch.issued_leg) and not self._batch.in_flight
                await reseed(
                    self._database, self._ledger, self._run, self._batch, state, quiet=quiet, kept_since=kept_since
                )
                self._since, self._at_least = kept_since, 0

    @property
    def kept_since(self) -> datetime:
        """The ledger's, as of before it was read."""
        assert self._since is not None, "read first"
        return self._since

    async def append(self, state: Fold, record: LedgerRecord, *, rollup: bool = False) -> None:
        """After this state; nothing happens where the log has gone on: read it again."""
        with contextlib.suppress(Conflict):
            await self._ledger.append(self.key, state.version, record, rollup=rollup)


async def reseed(
    database: Database,
    ledger: Ledger,
    run: Row[Any],
    batch: Row[Any],
    state: Fold,
    *,
    quiet: bool,
    kept_since: datetime,
) -> None:
    """Append what SQL knows and the log (as `state`) does not.

    Whoever has no outcome stays pending only where it was `quiet`: the batch closed, with nothing in flight. Else an
    attempt of theirs may have been lost with the log, and its owner may be alive and about to make it: it counts as in
    flight, so that everybody waits until an owner would have ended. Raises `Conflict`; a repeat goes on where a crash
    cut it short, for the row belongs to this ledger only when all but the results are there.
    """
    key = BatchKey(run.broadcast_id, run.run, batch.batch)
    known, others = await asyncio.to_thread(_in_sql, database, run, batch)
    missing = [i for i in known if i not in state.results]
    opened = [i for i in missing if i not in state.in_flight]
    doubtful = [] if quiet else state.pending(others)
    version = await ledger.append(key, state.version, ProgressV1(nonce=uuid4().hex, owner=LOST, opened=doubtful))
    version = await ledger.append(key, version, ProgressV1(nonce=uuid4().hex, owner=OWNER, opened=opened))
    await asyncio.to_thread(_belongs_to, database, run.id, batch.batch, kept_since, version)
    windows = {i: attempt.window for i, attempt in state.in_flight.items()} | dict.fromkeys(opened, version)
    results = [known[i].model_copy(update={"window": windows[i]}) for i in missing]
    await ledger.append(key, version, ProgressV1(nonce=uuid4().hex, owner=OWNER, results=results))


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


def _belongs_to(database: Database, run_id: int, batch: int, kept_since: datetime, version: int) -> None:
    """From now on the projection believes what this ledger says of the batch."""
    with database.write() as connection:
        connection.execute(
            update(batches)
            .where(batches.c.run_id == run_id, batches.c.batch == batch)
            .values(
                ledger_since=kept_since, version=case((batches.c.version > version, version), else_=batches.c.version)
            )
        )


def lower_recall(database: Database, run_id: int, batch: int, version: int) -> None:
    """The recall log was lost, and what follows shall be projected."""
    with database.write() as connection:
        connection.execute(
            update(batches)
            .where(batches.c.run_id == run_id, batches.c.batch == batch, batches.c.recall_version > version)
            .values(recall_version=version)
        )
