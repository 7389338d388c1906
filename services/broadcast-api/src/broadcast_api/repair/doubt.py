"""After a restore: whoever has no outcome in a stopped run may have been attempted since the backup."""

import asyncio
from collections.abc import Callable, Collection
from typing import Any
from uuid import UUID, uuid4

from nats.js import JetStreamContext
from sqlalchemy import Row, select

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.schema import batches, runs
from broadcast_api.duties.reseed import reseed
from broadcast_api.duties.telling import tell
from broadcast_contracts import BatchKey, ResolveV1
from broadcast_contracts.topology import LEDGER
from broadcast_delivery.fold import fold
from broadcast_delivery.jetstream import JetStreamLedger
from broadcast_delivery.ports import Conflict


class Doubt:
    """`run` while no dispatcher works; the api may. The leading replica takes the outcomes over from the ledger."""

    def __init__(self, database: Database, js: JetStreamContext, say: Callable[[str], None]) -> None:
        self._database, self._js, self._say = database, js, say
        self._ledger = JetStreamLedger(js, LEDGER)

    async def run(self, broadcasts: Collection[UUID]) -> None:
        """Of these broadcasts, or of all where none is named: a line for each stopped run.

        Raises errors of SQL and NATS.
        """
        for run in await asyncio.to_thread(self._stopped, broadcasts):
            people = 0
            for batch in await asyncio.to_thread(self._unsealed, run.id):
                people += await self._doubt(run, batch)
            self._say(f"broadcast {run.broadcast_id}, run {run.run}: {people} recipients are unconfirmed now")

    def _stopped(self, broadcasts: Collection[UUID]) -> list[Row[Any]]:
        query = select(runs).where(runs.c.state == "stopped").order_by(runs.c.id)
        with self._database.read() as connection:
            return list(connection.execute(query.where(runs.c.broadcast_id.in_(broadcasts)) if broadcasts else query))

    def _unsealed(self, run_id: int) -> list[Row[Any]]:
        query = select(batches).where(batches.c.run_id == run_id, batches.c.batch >= 0, ~batches.c.sealed)
        with self._database.read() as connection:
            return list(connection.execute(query.order_by(batches.c.batch)))

    async def _doubt(self, run: Row[Any], batch: Row[Any]) -> int:
        """Answers how many. A repeat after a crash goes on where it was cut short."""
        key = BatchKey(run.broadcast_id, run.run, batch.batch)
        while True:
            kept_since = await self._ledger.kept_since()
            state = fold(await self._ledger.read(key), "send")
            try:
                await reseed(self._database, self._ledger, run, batch, state, quiet=False, kept_since=kept_since)
                state = fold(await self._ledger.read(key), "send")
                doubtful = len(state.in_flight)
                await self._ledger.append(key, state.version, ResolveV1(nonce=uuid4().hex))
            except Conflict:
                continue
            await tell(self._js, key, batch.size, fold(await self._ledger.read(key), "send"))
            return doubtful
