"""The Telegram of one bot: send a text, delete what was sent. Nothing is retried and no error comes out."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import SecretStr

from broadcast_contracts import Content, Outcome
from broadcast_delivery import Verdict
from broadcast_telegram.bot_api import TelegramMigrateToChat
from broadcast_telegram.classify import failed_delete, failed_send, is_about_age, reason_of, worst
from broadcast_telegram.fields import id_of, text_fields
from broadcast_telegram.plan import Method
from broadcast_telegram.session import Session
from broadcast_telegram.upload import Upload

DELETABLE_SECONDS = 48 * 3600
"""A bot may delete its message for so long after sending it (deleteMessage in the Bot API)."""

CLOCK_SECONDS = 5 * 60
"""How far Telegram's clock and ours may differ before we trust our own that a message is too old."""

MOST_IDS = 100
"""Message ids in one deleteMessages call."""


class NoBot(Exception):
    """Telegram does not know this bot or cannot be reached; the text says why, without the token."""


class Messenger:
    """One bot at one Bot API server. Every call is one request, but for the exceptions named below."""

    def __init__(
        self,
        token: SecretStr,
        *,
        base_url: str = "https://api.telegram.org",
        timeout: float = 10.0,
        connections: int = 300,
        paid_broadcast: bool = False,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`timeout` (seconds) bounds a whole call; `connections` those open at once.

        `paid_broadcast` lets more than 30 messages a second through, for Stars. Raises aiogram's TokenValidationError
        for what cannot be a token.
        """
        self._telegram = Session(token, base_url=base_url, timeout=timeout, connections=connections)
        self._paid = {"allow_paid_broadcast": True} if paid_broadcast else {}
        self._now = now

    async def send(self, content: Content, chat: int) -> Verdict:
        """Send a text. A group that became a supergroup gets it there, at once, and the verdict names the new chat."""
        try:
            return await self._send(content, chat)
        except TelegramMigrateToChat as error:
            chat = error.migrate_to_chat_id
        except Exception as error:
            return failed_send(error)
        try:
            return replace(await self._send(content, chat), chat=chat)
        except Exception as error:
            return failed_send(error)

    async def delete(self, chat: int, messages: Sequence[int], sent_at: int) -> Verdict:
        """Delete what one recipient received at `sent_at` (unix seconds), in one call.

        One message too old spoils the call for all: then each is deleted by itself and the worst outcome counts.
        In a private chat nothing is tried once everything must be too old.
        """
        age = self._now() - sent_at
        if chat > 0 and age > DELETABLE_SECONDS + CLOCK_SECONDS:
            return Verdict(Outcome.TOO_LATE, reason="sent more than 48 hours ago")
        expired = age > DELETABLE_SECONDS
        if len(messages) == 1:
            return await self._delete_one(chat, messages[0], expired)
        try:
            for start in range(0, len(messages), MOST_IDS):
                ids = list(messages[start : start + MOST_IDS])
                await self._telegram.call("deleteMessages", {"chat_id": chat, "message_ids": ids})
        except Exception as error:
            if not is_about_age(error):
                return failed_delete(error, expired=expired)
            return await self._delete_each(chat, messages, expired)
        return Verdict(Outcome.RECALLED)

    async def request(self, method: Method, fields: Mapping[str, Any]) -> Any:
        """One of the sending methods, for whoever puts several together; raises what the client raises."""
        return await self._telegram.call(method, {**fields, **self._paid})

    async def upload(self, method: Method, fields: Mapping[str, Any], body: Upload, seconds: float) -> Any:
        """The same with files in the request, for at most so many `seconds`."""
        return await self._telegram.upload(method, body.form({**fields, **self._paid}), seconds)

    async def me(self) -> str:
        """The bot's username; raises NoBot."""
        try:
            return str((await self._telegram.call("getMe", {})).get("username", ""))
        except Exception as error:
            raise NoBot(reason_of(error)) from None

    async def close(self) -> None:
        """Close the connections."""
        await self._telegram.close()

    async def _send(self, content: Content, chat: int) -> Verdict:
        message = await self._telegram.call(Method.MESSAGE, {"chat_id": chat, **text_fields(content), **self._paid})
        return Verdict(Outcome.DELIVERED, (id_of(message),))

    async def _delete_one(self, chat: int, message: int, expired: bool) -> Verdict:
        try:
            await self._telegram.call("deleteMessage", {"chat_id": chat, "message_id": message})
        except Exception as error:
            return failed_delete(error, expired=expired)
        return Verdict(Outcome.RECALLED)

    async def _delete_each(self, chat: int, messages: Sequence[int], expired: bool) -> Verdict:
        verdicts: list[Verdict] = []
        for message in messages:
            verdicts.append(await self._delete_one(chat, message, expired))
            if verdicts[-1].outcome is Outcome.UNATTEMPTED:
                break
        return worst(verdicts)
