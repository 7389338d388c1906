"""Make the read models anew from the event log and the ledgers, in place, while nobody leads.

Kept, because nothing else knows it: the directory; who stands at which position of a run (`deliveries`: run, position,
recipient, chat; of those never attempted also the outcome), with the batch size and the rule it was cut by; which
batches were issued and which decisions carried out; and whatever the streams have lost by age.
"""

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from nats.js import JetStreamContext
from nats.js.errors import NotFoundError
from sqlalchemy import Connection, Row, Table, and_, delete, func, insert, select, update

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.event_store import EventStore
from broadcast_api.adapters.schema import (
    audience_members,
    audiences,
    audit,
    batches,
    broadcasts,
    decisions,
    deliveries,
    positions,
    runs,
)
from broadcast_api.adapters.views import READER as VIEWS
from broadcast_api.domain.broadcast import Broadcast
from broadcast_api.duties.counting import lock_run, recount
from broadcast_api.duties.freeze import UNREACHABLE_BATCH
from broadcast_api.duties.outcome_rows import RECALLING, Advance, Place, write_in
from broadcast_api.duties.recall import refuse_unnamed
from broadcast_api.duties.relay import READER as RELAY
from broadcast_api.duties.relay import notification_of
from broadcast_api.repair.batches import counts_of_people, recall_counts_of_people, sizes_of
from broadcast_api.repair.logs import Logs, Stored, by_revoker, expired, read_batch, read_logs
from broadcast_api.repair.rows import OF_RUN, among_people, decided
from broadcast_api.repair.scratch import scratch
from broadcast_contracts import BatchKey
from broadcast_contracts.topology import BROADCASTS, LEDGER, RECALL_LEDGER
from broadcast_delivery.fold import Fold
from broadcast_delivery.jetstream import JetStreamLedger

PAGE = 500
READ_SECONDS = 30.0

Say = Callable[[str], None]


