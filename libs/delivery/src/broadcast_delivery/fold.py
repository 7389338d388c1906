"""What the log of a batch means: who is pending, in flight or settled, and whether anybody may still attempt."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from broadcast_contracts import Cause, CloseV1, Outcome, ProgressV1, ReopenV1, ResolveV1, Result, SealV1
from broadcast_delivery.ports import Entry

Purpose = Literal["send", "recall"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that was opened and whose result is not known yet."""

    window: int
    owner: str


@dataclass(slots=True)
class Fold:
    """The state of one batch as of `version` (0: an empty log).

    Sending cannot be repeated, so an attempt whose owner fell silent is unconfirmed for good, unless the owner's own
    fact arrives after all. Deleting can be repeated, so in a recall it is pending again.
    """

    purpose: Purpose
    version: int = 0
    in_flight: dict[int, Attempt] = field(default_factory=dict)
    results: dict[int, Result] = field(default_factory=dict)
    sealed: bool = False
    open_leg: int = 1
    closed_leg: int = 0
    cause: Cause = Cause.OPERATOR
    detail: str = ""

    @property
    def closed(self) -> bool:
        """Nobody may open an attempt."""
        return self.closed_leg >= self.open_leg

    def pending(self, indices: Iterable[int]) -> list[int]:
        """Those of the batch who may be attempted."""
        return [i for i in indices if i not in self.in_flight and i not in self.results]

    def apply(self, entry: Entry) -> set[int]:
        """Take the next record; answers the recipients whose result changed (perhaps back to pending)."""
        self.version = entry.version
        match entry.record:
            case None:
                return set()
            case ProgressV1() as step:
                changed = {result.i for result in step.results if self._learn(result)}
                for i in step.opened:
                    self.in_flight[i] = Attempt(entry.version, step.owner)
                return changed
            case ResolveV1():
                return self._resolve(entry.version)
            case CloseV1() as close:
                if close.leg > self.closed_leg:
                    self.closed_leg, self.cause, self.detail = close.leg, close.cause, close.detail
                return set()
            case ReopenV1() as reopen:
                self.open_leg = max(self.open_leg, reopen.leg)
                return set()
            case SealV1() as seal:
                self.sealed = True
                self.in_flight.clear()
                self.results = {result.i: result for result in seal.results}
                return set(self.results)

    def _learn(self, result: Result) -> bool:
        """Take a fact from whoever made the attempt; a fact about another attempt is old news."""
        attempt, known = self.in_flight.get(result.i), self.results.get(result.i)
        if attempt and attempt.window == result.window:
            del self.in_flight[result.i]
        elif not (known and known.outcome is Outcome.UNCONFIRMED and known.window == result.window):
            return False
        if result.outcome is not Outcome.UNATTEMPTED:
            self.results[result.i] = result
        elif self.sealed and self.purpose == "send":
            self.results[result.i] = result.model_copy(update={"outcome": Outcome.SKIPPED})
        else:
            return self.results.pop(result.i, None) is not None
        return True

    def _resolve(self, version: int) -> set[int]:
        silent = dict(self.in_flight)
        self.in_flight.clear()
        if self.purpose == "recall":
            return set()
        for i, attempt in silent.items():
            self.results[i] = Result(
                i=i, window=attempt.window, outcome=Outcome.UNCONFIRMED, reason="the dispatcher fell silent"
            )
        return set(silent)

    def seal_results(self) -> list[Result]:
        """What a seal keeps: only an unconfirmed result can still change, so only it keeps its window."""
        return [
            result if result.outcome is Outcome.UNCONFIRMED else result.model_copy(update={"window": 0})
            for _, result in sorted(self.results.items())
        ]


def fold(entries: Sequence[Entry], purpose: Purpose) -> Fold:
    """The state after a whole log."""
    state = Fold(purpose)
    for entry in entries:
        state.apply(entry)
    return state
