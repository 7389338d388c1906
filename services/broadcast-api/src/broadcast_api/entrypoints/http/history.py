"""`/v1/broadcasts/{id}/history`: who did what and when, from the event log itself."""

from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from broadcast_api.domain.broadcast import Broadcast
from broadcast_api.domain.call import Obeyed
from broadcast_api.domain.errors import NotFound
from broadcast_api.entrypoints.http.context import Door
from broadcast_api.entrypoints.http.policy import VIEWER
from broadcast_api.entrypoints.http.problems import documented
from broadcast_contracts import Actor

router = APIRouter(prefix="/v1/broadcasts/{id}/history", tags=["broadcasts"])


class HistoryEntry(BaseModel):
    """One decision, or one thing that the system found out."""

    version: int
    what: str = Field(description="created, edited, deleted, test_requested, sending_started, audience_frozen…")
    at: datetime
    by: Actor | None = Field(description="null where the system itself acted")
    request_id: str | None
    details: dict[str, Any] = Field(description="what else the event says")


class History(BaseModel):
    """Oldest first, all of it: a broadcast has few decisions."""

    items: list[HistoryEntry]


@router.get("", dependencies=[VIEWER], summary="Who did what and when", responses=documented(404))
def history(id: UUID, door: Door) -> History:
    """Also of a deleted broadcast: what was done stays on record."""
    door.require_broadcast(id)
    events = door.history(id)
    if not events or not isinstance(events[0], Broadcast.Created):
        raise NotFound("broadcast", id)
    return History(items=[_entry(event) for event in events if isinstance(event, Obeyed)])


_ENVELOPE = {"originator_id", "originator_version", "originator_topic", "timestamp", "by", "request"}


def _entry(event: Obeyed) -> HistoryEntry:
    return HistoryEntry(
        version=event.originator_version,
        what=str(getattr(event, "TOPIC", "")).removeprefix(f"{Broadcast.TOPIC}."),
        at=event.timestamp,
        by=None if event.by is None else Actor(**event.by),
        request_id=event.request.get("id"),
        details={name: value for name, value in vars(event).items() if name not in _ENVELOPE},
    )
