"""The emulator remembers over a restart what its chats received."""

from pathlib import Path

from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer

from tests.telegram_emulator import Emulator
from tests.telegram_emulator.memory import load, save

TOKEN = "42:TEST"


def bot_at(url: str) -> Bot:
    return Bot(TOKEN, session=AiohttpSession(api=TelegramAPIServer.from_base(url)))


async def test_a_message_sent_before_a_restart_can_be_deleted_after_it(tmp_path: Path) -> None:
    before = Emulator(TOKEN, people=3)
    chat = next(iter(before.emulation.world.bots[TOKEN].chats))
    async with before.serve() as url, bot_at(url) as bot:
        message = await bot.send_message(chat, "remember me")
    save(before.emulation, tmp_path / "state")

    after = Emulator(TOKEN, people=3)
    load(after.emulation, tmp_path / "state")
    async with after.serve() as url, bot_at(url) as bot:
        assert await bot.delete_message(chat, message.message_id)
    history = after.emulation.world.bots[TOKEN].history
    assert (history.sent, history.deleted) == (1, 1)


def test_without_a_file_it_starts_afresh(tmp_path: Path) -> None:
    emulator = Emulator(TOKEN, people=3)
    load(emulator.emulation, tmp_path / "nothing")
    assert emulator.emulation.world.bots[TOKEN].history.sent == 0
