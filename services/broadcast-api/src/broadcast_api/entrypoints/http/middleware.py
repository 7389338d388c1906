"""Around every request: its id, an answer to whatever nobody expected, and a limit to its body."""

import logging
import re
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from broadcast_api.entrypoints.http.problems import Problem, answer
from broadcast_delivery.logs import about

log = logging.getLogger(__name__)

BODY_MAX = 1024**2
BODY_MAX_OF = {
    "/v1/recipients": 8 * 1024**2,  # 10,000 people in one request
    "/v1/recipients/imports": 200 * 1024**2,  # streamed into a file
    "/people/import": 200 * 1024**2,  # the same from the console
}

COUNTING = re.compile(r"(/v1)?/broadcasts/[^/]+/attachments")
"""Here the handler counts by itself: it has a limit for the file, which it can name."""

_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,100}")


class Outermost:
    """Takes `X-Request-Id` or makes one up, answers it back and keeps it in `scope["state"]["request_id"]`.

    An exception that nobody expected is logged under that id and answered without a word about our insides.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        started = False

        async def send_with_id(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                headers.add_vary_header("Accept-Language")
            await send(message)

        try:
            with about(request_id=request_id):
                await self._app(scope, receive, send_with_id)
        except Exception:
            log.exception("request_failed", extra={"request_id": request_id, "path": scope["path"]})
            if started:
                raise
            await answer(Request(scope), 500, "internal", {})(scope, receive, send_with_id)


class BodyLimit:
    """Refuses a body that is too large: by its announced length at once, else while it is being read."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (scope["method"] == "POST" and COUNTING.fullmatch(scope["path"])):
            return await self._app(scope, receive, send)
        limit = BODY_MAX_OF.get(scope["path"], BODY_MAX)
        announced = Headers(scope=scope).get("content-length", "0")
        if announced.isdecimal() and int(announced) > limit:
            refusal = answer(Request(scope), 413, "too_large", {"limit": limit}, {"Connection": "close"})
            return await refusal(scope, receive, send)
        read = 0

        async def limited() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > limit:
                raise Problem(413, "too_large", {"Connection": "close"}, limit=limit)
            return message

        return await self._app(scope, limited, send)
