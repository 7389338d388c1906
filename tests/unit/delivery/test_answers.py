"""What an operator's answer does to a batch's log, and that no fact about it is lost or counted twice."""

from collections import Counter

import pytest

from broadcast_contracts import (
    Answer,
    AnswerV1,
    CloseV1,
    LedgerRecord,
    Outcome,
    ProgressV1,
    ReopenV1,
    ResolveV1,
    Result,
    SealV1,
)
from broadcast_delivery import Entry, Fold
from broadcast_delivery.fold import Purpose

EVERYONE = range(4)


class Log:
    """A batch of four: 0 is delivered, 1 blocked, 2 and 3 were opened by a dispatcher that fell silent."""

    def __init__(self, purpose: Purpose = "send") -> None:
        self.state, self.records = Fold(purpose), list[LedgerRecord]()
        self.old = self.open(0, 1, 2, 3)
        self.report(self.old, 0, Outcome.DELIVERED, 100)
        self.report(self.old, 1, Outcome.BLOCKED)
        self.add(ResolveV1(nonce="r"))

    def add(self, record: LedgerRecord) -> set[int]:
        if isinstance(record, SealV1):
            self.records.clear()
        self.records.append(record)
        return self.state.apply(Entry(self.state.version + 1, record))

    def open(self, *indices: int) -> int:
        self.add(ProgressV1(nonce="o", owner="w", opened=list(indices)))
        return self.state.version

    def report(self, window: int, i: int, outcome: Outcome, *messages: int) -> set[int]:
        fact = Result(i=i, window=window, outcome=outcome, messages=list(messages))
        return self.add(ProgressV1(nonce="f", owner="w", results=[fact]))

    def seal(self) -> None:
        self.add(self.state.seal("s"))

    def answer(self, answer: Answer, *recipients: int, decision: int = 5) -> set[int]:
        return self.add(AnswerV1(nonce="a", decision=decision, answer=answer, recipients=list(recipients)))

    def outcome(self, i: int) -> tuple[Outcome | None, list[int]]:
        result = self.state.results.get(i)
        return (result.outcome, result.messages) if result else (None, [])

    def counted(self) -> Counter[Outcome]:
        return Counter(result.outcome for result in self.state.results.values())


@pytest.fixture(params=[False, True], ids=["unsealed", "sealed"])
def log(request: pytest.FixtureRequest) -> Log:
    log = Log()
    if request.param:
        log.seal()
    return log


def test_delivered_counts_as_delivered_without_a_message(log: Log) -> None:
    assert log.answer(Answer.DELIVERED, 2) == {2}
    assert log.outcome(2) == (Outcome.DELIVERED, [])
    assert log.counted() == {Outcome.DELIVERED: 2, Outcome.BLOCKED: 1, Outcome.UNCONFIRMED: 1}


def test_leave_changes_no_outcome_and_is_remembered(log: Log) -> None:
    assert log.answer(Answer.LEAVE, 2) == {2}
    assert log.state.results[2].answer is Answer.LEAVE
    assert log.outcome(2) == (Outcome.UNCONFIRMED, [])


def test_a_resend_makes_exactly_these_pending_again(log: Log) -> None:
    assert log.answer(Answer.RESEND, 3) == {3}
    assert log.state.pending(EVERYONE) == [3]
    assert (log.state.sealed, log.state.closed) == (False, False)


def test_a_resend_reaches_the_failed_and_never_the_delivered(log: Log) -> None:
    assert log.answer(Answer.RESEND, 0, 1) == {1}
    assert log.state.pending(EVERYONE) == [1]


@pytest.mark.parametrize("answer", [Answer.DELIVERED, Answer.LEAVE])
def test_only_the_unconfirmed_are_asked_about(log: Log, answer: Answer) -> None:
    assert log.answer(answer, 0, 1) == set()
    assert log.outcome(1) == (Outcome.BLOCKED, [])


def test_a_decision_that_was_carried_out_is_not_carried_out_again_not_even_after_a_seal(log: Log) -> None:
    log.answer(Answer.RESEND, 2)
    log.report(log.open(2), 2, Outcome.UNCONFIRMED)
    log.seal()
    assert log.answer(Answer.RESEND, 2) == set()
    assert log.outcome(2) == (Outcome.UNCONFIRMED, [])
    assert log.answer(Answer.RESEND, 2, decision=6) == {2}


@pytest.mark.parametrize("answer", [Answer.DELIVERED, Answer.LEAVE])
@pytest.mark.parametrize("sealed_after", [False, True])
def test_the_attempts_own_fact_is_better_than_an_answer(log: Log, answer: Answer, sealed_after: bool) -> None:
    log.answer(answer, 2, 3)
    if sealed_after:
        log.seal()
    log.report(log.old, 2, Outcome.DELIVERED, 102)
    log.report(log.old, 3, Outcome.BLOCKED)
    assert log.outcome(2) == (Outcome.DELIVERED, [102])
    assert log.outcome(3) == (Outcome.BLOCKED, [])
    assert log.state.results[2].answer is None


