"""What there is to compare with: a bare aiogram loop in a process of its own. Chat ids come on standard input."""

import argparse
import asyncio
import json
import sys
import time

from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer


async def gather(url: str, token: str, text: str, chats: list[int], concurrency: int) -> None:
    """`concurrency` workers take chats from one iterator: nothing is recorded, nothing is paced."""
    session = AiohttpSession(api=TelegramAPIServer.from_base(url), limit=concurrency)
    async with Bot(token, session=session) as bot:
        waiting = iter(chats)

        async def worker() -> None:
            for chat in waiting:
                await bot.send_message(chat, text)

        await asyncio.gather(*(worker() for _ in range(concurrency)))


def main() -> None:
    """Prints the CPU seconds of the loop alone; the emulator knows when which message arrived."""
    parser = argparse.ArgumentParser()
    for name in ("url", "token", "text"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--concurrency", required=True, type=int)
    options, chats = parser.parse_args(), json.load(sys.stdin)
    before = time.process_time()
    asyncio.run(gather(**vars(options), chats=chats))
    print(time.process_time() - before)


if __name__ == "__main__":
    main()
