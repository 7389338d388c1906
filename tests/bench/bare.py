"""What there is to compare with, in a process of its own: a bare aiogram loop, and the package aiogram-broadcaster.

Chat ids come on standard input, figures as JSON on standard output.
"""

import argparse
import asyncio
import json
import sys
import time

from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram_broadcaster import Broadcaster
from aiogram_broadcaster.contents import TextContent


async def gather(bot: Bot, text: str, chats: list[int], concurrency: int) -> float:
    """`concurrency` workers take chats from one iterator: nothing is recorded, nothing is paced.

    Then they delete what they sent; answers the messages deleted a second.
    """
    posted: list[tuple[int, int]] = []
    waiting = iter(chats)

    async def send() -> None:
        for chat in waiting:
            message = await bot.send_message(chat, text)
            posted.append((chat, message.message_id))

    await asyncio.gather(*(send() for _ in range(concurrency)))
    leaving, started = iter(posted), time.monotonic()

    async def delete() -> None:
        for chat, message in leaving:
            await bot.delete_message(chat, message)

    await asyncio.gather(*(delete() for _ in range(concurrency)))
    return len(posted) / (time.monotonic() - started)


async def broadcaster(bot: Bot, text: str, chats: list[int], concurrency: int) -> float:
    """Its fastest form: without a storage and without an interval. It sends one message at a time."""
    mailer = await Broadcaster(bot).create_mailer(chats, TextContent(text=text))
    await mailer.start()
    return 0.0


WAYS = {"gather": gather, "broadcaster": broadcaster}


async def run(way: str, url: str, token: str, text: str, chats: list[int], concurrency: int) -> dict[str, float]:
    """CPU seconds and, where there was one, the rate of the recall."""
    before = time.process_time()
    session = AiohttpSession(api=TelegramAPIServer.from_base(url), limit=concurrency)
    async with Bot(token, session=session) as bot:
        deleted = await WAYS[way](bot, text, chats, concurrency)
    return {"cpu": time.process_time() - before, "deleted": deleted}


def main() -> None:
    """The emulator knows when which message arrived."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--way", required=True, choices=WAYS)
    for name in ("url", "token", "text"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--concurrency", required=True, type=int)
    options, chats = parser.parse_args(), json.load(sys.stdin)
    print(json.dumps(asyncio.run(run(**vars(options), chats=chats))))


if __name__ == "__main__":
    main()