class Rebuild:
    """`run` once, holding the lock of the leader. A repeat after a crash starts over and harms nothing."""

    def __init__(self, database: Database, store: EventStore, js: JetStreamContext, batch_size: int, say: Say) -> None:
        self._database, self._store, self._js, self._say = database, store, js, say
        self._batch_size = batch_size
        self._ledger, self._recall_ledger = JetStreamLedger(js, LEDGER), JetStreamLedger(js, RECALL_LEDGER)
        self.done = False

    async def run(self) -> None:
        """Raises errors of SQL and NATS."""
        await asyncio.to_thread(self._decisions)
        kept = count = 0
        for run in await asyncio.to_thread(self._runs):
            sizes = await asyncio.to_thread(self._frozen_audience, run)
            for batch in sizes:
                if batch != UNREACHABLE_BATCH:
                    kept += await self._batch(run, batch)
                    count += 1
            await asyncio.to_thread(self._counts, run)
        await self._relay()
        self._say(f"{count} batches; {kept} kept their SQL rows: the streams no longer have their ledgers")
        self.done = True

    # -- what the event log says

    def _decisions(self) -> None:
        """In one transaction that holds the position of the views: nobody sees half of it."""
        with scratch(self._store, self._batch_size) as truth, self._database.write() as connection:
            position = self._database.upsert(positions).values(reader=VIEWS, notification_id=0)
            connection.execute(position.on_conflict_do_nothing())
            connection.execute(select(positions).where(positions.c.reader == VIEWS).with_for_update()).one()
            truth.catch_up()
            for table in (broadcasts, audiences):
                self._replace(connection, truth.database, table)
            self._members(connection, truth.database)
            connection.execute(delete(audit))
            for page in _pages(truth.database, select(audit).order_by(audit.c.number)):
                connection.execute(insert(audit), page)
            self._restore_runs(connection, truth.database)
            with truth.database.read() as made:
                end = made.scalar(select(positions.c.notification_id).where(positions.c.reader == VIEWS)) or 0
            connection.execute(
                update(positions).where(positions.c.reader == VIEWS).values(notification_id=end, stream_sequence=0)
            )

    def _replace(self, connection: Connection, truth: Database, table: Table) -> None:
        made = self._database.upsert(table)
        values = {column.name: made.excluded[column.name] for column in table.c if not column.primary_key}
        known = set[UUID]()
        for page in _pages(truth, select(table).order_by(table.c.id)):
            connection.execute(made.on_conflict_do_update(index_elements=["id"], set_=values), page)
            known.update(row["id"] for row in page)
        for id in set(connection.scalars(select(table.c.id))) - known:
            connection.execute(delete(audience_members).where(audience_members.c.audience_id == id))
            connection.execute(delete(table).where(table.c.id == id))

    def _members(self, connection: Connection, truth: Database) -> None:
        """Whoever was listed and is in the directory, under the id they have now."""
        for page in _pages(truth, select(audiences.c.id).order_by(audiences.c.id)):
            for audience in page:
                of_audience = audience_members.c.audience_id == audience["id"]
                ids = select(audience_members.c.recipient_id).where(of_audience)
                with truth.read() as made:
                    said = set(made.scalars(ids))
                connection.execute(delete(audience_members).where(of_audience))
                known = among_people(connection, said)
                if rows := [{"audience_id": audience["id"], "recipient_id": id} for id in sorted(known)]:
                    connection.execute(insert(audience_members), rows)

    def _restore_runs(self, connection: Connection, truth: Database) -> None:
        for page in _pages(truth, select(runs).order_by(runs.c.id)):
            for made in page:
                row = and_(runs.c.broadcast_id == made["broadcast_id"], runs.c.run == made["run"])
                if not connection.execute(
                    update(runs).where(row).values({name: made[name] for name in OF_RUN})
                ).rowcount:
                    connection.execute(insert(runs).values({n: v for n, v in made.items() if n != "id"}))
                    self._say(f"run {made['broadcast_id']}/{made['run']}: its row was gone")
        with truth.read() as made_by_log:
            said = decided(made_by_log, decisions.c.number > 0)
        stored = {(row.broadcast_id, row.run, row.number): row for row in decided(connection, decisions.c.number > 0)}
        connection.execute(delete(decisions))
        for decision in said:
            of_run = and_(runs.c.broadcast_id == decision.broadcast_id, runs.c.run == decision.run)
            known = stored.get((decision.broadcast_id, decision.run, decision.number))
            connection.execute(
                insert(decisions).values(
                    run_id=connection.execute(select(runs.c.id).where(of_run)).scalar_one(),
                    number=decision.number,
                    answer=decision.answer,
                    recipients=decision.recipients,
                    carried_out=known.carried_out if known else self._came_to_rest_since(decision),
                )
            )

    def _came_to_rest_since(self, decision: Row[Any]) -> bool:
        """Nothing comes to rest before a decision is carried out."""
        return any(
            isinstance(event, Broadcast.Stopped | Broadcast.Sent | Broadcast.Recalled)
            and event.originator_version > decision.number
            for event in self._store.history(decision.broadcast_id)
        )

    # -- what the frozen audience says

    def _runs(self) -> list[Row[Any]]:
        with self._database.read() as connection:
            return list(connection.execute(select(runs).order_by(runs.c.id)))

    def _frozen_audience(self, run: Row[Any]) -> dict[int, int]:
        """Sizes, and a row for each batch; answers the batches."""
        frozen = any(
            isinstance(event, Broadcast.AudienceFrozen) and event.run == run.run
            for event in self._store.history(run.broadcast_id)
        )
        with self._database.write() as connection:
            lock_run(connection, run.id)
            sizes = sizes_of(connection, run)
            of_run = batches.c.run_id == run.id
            connection.execute(delete(batches).where(of_run, batches.c.batch.not_in(list(sizes))))
            for batch, size in sizes.items():
                row = and_(of_run, batches.c.batch == batch)
                if not connection.execute(update(batches).where(row).values(size=size)).rowcount:
                    connection.execute(
                        insert(batches).values(run_id=run.id, batch=batch, size=size, issued_leg=run.leg)
                    )
            if UNREACHABLE_BATCH in sizes:
                self._unreachable(connection, run)
            values: dict[str, Any] = {"total": 0, "size": 0, "frozen": False, "frozen_up_to": 0}
            if run.run:
                upper = connection.scalar(
                    select(func.coalesce(func.max(deliveries.c.recipient_id), 0)).where(deliveries.c.run_id == run.id)
                )
                total = sum(sizes.values())
                size = total - sizes.get(UNREACHABLE_BATCH, 0)
                values = {"total": total, "size": size, "frozen": frozen, "frozen_up_to": upper}
            connection.execute(update(runs).where(runs.c.id == run.id).values(values))
        return sizes

    def _unreachable(self, connection: Connection, run: Row[Any]) -> None:
        stored = read_batch(connection, run, UNREACHABLE_BATCH)
        row = and_(batches.c.run_id == run.id, batches.c.batch == UNREACHABLE_BATCH)
        values = (
            _nothing_sent() | _nothing_recalled() | counts_of_people(stored) | {"sealed": True, "recall_sealed": True}
        )
        connection.execute(update(batches).where(row).values(values))

    # -- what the ledgers say

    async def _batch(self, run: Row[Any], number: int) -> bool:
        """Answers whether a log was gone, so that the rows stay as they are."""
        async with asyncio.timeout(READ_SECONDS):
            since = await asyncio.to_thread(self._ledger_since, run, number)
            logs = await read_logs(self._ledger, self._recall_ledger, run, number, since)
        return await asyncio.to_thread(self._restore_batch, run, number, logs)

    def _ledger_since(self, run: Row[Any], number: int) -> datetime | None:
        of_batch = (batches.c.run_id == run.id, batches.c.batch == number)
        with self._database.read() as connection:
            since: datetime | None = connection.scalar(select(batches.c.ledger_since).where(*of_batch))
            return since

    def _restore_batch(self, run: Row[Any], number: int, logs: Logs) -> bool:
        with self._database.write() as connection:
            lock_run(connection, run.id)
            stored = read_batch(connection, run, number)
            assert stored.row is not None
            row = and_(batches.c.run_id == run.id, batches.c.batch == number)
            sent = logs.send.version > 0 and not expired(logs.send, stored)
            recalled = run.state in RECALLING and logs.recall.version > 0 and not expired(logs.recall, stored)
            plan = _plan(run, stored.row, logs) | ({"ledger_since": logs.kept_since} if sent else {})
            send = _nothing_sent() if sent else _kept(run, stored)
            if run.state not in RECALLING:
                first = number * run.batch_size
                within = deliveries.c.position.between(first, first + run.batch_size - 1)
                nothing = {"recall_outcome": None, "recall_reason": None}
                connection.execute(update(deliveries).where(deliveries.c.run_id == run.id, within).values(nothing))
                recall = _nothing_recalled()
            else:
                recall = _nothing_recalled() if recalled else _kept_recall(stored)
            connection.execute(update(batches).where(row).values(plan | send | recall))
            place = Place(
                BatchKey(run.broadcast_id, run.run, number), run.id, run.batch_size, stored.size, 0, run.state, run.leg
            )
            everybody = set(range(stored.size))
            if sent:
                write_in(connection, "send", [Advance(place, _within(logs.send, everybody), everybody)])
            if recalled:
                write_in(connection, "recall", [Advance(place, _within(logs.recall, everybody), everybody)])
            return bool(send.get("version") or recall.get("recall_version"))

    def _counts(self, run: Row[Any]) -> None:
        with self._database.write() as connection:
            locked = lock_run(connection, run.id)
            if locked.state in RECALLING:
                refuse_unnamed(connection, locked)
            recount(connection, run.id)

    # -- how far the relay has come

    async def _relay(self) -> None:
        """As the stream itself says; where everything has left it by age, the saved position is all there is.

        Nothing counts as published where the stream is not there, or not of this event log: it is about to be removed.
        """
        try:
            last = (await self._js.stream_info(BROADCASTS.name)).state.last_seq
        except NotFoundError:
            last = 0
        try:
            message = await self._js.get_msg(BROADCASTS.name, last) if last else None
        except NotFoundError:
            return
        id = (message.headers or {}).get("Nats-Msg-Id", "") if message else ""
        number = await asyncio.to_thread(notification_of, self._store, id)
        place = {"notification_id": number, "stream_sequence": last if number else 0}
        saved = self._database.upsert(positions).values(reader=RELAY, **place)
        with self._database.write() as connection:
            connection.execute(saved.on_conflict_do_update(index_elements=[positions.c.reader], set_=place))


