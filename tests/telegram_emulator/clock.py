"""Telegram's wall clock, which a test may push forward; request limits never look at it."""

import time


class Clock:
    """Seconds since the epoch plus everything that was advanced."""

    __slots__ = ("advanced",)

    def __init__(self) -> None:
        self.advanced = 0.0

    def now(self) -> float:
        return time.time() + self.advanced

    def advance(self, seconds: float) -> None:
        self.advanced += seconds
