"""The history of a run from what its batches keep."""

from datetime import UTC, datetime

from broadcast_api.adapters.timeline import POINTS_MAX, STEP_SECONDS, kept, points
from broadcast_contracts import Outcome

T0 = 1_790_000_000 // STEP_SECONDS * STEP_SECONDS


def test_a_batch_keeps_its_outcomes_by_the_seconds_of_their_attempts() -> None:
    results = [(Outcome.DELIVERED, T0), (Outcome.DELIVERED, T0 + 1), (Outcome.BLOCKED, T0), (Outcome.UNCONFIRMED, T0)]
    assert kept(results) == {str(T0 // STEP_SECONDS): [2, 1, 1]}


def test_who_was_never_attempted_has_no_place_in_time() -> None:
    assert kept([(Outcome.SKIPPED, T0), (Outcome.NOT_STARTED, None), (Outcome.REFUSED, 0)]) == {}


def test_a_history_begins_with_nobody_and_ends_with_everybody_of_all_batches() -> None:
    step = T0 // STEP_SECONDS
    found = points([{str(step): [3, 1, 0]}, {str(step): [2, 0, 0], str(step + 2): [1, 0, 4]}])
    assert [(p.delivered, p.failed, p.unconfirmed) for p in found] == [(0, 0, 0), (5, 1, 0), (5, 1, 0), (6, 1, 4)]
    assert found[0].at == datetime.fromtimestamp(T0, UTC)


def test_however_long_a_run_took_there_are_a_hundred_points_at_most_and_nobody_is_lost() -> None:
    for seconds in (5, 499, 3_600, 86_400, 40 * 86_400, 900 * 86_400):
        steps = range(0, seconds // STEP_SECONDS, max(1, seconds // STEP_SECONDS // 500))
        found = points([{str(T0 // STEP_SECONDS + n): [1, 0, 0] for n in steps}])
        assert len(found) <= POINTS_MAX + 1, seconds
        assert found[-1].delivered == len(steps), seconds
        assert [p.at for p in found] == sorted({p.at for p in found}), seconds


def test_a_run_that_has_not_begun_has_no_history() -> None:
    assert points([{}, {}]) == []