def test_an_old_attempt_that_arrived_after_all_is_not_made_again(log: Log) -> None:
    log.answer(Answer.RESEND, 2)
    assert log.report(log.old, 2, Outcome.DELIVERED, 102) == {2}
    assert log.state.pending(EVERYONE) == []
    assert log.outcome(2) == (Outcome.DELIVERED, [102])


@pytest.mark.parametrize("late", ["in flight", "settled", "sealed"])
@pytest.mark.parametrize("now", [Outcome.DELIVERED, Outcome.BLOCKED, Outcome.UNCONFIRMED])
def test_an_old_attempt_that_arrived_counts_once_and_every_message_is_known(log: Log, late: str, now: Outcome) -> None:
    log.answer(Answer.RESEND, 2)
    window = log.open(2)
    if late == "in flight":
        log.report(log.old, 2, Outcome.DELIVERED, 102)
        assert log.outcome(2) == (None, [])
    log.report(window, 2, now, *([202] if now is Outcome.DELIVERED else []))
    if late == "sealed":
        log.seal()
    if late != "in flight":
        log.report(log.old, 2, Outcome.DELIVERED, 102)
    assert log.outcome(2) == (Outcome.DELIVERED, [102, 202] if now is Outcome.DELIVERED else [102])
    assert log.counted()[Outcome.DELIVERED] == 2
    if now is Outcome.UNCONFIRMED:
        log.seal()
        log.report(window, 2, Outcome.DELIVERED, 202)
        assert log.outcome(2) == (Outcome.DELIVERED, [102, 202])


def test_an_old_attempt_that_arrived_ends_one_that_was_handed_back_or_fell_silent(log: Log) -> None:
    log.answer(Answer.RESEND, 2, 3)
    window = log.open(2, 3)
    log.report(log.old, 2, Outcome.DELIVERED, 102)
    log.report(log.old, 3, Outcome.DELIVERED, 103)
    log.report(window, 2, Outcome.UNATTEMPTED)
    log.add(ResolveV1(nonce="r2"))
    assert (log.outcome(2), log.outcome(3)) == ((Outcome.DELIVERED, [102]), (Outcome.DELIVERED, [103]))


def test_an_old_attempt_that_never_arrived_leaves_the_new_one_alone(log: Log) -> None:
    log.answer(Answer.RESEND, 2, 3)
    for outcome, i in ((Outcome.UNATTEMPTED, 2), (Outcome.BLOCKED, 3)):
        assert log.report(log.old, i, outcome) == set()
    assert log.state.pending(EVERYONE) == [2, 3]


@pytest.mark.parametrize("now", [Outcome.BLOCKED, Outcome.REFUSED])
def test_a_refused_resend_leaves_in_doubt_whether_the_old_attempt_arrived(log: Log, now: Outcome) -> None:
    log.answer(Answer.RESEND, 1, 2)
    window = log.open(1, 2)
    for i in (1, 2):
        log.report(window, i, now)
    assert (log.outcome(1), log.outcome(2)) == ((now, []), (Outcome.UNCONFIRMED, []))
    log.report(log.old, 2, Outcome.DELIVERED, 102)
    assert log.outcome(2) == (Outcome.DELIVERED, [102])


def test_a_resend_that_was_never_made_leaves_the_old_attempt_in_doubt_after_the_seal(log: Log) -> None:
    log.answer(Answer.RESEND, 2)
    window = log.open(2)
    log.add(ResolveV1(nonce="r2"))
    log.seal()
    log.report(window, 2, Outcome.UNATTEMPTED)
    assert log.outcome(2) == (Outcome.UNCONFIRMED, [])


def test_a_fact_that_comes_twice_counts_once(log: Log) -> None:
    log.answer(Answer.RESEND, 2)
    log.report(log.open(2), 2, Outcome.DELIVERED, 202)
    for _ in range(2):
        log.report(log.old, 2, Outcome.DELIVERED, 102)
    assert log.outcome(2) == (Outcome.DELIVERED, [102, 202])


def test_a_seal_says_all_that_the_records_before_it_said() -> None:
    log = Log()
    log.add(CloseV1(nonce="c", leg=1))
    log.answer(Answer.RESEND, 2)
    log.report(log.open(2), 2, Outcome.UNCONFIRMED)
    log.answer(Answer.LEAVE, 3, decision=6)
    log.seal()
    alone = Fold("send")
    alone.apply(Entry(log.state.version, log.records[0]))
    assert alone == log.state
    assert log.state.earlier == {2: [log.old]}


