"""The ledgers, projected into SQL: each batch absolute and with its version, so that nothing depends on delivery.

A record that continues the state we hold is applied to it; after anything else (a repeat, a shuffle, a restart) the
whole log of the batch is read again. A row is written only where the version grows. Rows first, acknowledgement after.
"""

import asyncio
import logging
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from uuid import UUID

import nats.errors
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from sqlalchemy import ColumnElement, Connection, and_, null, select

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.queries import utc
from broadcast_api.adapters.schema import batches, runs
from broadcast_api.application.runs import Runs
from broadcast_api.duties.outcome_rows import RECALLING, Advance, Place, finish_test, write
from broadcast_api.duties.reseed import half_reseeded
from broadcast_contracts import BatchKey, Cause, CloseV1, LedgerRecord, Malformed, Result, decode_record
from broadcast_contracts.topology import PROJECTION, RECALL_PROJECTION, batch_of
from broadcast_delivery.fold import Fold, Purpose, fold
from broadcast_delivery.ports import Entry, Ledger
from broadcast_delivery.publish import park

log = logging.getLogger(__name__)

SERVICE = "broadcast-api"
CONSUMERS = {"send": PROJECTION, "recall": RECALL_PROJECTION}

RECORDS = 500
"""Records a transaction, at most."""

WAIT_SECONDS = 2.0
GATHER_SECONDS = 0.05
"""After the first record, wait so long for company: records a transaction matter more than 50 ms."""

CACHED = 64
"""Folds kept. Only unfinished batches are: a window's worth for each run."""

READS_AT_ONCE = 32

SENDING = ("sending", "stopping", "test")


@dataclass(frozen=True, slots=True)
class Received:
    """A record as the consumer delivered it; `after` is the version that its writer saw before it."""

    message: Msg
    entry: Entry
    after: int | None


