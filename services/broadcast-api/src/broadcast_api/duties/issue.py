"""Hand a batch to the dispatchers: mark it issued while the run's locked row allows it, then publish its job."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from nats.js import JetStreamContext
from sqlalchemy import Connection, Row, select, update

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.event_store import EventStore
from broadcast_api.adapters.schema import batches, deliveries
from broadcast_api.duties.counting import lock_run
from broadcast_api.duties.reseed import BatchLog
from broadcast_contracts import BatchKey, Content, ReopenV1, SendJobV1
from broadcast_contracts.topology import JOB_MAX_AGE, Lane, job_subject
from broadcast_delivery import tracing
from broadcast_delivery.logs import about, of_batch
from broadcast_delivery.ports import Ledger
from broadcast_delivery.publish import publish

SOURCE = "/broadcast-api"
LANE_OF_STATE: dict[str, Lane] = {"sending": "send", "test": "test"}
"""The run states in which batches may be issued."""


@dataclass(frozen=True, slots=True)
class Issue:
    """A batch marked issued for the `number`-th time, as the rows of its run and itself stood before that."""

    run: Row[Any]
    batch: Row[Any]
    ledger_since: datetime

    @property
    def key(self) -> BatchKey:
        return BatchKey(self.run.broadcast_id, self.run.run, self.batch.batch)

    @property
    def number(self) -> int:
        return int(self.batch.issues) + 1

    @property
    def trace(self) -> str | None:
        """The trace that the job goes on with."""
        return self.run.trace if self.lane == "test" or tracing.is_traced(self.batch.batch) else None

    @property
    def lane(self) -> Lane:
        return LANE_OF_STATE[self.run.state]


def mark(connection: Connection, run: Row[Any], batch: Row[Any], kept_since: datetime) -> Issue:
    """Mark a batch issued in the run's leg; the run's row must be locked and in a state that issues.

    `kept_since` is the ledger's, asked before: from the first issue on the batch's log is expected there.
    """
    ledger_since = batch.ledger_since or kept_since
    connection.execute(
        update(batches)
        .where(batches.c.run_id == run.id, batches.c.batch == batch.batch)
        .values(issued_leg=run.leg, issues=batches.c.issues + 1, issued_at=datetime.now(UTC), ledger_since=ledger_since)
    )
    return Issue(run, batch, ledger_since)


class Issuer:
    """Publishes the jobs of marked batches. A job that gets lost is issued again by the sweeper."""

    def __init__(self, js: JetStreamContext, database: Database, store: EventStore, ledger: Ledger) -> None:
        self._js, self._database, self._store, self._ledger = js, database, store, ledger

    async def again(self, run_id: int, batch: int) -> None:
        """Issue a batch once more, if it is still this leg's and unfinished."""
        issue = await asyncio.to_thread(self._mark_again, run_id, batch, await self.kept_since())
        if issue is not None:
            await self.publish(issue)

    async def kept_since(self) -> datetime:
        """The ledger's."""
        return await self._ledger.kept_since()

    def _mark_again(self, run_id: int, batch: int, kept_since: datetime) -> Issue | None:
        with self._database.write() as connection:
            run = lock_run(connection, run_id)
            row = connection.execute(select(batches).where(batches.c.run_id == run_id, batches.c.batch == batch)).one()
            if run.state not in LANE_OF_STATE or row.sealed or row.issued_leg != run.leg:
                return None
            return mark(connection, run, row, kept_since)

    async def publish(self, issue: Issue) -> None:
        """Open the batch's log for the leg, then publish the job; raises nats-py's errors."""
        named = {**tracing.of_batch(issue.key, issue.run.bot), "broadcast.issue": issue.number}
        with (
            about(**of_batch(issue.key)),
            tracing.continued("plan batch", issue.trace, named, kind="PRODUCER", links=[issue.run.send_trace]),
        ):
            await self._publish(issue)

    async def _publish(self, issue: Issue) -> None:
        if not (kept_since := await self._open(issue)):
            return
        run = issue.run
        job = SendJobV1(
            broadcast_id=run.broadcast_id,
            run=run.run,
            batch=issue.batch.batch,
            bot=run.bot,
            not_after=datetime.now(UTC) + timedelta(seconds=JOB_MAX_AGE),
            leg=run.leg,
            ledger_kept_since=kept_since,
            content=Content.model_validate(run.content),
            chats=await asyncio.to_thread(self._chats, issue),
        )
        epoch = await asyncio.to_thread(lambda: self._store.epoch)
        await publish(
            self._js,
            job_subject(issue.lane, run.bot, issue.key),
            job,
            message_id=f"{epoch}:{issue.key}:{run.leg}:{issue.number}",
            source=SOURCE,
            about=str(run.broadcast_id),
        )

    async def _open(self, issue: Issue) -> datetime | None:
        """Let this leg in, where an earlier one was closed; None when the batch is sealed or closed for this leg.

        Else since when the ledger is kept that has the log.
        """
        log = BatchLog(self._database, self._ledger, issue.run, issue.batch, issue.ledger_since)
        state = await log.read()
        while not state.sealed and state.closed and state.closed_leg < issue.run.leg:
            await log.append(state, ReopenV1(nonce=uuid4().hex, leg=issue.run.leg))
            state = await log.read()
        return None if state.sealed or state.closed else log.kept_since

    def _chats(self, issue: Issue) -> list[int]:
        first = issue.batch.batch * issue.run.batch_size
        within = deliveries.c.position.between(first, first + issue.batch.size - 1)
        with self._database.read() as connection:
            rows = connection.scalars(
                select(deliveries.c.chat_id)
                .where(deliveries.c.run_id == issue.run.id, within)
                .order_by(deliveries.c.position)
            )
            return list(rows)