def _plan(run: Row[Any], batch: Row[Any], logs: Logs) -> dict[str, Any]:
    """What was issued nobody else knows. To think that it was costs a repeated job; the opposite could cost a stop."""
    return {
        "issued_leg": min(max(batch.issued_leg, 0), run.leg),
        "issues": max(batch.issues, 1),
        "recall_issues": max(batch.recall_issues, 1 if logs.recall.version else 0),
    }


def _nothing_sent() -> dict[str, Any]:
    """For the log to be written upon."""
    counts = dict.fromkeys(("posted", "delivered", "failed", "blocked", "unconfirmed", "skipped"), 0)
    return {"version": 0, "closed_leg": 0, "in_flight": 0, "sealed": False, "timeline": {}, **counts}


def _nothing_recalled() -> dict[str, Any]:
    return {"recall_version": 0, "recall_sealed": False, "recalled": 0, "unrecalled": 0}


def _kept(run: Row[Any], stored: Stored) -> dict[str, Any]:
    """There is no log: either it was never begun, or SQL alone knows what it said."""
    assert stored.row is not None
    ended = [person.outcome is not None for person in stored.people.values()]
    if run.run == 0 and stored.row.version == 0:
        return _nothing_sent() | {"sealed": all(ended)}
    if not any(ended) and not stored.row.version:
        return _nothing_sent()
    return {"version": max(stored.row.version, 1), "sealed": all(ended), **counts_of_people(stored)}


def _kept_recall(stored: Stored) -> dict[str, Any]:
    assert stored.row is not None
    if not any(by_revoker(person) for person in stored.people.values()):
        return _nothing_recalled() | recall_counts_of_people(stored)
    return {"recall_version": max(stored.row.recall_version, 1), **recall_counts_of_people(stored)}


def _within(state: Fold, everybody: set[int]) -> Fold:
    """Without results of recipients who have no row."""
    state.results = {i: result for i, result in state.results.items() if i in everybody}
    return state


def _pages(database: Database, query: Any) -> Iterator[list[dict[str, Any]]]:
    offset = 0
    while True:
        with database.read() as connection:
            page = [row._asdict() for row in connection.execute(query.limit(PAGE).offset(offset))]
        if not page:
            return
        yield page
        offset += PAGE
