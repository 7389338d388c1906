"""One batch from job to seal: the loop that dispatcher and revoker share.

Every step appends to the batch's ledger *whom it is about to attempt* (compare-and-set), attempts them in their slots,
and appends what happened together with the next step. Attempts are fenced: a stale owner cannot open one. Facts are
not: whatever was done is reported at whatever version, until it is stored.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from uuid import uuid4

from broadcast_contracts import (
    BatchKey,
    Cause,
    CloseV1,
    LedgerRecord,
    Outcome,
    ProgressV1,
    ResolveV1,
    Result,
    SealV1,
)
from broadcast_delivery.fold import Attempt as Opened
from broadcast_delivery.fold import Fold, Purpose, fold
from broadcast_delivery.logs import of_batch
from broadcast_delivery.ports import Conflict, Entry, Hold, Ledger, Pace, Slots, Verdict

log = logging.getLogger(__name__)

FACTS_SECONDS = 0.25
"""Results wait at most this long for the next step to carry them: counts stay live, appends stay few."""

TICK_SECONDS = 0.5
"""How often a waiting worker looks whether it should stop."""

BACKOFF_SECONDS = (0.5, 5.0)
"""First and longest wait after an attempt that never reached Telegram."""


Attempt = Callable[[int, Hold], Awaitable[Verdict]]
"""Attempts one recipient of the batch; no error comes out of it."""


@dataclass(frozen=True, slots=True)
class Lease:
    """How long an owner may be silent while attempts are open. All in seconds.

    Every append renews it. A request to Telegram lasts `attempt_timeout` at most and starts only where the lease
    outlasts it; others wait `seconds + grace` before they give a silent owner up.
    """

    seconds: float = 20.0
    grace: float = 5.0
    attempt_timeout: float = 10.0

    @property
    def beat(self) -> float:
        """An owner with open attempts is silent for no longer, so that a request may always start."""
        return (self.seconds - self.attempt_timeout) / 2


@dataclass(frozen=True, slots=True)
class Batch:
    """What a job asks for. `indices` are the recipients of the batch it names, `leg` the leg it was issued in.

    `kept_since` is how old the ledger was to whoever issued it; None where an empty log may be begun in any case.
    """

    key: BatchKey
    purpose: Purpose
    indices: Sequence[int]
    leg: int = 1
    kept_since: datetime | None = None


class End(Enum):
    """How a worker left a batch."""

    SEALED = "sealed"
    CLOSED = "closed"
    HALTED = "halted"
    """The bot is not authorised, in a recall: try again later."""
    TAKEN = "taken"
    """Another owner is at work."""
    HANDED_BACK = "handed_back"
    """This process is shutting down."""
    LOST = "lost"
    """The log is not the one that it was: the planner's side gives it back from its copy and issues the batch again."""


class _Lost(Exception):
    pass


