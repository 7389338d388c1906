"""Each safety mechanism taken away alone. A simulation that does not notice would prove nothing."""

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch
from uuid import uuid4

from sqlalchemy import Row, false

import broadcast_api.duties.issue as issue
import broadcast_api.duties.outcome_rows as outcome_rows
import broadcast_api.duties.planner as planner
import broadcast_api.duties.projection as projection
import broadcast_api.duties.reseed as reseed
import broadcast_api.duties.settle as settle
from broadcast_api.adapters.schema import batches
from broadcast_api.duties.counting import counts_of
from broadcast_api.duties.reseed import BatchLog
from broadcast_api.duties.settle import Settler
from broadcast_api.duties.sweeper import Sweeper
from broadcast_contracts import LedgerRecord, Outcome, ProgressV1, ResolveV1, Result
from broadcast_delivery import Entry, Fold, Lease, fold
from broadcast_delivery.jetstream import JetStreamLedger
from broadcast_delivery.worker import _Task
from broadcast_telegram.carrier import _Trip
from tests.simulation.nats import Server

Mutant = Callable[[], contextlib.AbstractContextManager[Any]]


def no_fence() -> contextlib.AbstractContextManager[Any]:
    """Appends ignore the expected version."""
    return patch.object(Server, "fenced", False)


def no_marker() -> contextlib.AbstractContextManager[Any]:
    """Attempts are opened in memory only."""
    append = _Task._append

    async def _append(self: _Task, record: LedgerRecord) -> bool:
        if isinstance(record, ProgressV1) and record.opened:
            self._state.apply(Entry(self._state.version, record))
            return True
        return await append(self, record)

    return patch.object(_Task, "_append", _append)


def early_takeover() -> contextlib.AbstractContextManager[Any]:
    """Another owner's attempts are resolved without waiting for its lease."""

    async def _outwait(self: _Task) -> bool:
        return await self._append(ResolveV1(nonce=uuid4().hex))

    return patch.object(_Task, "_outwait", _outwait)


def resend_silent() -> contextlib.AbstractContextManager[Any]:
    """The attempts of a silent owner are made again."""

    def _resolve(self: Fold) -> set[int]:
        self.in_flight.clear()
        return set()

    return patch.object(Fold, "_resolve", _resolve)


def no_deadline() -> contextlib.AbstractContextManager[Any]:
    """An attempt may start after its lease ran out."""
    return patch.object(Lease, "attempt_timeout", property(lambda _: -1e9), create=True)


def fenced_facts() -> contextlib.AbstractContextManager[Any]:
    """What was done is forgotten when somebody else has appended meanwhile."""

    async def _report(self: _Task) -> None:
        facts, self._facts = self._facts, []
        await self._append(ProgressV1(nonce=uuid4().hex, owner=self._owner, results=facts))

    return patch.object(_Task, "_report", _report)


def seal_is_not_final() -> contextlib.AbstractContextManager[Any]:
    """After the seal a fact can make somebody pending again."""
    learn = Fold._learn

    def _learn(self: Fold, result: Result) -> bool:
        sealed, self.sealed = self.sealed, False
        try:
            return learn(self, result)
        finally:
            self.sealed = sealed

    return patch.object(Fold, "_learn", _learn)


def stop_by_hint_alone() -> contextlib.AbstractContextManager[Any]:
    """Stopped is recorded once the workers were told."""

    async def _stop(self: Settler, run: Row[Any]) -> bool:
        await self._hints.put(run.broadcast_id, run.run, run.leg, stopped=True)
        self._runs.record_frozen(run.broadcast_id, run.run, run.total, run.total - run.size)
        self._runs.record_stopped(run.broadcast_id, run.run, run.leg, counts_of(run))
        return True

    return patch.object(Settler, "_stop", _stop)


def stop_without_waiting() -> contextlib.AbstractContextManager[Any]:
    """Stopped is recorded while attempts are in the air."""
    issued = Settler._issued

    class Landed:
        """A batch that claims to have nothing in the air."""

        in_flight = 0

        def __init__(self, row: Row[Any]) -> None:
            self._row = row

        def __getattr__(self, name: str) -> Any:
            return getattr(self._row, name)

    return patch.object(Settler, "_issued", lambda self, run_id: [Landed(row) for row in issued(self, run_id)])