class Projection:
    """Of LEDGER (`send`) or RECALL_LEDGER (`recall`). `changed` is called after every transaction."""

    def __init__(
        self,
        js: JetStreamContext,
        database: Database,
        ledger: Ledger,
        runs: Runs,
        purpose: Purpose,
        changed: Callable[[], None],
    ) -> None:
        self._js, self._database, self._ledger, self._runs = js, database, ledger, runs
        self._purpose, self._changed = purpose, changed
        self._subscription: JetStreamContext.PullSubscription | None = None
        self._folds: OrderedDict[BatchKey, Fold] = OrderedDict()
        self._reads = asyncio.Semaphore(READS_AT_ONCE)
        self._taken: list[Msg] | None = None

    async def step(self) -> bool:
        """Project the records that wait; answers whether there were any. Raises errors of NATS and SQL."""
        if self._taken is None:
            # The records that a killed predecessor took come again only after `ack_wait`: look for ourselves.
            await self.refresh()
        self._taken = self._taken or await self._fetch()
        if not self._taken:
            return False
        await self.project(self._taken)
        self._taken = []
        return True

    async def refresh(self) -> None:
        """Read the logs of all unfinished batches."""
        kept_since = await self._ledger.kept_since()
        places = await asyncio.to_thread(self._unfinished)
        ours = [place for place in places if place.ledger_since in (None, kept_since)]
        moved = [advance for place in ours if (advance := await self._advance(place, [])) is not None]
        if moved:
            await asyncio.to_thread(write, self._database, self._purpose, moved)
            self._keep(moved)
            self._changed()

    async def project(self, messages: Sequence[Msg]) -> None:
        """Take these records in and acknowledge them, in whatever order and however often they come."""
        received = await self._group(messages)
        kept_since = await self._ledger.kept_since()
        places = await asyncio.to_thread(self._places, list(received))
        for key in received.keys() - places.keys():
            for record in received.pop(key):
                if record.entry.record is not None:
                    await self._park(record.message, "no such batch")
        behind = [
            key
            for key, place in places.items()
            if received[key][-1].entry.version > place.version and place.ledger_since in (None, kept_since)
        ]
        advances = await asyncio.gather(*(self._advance(places[key], received[key]) for key in behind))
        moved = [advance for advance in advances if advance is not None]
        if moved:
            await asyncio.to_thread(write, self._database, self._purpose, moved)
            self._keep(moved)
        for key, records in received.items():
            await self._halt(places[key], records)
            for record in records:
                if record.entry.record is not None:
                    await record.message.ack()
        if moved:
            self._changed()

    async def _fetch(self) -> list[Msg]:
        if self._subscription is None:
            consumer = CONSUMERS[self._purpose]
            self._subscription = await self._js.pull_subscribe_bind(consumer.durable, consumer.stream)
        try:
            first = await self._subscription.fetch(1, timeout=WAIT_SECONDS)
        except TimeoutError:
            return []
        try:
            return first + await self._subscription.fetch(RECORDS - 1, timeout=GATHER_SECONDS)
        except (TimeoutError, nats.errors.Error):
            return first

    async def _group(self, messages: Sequence[Msg]) -> dict[BatchKey, list[Received]]:
        """By batch and in order of version; what cannot be read is parked."""
        received = defaultdict[BatchKey, list[Received]](list)
        for message in messages:
            try:
                key = batch_of(message.subject)
            except ValueError as error:
                await self._park(message, str(error))
                continue
            record: LedgerRecord | None = None
            try:
                record = decode_record(message.data)
            except Malformed as error:
                await self._park(message, str(error))  # it has no meaning, yet it moves the version
            after = (message.headers or {}).get("Nats-Expected-Last-Subject-Sequence")
            entry = Entry(message.metadata.sequence.stream, record)
            received[key].append(Received(message, entry, int(after) if after else None))
        for records in received.values():
            records.sort(key=lambda record: record.entry.version)
        return dict(received)

    async def _advance(self, place: Place, records: list[Received]) -> Advance | None:
        """Where these records bring a batch; None where they bring it nowhere."""
        state, changed = self._folds.pop(place.key, None), set[int]()
        if place.version == 0:
            state = Fold(self._purpose)
        if state is None or state.version != place.version or not records or not _continue(state, records, changed):
            async with self._reads:
                state = fold(await self._ledger.read(place.key), self._purpose)
            changed = set(range(place.size)) if self._purpose == "send" else set(state.results)
        if state.version <= place.version or half_reseeded(state):
            return None
        if place.state == "test":
            changed |= finish_test(state)
        return Advance(place, state, changed)

    def _keep(self, moved: Sequence[Advance]) -> None:
        for advance in moved:
            if not advance.state.sealed:
                self._folds[advance.place.key] = advance.state
        while len(self._folds) > CACHED:
            self._folds.popitem(last=False)

    def _places(self, keys: Sequence[BatchKey]) -> dict[BatchKey, Place]:
        of_run = defaultdict[tuple[UUID, int], list[int]](list)
        for key in keys:
            of_run[key.broadcast_id, key.run].append(key.batch)
        found = dict[BatchKey, Place]()
        with self._database.read() as connection:
            for (broadcast_id, run), numbers in of_run.items():
                within = and_(runs.c.broadcast_id == broadcast_id, runs.c.run == run, batches.c.batch.in_(numbers))
                for place in self._select(connection, within):
                    found[place.key] = place
        return found

    def _unfinished(self) -> list[Place]:
        if self._purpose == "send":
            unfinished = and_(runs.c.state.in_(SENDING), batches.c.issues > 0, ~batches.c.sealed)
        else:
            unfinished = and_(runs.c.state.in_(RECALLING), batches.c.recall_issues > 0, ~batches.c.recall_sealed)
        with self._database.read() as connection:
            return self._select(connection, unfinished)

    def _select(self, connection: Connection, which: ColumnElement[bool]) -> list[Place]:
        sending = self._purpose == "send"
        version = batches.c.version if sending else batches.c.recall_version
        since = batches.c.ledger_since if sending else null()
        of_batch = (batches.c.batch, batches.c.size, version.label("at"), since.label("since"))
        of_run = (runs.c.id, runs.c.broadcast_id, runs.c.run, runs.c.batch_size, runs.c.state, runs.c.leg)
        query = select(*of_batch, *of_run).join_from(batches, runs, runs.c.id == batches.c.run_id).where(which)
        return [
            Place(
                BatchKey(row.broadcast_id, row.run, row.batch),
                row.id,
                row.batch_size,
                row.size,
                row.at,
                row.state,
                row.leg,
                utc(row.since) if row.since else None,
            )
            for row in connection.execute(query)
        ]

    async def _halt(self, place: Place, records: Sequence[Received]) -> None:
        """A dispatcher that met a content or a token that Telegram refuses closes its batch: stop the whole run."""
        for record in records:
            match record.entry.record:
                case CloseV1(leg=place.leg, cause=cause, detail=detail) if cause is not Cause.OPERATOR:
                    if place.state == "sending":
                        await asyncio.to_thread(self._runs.halt, place.key.broadcast_id, place.key.run, cause, detail)

    async def _park(self, message: Msg, reason: str) -> None:
        log.error("record_parked", extra={"subject": message.subject, "reason": reason})
        await park(self._js, SERVICE, message.subject, message.data, reason, message.headers)
        await message.term()


def _continue(state: Fold, records: Sequence[Received], changed: set[int]) -> bool:
    """Apply records that follow the state one right after the other; False where one does not."""
    before, kept = dict(state.results), dict(state.kept)
    for record in records:
        if record.entry.version > state.version:
            if record.after != state.version:
                return False
            changed |= state.apply(record.entry)
    # A seal repeats everybody's result; only the windows differ, which SQL does not have.
    changed -= {i for i in changed if _same(before.get(i), state.results.get(i)) and kept.get(i) == state.kept.get(i)}
    return True


def _same(one: Result | None, other: Result | None) -> bool:
    return one is other or (one is not None and other is not None and _ROW(one) == _ROW(other))


_ROW = attrgetter("outcome", "reason", "messages", "at", "chat", "answer")
"""What a row is made of."""
