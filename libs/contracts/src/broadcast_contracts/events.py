"""Public: what happened to a broadcast, in the order of the event store, for any service of the organisation.

Subject `broadcasts.event.<name>.<broadcast_id>`, stream BROADCASTS. Within one broadcast `version` counts 1, 2, 3…
without a gap; a repeat (same `ce-id`) is old news. A new meaning is a new class with a new name and version.
"""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt

from broadcast_contracts.content import MOST_FILES, File, ParseMode
from broadcast_contracts.envelope import Message
from broadcast_contracts.outcomes import Answer


class Actor(BaseModel):
    """The official who gave a command."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    position: str = ""


class AudienceRef(BaseModel):
    """Who a broadcast goes to, by name."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: UUID
    name: str


class Counts(BaseModel):
    """How a run stands. total = delivered + failed + unconfirmed + skipped + pending, at every moment.

    `blocked` is the part of `failed` who blocked the bot. A recall is about everybody who received something that is
    known, so also about those who received a part (`failed`) or may have received more (`unconfirmed`): `recalled` are
    those whose known messages are gone, `unrecalled` those of whom a recall could not delete some.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    total: NonNegativeInt = 0
    delivered: NonNegativeInt = 0
    failed: NonNegativeInt = 0
    blocked: NonNegativeInt = 0
    unconfirmed: NonNegativeInt = 0
    skipped: NonNegativeInt = 0
    pending: NonNegativeInt = 0
    recalled: NonNegativeInt = 0
    unrecalled: NonNegativeInt = 0


class Cause(StrEnum):
    """Why sending stopped."""

    OPERATOR = "operator"
    CONTENT_REFUSED = "content_refused"
    """Telegram refuses this content for everybody: it must be edited."""
    BOT_UNAUTHORIZED = "bot_unauthorized"
    """The bot token is wrong or revoked: nobody was marked failed."""


class BroadcastEvent(Message):
    """What every event says."""

    name: ClassVar[str]
    """The token of the subject."""

    broadcast_id: UUID
    version: PositiveInt
    at: datetime
    by: Actor | None = Field(None, description="absent where the system itself acted")


class BroadcastCreatedV1(BroadcastEvent):
    """A broadcast was drawn up."""

    type: ClassVar[str] = "broadcasts.event.created.v1"
    name: ClassVar[str] = "created"

    bot: str
    title: str
    text: str = Field(description="may be empty: a broadcast of files alone, which may yet be attached")
    parse_mode: ParseMode
    audience_id: UUID
    attachments: tuple[File, ...] = Field((), max_length=MOST_FILES)


class BroadcastEditedV1(BroadcastEvent):
    """Its name, text, options, attachments or audience were changed; the whole new state is given."""

    type: ClassVar[str] = "broadcasts.event.edited.v1"
    name: ClassVar[str] = "edited"

    title: str
    text: str = Field(description="may be empty: a broadcast of files alone, which may yet be attached")
    parse_mode: ParseMode
    audience_id: UUID
    attachments: tuple[File, ...] = Field((), max_length=MOST_FILES)


class BroadcastApprovedV1(BroadcastEvent):
    """A second person (`by`) approved it for its audience as both were at this moment.

    The approval holds until it is withdrawn, the broadcast is `edited` or `recalled`, or its audience is defined anew.
    """

    type: ClassVar[str] = "broadcasts.event.approved.v1"
    name: ClassVar[str] = "approved"


class ApprovalWithdrawnV1(BroadcastEvent):
    """The approval holds no longer."""

    type: ClassVar[str] = "broadcasts.event.approval_withdrawn.v1"
    name: ClassVar[str] = "approval_withdrawn"


class BroadcastDeletedV1(BroadcastEvent):
    """It was deleted while created: nothing follows."""

    type: ClassVar[str] = "broadcasts.event.deleted.v1"
    name: ClassVar[str] = "deleted"


class TestRequestedV1(BroadcastEvent):
    """A test message was asked for; test messages are no part of any run."""

    __test__ = False  # not a test class for pytest

    type: ClassVar[str] = "broadcasts.event.test_requested.v1"
    name: ClassVar[str] = "test_requested"

    test: PositiveInt


class SendingStartedV1(BroadcastEvent):
    """A run began."""

    type: ClassVar[str] = "broadcasts.event.sending_started.v1"
    name: ClassVar[str] = "sending_started"

    run: PositiveInt
    audience: AudienceRef


class AudienceFrozenV1(BroadcastEvent):
    """Everyone of the run is known: `total` people, of whom `unreachable` are known not to be reachable."""

    type: ClassVar[str] = "broadcasts.event.audience_frozen.v1"
    name: ClassVar[str] = "audience_frozen"

    run: PositiveInt
    total: NonNegativeInt
    unreachable: NonNegativeInt


class StopRequestedV1(BroadcastEvent):
    """Somebody pressed stop, or the content or the bot was refused; messages may still leave until `stopped`."""

    type: ClassVar[str] = "broadcasts.event.stop_requested.v1"
    name: ClassVar[str] = "stop_requested"

    run: PositiveInt
    cause: Cause
    detail: str = ""


class BroadcastStoppedV1(BroadcastEvent):
    """Sending has stopped: no message of this run leaves until it is resumed."""

    type: ClassVar[str] = "broadcasts.event.stopped.v1"
    name: ClassVar[str] = "stopped"

    run: PositiveInt
    counts: Counts


class SendingResumedV1(BroadcastEvent):
    """Sending goes on with exactly those not yet attempted."""

    type: ClassVar[str] = "broadcasts.event.resumed.v1"
    name: ClassVar[str] = "resumed"

    run: PositiveInt


class UnconfirmedAnsweredV1(BroadcastEvent):
    """An operator decided about `people` of whom nobody knows whether they got the message.

    After `resend` sending goes on, with them once more; the other answers leave the broadcast as it was. How the run
    stands afterwards is in COUNTS.
    """

    type: ClassVar[str] = "broadcasts.event.unconfirmed_answered.v1"
    name: ClassVar[str] = "unconfirmed_answered"

    run: PositiveInt
    answer: Answer
    people: PositiveInt


class ResendRequestedV1(BroadcastEvent):
    """Sending goes on with about `people` of the run whom the message could not reach before and may reach now."""

    type: ClassVar[str] = "broadcasts.event.resend_requested.v1"
    name: ClassVar[str] = "resend_requested"

    run: PositiveInt
    people: PositiveInt


class BroadcastSentV1(BroadcastEvent):
    """Every recipient of the run is accounted for. Comes again after a resend."""

    type: ClassVar[str] = "broadcasts.event.sent.v1"
    name: ClassVar[str] = "sent"

    run: PositiveInt
    counts: Counts


class RecallRequestedV1(BroadcastEvent):
    """The messages of the run are being deleted."""

    type: ClassVar[str] = "broadcasts.event.recall_requested.v1"
    name: ClassVar[str] = "recall_requested"

    run: PositiveInt


class BroadcastRecalledV1(BroadcastEvent):
    """Every delivered message of the run was deleted or is known not to be deletable; the broadcast can be edited."""

    type: ClassVar[str] = "broadcasts.event.recalled.v1"
    name: ClassVar[str] = "recalled"

    run: PositiveInt
    counts: Counts
