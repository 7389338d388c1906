"""One broadcast under attack: pressed as by an official, watched through outages, counted in the chats."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
import orjson

from tests.support.system import Json, System

POLL_SECONDS = 0.02


@dataclass
class Run:
    """A broadcast whose text no other has, so that its messages can be told apart in the chats."""

    system: System
    people: int
    rate: float
    id: str = ""
    text: str = field(default_factory=lambda: f"Тревога {uuid4().hex}")
    poll_seconds: float = POLL_SECONDS
    _hit: tuple[float, int] | None = None
    _rested: float = 0.0

    # -- the official

    async def press(self, action: str, version: int | None = None, key: str = "") -> httpx.Response:
        """One press of a button, whatever comes of it; a failing replica is the caller's business."""
        headers = {"If-Match": f'"{version}"'} if version is not None else {}
        headers |= {"Idempotency-Key": key} if key else {}
        return await self.system.http.post(f"{self.system.api_url}/v1/broadcasts/{self.id}/{action}", headers=headers)

    async def insist(self, action: str, seconds: float = 60) -> httpx.Response:
        """Press until an answer comes, under one idempotency key: a repeat changes nothing."""
        key = uuid4().hex
        return await patiently(lambda: self.press(action, key=key), seconds)

    async def ask(self, path: str = "", accept: str = "application/json") -> httpx.Response:
        url = f"{self.system.api_url}/v1/broadcasts/{self.id}{path}"
        answer = await patiently(lambda: self.system.http.get(url, headers={"Accept": accept}))
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"
        return answer

    async def state(self) -> Json:
        """The broadcast as the api shows it, once the api answers."""
        result: Json = (await self.ask()).json()
        return result

    async def until(self, check: Callable[[Json], bool], seconds: float = 120) -> Json:
        """Watch the broadcast until the check holds."""
        deadline = time.monotonic() + seconds
        while not check(state := await self.state()):
            assert time.monotonic() < deadline, f"not in {seconds} s: {state}"
            await asyncio.sleep(self.poll_seconds)
        return state

    async def until_status(self, status: str, seconds: float = 120) -> Json:
        state = await self.until(lambda state: bool(state["status"] == status), seconds)
        self._rested = time.monotonic()
        return state

    async def rows(self) -> list[Json]:
        """What the api says of each recipient of the latest run."""
        answer = await self.ask("/deliveries", "application/x-ndjson")
        return [orjson.loads(line) for line in answer.text.splitlines()]

    # -- the chats

    async def chats(self) -> dict[int, Json]:
        """For each chat: how many of these messages it received, how many of them it still has."""
        url = f"{self.system.stack.telegram_url}/_control/deliveries"
        answer = await self.system.http.get(url, params={"text_contains": self.text})
        lines = [orjson.loads(line) for line in answer.text.splitlines()]
        return {line["chat_id"]: line for line in lines}

    async def sent_at(self) -> list[float]:
        """When each message arrived at Telegram, on this machine's monotonic clock."""
        url = f"{self.system.stack.telegram_url}/_control/send_times"
        answer = await self.system.http.get(url, params={"text_contains": self.text})
        times: list[float] = answer.json()["monotonic"]
        return times

    async def until_arrived(self, messages: int, seconds: float = 90) -> None:
        """Until so many messages are in the chats: an instant in the middle of the run."""
        deadline = time.monotonic() + seconds
        while len(await self.sent_at()) < messages:
            assert time.monotonic() < deadline, f"only {len(await self.sent_at())} of {messages} in {seconds} s"
            await asyncio.sleep(self.poll_seconds)

    # -- how long recovery takes

    async def hit(self) -> None:
        """The fault is over, or cannot be undone: recovery counts from here."""
        self._hit = (time.monotonic(), self.people - len(await self.sent_at()))

    def recovery(self) -> float:
        """Seconds from `hit` until the run was at rest, beyond what the rest of its messages take at the bot's rate."""
        if self._hit is None:
            return 0.0
        since, left = self._hit
        return max(0.0, self._rested - since - left / self.rate)


async def patiently(request: Callable[[], Any], seconds: float = 60) -> httpx.Response:
    """Repeat a request until it is answered by something else than an outage; raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                answer: httpx.Response = await request()
            except httpx.TransportError:
                answer = httpx.Response(503)
            if answer.status_code < 500:
                return answer
            await asyncio.sleep(0.1)
