"""What we remember is not what we announce: stored events, said anew as public contracts."""

from datetime import UTC
from typing import Any
from uuid import UUID

from eventsourcing.domain import AggregateEvent

from broadcast_api.domain.act import Act
from broadcast_api.domain.audience import Audience
from broadcast_api.domain.broadcast import Broadcast, draft_of
from broadcast_contracts import (
    Actor,
    Answer,
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


def translate(event: AggregateEvent) -> BroadcastEvent | None:
    """The public event; None for audiences and acts, which stay inside. Raises ValueError for an event that nobody told
    us about."""
    match event:
        case Audience.Event() | Audience.Created() | Act.Created():
            return None
        case Broadcast.Created():
            return BroadcastCreatedV1(**_common(event), bot=event.bot, **_content(event))
        case Broadcast.Edited():
            return BroadcastEditedV1(**_common(event), **_content(event))
        case Broadcast.Approved():
            return BroadcastApprovedV1(**_common(event))
        case Broadcast.ApprovalWithdrawn():
            return ApprovalWithdrawnV1(**_common(event))
        case Broadcast.Deleted():
            return BroadcastDeletedV1(**_common(event))
        case Broadcast.TestRequested():
            return TestRequestedV1(**_common(event), test=event.test)
        case Broadcast.SendingStarted():
            audience = AudienceRef(id=UUID(event.audience_id), name=event.audience_name)
            return SendingStartedV1(**_common(event), run=event.run, audience=audience)
        case Broadcast.AudienceFrozen():
            return AudienceFrozenV1(**_common(event), run=event.run, total=event.total, unreachable=event.unreachable)
        case Broadcast.StopRequested():
            return StopRequestedV1(**_common(event), run=event.run, cause=Cause(event.cause), detail=event.detail)
        case Broadcast.Stopped():
            return BroadcastStoppedV1(**_common(event), run=event.run, counts=Counts(**event.counts))
        case Broadcast.Resumed():
            return SendingResumedV1(**_common(event), run=event.run)
        case Broadcast.UnconfirmedAnswered():
            answer = Answer(event.answer)
            return UnconfirmedAnsweredV1(**_common(event), run=event.run, answer=answer, people=event.people)
        case Broadcast.ResendRequested():
            return ResendRequestedV1(**_common(event), run=event.run, people=event.people)
        case Broadcast.Sent():
            return BroadcastSentV1(**_common(event), run=event.run, counts=Counts(**event.counts))
        case Broadcast.RecallRequested():
            return RecallRequestedV1(**_common(event), run=event.run)
        case Broadcast.Recalled():
            return BroadcastRecalledV1(**_common(event), run=event.run, counts=Counts(**event.counts))
        case _:
            raise ValueError(f"no public event for {type(event).__qualname__}")


def _common(event: Broadcast.Event | Broadcast.Created) -> dict[str, Any]:
    return {
        "broadcast_id": event.originator_id,
        "version": event.originator_version,
        "at": event.timestamp.astimezone(UTC),
        "by": Actor(**event.by) if event.by else None,
    }


def _content(event: Broadcast.Created | Broadcast.Edited) -> dict[str, Any]:
    draft = draft_of(event)
    return {
        "title": draft.name,
        "text": draft.text,
        "parse_mode": draft.parse_mode,
        "audience_id": draft.audience_id,
        "attachments": draft.shown_files,
    }