class Worker:
    """Works on batches of one purpose; one instance serves many batches at once."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        owner: str,
        lease: Lease,
        window: int,
        stopped: Callable[[BatchKey, int], bool] = lambda key, leg: False,
        on_step: Callable[[Batch, Fold], None] | None = None,
    ) -> None:
        """`window` bounds the open attempts of a batch: what a crash can leave unconfirmed.

        `stopped(key, leg)` is the hint that the sending was stopped in that leg. `on_step` sees the state as it was
        found and after each append, at once: it must not wait. `owner` names the process.
        """
        self._ledger, self._owner, self._lease, self._window = ledger, owner, lease, window
        self._stopped, self._on_step = stopped, on_step
        self._draining = False

    def drain(self) -> None:
        """Start no attempt from now on; `work` returns when those in the air have ended and are recorded."""
        self._draining = True

    async def work(self, batch: Batch, pace: Pace, attempt: Attempt) -> End:
        """Attempt everyone of the batch who is pending, and seal it when everybody is settled."""
        task = _Task(self, batch, pace, attempt)
        try:
            return await task.run()
        finally:
            await task.abandon()


class _Task:
    """A worker's hold on one batch, with an owner name of its own: the same process may be handed a batch twice."""

    def __init__(self, worker: Worker, batch: Batch, pace: Pace, attempt: Attempt) -> None:
        self._worker, self._batch, self._pace, self._attempt = worker, batch, pace, attempt
        self._ledger, self._lease = worker._ledger, worker._lease
        self._owner = f"{worker._owner}:{uuid4().hex[:8]}"
        self._state = Fold(batch.purpose)
        self._air: dict[int, asyncio.Task[None]] = {}
        self._facts: list[Result] = []
        self._facts_due = 0.0
        self._reserving: asyncio.Task[Slots] | None = None
        self._changed = asyncio.Event()
        self._halt: Verdict | None = None
        self._backoff = 0.0
        self._not_before = 0.0
        self._appended = 0.0

    async def run(self) -> End:
        try:
            return await self._run()
        except _Lost:
            log.error("ledger_lost", extra=of_batch(self._batch.key))
            return End.LOST

    async def _run(self) -> End:
        await self._read()
        while True:
            if not self._air and not self._facts:
                if self._others() and not await self._outwait():
                    return End.TAKEN
                if (end := await self._finish()) is not None:
                    return end
            await self._step()

    async def abandon(self) -> None:
        """Cancel what is left when `run` was cut short; attempts in the air become unconfirmed by their silence."""
        tasks = [*self._air.values(), *([self._reserving] if self._reserving else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- the two ways a turn of the loop can go

    async def _finish(self) -> End | None:
        """With nothing in the air: is there nothing more to do here?"""
        if self._halt is not None:
            return await self._leave_halted(self._halt)
        if self._state.in_flight:
            self._disown()
            return None
        if not self._state.pending(self._batch.indices):
            seal = self._state.seal(_nonce())
            return End.SEALED if self._state.sealed or await self._append(seal) else None
        if self._state.closed or self._hinted_stop():
            return End.CLOSED
        return End.HANDED_BACK if self._worker._draining else None

    async def _step(self) -> None:
        """Open attempts for the next slots, or report what happened, or wait for either to be possible."""
        if self._reserving is None and (want := self._room()):
            self._reserving = asyncio.create_task(self._reserve(want))
            self._reserving.add_done_callback(lambda _: self._changed.set())
        if self._reserving is not None and self._reserving.done():
            slots = self._reserving.result()
            self._reserving = None
            if self._room():
                await self._open(slots)
                return
        if self._facts and (not self._air or _now() >= self._facts_due):
            await self._report()
            return
        if self._air and _now() >= self._appended + self._lease.beat:
            await self._append(ProgressV1(nonce=_nonce(), owner=self._owner))
        elif self._air or self._reserving:
            await self._wait()

    def _room(self) -> int:
        """How many attempts may be opened now; half a window at least, so that steps are few."""
        if self._halt or self._worker._draining or self._state.closed or self._others() or self._hinted_stop():
            return 0
        room = self._worker._window - len(self._air)
        if self._air and room < (self._worker._window + 1) // 2:
            return 0
        return min(room, len(self._state.pending(self._batch.indices)))

    async def _reserve(self, want: int) -> Slots:
        if (wait := self._not_before - _now()) > 0:
            await asyncio.sleep(wait)
        return await self._pace.reserve(want)

    async def _wait(self) -> None:
        self._changed.clear()
        timeout = max(0.0, self._facts_due - _now()) if self._facts else min(TICK_SECONDS, self._lease.beat)
        try:
            await asyncio.wait_for(self._changed.wait(), timeout)
        except TimeoutError:
            if self._reserving and not self._air and not self._room():
                self._reserving.cancel()
                await asyncio.gather(self._reserving, return_exceptions=True)
                self._reserving = None

    # -- attempts

    async def _open(self, slots: Slots) -> None:
        opened = self._state.pending(self._batch.indices)[: slots.count]
        facts, self._facts = self._facts, []
        deadline = _now() + self._lease.seconds - self._lease.attempt_timeout
        step = ProgressV1(nonce=_nonce(), owner=self._owner, opened=opened, results=facts)
        if not await self._append(step):
            self._facts = facts + self._facts
            return
        window = self._state.version
        for k, i in enumerate(opened):
            task = asyncio.create_task(self._attempt_in_slot(i, window, deadline, slots, k))
            self._air[i] = task

    async def _attempt_in_slot(self, i: int, window: int, deadline: float, slots: Slots, k: int) -> None:
        await self._pace.turn(slots, k)
        hold = _Hold(self, i, window)
        if self._pace.paused or not hold.wanted or _now() >= deadline:
            verdict = Verdict(Outcome.UNATTEMPTED)
        else:
            try:
                verdict = await self._attempt(i, hold)
            except Exception:
                log.exception("attempt_failed", extra=of_batch(self._batch.key))
                verdict = Verdict(Outcome.UNCONFIRMED, reason="internal error")
            await self._heed(verdict)
        if not self._facts:
            self._facts_due = _now() + FACTS_SECONDS
        self._facts.append(
            Result(
                i=i,
                window=window,
                outcome=verdict.outcome,
                at=int(time.time()),
                messages=list(verdict.messages),
                chat=verdict.chat,
                reason=verdict.reason,
            )
        )
        del self._air[i]
        self._changed.set()

    async def _heed(self, verdict: Verdict) -> None:
        """What an attempt says beyond its own recipient: a pause, a halt, or a network that is not there."""
        if verdict.pause:
            await self._pace.pause(verdict.pause)
        elif verdict.halt:
            self._halt = verdict
        elif verdict.outcome is Outcome.UNATTEMPTED:
            first, longest = BACKOFF_SECONDS
            self._backoff = min(longest, max(first, self._backoff * 2))
            self._not_before = _now() + self._backoff
        else:
            self._backoff = 0.0

    # -- the ledger

    async def _report(self) -> None:
        facts, self._facts = self._facts, []
        step = ProgressV1(nonce=_nonce(), owner=self._owner, results=facts)
        while not await self._append(step):
            step = step.model_copy(update={"nonce": _nonce()})

    async def _append(self, record: LedgerRecord) -> bool:
        """Append at the version we know; on a conflict read the log again and answer False."""
        began = _now()
        try:
            version = await self._ledger.append(
                self._batch.key, self._state.version, record, rollup=isinstance(record, SealV1)
            )
        except Conflict:
            await self._read()
            return False
        if not self._appended and await self._is_another_ledger():
            raise _Lost  # no version tells the log of a ledger that is lost from one of another
        self._appended = began
        self._state.apply(Entry(version, record))
        self._tell()
        return True

    async def _is_another_ledger(self) -> bool:
        """Than the one that the batch was issued for."""
        expected = self._batch.kept_since
        return expected is not None and expected != await self._ledger.kept_since()

    async def _read(self) -> None:
        log = await self._ledger.read(self._batch.key)
        if self._state.version and not _continues(log, self._state.version):
            raise _Lost
        self._state = fold(log, self._batch.purpose)
        self._tell()

    def _tell(self) -> None:
        """Also what was only read: whoever appended it may have been killed before telling."""
        if self._worker._on_step and self._state.version:
            self._worker._on_step(self._batch, self._state)

    def _others(self) -> bool:
        """Whether anybody else has an attempt open."""
        return any(attempt.owner != self._owner for attempt in self._state.in_flight.values())

    async def _outwait(self) -> bool:
        """Wait until the other owner has been silent for its lease and grace, then resolve its attempts.

        Answers False when it is alive. The silence is measured on our own clock from when we first saw it.
        """
        version, until = self._state.version, _now() + self._lease.seconds + self._lease.grace
        while _now() < until:
            await asyncio.sleep(min(TICK_SECONDS, self._lease.grace))
            if self._worker._draining:
                return False
            await self._read()
            if self._state.version != version:
                return not self._others()
        return await self._append(ResolveV1(nonce=_nonce()))

    async def _leave_halted(self, verdict: Verdict) -> End:
        """Fence the batch with the cause; the planner's side stops the run when it sees it."""
        if self._batch.purpose == "recall":
            return End.HALTED
        leg = max(self._state.open_leg, self._batch.leg)
        close = CloseV1(nonce=_nonce(), leg=leg, cause=verdict.halt or Cause.OPERATOR, detail=verdict.reason)
        while not self._state.closed and not await self._append(close):
            close = close.model_copy(update={"nonce": _nonce()})
        return End.CLOSED

    def _disown(self) -> None:
        """Give back attempts that were stored as ours although we were told that they were not: nobody made them."""
        self._facts = [
            Result(i=i, window=attempt.window, outcome=Outcome.UNATTEMPTED)
            for i, attempt in self._state.in_flight.items()
        ]

    def _hinted_stop(self) -> bool:
        """A stop is of the sending: what is recalled afterwards was stopped as a rule."""
        if self._batch.purpose == "recall":
            return False
        return self._worker._stopped(self._batch.key, max(self._state.open_leg, self._batch.leg))


class _Hold:
    """One attempt's view of the batch it belongs to."""

    __slots__ = ("_attempt", "_i", "_task")

    def __init__(self, task: _Task, i: int, window: int) -> None:
        self._task, self._i, self._attempt = task, i, Opened(window, task._owner)

    def covers(self, seconds: float) -> bool:
        """An append that succeeded proves that the attempt was still ours; from then on the lease counts."""
        task = self._task
        ours = task._state.in_flight.get(self._i) == self._attempt
        return ours and _now() + seconds <= task._appended + task._lease.seconds

    @property
    def wanted(self) -> bool:
        task = self._task
        return not (task._halt or task._worker._draining or task._hinted_stop())


def _continues(log: Sequence[Entry], version: int) -> bool:
    """Whether this is the log that had a record of this version; only a seal takes the records before it away."""
    return any(entry.version == version for entry in log) or bool(log and isinstance(log[0].record, SealV1))


def _nonce() -> str:
    return uuid4().hex[:16]


def _now() -> float:
    """Seconds that go on while the machine sleeps: a suspended sender must find its lease expired."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
