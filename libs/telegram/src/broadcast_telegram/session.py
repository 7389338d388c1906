"""One request to the Bot API: JSON out, plain data back, aiogram's errors for whatever goes wrong.

aiogram builds a pydantic object of every request and every reply. A broadcast repeats one request a million times and
reads a number out of the reply, so here both are plain data: a message costs less than half the CPU. What an error
means stays aiogram's business.
"""

from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import ClientError, ClientTimeout, FormData
from pydantic import SecretStr

from broadcast_telegram.bot_api import (
    ASKED,
    AiohttpSession,
    Bot,
    TelegramAPIError,
    TelegramAPIServer,
    TelegramNetworkError,
    TelegramServerError,
)
from broadcast_telegram.calls import watched

CONNECT_SECONDS = 5.0
KEEP_ALIVE_SECONDS = 15.0
"""Shorter than any server in front of the Bot API keeps an idle connection: a request never meets a closing one."""

_JSON = {"Content-Type": "application/json"}


class Session:
    """The connections of one bot to one Bot API server."""

    def __init__(self, token: SecretStr, *, base_url: str, timeout: float, connections: int) -> None:
        """`timeout` (seconds) bounds a whole call. Raises aiogram's TokenValidationError for what cannot be a token."""
        server = TelegramAPIServer.from_base(base_url)
        self._pool = _Pool(api=server, limit=connections, json_loads=orjson.loads)
        self._bot = Bot(token.get_secret_value(), session=self._pool)
        self._url = server.api_url(token=self._bot.token, method="")
        connect = min(CONNECT_SECONDS, timeout / 2)  # the connection must fail before the call does, or nobody can tell
        self._timeouts = ClientTimeout(total=timeout, connect=connect)

    async def call(self, method: str, fields: Mapping[str, Any]) -> Any:
        """Answers `result` as Telegram wrote it; raises aiogram's TelegramAPIError and ClientDecodeError."""
        return await self._post(method, orjson.dumps(fields), _JSON, self._timeouts)

    async def upload(self, method: str, form: FormData, seconds: float) -> Any:
        """`call` with a body that carries files, and a time of its own."""
        return await self._post(method, form, None, ClientTimeout(total=seconds, connect=self._timeouts.connect))

    async def _post(
        self, method: str, body: bytes | FormData, headers: Mapping[str, str] | None, timeout: ClientTimeout
    ) -> Any:
        with watched(method):
            return await self._ask(method, body, headers, timeout)

    async def _ask(
        self,
        method: str,
        body: bytes | FormData,
        headers: Mapping[str, str] | None,
        timeout: ClientTimeout,
    ) -> Any:
        http = await self._pool.create_session()
        try:
            async with http.post(
                self._url + method,
                data=body,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,
            ) as reply:
                raw = await reply.read()
        except (ClientError, TimeoutError) as error:
            raise TelegramNetworkError(method=ASKED, message=type(error).__name__) from error
        if reply.status == 200:
            try:
                answer = orjson.loads(raw)
                if answer["ok"] is True:
                    return answer["result"]
            except (ValueError, TypeError, KeyError):
                pass  # not what Telegram writes: aiogram has the words for it
        if reply.status >= 500:
            raise TelegramServerError(method=ASKED, message=f"HTTP {reply.status} {reply.reason}")
        self._pool.check_response(bot=self._bot, method=ASKED, status_code=reply.status, content=raw)  # type: ignore[arg-type]
        raise TelegramAPIError(method=ASKED, message=f"HTTP {reply.status}: neither a result nor an error")

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.close()


class _Pool(AiohttpSession):
    """aiogram's, with connections that are given up before a server in front of Telegram closes them."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._connector_init["keepalive_timeout"] = KEEP_ALIVE_SECONDS
