"""The Telegram of one bot: send a text, delete what was sent. Nothing is retried and no error comes out."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import cast

import orjson
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import TelegramMigrateToChat, TelegramNetworkError, TelegramServerError
from aiogram.methods import DeleteMessage, DeleteMessages, GetMe, SendMessage, TelegramMethod
from aiogram.methods.base import TelegramType
from aiogram.types import LinkPreviewOptions
from aiohttp import ClientError, ClientTimeout
from pydantic import SecretStr

from broadcast_contracts import Content, Outcome, ParseMode
from broadcast_delivery import Verdict
from broadcast_telegram.classify import failed_delete, failed_send, is_about_age, reason_of, worst

DELETABLE_SECONDS = 48 * 3600
"""A bot may delete its message for so long after sending it (deleteMessage in the Bot API)."""

CLOCK_SECONDS = 5 * 60
"""How far Telegram's clock and ours may differ before we trust our own that a message is too old."""

MOST_IDS = 100
"""Message ids in one deleteMessages call."""

CONNECT_SECONDS = 5.0
KEEP_ALIVE_SECONDS = 15.0
"""Shorter than any server in front of the Bot API keeps an idle connection: a request never meets a closing one."""


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
        session = _JsonSession(
            api=TelegramAPIServer.from_base(base_url), timeout=timeout, limit=connections, json_loads=orjson.loads
        )
        self._bot = Bot(token.get_secret_value(), session=session)
        self._paid = paid_broadcast or None
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
                await self._bot(DeleteMessages(chat_id=chat, message_ids=ids))
        except Exception as error:
            if not is_about_age(error):
                return failed_delete(error, expired=expired)
            return await self._delete_each(chat, messages, expired)
        return Verdict(Outcome.RECALLED)

    async def me(self) -> str:
        """The bot's username; raises NoBot."""
        try:
            return (await self._bot(GetMe())).username or ""
        except Exception as error:
            raise NoBot(reason_of(error)) from None

    async def close(self) -> None:
        """Close the connections."""
        await self._bot.session.close()

    async def _send(self, content: Content, chat: int) -> Verdict:
        message = await self._bot(
            SendMessage(
                chat_id=chat,
                text=content.text,
                parse_mode=None if content.parse_mode is ParseMode.NONE else content.parse_mode.value,
                link_preview_options=None if content.link_preview else LinkPreviewOptions(is_disabled=True),
                disable_notification=content.silent or None,
                allow_paid_broadcast=self._paid,
            )
        )
        return Verdict(Outcome.DELIVERED, (message.message_id,))

    async def _delete_one(self, chat: int, message: int, expired: bool) -> Verdict:
        try:
            await self._bot(DeleteMessage(chat_id=chat, message_id=message))
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


class _JsonSession(AiohttpSession):
    """Posts JSON instead of a form, which is a third faster, and tells a request never written from one unanswered."""

    def __init__(
        self, *, api: TelegramAPIServer, timeout: float, limit: int, json_loads: Callable[..., object]
    ) -> None:
        super().__init__(api=api, timeout=timeout, limit=limit, json_loads=json_loads)
        self._connector_init["keepalive_timeout"] = KEEP_ALIVE_SECONDS
        connect = min(CONNECT_SECONDS, timeout / 2)  # the connection must fail before the call does, or nobody can tell
        self._timeouts = ClientTimeout(total=timeout, connect=connect)

    async def make_request(
        self, bot: Bot, method: TelegramMethod[TelegramType], timeout: int | None = None
    ) -> TelegramType:
        session = await self.create_session()
        body = self.prepare_value(method.model_dump(warnings=False), bot, {}, _dumps_json=False)
        try:
            async with session.post(
                self.api.api_url(token=bot.token, method=method.__api_method__),
                data=orjson.dumps(body),
                headers={"Content-Type": "application/json"},
                timeout=self._timeouts,
                allow_redirects=False,
            ) as reply:
                raw = await reply.read()
        except (ClientError, TimeoutError) as error:
            raise TelegramNetworkError(method=method, message=type(error).__name__) from error
        if reply.status >= 500:
            raise TelegramServerError(method=method, message=f"HTTP {reply.status} {reply.reason}")
        response = self.check_response(bot=bot, method=method, status_code=reply.status, content=raw)  # type: ignore[arg-type]
        return cast("TelegramType", response.result)
