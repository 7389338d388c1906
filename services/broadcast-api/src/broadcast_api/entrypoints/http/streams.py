"""Server-Sent Events for whoever may look, and no longer: who is let in is asked again and again."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator

from fastapi import Request
from fastapi.responses import StreamingResponse

from broadcast_api.entrypoints.http.policy import scope

log = logging.getLogger(__name__)

HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def streamed(request: Request, events: AsyncGenerator[bytes], recheck_seconds: float) -> StreamingResponse:
    """`events` until they end, or until whoever asked may not see them any more, which is looked at before an event
    when `recheck_seconds` have passed. So `events` must say something at least that often."""
    return StreamingResponse(_while_admitted(request, events, recheck_seconds), 200, HEADERS, "text/event-stream")


async def _while_admitted(
    request: Request, events: AsyncGenerator[bytes], recheck_seconds: float
) -> AsyncIterator[bytes]:
    checked = time.monotonic()
    async with contextlib.aclosing(events):
        async for event in events:
            if time.monotonic() - checked >= recheck_seconds:
                if not await asyncio.to_thread(_still_admitted, request):
                    return
                checked = time.monotonic()
            yield event


def _still_admitted(request: Request) -> bool:
    """Whether they would be let in again, and see the same. What cannot be found out ends the stream, too: whoever
    connects again is told why."""
    before = scope(request)
    try:
        request.state.policy.admit(request)
    except Exception as error:
        log.info("stream_ended", extra={"path": request.url.path, "why": type(error).__name__})
        return False
    return scope(request) == before
