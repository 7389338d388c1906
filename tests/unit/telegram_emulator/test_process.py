"""The emulator as a process of its own."""

import asyncio
import json
import signal
import sys

import aiohttp
import pytest


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_says_where_it_listens_and_leaves_when_asked(number: signal.Signals) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.telegram_emulator", "--port", "0", "--people", "300", "--bot", "42:TEST",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout
    url = json.loads(await process.stdout.readline())["url"]
    async with aiohttp.ClientSession() as http:
        poll = asyncio.create_task(http.get(f"{url}/bot42:TEST/getUpdates?timeout=50"))
        async with http.get(f"{url}/_control/state") as answer:
            assert (await answer.json())["chats"] == 300
        process.send_signal(number)
        _, errors = await asyncio.wait_for(process.communicate(), 5)
        poll.cancel()
    assert (process.returncode, errors) == (0, b"")


async def test_a_bad_token_stops_the_start_with_one_line() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.telegram_emulator", "--bot", "nonsense", stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    assert process.returncode == 2
    assert b"a bot token looks like 123456:secret" in errors
