"""`POST /telegram/{bot}/webhook`: Telegram's calls. Who does not know the secret is not even read."""

import asyncio
import hmac
import json
import logging
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import SecretStr

from broadcast_api.adapters.arrivals import Arrival, Arrivals
from broadcast_api.entrypoints.http.policy import open_to_all
from broadcast_api.entrypoints.http.problems import Problem
from broadcast_api.entrypoints.telegram.updates import language_of, read
from broadcast_api.entrypoints.telegram.words import greeting

log = logging.getLogger(__name__)

BODY_MAX = 256 * 1024
"""Bytes; an update of the kinds that we ask for has a few thousand."""

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # a header's name  # nosec B105


def add_webhook(app: FastAPI, secrets: Mapping[str, SecretStr], arrivals: Arrivals) -> None:
    """Serve the bots that have a secret."""
    router = APIRouter(prefix="/telegram", include_in_schema=False)

    @router.post(
        "/{bot}/webhook", dependencies=[Depends(open_to_all("Telegram itself: the secret of the bot is checked"))]
    )
    async def webhook(bot: str, request: Request) -> Response:
        _admit(secrets.get(bot), request.headers.get(SECRET_HEADER, ""))
        update = await _body(request)
        news = read(update)
        if news is None:
            log.warning("update_unreadable", extra={"bot": bot})
            return Response()
        taken = await asyncio.to_thread(arrivals.take, bot, [news])
        if taken and isinstance(news.said, Arrival):
            text = greeting(language_of(update))
            return JSONResponse({"method": "sendMessage", "chat_id": news.said.chat_id, "text": text})
        return Response()

    app.include_router(router)


def _admit(secret: SecretStr | None, given: str) -> None:
    """Takes the same time whatever was given; a bot without a webhook looks like a wrong secret."""
    expected = secret.get_secret_value() if secret else ""
    if not hmac.compare_digest(expected.encode(), given.encode()) or not expected:
        raise Problem(403, "forbidden")


async def _body(request: Request) -> Any:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_MAX:
            raise Problem(413, "too_large", {"Connection": "close"}, limit=BODY_MAX)
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Problem(400, "malformed") from None
