"""When the next messages of a bot may leave: evenly spaced slots (GCRA with a burst of one), without clock or I/O."""

import math
from dataclasses import dataclass

from broadcast_contracts import MOST_FILES, PacingV1

MARGIN = 0.98
"""The part of the rate that is used, so that a second as Telegram counts it never sees one message too many although
messages are late by up to 20 ms."""

HORIZON_SECONDS = 0.3
"""No slot is granted further ahead: what a stop or a crash wastes."""

CHUNK_SECONDS = 0.25
"""Slots granted at once: how often the key is written while sending."""

LEAD_SECONDS = 0.02
"""After idling the first slot is this far ahead: it must not be over before it was granted."""

AFTER_PAUSE_SECONDS = 0.1

MOST_WEIGHT = MOST_FILES
"""Messages of one slot: an album."""

NONSENSE_SECONDS = 5.0
"""A next slot so far beyond the horizon was written by a broken clock; obeyed, it would silence the bot for as long."""

LONGEST_PAUSE_SECONDS = 3700.0


@dataclass(frozen=True, slots=True)
class Grant:
    """`count` slots from `first` (unix seconds) and the budget that is left."""

    first: float
    count: int
    then: PacingV1


@dataclass(frozen=True, slots=True)
class Budget:
    """The budget of a bot with `rate` messages a second (more than none)."""

    rate: float

    @property
    def interval(self) -> float:
        """Seconds between two slots."""
        return 1 / (self.rate * MARGIN)

    def chunk(self, weight: int = 1) -> int:
        """The most slots of this weight to grant at once."""
        return max(1, round(self.rate * CHUNK_SECONDS / weight))

    def plan(self, state: PacingV1, want: int, now: float, weight: int = 1) -> Grant | float:
        """Grant up to `want` slots, or answer how many seconds to wait before asking again.

        A slot of a greater `weight` (messages) is followed by as much more time. Waits for half a chunk at least,
        where that is wanted: slots one by one would be a write each.
        """
        paused_until = min(state.paused_until, now + LONGEST_PAUSE_SECONDS)
        if now < paused_until:
            return paused_until - now
        next_slot = state.next_slot
        if next_slot > now + HORIZON_SECONDS + MOST_WEIGHT * self.interval + NONSENSE_SECONDS:
            next_slot = now + HORIZON_SECONDS
        first = max(next_slot, now + LEAD_SECONDS, paused_until + AFTER_PAUSE_SECONDS)
        interval = self.interval * weight
        fits = math.floor((now + HORIZON_SECONDS - first) / interval) + 1
        chunk = self.chunk(weight)
        least = max(1, min(want, chunk // 2))
        if fits < least:
            return first + (least - 1) * interval - HORIZON_SECONDS - now
        count = min(want, chunk, fits)
        then = PacingV1(next_slot=first + count * interval, paused_until=state.paused_until)
        return Grant(first, count, then)
