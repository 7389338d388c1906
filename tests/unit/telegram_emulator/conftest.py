"""A fresh Telegram for each test, a real aiogram bot that talks to it, and a hand on the control API."""

import importlib
from collections.abc import AsyncIterator
from typing import Any

import aiogram.types
import aiohttp
import pytest
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer

from tests.telegram_emulator import Emulator, Limits
from tests.telegram_emulator.world import BotAccount

TOKEN = "42:TEST"

if not aiogram.types.Message.__pydantic_complete__:  # `broadcast_telegram` was imported first and left the building out
    importlib.reload(aiogram.types)


class QuickSession(AiohttpSession):
    """aiogram's own session waits a quarter of a second when it closes."""

    async def close(self) -> None:
        if self._session:
            await self._session.close()


class Telegram:
    """One emulator under test: `account` is what it knows, `bot` is aiogram, `http` is bare aiohttp."""

    def __init__(self, emulator: Emulator, url: str, http: aiohttp.ClientSession) -> None:
        self.emulation = emulator.emulation
        self.account: BotAccount = self.emulation.world.bots[TOKEN]
        self.url = url
        self.http = http
        self.bot = self.new_bot(TOKEN)
        self.people = list(self.account.chats)

    def new_bot(self, token: str) -> Bot:
        return Bot(token, session=QuickSession(api=TelegramAPIServer.from_base(self.url)))

    async def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        """A call in JSON by a client that hides nothing."""
        async with self.http.post(f"{self.url}/bot{TOKEN}/{method}", json=arguments) as answer:
            body: dict[str, Any] = await answer.json()
            return body

    async def control(self, method: str, path: str, body: object = None) -> Any:
        async with self.http.request(method, f"{self.url}/_control/{path}", json=body) as answer:
            return await answer.json()

    def texts(self, chat_id: int) -> list[str]:
        """What the chat still shows of the bot's messages."""
        history = self.account.history
        return [history.current(each).text for each in history.of_chat(chat_id) if history.in_chat(chat_id, each)]


async def _telegram(limits: Limits) -> AsyncIterator[Telegram]:
    emulator = Emulator(TOKEN, people=40, limits=limits)
    async with emulator.serve() as url, aiohttp.ClientSession() as http:
        telegram = Telegram(emulator, url, http)
        yield telegram
        await telegram.bot.session.close()


@pytest.fixture
async def telegram() -> AsyncIterator[Telegram]:
    """Without limits."""
    async for each in _telegram(Limits(rate=0)):
        yield each


@pytest.fixture
async def strict() -> AsyncIterator[Telegram]:
    """With the limits that the emulator has unless told otherwise."""
    async for each in _telegram(Limits()):
        yield each