def close_is_ignored() -> contextlib.AbstractContextManager[Any]:
    """Workers open attempts in closed batches."""
    return patch.object(Fold, "closed", property(lambda _: False))


def counts_are_added() -> contextlib.AbstractContextManager[Any]:
    """Counts are increments."""

    def _send_values(state: Fold) -> dict[str, Any]:
        delivered = sum(result.outcome is Outcome.DELIVERED for result in state.results.values())
        return {**values(state), "delivered": batches.c.delivered + delivered}

    values = outcome_rows._send_values
    return patch.object(outcome_rows, "_send_values", _send_values)


def gaps_are_ignored() -> contextlib.AbstractContextManager[Any]:
    """The projection applies records in whatever order they come."""

    def _continue(state: Fold, records: Any, changed: set[int]) -> bool:
        for record in records:
            if record.entry.version > state.version:
                changed |= state.apply(record.entry)
        return True

    return patch.object(projection, "_continue", _continue)


def no_sweeper() -> contextlib.AbstractContextManager[Any]:
    """Lost jobs stay lost."""

    async def step(self: Sweeper) -> bool:
        return False

    return patch.object(Sweeper, "step", step)


def planner_ignores_the_stop() -> contextlib.AbstractContextManager[Any]:
    """Batches are issued while the run is being stopped."""
    lanes = {**issue.LANE_OF_STATE, "stopping": "send", "stopped": "send"}
    taken = contextlib.ExitStack()
    taken.enter_context(patch.dict(issue.LANE_OF_STATE, lanes))
    taken.enter_context(patch.object(planner, "_WITH_ROOM", planner._runs_with_room(lanes)))
    return taken


def rest_before_decisions() -> contextlib.AbstractContextManager[Any]:
    """A run comes to rest although a decision about it is to be carried out."""
    return patch.object(settle, "_LIVE", settle._live_runs(false()))


def whole_again_after_a_part() -> contextlib.AbstractContextManager[Any]:
    """A content of which something arrived is tried again from its beginning."""
    return patch.object(_Trip, "_ended", lambda self, verdict: verdict)


def shrunk_log_is_believed() -> contextlib.AbstractContextManager[Any]:
    """A worker goes on in a log that is shorter than the one it knew."""

    async def _read(self: _Task) -> None:
        self._state = fold(await self._ledger.read(self._batch.key), self._batch.purpose)
        self._tell()

    return patch.object(_Task, "_read", _read)


def empty_log_is_new() -> contextlib.AbstractContextManager[Any]:
    """Nobody asks since when the ledger is kept."""

    async def kept_since(self: JetStreamLedger) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    return patch.object(JetStreamLedger, "kept_since", kept_since)


def lost_attempts_are_none() -> contextlib.AbstractContextManager[Any]:
    """Whoever has no outcome when a log is lost is taken for never attempted."""

    async def quietly(*about: Any, quiet: bool, kept_since: datetime) -> None:
        await original(*about, quiet=True, kept_since=kept_since)

    original = reseed.reseed
    return patch.object(reseed, "reseed", quietly)


def lost_attempts_have_ended() -> contextlib.AbstractContextManager[Any]:
    """Nobody waits for the owners of attempts that were lost."""
    read = BatchLog.read

    async def _read(self: BatchLog) -> Fold:
        state = await read(self)
        while any(attempt.owner == reseed.LOST for attempt in state.in_flight.values()):
            await self.append(state, ResolveV1(nonce=uuid4().hex))
            state = await read(self)
        return state

    return patch.object(BatchLog, "read", _read)


MUTANTS: dict[str, Mutant] = {
    mutant.__name__: mutant
    for mutant in (
        no_fence,
        no_marker,
        early_takeover,
        resend_silent,
        no_deadline,
        fenced_facts,
        seal_is_not_final,
        stop_by_hint_alone,
        stop_without_waiting,
        close_is_ignored,
        counts_are_added,
        gaps_are_ignored,
        no_sweeper,
        planner_ignores_the_stop,
        rest_before_decisions,
        whole_again_after_a_part,
        shrunk_log_is_believed,
        empty_log_is_new,
        lost_attempts_are_none,
        lost_attempts_have_ended,
    )
}