def test_in_a_recall_whoever_has_another_message_is_pending_again() -> None:
    log = Log("recall")
    log.report(log.open(2), 2, Outcome.RECALLED)
    log.seal()
    assert log.answer(Answer.RESEND, 2, decision=1) == {2}
    assert log.state.pending([0, 2]) == [2]


def test_a_resend_to_somebody_who_got_a_part_keeps_its_messages(log: Log) -> None:
    log.report(log.old, 2, Outcome.PARTLY, 50, 51)
    log.answer(Answer.RESEND, 2)
    assert log.outcome(2) == (None, [])
    assert log.state.kept[2].messages == [50, 51]
    log.report(log.open(2), 2, Outcome.DELIVERED, 60, 61)
    assert log.outcome(2) == (Outcome.DELIVERED, [50, 51, 60, 61])


def test_what_arrived_before_a_resend_is_kept_whatever_the_resend_comes_to(log: Log) -> None:
    log.report(log.old, 2, Outcome.PARTLY, 50)
    log.answer(Answer.RESEND, 2)
    log.report(log.open(2), 2, Outcome.BLOCKED)
    assert log.outcome(2) == (Outcome.BLOCKED, [50])
    log.seal()
    assert log.outcome(2) == (Outcome.BLOCKED, [50])


def test_an_attempt_that_was_handed_back_forgets_no_message(log: Log) -> None:
    log.report(log.old, 2, Outcome.PARTLY, 50)
    log.answer(Answer.RESEND, 2)
    log.report(log.open(2), 2, Outcome.UNATTEMPTED)
    assert log.outcome(2) == (None, [])
    log.report(log.open(2), 2, Outcome.DELIVERED, 60)
    assert log.outcome(2) == (Outcome.DELIVERED, [50, 60])


@pytest.mark.parametrize("opened", [False, True])
def test_a_part_of_an_attempt_before_a_resend_decides_nothing_and_is_remembered(log: Log, opened: bool) -> None:
    log.answer(Answer.RESEND, 2)
    window = log.open(2) if opened else 0
    assert log.report(log.old, 2, Outcome.PARTLY, 50) == {2}
    assert log.outcome(2) == (None, [])
    log.report(window or log.open(2), 2, Outcome.DELIVERED, 60)
    assert log.outcome(2) == (Outcome.DELIVERED, [50, 60])


def test_a_part_reported_after_the_resend_was_delivered_adds_its_messages(log: Log) -> None:
    log.answer(Answer.RESEND, 2)
    log.report(log.open(2), 2, Outcome.DELIVERED, 60)
    assert log.report(log.old, 2, Outcome.PARTLY, 50) == {2}
    assert log.outcome(2) == (Outcome.DELIVERED, [50, 60])


def test_a_silent_owners_part_is_a_fact_when_it_comes(log: Log) -> None:
    assert log.report(log.old, 2, Outcome.PARTLY, 50) == {2}
    assert log.outcome(2) == (Outcome.PARTLY, [50])


def test_a_stop_before_the_resend_leaves_the_doubt_as_it_was(log: Log) -> None:
    log.answer(Answer.RESEND, 2)
    assert log.add(CloseV1(nonce="c", leg=2)) == {2}
    assert log.outcome(2) == (Outcome.UNCONFIRMED, [])
    assert log.report(log.old, 2, Outcome.DELIVERED, 7) == {2}, "its own fact is still heard"
    assert log.outcome(2) == (Outcome.DELIVERED, [7])


def test_a_resend_that_is_handed_back_after_the_stop_leaves_the_doubt_as_it_was(log: Log) -> None:
    log.answer(Answer.RESEND, 3)
    again = log.open(3)
    log.add(CloseV1(nonce="c", leg=2))
    assert log.outcome(3) == (None, [])
    assert log.report(again, 3, Outcome.UNATTEMPTED) == {3}
    assert log.outcome(3) == (Outcome.UNCONFIRMED, [])


def test_a_failed_one_who_was_to_be_sent_to_again_is_pending_after_a_stop(log: Log) -> None:
    log.answer(Answer.RESEND, 1)
    assert log.add(CloseV1(nonce="c", leg=2)) == set()
    assert log.outcome(1) == (None, [])


def test_a_resume_goes_on_with_the_resend_of_those_still_in_doubt(log: Log) -> None:
    log.answer(Answer.RESEND, 2, 3)
    log.add(CloseV1(nonce="c", leg=2))
    log.answer(Answer.LEAVE, 3, decision=6)
    assert log.add(ReopenV1(nonce="o", leg=3)) == {2}
    assert log.state.pending(EVERYONE) == [2]
    log.report(log.old, 2, Outcome.DELIVERED, 7)
    assert log.outcome(2) == (Outcome.DELIVERED, [7])
