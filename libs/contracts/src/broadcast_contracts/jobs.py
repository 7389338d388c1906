"""Private: work for dispatchers and revokers. A job is a hint: losing, repeating or early-acking one is harmless.

A job carries all that a worker needs beside NATS and Telegram. Who is still to be attempted stands in the batch's
ledger, never in the job.
"""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt

from broadcast_contracts.content import Content
from broadcast_contracts.envelope import Message
from broadcast_contracts.ledger import BatchKey


class Job(Message):
    """What both kinds say. Test messages are batches of one in run 0."""

    compact: ClassVar[bool] = True

    broadcast_id: UUID
    run: NonNegativeInt
    batch: NonNegativeInt
    bot: str
    not_after: datetime = Field(description="older jobs are dropped: the ledger's records would have expired")

    @property
    def key(self) -> BatchKey:
        """The batch whose ledger says what is left to do."""
        return BatchKey(self.broadcast_id, self.run, self.batch)


class SendJobV1(Job):
    """Send one content to a batch; `chats[i]` is the chat of recipient i of the batch."""

    type: ClassVar[str] = "broadcasts.job.send.v1"

    leg: PositiveInt = 1
    ledger_kept_since: datetime | None = Field(
        default=None,
        description="when the stream LEDGER had been made, as the issuer saw it before it looked at the batch's log; "
        "where the stream was made at another time, that log is lost: leave the batch alone",
    )
    content: Content
    chats: list[int] = Field(min_length=1, max_length=1_000)


class Posted(BaseModel):
    """What recipient `i` of the batch received: delete it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    i: NonNegativeInt
    chat: int
    messages: list[int] = Field(min_length=1, max_length=100)
    at: int = Field(description="unix seconds when it was sent")


class RecallJobV1(Job):
    """Delete what a batch delivered."""

    type: ClassVar[str] = "broadcasts.job.recall.v1"

    posted: list[Posted] = Field(min_length=1, max_length=1_000)
