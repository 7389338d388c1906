"""Updates of one bot: numbered, filtered when they happen, fetched by long polling or pushed to a webhook."""

import asyncio
import logging
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from .errors import conflict

log = logging.getLogger(__name__)

NOT_BY_DEFAULT = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
FIRST_WAIT, LONGEST_WAIT = 0.1, 60.0  # seconds between repeats to a webhook that fails


@dataclass(slots=True)
class Webhook:
    """Where updates are pushed and how that went."""

    url: str
    secret_token: str
    max_connections: int
    last_error_date: int = 0
    last_error_message: str = ""

    def failed(self, why: str) -> None:
        self.last_error_date, self.last_error_message = int(time.time()), why


class Updates:
    """The queue of one bot; polling and a webhook exclude each other."""

    def __init__(self) -> None:
        self.pending: deque[dict[str, Any]] = deque()
        self.allowed: frozenset[str] | None = None
        self.webhook: Webhook | None = None
        self._next_id = 100_001
        self._news = asyncio.Event()
        self._poll: asyncio.Future[None] | None = None
        self._pusher: asyncio.Task[None] | None = None

    def emit(self, kind: str, payload: dict[str, Any]) -> None:
        if kind not in self.allowed if self.allowed else kind in NOT_BY_DEFAULT:
            return
        self.pending.append({"update_id": self._next_id, kind: payload})
        self._next_id += 1
        self._news.set()

    async def poll(self, offset: int, limit: int, timeout: float) -> list[dict[str, Any]]:
        """Everything from `offset` on; a second poller ends the first with 409."""
        if self.webhook:
            raise conflict(
                "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
            )
        self._end_poll("terminated by other getUpdates request; make sure that only one bot instance is running")
        self._confirm(offset)
        if not self.pending and timeout > 0:
            await self._wait_for_news(timeout)
        return [update for _, update in zip(range(limit), self.pending, strict=False)]

    def set_webhook(self, webhook: Webhook, session: aiohttp.ClientSession) -> None:
        self._end_poll("terminated by setWebhook request")
        self._stop_pushing()
        self.webhook = webhook
        self._pusher = asyncio.create_task(self._push(webhook, session))

    def delete_webhook(self) -> None:
        self._stop_pushing()
        self.webhook = None

    async def close(self) -> None:
        self._end_poll("terminated by shutdown")
        pusher = self._pusher
        self._stop_pushing()
        if pusher:
            with suppress(asyncio.CancelledError):
                await pusher

    def _confirm(self, offset: int) -> None:
        if offset < 0:
            while len(self.pending) > -offset:
                self.pending.popleft()
        while self.pending and self.pending[0]["update_id"] < offset:
            self.pending.popleft()

    async def _wait_for_news(self, timeout: float) -> None:
        self._news.clear()
        poll = self._poll = asyncio.get_running_loop().create_future()
        news = asyncio.create_task(self._news.wait())
        try:
            await asyncio.wait({poll, news}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            if poll.done():
                poll.result()
        finally:
            news.cancel()
            if self._poll is poll:
                self._poll = None

    def _end_poll(self, reason: str) -> None:
        if self._poll and not self._poll.done():
            self._poll.set_exception(conflict(reason))
        self._poll = None

    def _stop_pushing(self) -> None:
        if self._pusher:
            self._pusher.cancel()
            self._pusher = None

    async def _push(self, webhook: Webhook, session: aiohttp.ClientSession) -> None:
        """One update after another, each repeated until the answer is 2xx."""
        wait = FIRST_WAIT
        while True:
            while not self.pending:
                self._news.clear()
                await self._news.wait()
            update = self.pending[0]
            try:
                wait_at_least = await self._post(webhook, session, update)
            except (aiohttp.ClientError, TimeoutError) as error:
                wait_at_least = 0.0
                webhook.failed(str(error) or type(error).__name__)
            else:
                if wait_at_least is None:
                    wait = FIRST_WAIT
                    if self.pending and self.pending[0] is update:
                        self.pending.popleft()
                    continue
            await asyncio.sleep(max(wait, wait_at_least))
            wait = min(wait * 2, LONGEST_WAIT)

    async def _post(self, webhook: Webhook, session: aiohttp.ClientSession, update: dict[str, Any]) -> float | None:
        """None when it was taken, else the seconds its Retry-After asks for (at most an hour)."""
        headers = {"Content-Type": "application/json"}
        if webhook.secret_token:
            headers["X-Telegram-Bot-Api-Secret-Token"] = webhook.secret_token
        body, timeout = orjson.dumps(update), aiohttp.ClientTimeout(total=30)
        async with session.post(webhook.url, data=body, headers=headers, timeout=timeout) as answer:
            if answer.ok:
                return None
            webhook.failed(f"Wrong response from the webhook: {answer.status} {answer.reason}")
            log.info("webhook_refused", extra={"status": answer.status, "update_id": update["update_id"]})
            asked = answer.headers.get("Retry-After", "0")
            return min(float(asked), 3600.0) if asked.isdigit() else 0.0
