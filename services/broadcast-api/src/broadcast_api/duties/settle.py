"""Bring runs to rest: make a stop true, and notice that everybody is accounted for."""

import asyncio
import time
from typing import Any
from uuid import uuid4

from nats.js import JetStreamContext
from sqlalchemy import ColumnElement, Row, Select, exists, select

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.schema import batches, runs, undecided
from broadcast_api.application.runs import Runs
from broadcast_api.duties.counting import counts_of
from broadcast_api.duties.hints import Hints
from broadcast_api.duties.reseed import BatchLog
from broadcast_api.duties.telling import tell
from broadcast_contracts import BatchKey, CloseV1, ResolveV1
from broadcast_delivery.fold import fold
from broadcast_delivery.ports import Conflict, Ledger

CLOSES_AT_ONCE = 32


class Settler:
    """`patience` (seconds) is a lease and its grace: an owner silent for so long has no attempt in the air."""

    def __init__(
        self, js: JetStreamContext, database: Database, ledger: Ledger, runs: Runs, hints: Hints, patience: float
    ) -> None:
        self._js, self._database, self._ledger, self._runs, self._hints = js, database, ledger, runs, hints
        self._patience = patience
        self._closing = asyncio.Semaphore(CLOSES_AT_ONCE)
        self._watched: dict[BatchKey, tuple[int, float]] = {}

    async def step(self) -> bool:
        """Move every run that is being sent or stopped towards its end; answers whether one came to rest.

        None does as long as a decision is to be carried out: a batch that looks finished may be opened by it.
        """
        rested = [await self._settle(run) for run in await asyncio.to_thread(self._live)]
        return any(rested)

    async def _settle(self, run: Row[Any]) -> bool:
        if run.frozen and not run.unfinished:
            # `record_frozen` once more, in case a crash left it out: it must come before the end.
            await asyncio.to_thread(
                self._runs.record_frozen, run.broadcast_id, run.run, run.total, run.total - run.size
            )
            await asyncio.to_thread(self._runs.record_sent, run.broadcast_id, run.run, run.leg, counts_of(run))
            return True
        return run.state == "stopping" and await self._stop(run)

    def _live(self) -> list[Row[Any]]:
        with self._database.read() as connection:
            return list(connection.execute(_LIVE))

    async def _stop(self, run: Row[Any]) -> bool:
        """Fence every batch that may be with a dispatcher; at rest when all are fenced and nothing is in the air.

        Only what the projection has seen counts, so that the recorded counts are those of the fenced logs.
        """
        await self._hints.put(run.broadcast_id, run.run, run.leg, stopped=True)
        issued = await asyncio.to_thread(self._issued, run.id)
        await asyncio.gather(*(self._close(run, batch) for batch in issued if batch.closed_leg < run.leg))
        in_flight = [batch for batch in issued if batch.in_flight]
        self._watched = {
            key: watched for key, watched in self._watched.items() if key.broadcast_id != run.broadcast_id
        } | {_key(run, batch): self._watch(_key(run, batch), batch.version) for batch in in_flight}
        for batch in in_flight:
            await self._resolve_if_silent(run, batch)
        if in_flight or not run.frozen or any(batch.closed_leg < run.leg for batch in issued):
            return False
        await asyncio.to_thread(self._runs.record_frozen, run.broadcast_id, run.run, run.total, run.total - run.size)
        await asyncio.gather(*(self._tell(_key(run, batch), batch.size) for batch in issued))
        settled = await asyncio.to_thread(self._row, run.id)
        await asyncio.to_thread(self._runs.record_stopped, run.broadcast_id, run.run, run.leg, counts_of(settled))
        return True

    def _issued(self, run_id: int) -> list[Row[Any]]:
        query = select(batches).where(batches.c.run_id == run_id, ~batches.c.sealed, batches.c.issues > 0)
        with self._database.read() as connection:
            return list(connection.execute(query))

    def _row(self, run_id: int) -> Row[Any]:
        with self._database.read() as connection:
            return connection.execute(select(runs).where(runs.c.id == run_id)).one()

    async def _close(self, run: Row[Any], batch: Row[Any]) -> None:
        async with self._closing:
            log = BatchLog(self._database, self._ledger, run, batch, batch.ledger_since)
            state = await log.read()
            while not state.sealed and state.closed_leg < run.leg:
                await log.append(state, CloseV1(nonce=uuid4().hex, leg=run.leg))
                state = await log.read()

    async def _tell(self, key: BatchKey, size: int) -> None:
        async with self._closing:
            await tell(self._js, key, size, fold(await self._ledger.read(key), "send"))

    def _watch(self, key: BatchKey, version: int) -> tuple[int, float]:
        """Since when, on our own clock, this batch has stood at this version."""
        watched = self._watched.get(key)
        return watched if watched and watched[0] == version else (version, time.monotonic())

    async def _resolve_if_silent(self, run: Row[Any], batch: Row[Any]) -> None:
        key = _key(run, batch)
        version, since = self._watched[key]
        if time.monotonic() - since >= self._patience:
            try:
                await self._ledger.append(key, version, ResolveV1(nonce=uuid4().hex))
            except Conflict:
                # Not silent after all, or its log is lost; the projection will show it.
                del self._watched[key]
                await BatchLog(self._database, self._ledger, run, batch, batch.ledger_since).read()


def _key(run: Row[Any], batch: Row[Any]) -> BatchKey:
    return BatchKey(run.broadcast_id, run.run, batch.batch)


_unfinished = exists().where(batches.c.run_id == runs.c.id, ~batches.c.sealed)


def _live_runs(undecided: ColumnElement[bool]) -> Select[Any]:
    return (
        select(runs, _unfinished.label("unfinished"))
        .where(runs.c.state.in_(("sending", "stopping")), ~undecided)
        .order_by(runs.c.id)
    )


_LIVE = _live_runs(undecided)
