"""What the protocol needs from the world: a ledger, an attempt at Telegram, a pace, a clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from broadcast_contracts import BatchKey, Cause, LedgerRecord, Outcome


class Conflict(Exception):
    """Somebody appended to this batch's log first: read it again."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A record as it stands in the log; `version` is its stream sequence.

    A record that cannot be read is None: it moves the version and changes nothing, for everybody alike.
    """

    version: int
    record: LedgerRecord | None


class Ledger(Protocol):
    """The fenced log of each batch."""

    async def read(self, key: BatchKey) -> Sequence[Entry]:
        """The whole log of a batch, oldest first; empty where there is none."""
        ...

    async def append(self, key: BatchKey, expected: int, record: LedgerRecord, *, rollup: bool = False) -> int:
        """Append if `expected` is the newest version (0 for an empty log) and answer the new version.

        Raises `Conflict` when it is not. A lost acknowledgement is settled by reading back the record's nonce.
        With `rollup` the record replaces all before it.
        """
        ...

    async def kept_since(self) -> datetime:
        """Since when these logs are kept: what was written before has been lost."""
        ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one attempt came to.

    `pause` (seconds) and `halt` say that nobody is to blame but the rate, the content or the token. They come with
    `Outcome.UNATTEMPTED` where nothing was delivered, else with what became of the recipient.
    """

    outcome: Outcome
    messages: tuple[int, ...] = ()
    chat: int | None = None
    reason: str = ""
    pause: float = 0.0
    halt: Cause | None = None


class Hold(Protocol):
    """A worker's hold on one attempt: what an attempt of several requests asks before each of them."""

    def covers(self, seconds: float) -> bool:
        """Whether a request that takes at most so long may start: nobody gives its owner up before it has ended."""
        ...

    @property
    def wanted(self) -> bool:
        """Whether an attempt that has sent nothing yet should still: no stop, no halt, no shutdown."""
        ...


@dataclass(frozen=True, slots=True)
class Slots:
    """Permits to send: slot k may be used at `first + k * interval`, on the event loop's clock (seconds).

    Each is for `weight` messages, and so far from the next one.
    """

    first: float
    interval: float
    count: int
    weight: int = 1


class Pace(Protocol):
    """The budget of one bot, shared by every replica of both workers."""

    async def reserve(self, want: int) -> Slots:
        """Wait for the next permits, at least one and at most `want`; first come, first served within a process."""
        ...

    async def turn(self, slots: Slots, k: int) -> None:
        """Sleep until slot k may be used. Late senders of a process keep the interval instead of bunching up."""
        ...

    async def pause(self, seconds: float) -> None:
        """Telegram asked the bot to be silent: tell every replica."""
        ...

    @property
    def paused(self) -> bool:
        """Whether a pause is in force: unused slots must be handed back."""
        ...
