"""Long polling: one replica at a time asks Telegram for the updates of a bot."""

import asyncio
import logging
from typing import Any

from broadcast_api.adapters.arrivals import Arrival, Arrivals
from broadcast_api.entrypoints.telegram.updates import language_of, read
from broadcast_api.entrypoints.telegram.words import greeting
from broadcast_telegram.listener import Listener, Unanswered

log = logging.getLogger(__name__)

POLL_SECONDS = 25.0
IDLE_SECONDS = 5.0
REPLIES_WAITING = 1_000
"""Greetings that may wait; a crowd of newcomers is registered at once and greeted as far as Telegram lets us."""

REPLY_SECONDS = 0.05
"""Between two greetings: 20 a second leave room for a broadcast of the same bot (30 a second, Bots FAQ)."""


class Poller:
    """Two steps, each to be repeated by the leading replica. They raise `Unanswered` and errors of SQL."""

    def __init__(self, bot: str, listener: Listener, arrivals: Arrivals) -> None:
        self._bot, self._listener, self._arrivals = bot, listener, arrivals
        self._seen = 0
        self._replies: asyncio.Queue[tuple[int, str]] = asyncio.Queue(REPLIES_WAITING)

    async def poll(self) -> bool:
        """Take one portion of updates; they are confirmed to Telegram with the next one, after they were stored."""
        updates = await self._listener.updates(self._seen, POLL_SECONDS)
        found = [(update, news) for update in updates if (news := read(update)) is not None]
        taken = await asyncio.to_thread(self._arrivals.take, self._bot, [news for _, news in found])
        self._seen = max([self._seen, *(news.update_id for _, news in found)])
        fresh = {news.update_id for news in taken}
        for update, news in found:
            if news.update_id in fresh and isinstance(news.said, Arrival):
                self._answer(news.said.chat_id, update)
        return bool(updates)

    def _answer(self, chat_id: int, update: Any) -> None:
        try:
            self._replies.put_nowait((chat_id, greeting(language_of(update))))
        except asyncio.QueueFull:
            log.warning("greeting_dropped", extra={"bot": self._bot})

    async def greet(self) -> bool:
        """Greet one newcomer, or wait a while for one. One that fails is lost: it says what is so anyway."""
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                chat_id, text = await self._replies.get()
        except TimeoutError:
            return False
        try:
            await self._listener.reply(chat_id, text)
        except Unanswered as error:
            log.info("greeting_failed", extra={"bot": self._bot, "error": str(error)})
            await asyncio.sleep(min(error.retry_after, POLL_SECONDS))
        await asyncio.sleep(REPLY_SECONDS)
        return True
