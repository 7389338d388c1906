"""What Telegram tells a bot: updates by long polling, the webhook that replaces it, and short replies.

Errors are words without the token: those of the HTTP client quote URLs, and the URL of the Bot API holds it.
"""

from typing import Any

import orjson
from aiohttp import ClientError, ClientSession, ClientTimeout
from pydantic import SecretStr

CALL_SECONDS = 10.0
KINDS = ("message", "my_chat_member")
"""The updates that are asked for."""


class Unanswered(ConnectionError):
    """Telegram cannot be reached or says no. `retry_after` (seconds) is what it asks for, else 0."""

    def __init__(self, why: str, retry_after: float = 0.0) -> None:
        super().__init__(why)
        self.retry_after = retry_after


class Listener:
    """One bot at one Bot API server. Make it in a running event loop; `close` it in the end."""

    def __init__(self, token: SecretStr, base_url: str = "https://api.telegram.org") -> None:
        self._token, self._base_url = token, base_url.rstrip("/")
        self._session = ClientSession()

    async def updates(self, after: int, wait: float) -> list[dict[str, Any]]:
        """Those after update `after` (0: whatever there is); waits so many seconds for one. Confirms the others."""
        asked: dict[str, Any] = {"timeout": int(wait), "limit": 100, "allowed_updates": KINDS}
        if after:
            asked["offset"] = after + 1
        found = await self._call("getUpdates", wait + CALL_SECONDS, asked)
        return [update for update in found if isinstance(update, dict)] if isinstance(found, list) else []

    async def reply(self, chat: int, text: str) -> None:
        """A plain message."""
        await self._call("sendMessage", CALL_SECONDS, {"chat_id": chat, "text": text})

    async def set_webhook(self, url: str, secret: SecretStr) -> None:
        """Have updates posted to `url`; an empty one ends that."""
        if not url:
            await self._call("deleteWebhook", CALL_SECONDS, {})
            return
        asked = {"url": url, "secret_token": secret.get_secret_value(), "allowed_updates": KINDS}
        await self._call("setWebhook", CALL_SECONDS, asked)

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def _call(self, method: str, timeout: float, body: dict[str, Any]) -> Any:
        address = f"{self._base_url}/bot{self._token.get_secret_value()}/{method}"
        headers = {"Content-Type": "application/json"}
        try:
            async with self._session.post(
                address,
                data=orjson.dumps(body),
                headers=headers,
                timeout=ClientTimeout(total=timeout),
                allow_redirects=False,
            ) as reply:
                answer = orjson.loads(await reply.read())
        except (ClientError, TimeoutError, OSError, ValueError) as error:
            raise Unanswered(f"{method}: {type(error).__name__}") from None
        if not isinstance(answer, dict):
            raise Unanswered(f"{method}: an answer that is no object")
        if answer.get("ok") is not True:
            wait = (answer.get("parameters") or {}).get("retry_after", 0)
            raise Unanswered(
                f"{method}: {answer.get('error_code')} {str(answer.get('description'))[:200]}", float(wait)
            )
        return answer.get("result")
