"""Keep a bounded window of batches of every run with the dispatchers, runs taking turns.

A batch is marked issued only while the run's locked row says `sending` in that leg. A planner that marked a batch and
then fell behind publishes a job that nobody can use any more: the stop has closed the batch's log meanwhile.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from datetime import datetime
from itertools import chain, zip_longest
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, exists, func, or_, select

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.schema import batches, runs, undecided
from broadcast_api.duties.counting import lock_run
from broadcast_api.duties.hints import Hints
from broadcast_api.duties.issue import LANE_OF_STATE, Issue, Issuer, mark

TESTS_AT_ONCE = 100


class Planner:
    """`window` is how many unfinished batches of a run may be with the dispatchers."""

    def __init__(self, database: Database, issuer: Issuer, hints: Hints, window: int) -> None:
        self._database, self._issuer, self._hints, self._window = database, issuer, hints, window
        self._marked: deque[Issue] = deque()

    async def step(self) -> bool:
        """Issue what there is room for; answers whether anything was issued. After an error the rest goes next time."""
        if not self._marked:
            await self._mark_all()
        issued = bool(self._marked)
        for run in {issue.run.id: issue.run for issue in self._marked}.values():
            await self._hints.put(run.broadcast_id, run.run, run.leg, stopped=False)
        while self._marked:
            await self._issuer.publish(self._marked[0])
            self._marked.popleft()
        return issued

    async def _mark_all(self) -> None:
        if not (run_ids := await asyncio.to_thread(self._with_room)):
            return
        kept_since = await self._issuer.kept_since()

        def turns() -> list[Issue]:
            of_runs = zip_longest(*(self._mark(run_id, kept_since) for run_id in run_ids))
            return [issue for issue in chain.from_iterable(of_runs) if issue is not None]

        self._marked.extend(await asyncio.to_thread(turns))

    def _with_room(self) -> list[int]:
        """Runs that have a batch to issue and room for it; tests first."""
        with self._database.read() as connection:
            return list(connection.scalars(_WITH_ROOM, {"window": self._window}))

    def _mark(self, run_id: int, kept_since: datetime) -> list[Issue]:
        with self._database.write() as connection:
            run = lock_run(connection, run_id)
            if run.state not in LANE_OF_STATE:
                return []
            of_run = and_(batches.c.run_id == run_id, runs.c.id == run_id)
            with_dispatchers = connection.scalar(
                select(func.count())
                .select_from(batches)
                .where(batches.c.run_id == run_id, ~batches.c.sealed, batches.c.issued_leg == run.leg)
            )
            room = TESTS_AT_ONCE if run.state == "test" else self._window - (with_dispatchers or 0)
            rows: list[Row[Any]] = []
            if room > 0:
                query = select(batches).join(runs, of_run).where(_to_issue()).order_by(batches.c.batch).limit(room)
                rows = list(connection.execute(query))
            return [mark(connection, run, row, kept_since) for row in rows]


def _to_issue() -> ColumnElement[bool]:
    """Not issued in this leg, and complete: the last batch may grow until the audience is frozen.

    Nothing as long as a decision is to be carried out: it is about the batches as they are.
    """
    complete = or_(batches.c.size == runs.c.batch_size, runs.c.frozen)
    return and_(~batches.c.sealed, batches.c.issued_leg < runs.c.leg, complete, ~undecided)


_with_dispatchers = (
    select(func.count())
    .select_from(batches)
    .where(batches.c.run_id == runs.c.id, ~batches.c.sealed, batches.c.issued_leg == runs.c.leg)
    .scalar_subquery()
)


def _runs_with_room(states: Iterable[str]) -> Select[tuple[int]]:
    return (
        select(runs.c.id)
        .where(
            runs.c.state.in_(states),
            exists().where(batches.c.run_id == runs.c.id, _to_issue()),
            or_(runs.c.state == "test", _with_dispatchers < bindparam("window")),
        )
        .order_by(runs.c.state == "sending", runs.c.id)
    )


_WITH_ROOM = _runs_with_room(LANE_OF_STATE)
