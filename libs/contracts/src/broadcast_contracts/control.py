"""Private: the latest-value buckets. Both are hints that speed things up; the ledger decides."""

from typing import ClassVar

from pydantic import NonNegativeFloat, PositiveInt

from broadcast_contracts.envelope import Message


class RunControlV1(Message):
    """What a run should be doing. Bucket `control`, key `<broadcast_id>.<run>`."""

    type: ClassVar[str] = "broadcasts.control.run.v1"

    leg: PositiveInt
    stopped: bool = False


class PacingV1(Message):
    """A bot's budget as GCRA keeps it. Bucket `pacing`, key `<bot>`; unix seconds.

    `next_slot` is when the next message may leave; `paused_until` ends a pause that Telegram asked for (429).
    """

    type: ClassVar[str] = "broadcasts.pacing.bot.v1"

    next_slot: NonNegativeFloat = 0.0
    paused_until: NonNegativeFloat = 0.0
