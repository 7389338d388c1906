"""How fast a number grows, and what that means for the rest: measured, never promised."""

from collections import deque
from datetime import timedelta

WINDOW_SECONDS = 15.0
LEAST_SECONDS = 1.5
"""A rate over less than this says more about our own polling than about Telegram."""


class Pace:
    """Samples of a counter over the last seconds; `at` is any clock that only goes forward."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()

    def add(self, at: float, done: int) -> None:
        """A counter that falls belongs to another run or phase: what was measured before is forgotten."""
        if self._samples and done < self._samples[-1][1]:
            self._samples.clear()
        self._samples.append((at, done))
        while len(self._samples) > 2 and at - self._samples[1][0] >= WINDOW_SECONDS:
            self._samples.popleft()

    @property
    def per_second(self) -> float | None:
        """None while it is too early to say."""
        if not self._samples:
            return None
        (first, before), (last, after) = self._samples[0], self._samples[-1]
        return (after - before) / (last - first) if last - first >= LEAST_SECONDS else None

    def left(self, remaining: int) -> timedelta | None:
        """How long the rest takes if it goes on like this; None when nobody can know."""
        rate = self.per_second
        return timedelta(seconds=remaining / rate) if rate and remaining else None
