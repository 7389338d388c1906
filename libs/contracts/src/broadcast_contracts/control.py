"""Private: the latest-value buckets. All are hints that speed things up; the ledger decides."""

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


class FileIdV1(Message):
    """What a bot knows a file by. Bucket `files`, key `topology.file_key`.

    Known: `file_id`. On its way to Telegram: `uploading_by` (a process) until `until` (unix seconds); then, or when
    both are empty, whoever needs the file takes it on by compare-and-set.
    """

    type: ClassVar[str] = "broadcasts.files.file_id.v1"

    file_id: str = ""
    uploading_by: str = ""
    until: NonNegativeFloat = 0.0
