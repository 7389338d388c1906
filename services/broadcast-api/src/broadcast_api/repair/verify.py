"""Compare every copy with its truth, beside the running system: SQL with the ledgers and the event log, BROADCASTS too.

A difference is looked at again, several times, before it is reported: the projection may lag. Memory stays flat.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from nats.js import JetStreamContext
from sqlalchemy import Row, select

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.event_store import EventStore
from broadcast_api.adapters.schema import runs
from broadcast_api.domain.broadcast import Broadcast
from broadcast_api.repair import batches, rows
from broadcast_api.repair.logs import Logs, Stored, expired, read_batch, read_logs
from broadcast_api.repair.scratch import Scratch, scratch
from broadcast_api.repair.stream import StreamCheck
from broadcast_contracts.topology import LEDGER, RECALL_LEDGER
from broadcast_delivery.jetstream import JetStreamLedger

PAUSES_SECONDS = (0.5, 1.0, 2.0)
READ_SECONDS = 30.0
"""The ledger waits for a server that is away; whoever compares does not."""

Say = Callable[[str], None]


@dataclass(slots=True)
class Tally:
    """What was looked at. `expired` batches were checked against their rows alone."""

    broadcasts: int = 0
    audiences: int = 0
    runs: int = 0
    batches: int = 0
    expired: int = 0
    recipients: int = 0
    differences: int = 0


class Verify:
    """`run` once."""

    def __init__(self, database: Database, store: EventStore, js: JetStreamContext, say: Say) -> None:
        self._database, self._store, self._say, self._js = database, store, say, js
        self._ledger, self._recall_ledger = JetStreamLedger(js, LEDGER), JetStreamLedger(js, RECALL_LEDGER)
        self.tally = Tally()

    async def run(self, batch_size: int) -> bool:
        """Answers whether everything agrees. Raises errors of SQL and NATS."""
        with scratch(self._store, batch_size) as truth:
            await self._rows(truth)
        for run in _runs(self._database):
            await self._run(run)
        stream = StreamCheck(self._js, self._store)
        async for line in stream.differences():
            self._report(line)
        self._say(self._summary(stream))
        return not self.tally.differences

    async def _rows(self, truth: Scratch) -> None:
        for ids in rows.pages(truth.database, self._database, rows.of_broadcasts):
            self.tally.broadcasts += len(ids)
            check = partial(rows.broadcast_differences, truth.database, self._database, ids)
            await self._settled(check, truth.catch_up)
        for ids in rows.pages(truth.database, self._database, rows.of_audiences):
            self.tally.audiences += len(ids)
            check = partial(rows.audience_differences, truth.database, self._database, ids)
            await self._settled(check, truth.catch_up)

        await self._settled(partial(rows.audit_differences, truth.database, self._database), truth.catch_up)

    async def _run(self, run: Row[Any]) -> None:
        self.tally.runs += 1
        name = f"run {run.broadcast_id}/{run.run}"
        announced = await asyncio.to_thread(_announced, self._store, run)

        def whole() -> Iterator[str]:
            with self._database.read(snapshot=True) as connection:
                now = connection.execute(select(runs).where(runs.c.id == run.id)).one()
                yield from (f"{name}: {line}" for line in batches.run_differences(connection, now, announced))

        await self._settled(whole)
        with self._database.read() as connection:
            numbers = list(batches.sizes_of(connection, run))
        for number in numbers:
            await self._batch(run, number)

    async def _batch(self, run: Row[Any], number: int) -> None:
        name = f"run {run.broadcast_id}/{run.run} batch {number}"
        found: set[str] | None = None
        for pause in (0.0, *PAUSES_SECONDS):
            await asyncio.sleep(pause)
            stored, logs = await self._look(run, number)
            lines = [f"{name}: {line}" for line in batches.batch_differences(run, stored, logs)]
            found = set(lines) if found is None else found & set(lines)
            if not found:
                break
        self.tally.batches += 1
        self.tally.recipients += stored.size
        self.tally.expired += expired(logs.send, stored) or expired(logs.recall, stored)
        for line in lines:
            if found and line in found:
                self._report(line)

    async def _look(self, run: Row[Any], number: int) -> tuple[Stored, Logs]:
        def read() -> Stored:
            with self._database.read(snapshot=True) as connection:
                return read_batch(connection, run, number)

        stored = await asyncio.to_thread(read)
        async with asyncio.timeout(READ_SECONDS):
            return stored, await read_logs(self._ledger, self._recall_ledger, run, number, stored.since)

    async def _settled(self, check: Callable[[], Iterable[str]], again: Callable[[], None] | None = None) -> None:
        """Report what every look at it found."""
        found = await asyncio.to_thread(lambda: list(check()))
        for pause in PAUSES_SECONDS:
            if not found:
                return
            await asyncio.sleep(pause)
            if again:
                await asyncio.to_thread(again)
            now = set(await asyncio.to_thread(lambda: list(check())))
            found = [line for line in found if line in now]
        for line in found:
            self._report(line)

    def _report(self, line: str) -> None:
        self.tally.differences += 1
        self._say(line)

    def _summary(self, stream: StreamCheck) -> str:
        tally = self.tally
        parts = [
            f"{tally.broadcasts} broadcasts, {tally.audiences} audiences, {tally.runs} runs, {tally.batches} batches, "
            f"{tally.recipients} recipients, {stream.checked} events"
        ]
        if tally.expired:
            parts.append(f"{tally.expired} batches from their SQL rows alone: the streams no longer have their ledgers")
        if stream.aged:
            parts.append("earlier events have left BROADCASTS by age")
        parts.append(f"{tally.differences or 'no'} differences")
        return "; ".join(parts)


def _runs(database: Database) -> Iterator[Row[Any]]:
    last = 0
    while True:
        with database.read() as connection:
            run = connection.execute(select(runs).where(runs.c.id > last).order_by(runs.c.id).limit(1)).one_or_none()
        if run is None:
            return
        yield run
        last = run.id


def _announced(store: EventStore, run: Row[Any]) -> int | None:
    for event in store.history(run.broadcast_id):
        if isinstance(event, Broadcast.AudienceFrozen) and event.run == run.run:
            return event.total
    return None
