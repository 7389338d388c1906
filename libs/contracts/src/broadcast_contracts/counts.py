"""Public: how each batch stands. Absolute values with a version, never increments: the newest message is the truth.

Subject `broadcasts.counts.<send or recall>.<broadcast_id>.<run>.<batch>`, stream COUNTS (the latest of each batch).
Ignore a message whose `version` is not above the one you have.
"""

from typing import ClassVar
from uuid import UUID

from pydantic import NonNegativeInt

from broadcast_contracts.envelope import Message


class SendCountsV1(Message):
    """total = delivered + failed + unconfirmed + skipped + pending; `blocked` is part of `failed`."""

    type: ClassVar[str] = "broadcasts.counts.send.v1"

    broadcast_id: UUID
    run: NonNegativeInt
    batch: NonNegativeInt
    version: NonNegativeInt
    total: NonNegativeInt
    delivered: NonNegativeInt
    failed: NonNegativeInt
    blocked: NonNegativeInt
    unconfirmed: NonNegativeInt
    skipped: NonNegativeInt
    pending: NonNegativeInt
    final: bool


class RecallCountsV1(Message):
    """total = recalled + already_gone + too_late + refused + pending."""

    type: ClassVar[str] = "broadcasts.counts.recall.v1"

    broadcast_id: UUID
    run: NonNegativeInt
    batch: NonNegativeInt
    version: NonNegativeInt
    total: NonNegativeInt
    recalled: NonNegativeInt
    already_gone: NonNegativeInt
    too_late: NonNegativeInt
    refused: NonNegativeInt
    pending: NonNegativeInt
    final: bool
