"""`/v1/broadcasts/{id}/live`: Server-Sent Events, one whenever the broadcast changes."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Request
from fastapi.responses import StreamingResponse
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from broadcast_api.domain.errors import NotFound
from broadcast_api.entrypoints.http.catalogue import Language
from broadcast_api.entrypoints.http.context import Door, InLanguage, Services
from broadcast_api.entrypoints.http.models import broadcast_out
from broadcast_api.entrypoints.http.policy import VIEWER
from broadcast_api.entrypoints.http.problems import documented
from broadcast_api.entrypoints.http.streams import streamed

RETRY_MILLISECONDS = 2_000

router = APIRouter(prefix="/v1/broadcasts/{id}/live", tags=["broadcasts"])


@router.get(
    "",
    dependencies=[VIEWER],
    summary="Watch it live",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}, **documented(404)},
)
async def live(
    id: UUID,
    request: Request,
    door: Door,
    language: InLanguage,
    last_event_id: Annotated[str | None, Header()] = None,
) -> StreamingResponse:
    """Event `broadcast` with the whole broadcast; the last one before a deletion is event `deleted`.

    It ends within seconds when the token is revoked or expires.
    """
    if await asyncio.to_thread(door.queries.broadcast, id) is None:
        raise NotFound("broadcast", id)
    return streamed(request, _events(door, id, language, last_event_id), door.heartbeat_seconds)


async def _events(door: Services, id: UUID, language: Language, seen: str | None) -> AsyncGenerator[bytes]:
    yield format_sse_event(comment="live", retry=RETRY_MILLISECONDS)
    async for change in door.feed.watch([id], door.heartbeat_seconds):
        if change is None:
            yield KEEPALIVE_COMMENT
        elif change.row is None:
            yield format_sse_event(event="deleted", data_str="{}", id=change.token)
        elif change.token != seen:
            data = broadcast_out(change.row, language).model_dump_json()
            yield format_sse_event(event="broadcast", data_str=data, id=change.token)
            seen = change.token
