"""Plan the recall of a run: batches by the age of their oldest message, a bounded window of them at a time.

What is known to be in a chat is deleted, whatever the recipient's outcome is: also the part of a content, and what is
known of somebody unconfirmed. Counts decide, not the recall logs: as long as a batch has somebody with a message and
without a recall outcome it is issued (again). So a message that is reported after its batch was recalled goes too.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from nats.js import JetStreamContext
from sqlalchemy import ColumnElement, Connection, Row, and_, func, or_, select, update

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.event_store import EventStore
from broadcast_api.adapters.schema import batches, deliveries, runs, undecided
from broadcast_api.application.runs import Runs
from broadcast_api.duties.counting import counts_of, lock_run, recount
from broadcast_api.duties.outcome_rows import RECALLING, recount_recall
from broadcast_api.duties.reseed import lower_recall
from broadcast_contracts import Answer, AnswerV1, BatchKey, Outcome, Posted, RecallJobV1
from broadcast_contracts.topology import JOB_MAX_AGE, job_subject
from broadcast_delivery import tracing
from broadcast_delivery.fold import fold
from broadcast_delivery.logs import about, of_batch
from broadcast_delivery.ports import Conflict, Ledger
from broadcast_delivery.publish import publish

SOURCE = "/broadcast-api"
NO_MESSAGE_ID = "the message id is not known"

left_to_recall: ColumnElement[bool] = batches.c.posted > batches.c.recalled + batches.c.unrecalled
with_revokers: ColumnElement[bool] = and_(left_to_recall, batches.c.recall_issues > 0, ~batches.c.recall_sealed)
waiting: ColumnElement[bool] = and_(left_to_recall, or_(batches.c.recall_issues == 0, batches.c.recall_sealed))


@dataclass(frozen=True, slots=True)
class RecallIssue:
    """A batch marked for recall for the `number`-th time; `version` is that of the projected recall log."""

    run: Row[Any]
    batch: int
    number: int
    version: int
    posted: list[Posted]


class RecallPlanner:
    """`window` is how many unfinished batches of a run may be with the revokers."""

    def __init__(
        self,
        js: JetStreamContext,
        database: Database,
        store: EventStore,
        ledger: Ledger,
        runs: Runs,
        window: int,
    ) -> None:
        self._js, self._database, self._store, self._ledger, self._runs = js, database, store, ledger, runs
        self._window = window
        self._by_age: dict[int, deque[int]] = {}
        self._marked: deque[RecallIssue] = deque()

    async def step(self) -> bool:
        """Issue what there is room for, and record the end; answers whether anything happened."""
        busy = bool(self._marked)
        await self._publish_marked()
        for run in await asyncio.to_thread(self._unfinished):
            if run.waiting and run.with_revokers < self._window:
                self._marked.extend(await asyncio.to_thread(self._mark, run.id))
                busy = busy or bool(self._marked)
                await self._publish_marked()
            elif not run.waiting and not run.with_revokers and run.state == "recalling":
                await asyncio.to_thread(self._runs.record_recalled, run.broadcast_id, run.run, counts_of(run))
                busy = True
        return busy

    async def again(self, run_id: int, batch: int) -> None:
        """Issue a batch once more, if it still has something to recall."""
        issue = await asyncio.to_thread(self._mark_again, run_id, batch)
        if issue is not None:
            await self._publish(issue)

    def _unfinished(self) -> list[Row[Any]]:
        """Runs being recalled, and recalled ones with a straggler."""
        with self._database.read() as connection:
            return list(connection.execute(_UNFINISHED))

    def _mark(self, run_id: int) -> list[RecallIssue]:
        with self._database.write() as connection:
            run = lock_run(connection, run_id)
            if run.state not in RECALLING:
                return []
            of_run = batches.c.run_id == run_id
            out = connection.scalar(select(func.count()).select_from(batches).where(of_run, with_revokers)) or 0
            if not self._by_age.get(run_id):
                self._by_age[run_id] = _by_age(connection, run)
            queue, issues = self._by_age[run_id], list[RecallIssue]()
            while queue and len(issues) < self._window - out:
                if issue := _issue(connection, run, queue.popleft(), waiting):
                    issues.append(issue)
            return issues

    def _mark_again(self, run_id: int, batch: int) -> RecallIssue | None:
        with self._database.write() as connection:
            run = lock_run(connection, run_id)
            return _issue(connection, run, batch, with_revokers) if run.state in RECALLING else None

    async def _publish_marked(self) -> None:
        """After an error the rest goes next time."""
        while self._marked:
            await self._publish(self._marked[0])
            self._marked.popleft()

    async def _publish(self, issue: RecallIssue) -> None:
        run = issue.run
        key = BatchKey(run.broadcast_id, run.run, issue.batch)
        trace = run.trace if tracing.is_traced(issue.batch) else None
        named = {**tracing.of_batch(key, run.bot), "broadcast.issue": issue.number}
        with (
            about(**of_batch(key)),
            tracing.continued("plan recall", trace, named, kind="PRODUCER", links=[run.send_trace]),
        ):
            await self._publish_job(issue, key)

    async def _publish_job(self, issue: RecallIssue, key: BatchKey) -> None:
        run = issue.run
        if issue.number > 1:
            await self._open_again(issue, key)
        job = RecallJobV1(
            broadcast_id=run.broadcast_id,
            run=run.run,
            batch=issue.batch,
            bot=run.bot,
            not_after=datetime.now(UTC) + timedelta(seconds=JOB_MAX_AGE),
            posted=issue.posted,
        )
        epoch = await asyncio.to_thread(lambda: self._store.epoch)
        await publish(
            self._js,
            job_subject("recall", run.bot, key),
            job,
            message_id=f"{epoch}:{key}:recall:{issue.number}",
            source=SOURCE,
            about=str(run.broadcast_id),
        )

    async def _open_again(self, issue: RecallIssue, key: BatchKey) -> None:
        """Whoever was recalled before has another message: in the log they are pending again.

        A lost log is left empty, for nothing is wrong with deleting once more.
        """
        while True:
            state = fold(await self._ledger.read(key), "recall")
            if state.version < issue.version:
                await asyncio.to_thread(lower_recall, self._database, issue.run.id, issue.batch, state.version)
            again = [one.i for one in issue.posted if state.answerable(one.i, Answer.RESEND)]
            if not again:
                return
            number = state.answered + 1
            record = AnswerV1(nonce=uuid4().hex, decision=number, answer=Answer.RESEND, recipients=again)
            try:
                await self._ledger.append(key, state.version, record)
            except Conflict:
                continue


def _by_age(connection: Connection, run: Row[Any]) -> deque[int]:
    """The waiting batches by their oldest message. Messages that cannot be named are refused here, once and for all."""
    refuse_unnamed(connection, run)
    batch = (deliveries.c.position // run.batch_size).label("batch")
    ages = (
        select(batch, func.min(deliveries.c.sent_at).label("oldest"))
        .where(deliveries.c.run_id == run.id, deliveries.c.position >= 0, _not_recalled)
        .group_by(batch)
        .subquery()
    )
    query = (
        select(batches.c.batch)
        .join(ages, ages.c.batch == batches.c.batch)
        .where(batches.c.run_id == run.id, waiting)
        .order_by(ages.c.oldest, batches.c.batch)
    )
    return deque(connection.scalars(query))


_not_recalled: ColumnElement[bool] = and_(
    or_(deliveries.c.outcome == Outcome.DELIVERED.value, deliveries.c.message_ids.is_not(None)),
    deliveries.c.recall_outcome.is_(None),
)


def refuse_unnamed(connection: Connection, run: Row[Any]) -> None:
    """What was delivered under no known message id cannot be recalled."""
    unnamed = and_(deliveries.c.run_id == run.id, _not_recalled, deliveries.c.message_ids.is_(None))
    touched = connection.scalars(select(deliveries.c.position // run.batch_size).where(unnamed).distinct()).all()
    if not touched:
        return
    connection.execute(
        update(deliveries)
        .where(unnamed)
        .values(recall_outcome=Outcome.RECALL_REFUSED.value, recall_reason=NO_MESSAGE_ID)
    )
    for batch in touched:
        recount_recall(connection, run.id, batch, run.batch_size)
    recount(connection, run.id)


def _issue(connection: Connection, run: Row[Any], batch: int, which: ColumnElement[bool]) -> RecallIssue | None:
    """Mark a batch, if it is one of `which`; one that was recalled before has something new, so it is open again."""
    first = batch * run.batch_size
    rows = connection.execute(
        select(deliveries).where(
            deliveries.c.run_id == run.id,
            deliveries.c.position.between(first, first + run.batch_size - 1),
            _not_recalled,
            deliveries.c.message_ids.is_not(None),
        )
    )
    posted = [
        Posted(
            i=row.position - first,
            chat=row.chat_id,
            messages=[int(id) for id in row.message_ids.split(",")],
            at=row.sent_at or 0,
        )
        for row in rows
    ]
    if not posted:
        return None
    marked = connection.execute(
        update(batches)
        .where(batches.c.run_id == run.id, batches.c.batch == batch, which)
        .values(recall_issues=batches.c.recall_issues + 1, recall_sealed=False, recall_issued_at=datetime.now(UTC))
        .returning(batches.c.recall_issues, batches.c.recall_version)
    ).one_or_none()
    return None if marked is None else RecallIssue(run, batch, marked.recall_issues, marked.recall_version, posted)


_how_many = [
    select(func.count()).select_from(batches).where(batches.c.run_id == runs.c.id, which).scalar_subquery()
    for which in (waiting, with_revokers)
]
_straggler = and_(runs.c.state == "recalled", runs.c.posted > runs.c.recalled + runs.c.unrecalled)
_UNFINISHED = (
    select(runs, _how_many[0].label("waiting"), _how_many[1].label("with_revokers"))
    .where(or_(runs.c.state == "recalling", _straggler), ~undecided)
    .order_by(runs.c.id)
)
