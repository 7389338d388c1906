"""How a run went over time. Each batch keeps its own outcomes by five seconds, absolute like its counts, so that they
are as right after a repeat or a rebuild; a run's history is the sum over its batches: 4,000 rows for a million people.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from broadcast_contracts import Outcome

STEP_SECONDS = 5
POINTS_MAX = 100

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_SPANS = (
    *(STEP_SECONDS, 10, 20, 30, _MINUTE, 2 * _MINUTE, 5 * _MINUTE, 10 * _MINUTE, 20 * _MINUTE, 30 * _MINUTE),
    *(_HOUR, 2 * _HOUR, 4 * _HOUR, 8 * _HOUR, _DAY),
)

Kept = dict[str, list[int]]
"""As a batch keeps it: unix seconds // `STEP_SECONDS` → delivered, failed, unconfirmed."""


@dataclass(frozen=True, slots=True)
class Point:
    """How many there were in all when this moment came."""

    at: datetime
    delivered: int
    failed: int
    unconfirmed: int


def kept(results: Iterable[tuple[Outcome, int | None]]) -> Kept:
    """From outcomes with the unix seconds of their attempts. Who was never attempted has no place in time."""
    found: Kept = {}
    for outcome, at in results:
        kind = 0 if outcome is Outcome.DELIVERED else 1 if outcome.failed else 2
        if at and outcome is not Outcome.SKIPPED:
            found.setdefault(str(at // STEP_SECONDS), [0, 0, 0])[kind] += 1
    return found


def points(batches: Iterable[Mapping[str, list[int]]]) -> list[Point]:
    """At most `POINTS_MAX`, evenly spaced, from nobody at the first attempt to everybody; empty before that."""
    summed: dict[int, list[int]] = {}
    for batch in batches:
        for name, counts in batch.items():
            total = summed.setdefault(int(name), [0, 0, 0])
            for kind, count in enumerate(counts):
                total[kind] += count
    if not summed:
        return []
    first, last = min(summed), max(summed) + 1
    span = _span((last - first) * STEP_SECONDS) // STEP_SECONDS
    so_far = [0, 0, 0]
    found = [_point(first, so_far)]
    for start in range(first, last, span):
        for step in range(start, start + span):
            for kind, count in enumerate(summed.get(step, ())):
                so_far[kind] += count
        found.append(_point(min(start + span, last), so_far))
    return found


def _span(seconds: int) -> int:
    """Between two points."""
    fitting = (span for span in _SPANS if seconds <= span * (POINTS_MAX - 1))
    return next(fitting, -(-seconds // ((POINTS_MAX - 1) * _DAY)) * _DAY)


def _point(step: int, counts: list[int]) -> Point:
    return Point(datetime.fromtimestamp(step * STEP_SECONDS, UTC), *counts)
