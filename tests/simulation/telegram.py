"""A Telegram that knows the truth: who received what and what was deleted, whatever the caller was told."""

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aiogram.exceptions import TelegramForbiddenError, TelegramNetworkError, TelegramRetryAfter
from aiogram.methods import SendMessage
from aiohttp import ClientConnectorError
from aiohttp.client_reqrep import ConnectionKey

from broadcast_contracts import Content, File, Outcome
from broadcast_delivery import Slots, Verdict
from broadcast_telegram.classify import failed_send
from broadcast_telegram.files import Hand
from broadcast_telegram.plan import Method
from tests.simulation.nats import Server
from tests.simulation.process import LONGEST_FREEZE, Process

INTERVAL_SECONDS = 0.04

_METHOD = SendMessage.model_construct(chat_id=1, text="x")
_KEY = ConnectionKey("api.telegram.org", 443, True, True, None, None, None)


@dataclass(slots=True)
class Letter:
    """A message that reached a chat."""

    id: int
    chat: int
    text: str
    at: float
    deleted: bool = False


class Telegram:
    """`faults` is the probability of each doubtful reply; refusals happen on top."""

    def __init__(
        self, rng: random.Random, on_letter: Callable[[Letter], None], on_attempt: Callable[[int], None]
    ) -> None:
        """`on_attempt` sees the chat of each request that leaves, `on_letter` what arrived."""
        self._rng, self._on_letter, self._on_attempt = rng, on_letter, on_attempt
        self.faults = 0.0
        self.letters: dict[int, Letter] = {}
        self.doubtful = 0
        self._last = 0

    async def send(self, process: Process, content: Content, chat: int) -> Verdict:
        """One sendMessage, as a messenger makes it."""
        try:
            reply = await self.request(process, {"chat_id": chat, "text": content.text})
        except Exception as error:
            return failed_send(error)
        return Verdict(Outcome.DELIVERED, (reply["message_id"],))

    async def request(self, process: Process, fields: Mapping[str, Any]) -> dict[str, Any]:
        """One request; raises what the client would. What reaches the wire has reached Telegram, even if the process
        dies the next moment."""
        if process.dead:
            raise asyncio.CancelledError
        self._on_attempt(fields["chat_id"])
        chance = self._rng.random()
        if chance < self.faults:
            await self._latency()
            raise _no_reply(ClientConnectorError(_KEY, OSError(111, "Connection refused")))
        if chance < 2 * self.faults:
            self.doubtful += 1
            await self._latency()
            raise _no_reply(TimeoutError())
        if chance < 3 * self.faults:
            await self._latency()
            raise TelegramForbiddenError(_METHOD, "Forbidden: bot was blocked by the user")
        if chance < 3.5 * self.faults:
            await self._latency()
            raise TelegramRetryAfter(_METHOD, "Too Many Requests: retry after 1", 1)
        self._last += 1
        text = str(next(filter(None, (fields.get(name) for name in ("text", "caption", "document", "audio")))))
        letter = Letter(self._last, fields["chat_id"], text, asyncio.get_running_loop().time())
        self.letters[letter.id] = letter
        self._on_letter(letter)
        await self._latency()
        if chance > 1 - self.faults:
            self.doubtful += 1
            raise _no_reply(TimeoutError())
        return {"message_id": letter.id}

    async def delete(self, process: Process, messages: list[int]) -> Verdict:
        """One deleteMessages of what one recipient received."""
        await process.gate()
        if self._rng.random() < self.faults:
            await self._latency()
            return Verdict(Outcome.UNATTEMPTED, reason="connection refused")
        known = [self.letters[id] for id in messages if not self.letters[id].deleted]
        for letter in known:
            letter.deleted = True
        await self._latency()
        if self._rng.random() < self.faults:
            return Verdict(Outcome.UNATTEMPTED, reason="the reply was lost")
        return Verdict(Outcome.RECALLED if known else Outcome.ALREADY_GONE)

    async def _latency(self) -> None:
        await asyncio.sleep(self._rng.uniform(0.01, 0.2))


class Pace:
    """A pace of twenty-five messages a second; `turn` is the worst moment to be frozen, just before the attempt.

    The worst of the worst: others are handed the job at that moment.
    """

    def __init__(self, process: Process, server: Server, freezing: float) -> None:
        """`freezing` is how much likelier than any other fault it is to be frozen before an attempt."""
        self._process, self._server, self._freezing = process, server, freezing
        self._next = self._until = 0.0

    async def reserve(self, want: int) -> Slots:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._until - loop.time()))
        first = max(loop.time(), self._next)
        self._next = first + want * INTERVAL_SECONDS
        return Slots(first, INTERVAL_SECONDS, want)

    async def turn(self, slots: Slots, k: int) -> None:
        wait = slots.first + k * slots.interval - asyncio.get_running_loop().time()
        await asyncio.sleep(max(0.0, wait))
        if self._server.chance(self._freezing):
            self._process.freeze(self._server.rng.choice([0.7, 1.4, 2.0, 12.0, LONGEST_FREEZE]))
            if self._server.rng.random() < 0.5:
                self._server.hand_out_again()
        await self._process.gate()

    async def pause(self, seconds: float) -> None:
        self._until = max(self._until, asyncio.get_running_loop().time() + seconds)

    def weighing(self, weight: int) -> "Pace":
        return self

    @property
    def paused(self) -> bool:
        return asyncio.get_running_loop().time() < self._until


class Line:
    """A messenger for contents of several requests: each of them is one request here too."""

    def __init__(self, telegram: Telegram, process: Process) -> None:
        self._telegram, self._process = telegram, process

    async def request(self, method: Method, fields: Mapping[str, Any]) -> dict[str, Any]:
        return await self._telegram.request(self._process, fields)


class Uploaded:
    """Files that Telegram has already, each known by its name."""

    def known(self, files: Iterable[File]) -> Hand:
        return _Names("main")

    async def release(self, hand: Hand) -> None: ...


class _Names(Hand):
    def reference(self, file: File) -> str:
        return file.name


def _no_reply(cause: Exception) -> TelegramNetworkError:
    error = TelegramNetworkError(_METHOD, type(cause).__name__)
    error.__cause__ = cause
    return error
