"""Carry out what operators decided about recipients of a run, in the logs of its batches.

A decision may be repeated after a crash at any line: a log remembers the last one it took, and a batch whose rows show
it is not looked at again. Until a run's decisions are carried out nothing of it is issued and nothing comes to rest.
"""

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from nats.js import JetStreamContext
from sqlalchemy import Connection, Row, Select, and_, bindparam, func, insert, select, update

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.doubts import reachable_again, unanswered, unconfirmed
from broadcast_api.adapters.schema import batches, decisions, deliveries, recipients, runs
from broadcast_api.duties.counting import lock_run, recount
from broadcast_api.duties.freeze import UNREACHABLE_BATCH
from broadcast_api.duties.outcome_rows import Advance, Place, write
from broadcast_api.duties.reseed import BatchLog
from broadcast_api.duties.telling import tell
from broadcast_contracts import Answer, AnswerV1, BatchKey, LedgerRecord, Outcome
from broadcast_delivery.fold import Fold
from broadcast_delivery.ports import Ledger


@dataclass(frozen=True, slots=True)
class Decision:
    """`about` None: whoever failed and can be reached now."""

    run: Row[Any]
    number: int
    about: Answer | None
    recipients: frozenset[int] | None

    @property
    def answer(self) -> Answer:
        """What the logs are told."""
        return self.about or Answer.RESEND


class Decisions:
    """Safe with any number of replicas at once."""

    def __init__(self, js: JetStreamContext, database: Database, ledger: Ledger) -> None:
        self._js, self._database, self._ledger = js, database, ledger

    async def step(self) -> bool:
        """Carry out every decision that waits, in order; answers whether one did. Raises errors of NATS and SQL."""
        waiting = await asyncio.to_thread(self._waiting)
        for decision in waiting:
            for batch, indices in await asyncio.to_thread(self._concerned, decision):
                await self._answer(decision, batch, indices)
            await asyncio.to_thread(self._finish, decision)
        return bool(waiting)

    def _waiting(self) -> list[Decision]:
        with self._database.read() as connection:
            rows = connection.execute(_WAITING).all()
        return [
            Decision(
                row,
                row.number,
                Answer(row.answer) if row.answer else None,
                None if row.recipients is None else frozenset(row.recipients),
            )
            for row in rows
        ]

    def _concerned(self, decision: Decision) -> list[tuple[Row[Any], list[int]]]:
        """The batches that have recipients of the decision, and which."""
        of_batch = defaultdict[int, list[int]](list)
        size = decision.run.batch_size
        with self._database.read() as connection:
            for position, recipient_id in connection.execute(_whom(decision)):
                if decision.recipients is None or recipient_id in decision.recipients:
                    of_batch[position // size].append(position % size)
            of_run = select(batches).where(batches.c.run_id == decision.run.id).order_by(batches.c.batch)
            return [(row, of_batch[row.batch]) for row in connection.execute(of_run) if row.batch in of_batch]

    async def _answer(self, decision: Decision, batch: Row[Any], indices: list[int]) -> None:
        """Say it in the log, tell the world how the batch stands, and bring its rows up to date: in this order."""
        run = decision.run
        key = BatchKey(run.broadcast_id, run.run, batch.batch)
        state = await self._append(decision, batch, indices)
        await tell(self._js, key, batch.size, state)
        place = Place(key, run.id, run.batch_size, batch.size, batch.version, run.state, run.leg)
        await asyncio.to_thread(write, self._database, "send", [Advance(place, state, set(range(batch.size)))])

    async def _append(self, decision: Decision, batch: Row[Any], indices: list[int]) -> Fold:
        """Also where nobody is left to answer about: a replica that lags must find the decision in the log."""
        everyone = range(batch.size)
        log = BatchLog(self._database, self._ledger, decision.run, batch, batch.ledger_since)
        state = await log.read()
        while state.answered < decision.number:
            seal_lost = batch.sealed and not state.sealed and not state.in_flight and not state.pending(everyone)
            record: LedgerRecord = state.seal(uuid4().hex) if seal_lost else _record(decision, state, indices)
            await log.append(state, record, rollup=seal_lost)
            state = await log.read()
        return state

    def _finish(self, decision: Decision) -> None:
        """Nothing is left to do but for those whom no batch has: they were known to be unreachable."""
        row = and_(decisions.c.run_id == decision.run.id, decisions.c.number == decision.number)
        with self._database.write() as connection:
            run = lock_run(connection, decision.run.id)
            taken = connection.execute(update(decisions).where(row, ~decisions.c.carried_out).values(carried_out=True))
            if taken.rowcount and decision.about is None:
                _take_in(connection, run)


def _record(decision: Decision, state: Fold, indices: list[int]) -> AnswerV1:
    concerned = [i for i in indices if state.answerable(i, decision.answer)]
    return AnswerV1(nonce=uuid4().hex, decision=decision.number, answer=decision.answer, recipients=concerned)


def _whom(decision: Decision) -> Select[Any]:
    query = select(deliveries.c.position, deliveries.c.recipient_id)
    of_run = and_(deliveries.c.run_id == decision.run.id, deliveries.c.position >= 0)
    if decision.about is None:
        return query.join(recipients, reachable_again).where(of_run).order_by(deliveries.c.position)
    which = unanswered if decision.recipients is None else unconfirmed
    return query.where(of_run, which).order_by(deliveries.c.position)


def _take_in(connection: Connection, run: Row[Any]) -> None:
    """Give those who were known to be unreachable, and no longer are, places in new batches behind all others."""
    back = connection.execute(
        select(deliveries.c.position, deliveries.c.outcome, recipients.c.chat_id)
        .select_from(deliveries.join(recipients, reachable_again))
        .where(deliveries.c.run_id == run.id, deliveries.c.position < 0)
        .order_by(deliveries.c.position.desc())
    ).all()
    if not back:
        return
    of_run, size = batches.c.run_id == run.id, run.batch_size
    first = (connection.scalar(select(func.max(batches.c.batch)).where(of_run)) or 0) + 1
    places = [
        {"of_run": run.id, "at": row.position, "to": first * size + n, "chat": row.chat_id}
        for n, row in enumerate(back)
    ]
    connection.execute(
        update(deliveries)
        .where(deliveries.c.run_id == bindparam("of_run"), deliveries.c.position == bindparam("at"))
        .values(position=bindparam("to"), chat_id=bindparam("chat"), outcome=None, reason=None),
        places,
    )
    blocked = sum(row.outcome == Outcome.BLOCKED for row in back)
    connection.execute(
        update(batches)
        .where(of_run, batches.c.batch == UNREACHABLE_BATCH)
        .values(
            size=batches.c.size - len(back),
            failed=batches.c.failed - len(back),
            blocked=batches.c.blocked - blocked,
        )
    )
    sizes = [min(size, len(back) - start) for start in range(0, len(back), size)]
    rows = [{"run_id": run.id, "batch": first + n, "size": of_batch} for n, of_batch in enumerate(sizes)]
    connection.execute(insert(batches), rows)
    connection.execute(update(runs).where(runs.c.id == run.id).values(size=runs.c.size + len(back)))
    recount(connection, run.id)


_WAITING = (
    select(runs, decisions.c.number, decisions.c.answer, decisions.c.recipients)
    .join(runs, runs.c.id == decisions.c.run_id)
    .where(~decisions.c.carried_out)
    .order_by(decisions.c.run_id, decisions.c.number)
)
