"""Issue again what got lost on the way: unfinished batches that nothing happens to and that no job waits for."""

import asyncio
from typing import Any

from nats.js import JetStreamContext
from nats.js.errors import NotFoundError
from sqlalchemy import ColumnElement, Row, and_, select

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.schema import batches, runs
from broadcast_api.duties.issue import LANE_OF_STATE, Issuer
from broadcast_api.duties.outcome_rows import RECALLING
from broadcast_api.duties.recall import RecallPlanner, with_revokers
from broadcast_contracts import BatchKey
from broadcast_contracts.topology import JOBS, Lane, job_subject

_sending = and_(
    runs.c.state.in_(LANE_OF_STATE), batches.c.issues > 0, batches.c.issued_leg == runs.c.leg, ~batches.c.sealed
)
_recalling = and_(runs.c.state.in_(RECALLING), with_revokers)

Seen = dict[tuple[int, int, Lane], tuple[int, int]]


class Sweeper:
    """Called every few dozen seconds. A batch counts as idle when two sweeps found it the same."""

    def __init__(self, js: JetStreamContext, database: Database, issuer: Issuer, recall: RecallPlanner) -> None:
        self._js, self._database, self._issuer, self._recall = js, database, issuer, recall
        self._seen: Seen = {}

    async def step(self) -> int:
        """Issue idle batches again; answers how many there were."""
        seen: Seen = {}
        again = 0
        for row in await asyncio.to_thread(self._with_workers):
            lane: Lane = LANE_OF_STATE.get(row.state, "recall")
            place, state = (row.run_id, row.batch, lane), _state(row, lane)
            if self._seen.get(place) != state or await self._waits(row, lane):
                seen[place] = state
                continue
            again += 1
            await (self._recall if lane == "recall" else self._issuer).again(row.run_id, row.batch)
        self._seen = seen
        return again

    def _with_workers(self) -> list[Row[Any]]:
        with self._database.read() as connection:
            return [row for which in (_sending, _recalling) for row in connection.execute(_select(which))]

    async def _waits(self, row: Row[Any], lane: Lane) -> bool:
        """Whether the batch's job is in the queue, or with a worker that has not acknowledged it."""
        subject = job_subject(lane, row.bot, BatchKey(row.broadcast_id, row.run, row.batch))
        try:
            await self._js.get_last_msg(JOBS.name, subject)
        except NotFoundError:
            return False
        return True


def _select(which: ColumnElement[bool]) -> Any:
    return (
        select(batches, runs.c.state, runs.c.bot, runs.c.broadcast_id, runs.c.run)
        .join(runs, runs.c.id == batches.c.run_id)
        .where(which)
        .order_by(batches.c.run_id, batches.c.batch)
    )


def _state(row: Row[Any], lane: Lane) -> tuple[int, int]:
    return (row.recall_version, row.recall_issues) if lane == "recall" else (row.version, row.issues)
