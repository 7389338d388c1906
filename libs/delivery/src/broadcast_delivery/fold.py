"""What the log of a batch means: who is pending, in flight or settled, and whether anybody may still attempt."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from broadcast_contracts import (
    Answer,
    AnswerV1,
    Cause,
    CloseV1,
    Outcome,
    ProgressV1,
    ReopenV1,
    ResolveV1,
    Result,
    SealV1,
)
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
    fact arrives after all or an operator answers. Deleting can be repeated, so in a recall it is pending again.

    After an operator's `resend` the attempts before it may still turn out to have arrived: `earlier` has their windows,
    `arrived` what is known of them while the new attempt is in flight. A message that is known is never forgotten:
    `kept` has those of earlier attempts while somebody is to be attempted again.
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
    answered: int = 0
    earlier: dict[int, list[int]] = field(default_factory=dict)
    arrived: dict[int, Result] = field(default_factory=dict)
    kept: dict[int, Result] = field(default_factory=dict)
    withdrawn: set[int] = field(default_factory=set)

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
                return self._resolve()
            case CloseV1() as close:
                if close.leg > self.closed_leg:
                    self.closed_leg, self.cause, self.detail = close.leg, close.cause, close.detail
                return self._withdraw(self.earlier)
            case ReopenV1() as reopen:
                self.open_leg = max(self.open_leg, reopen.leg)
                return set() if self.closed else self._offer_again()
            case AnswerV1() as answer:
                return self._answer(answer)
            case SealV1() as seal:
                self._seal(seal)
                return set(self.results)

    def answerable(self, i: int, answer: Answer) -> bool:
        """Whether this answer would change anything for recipient `i`."""
        known = self.results.get(i)
        if known is None:
            return False
        again = answer is Answer.RESEND
        return known.outcome is Outcome.UNCONFIRMED or (again and (known.outcome.failed or self.purpose == "recall"))

    def seal(self, nonce: str) -> SealV1:
        """The record that says all of this at once. Only a result in doubt can change, so only it keeps its window."""
        results = [
            result.model_copy(
                update={"window": result.window if _in_doubt(result) else 0, "earlier": self.earlier.get(i, [])}
            )
            for i, result in sorted(self.results.items())
        ]
        return SealV1(nonce=nonce, results=results, answered=self.answered)

    # -- facts

    def _learn(self, result: Result) -> bool:
        """Take a fact from whoever made the attempt; a fact about another attempt is old news."""
        i, attempt, known = result.i, self.in_flight.get(result.i), self.results.get(result.i)
        if attempt and attempt.window == result.window:
            del self.in_flight[i]
        elif result.window in self.earlier.get(i, ()):
            return self._learn_late(result)
        elif not (known and _in_doubt(known) and known.window == result.window):
            return False
        if result.outcome is not Outcome.UNATTEMPTED:
            self._settle(result)
        elif i in self.arrived:
            self._put(self.arrived.pop(i))
        elif self.sealed and self.purpose == "send":
            self._settle(result.model_copy(update={"outcome": Outcome.SKIPPED}))
        else:
            taken_back = self._take_back(i)
            return bool(self.closed and self._withdraw([i])) or taken_back
        return True

    def _settle(self, result: Result) -> None:
        """The newest attempt came to this; an earlier one may be known to have arrived, or still be in doubt."""
        if arrived := self.arrived.pop(result.i, None):
            self._keep_in_doubt(result)
            result = _both(arrived, result)
        elif result.outcome is not Outcome.DELIVERED and self.earlier.get(result.i):
            result = result.model_copy(update={"outcome": Outcome.UNCONFIRMED})
        self._put(result)

    def _put(self, result: Result) -> None:
        """This is what became of the recipient; messages of other attempts are theirs all the same."""
        for other in (self.results.get(result.i), self.kept.pop(result.i, None)):
            if other is not None:
                result = _with_messages_of(other, result)
        self.results[result.i] = result

    def _take_back(self, i: int) -> bool:
        """The recipient is pending again."""
        result = self.results.pop(i, None)
        if result is not None and result.messages:
            self.kept[i] = result
        return result is not None

    def _withdraw(self, those: Iterable[int]) -> set[int]:
        """Sending is closed: who waits for a resend is in doubt as before it, for it may never come to that.

        A run that is recalled from `stopped` would otherwise end with people who count as never attempted although
        they may have the message.
        """
        waiting = [i for i in those if self.earlier.get(i) and i not in self.in_flight and i not in self.results]
        for i in waiting:
            window = self.earlier[i].pop()
            self._put(Result(i=i, window=window, outcome=Outcome.UNCONFIRMED, reason="stopped before the resend"))
        self.withdrawn.update(waiting)
        return set(waiting)

    def _offer_again(self) -> set[int]:
        """Sending goes on, and with it the resend of those who are still in doubt."""
        waiting = {i for i in self.withdrawn if self.answerable(i, Answer.LEAVE) and self.results[i].answer is None}
        for i in waiting:
            self._keep_in_doubt(self.results[i])
            self._take_back(i)
        self.withdrawn.clear()
        return waiting

    def _learn_late(self, result: Result) -> bool:
        """An attempt before a resend matters as far as it arrived: the recipient has the message, perhaps twice."""
        i = result.i
        self.earlier[i].remove(result.window)
        if result.outcome is not Outcome.DELIVERED:
            return bool(result.messages) and self._learn_messages(result)
        if i in self.in_flight:
            self.arrived[i] = _both(result, self.arrived[i]) if i in self.arrived else result
            return False
        if known := self.results.get(i):
            self._keep_in_doubt(known)
            result = _both(result, known)
        self._put(result)
        return True

    def _learn_messages(self, result: Result) -> bool:
        i = result.i
        if known := self.results.get(i):
            self.results[i] = _with_messages_of(result, known)
        else:
            self.kept[i] = _with_messages_of(self.kept[i], result) if i in self.kept else result
        return True

    def _keep_in_doubt(self, result: Result) -> None:
        if _in_doubt(result):
            self.earlier.setdefault(result.i, []).append(result.window)

    def _resolve(self) -> set[int]:
        silent = dict(self.in_flight)
        self.in_flight.clear()
        if self.purpose == "recall":
            return set()
        for i, attempt in silent.items():
            reason = "the dispatcher fell silent"
            self._settle(Result(i=i, window=attempt.window, outcome=Outcome.UNCONFIRMED, reason=reason))
        return set(silent)

    # -- decisions

    def _answer(self, record: AnswerV1) -> set[int]:
        if record.decision <= self.answered:
            return set()
        self.answered = record.decision
        changed = {i for i in record.recipients if self.answerable(i, record.answer)}
        for i in changed:
            if record.answer is Answer.RESEND:
                self._keep_in_doubt(self.results[i])
                self._take_back(i)
                self.sealed = False
            else:
                update: dict[str, object] = {"answer": record.answer}
                if record.answer is Answer.DELIVERED:
                    update |= {"outcome": Outcome.DELIVERED}
                self.results[i] = self.results[i].model_copy(update=update)
        return changed

    def _seal(self, seal: SealV1) -> None:
        """The state is that of the seal alone, for it is all that is left of the log."""
        self.sealed, self.open_leg, self.closed_leg = True, 1, 0
        self.answered = seal.answered
        self.in_flight.clear()
        self.arrived.clear()
        self.kept.clear()
        self.withdrawn.clear()
        self.results = {result.i: result for result in seal.results}
        self.earlier = {result.i: list(result.earlier) for result in seal.results if result.earlier}


def fold(entries: Sequence[Entry], purpose: Purpose) -> Fold:
    """The state after a whole log."""
    state = Fold(purpose)
    for entry in entries:
        state.apply(entry)
    return state


def _in_doubt(result: Result) -> bool:
    """Whether the attempt's own fact may still come and say otherwise."""
    return result.outcome is Outcome.UNCONFIRMED or result.answer is not None


def _both(arrived: Result, other: Result) -> Result:
    """One attempt arrived, and this is what another one came to."""
    if other.outcome is Outcome.DELIVERED and other.answer is None:
        return _with_messages_of(arrived, other)
    return _with_messages_of(other, arrived)


def _with_messages_of(other: Result, result: Result) -> Result:
    if set(other.messages) <= set(result.messages):
        return result
    known = {"messages": sorted({*other.messages, *result.messages}), "at": result.at or other.at}
    return result.model_copy(update={**known, "chat": result.chat or other.chat})
