"""Every message, subject, stream and bucket that crosses NATS. pydantic only: other teams install this package."""

from broadcast_contracts.content import MOST_FILES, Content, File, FileKind, ParseMode
from broadcast_contracts.control import FileIdV1, PacingV1, RunControlV1
from broadcast_contracts.counts import RecallCountsV1, SendCountsV1
from broadcast_contracts.dead import ParkedV1
from broadcast_contracts.envelope import Malformed, Message, decode, encode, headers
from broadcast_contracts.events import (
    Actor,
    ApprovalWithdrawnV1,
    AudienceFrozenV1,
    AudienceRef,
    BroadcastApprovedV1,
    BroadcastCreatedV1,
    BroadcastDeletedV1,
    BroadcastEditedV1,
    BroadcastEvent,
    BroadcastRecalledV1,
    BroadcastSentV1,
    BroadcastStoppedV1,
    Cause,
    Counts,
    RecallRequestedV1,
    ResendRequestedV1,
    SendingResumedV1,
    SendingStartedV1,
    StopRequestedV1,
    TestRequestedV1,
    UnconfirmedAnsweredV1,
)
from broadcast_contracts.jobs import Job, Posted, RecallJobV1, SendJobV1
from broadcast_contracts.ledger import (
    AnswerV1,
    BatchKey,
    CloseV1,
    LedgerRecord,
    ProgressV1,
    ReopenV1,
    ResolveV1,
    Result,
    SealV1,
    decode_record,
)
from broadcast_contracts.outcomes import Answer, Outcome

PUBLIC_EVENTS: tuple[type[BroadcastEvent], ...] = (
    BroadcastCreatedV1,
    BroadcastEditedV1,
    BroadcastApprovedV1,
    ApprovalWithdrawnV1,
    BroadcastDeletedV1,
    TestRequestedV1,
    SendingStartedV1,
    AudienceFrozenV1,
    StopRequestedV1,
    BroadcastStoppedV1,
    SendingResumedV1,
    UnconfirmedAnsweredV1,
    ResendRequestedV1,
    BroadcastSentV1,
    RecallRequestedV1,
    BroadcastRecalledV1,
)

PUBLIC_MESSAGES: tuple[type[Message], ...] = (*PUBLIC_EVENTS, SendCountsV1, RecallCountsV1)

_EVENTS = {kind.type: kind for kind in PUBLIC_EVENTS}


def decode_event(ce_type: str, body: bytes) -> BroadcastEvent | None:
    """Read an event by its `ce-type` header; None for a type newer than this package. Raises `Malformed`."""
    kind = _EVENTS.get(ce_type)
    return decode(kind, body) if kind else None


ALL_MESSAGES: tuple[type[Message], ...] = (
    *PUBLIC_MESSAGES,
    SendJobV1,
    RecallJobV1,
    ProgressV1,
    ResolveV1,
    CloseV1,
    ReopenV1,
    AnswerV1,
    SealV1,
    RunControlV1,
    PacingV1,
    FileIdV1,
    ParkedV1,
)

__all__ = [
    "ALL_MESSAGES",
    "MOST_FILES",
    "PUBLIC_EVENTS",
    "PUBLIC_MESSAGES",
    "Actor",
    "Answer",
    "AnswerV1",
    "ApprovalWithdrawnV1",
    "AudienceFrozenV1",
    "AudienceRef",
    "BatchKey",
    "BroadcastApprovedV1",
    "BroadcastCreatedV1",
    "BroadcastDeletedV1",
    "BroadcastEditedV1",
    "BroadcastEvent",
    "BroadcastRecalledV1",
    "BroadcastSentV1",
    "BroadcastStoppedV1",
    "Cause",
    "CloseV1",
    "Content",
    "Counts",
    "File",
    "FileIdV1",
    "FileKind",
    "Job",
    "LedgerRecord",
    "Malformed",
    "Message",
    "Outcome",
    "PacingV1",
    "ParkedV1",
    "ParseMode",
    "Posted",
    "ProgressV1",
    "RecallCountsV1",
    "RecallJobV1",
    "RecallRequestedV1",
    "ReopenV1",
    "ResendRequestedV1",
    "ResolveV1",
    "Result",
    "RunControlV1",
    "SealV1",
    "SendCountsV1",
    "SendJobV1",
    "SendingResumedV1",
    "SendingStartedV1",
    "StopRequestedV1",
    "TestRequestedV1",
    "UnconfirmedAnsweredV1",
    "decode",
    "decode_event",
    "decode_record",
    "encode",
    "headers",
]
