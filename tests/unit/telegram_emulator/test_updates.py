"""Updates by long polling and by webhook."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiogram.exceptions import TelegramConflictError
from aiohttp import web

from .conftest import Telegram


async def test_start_block_and_unblock_are_told_in_order(telegram: Telegram) -> None:
    person = telegram.people[0]
    await telegram.control("POST", f"people/{person}/start", {"payload": "hr-7"})
    await telegram.control("POST", f"people/{person}/block")
    await telegram.control("POST", f"people/{person}/start")
    first, blocked, back, again = await telegram.bot.get_updates()
    assert first.message
    assert first.message.text == "/start hr-7"
    assert first.message.from_user
    assert first.message.from_user.id == person
    assert blocked.my_chat_member
    assert blocked.my_chat_member.new_chat_member.status == "kicked"
    assert back.my_chat_member
    assert back.my_chat_member.new_chat_member.status == "member"
    assert again.message


async def test_an_update_is_told_until_it_is_confirmed(telegram: Telegram) -> None:
    for person in telegram.people[:3]:
        await telegram.control("POST", f"people/{person}/start")
    updates = await telegram.bot.get_updates(limit=2)
    assert [each.update_id for each in await telegram.bot.get_updates()][:2] == [each.update_id for each in updates]
    assert len(await telegram.bot.get_updates(offset=updates[-1].update_id + 1)) == 1
    assert len(await telegram.bot.get_updates(offset=-1)) == 1


async def test_a_long_poll_returns_as_soon_as_something_happens(telegram: Telegram) -> None:
    poll = asyncio.create_task(telegram.bot.get_updates(timeout=20))
    await asyncio.sleep(0.1)
    await telegram.control("POST", f"people/{telegram.people[0]}/start")
    assert len(await asyncio.wait_for(poll, 2)) == 1


async def test_an_empty_poll_ends_with_its_timeout(telegram: Telegram) -> None:
    assert await asyncio.wait_for(telegram.bot.get_updates(timeout=1), 3) == []


async def test_a_second_poller_ends_the_first(telegram: Telegram) -> None:
    first = asyncio.create_task(telegram.bot.get_updates(timeout=20))
    await asyncio.sleep(0.1)
    await telegram.bot.get_updates()
    with pytest.raises(TelegramConflictError, match="terminated by other getUpdates request; make sure that only one"):
        await first


async def test_only_allowed_updates_are_kept(telegram: Telegram) -> None:
    await telegram.bot.get_updates(allowed_updates=["my_chat_member"])
    await telegram.control("POST", f"people/{telegram.people[0]}/start")
    await telegram.control("POST", f"people/{telegram.people[0]}/block")
    assert [each.event_type for each in await telegram.bot.get_updates()] == ["my_chat_member"]


@asynccontextmanager
async def receiver(answers: list[int]) -> AsyncIterator[tuple[str, list[tuple[str, dict[str, Any]]]]]:
    """A webhook that gives these answers, then 200; yields its URL and what came: (secret, update)."""
    came: list[tuple[str, dict[str, Any]]] = []

    async def take(request: web.BaseRequest) -> web.StreamResponse:
        came.append((request.headers.get("X-Telegram-Bot-Api-Secret-Token", ""), await request.json()))
        return web.Response(status=answers.pop(0) if answers else 200)

    runner = web.ServerRunner(web.Server(take))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook", came
    finally:
        await runner.cleanup()


async def until(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_webhook_gets_each_update_once_with_the_secret(telegram: Telegram) -> None:
    async with receiver([]) as (url, came):
        await telegram.bot.set_webhook(url, secret_token="s3cret")
        for person in telegram.people[:3]:
            await telegram.control("POST", f"people/{person}/start")
        await until(lambda: len(came) == 3)
        assert {secret for secret, _ in came} == {"s3cret"}
        assert [update["message"]["chat"]["id"] for _, update in came] == telegram.people[:3]
        assert (await telegram.bot.get_webhook_info()).pending_update_count == 0


async def test_a_webhook_that_fails_is_asked_again(telegram: Telegram) -> None:
    async with receiver([500, 503]) as (url, came):
        await telegram.bot.set_webhook(url)
        await telegram.control("POST", f"people/{telegram.people[0]}/start")
        await until(lambda: len(came) == 3)
        assert len({update["update_id"] for _, update in came}) == 1
        info = await telegram.bot.get_webhook_info()
        assert "503" in (info.last_error_message or "")


async def test_webhook_and_polling_exclude_each_other(telegram: Telegram) -> None:
    poll = asyncio.create_task(telegram.bot.get_updates(timeout=20))
    await asyncio.sleep(0.1)
    await telegram.bot.set_webhook("https://example.org/hook")
    with pytest.raises(TelegramConflictError, match="terminated by setWebhook request"):
        await poll
    with pytest.raises(TelegramConflictError, match="can't use getUpdates method while webhook is active"):
        await telegram.bot.get_updates()
    await telegram.bot.delete_webhook()
    assert await telegram.bot.get_updates() == []


@pytest.mark.parametrize(
    ("arguments", "description"),
    [
        ({"url": "http://example.org/"}, "bad webhook: An HTTPS URL must be provided for webhook"),
        ({"url": "https://example.org:8444/"}, "bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443"),
        ({"url": "https://example.org/", "secret_token": "s" * 257}, "secret token is too long"),
        ({"url": "https://example.org/", "secret_token": "сек"}, "secret token contains unallowed characters"),
    ],
)
async def test_a_bad_webhook_is_refused(telegram: Telegram, arguments: dict[str, Any], description: str) -> None:
    assert (await telegram.call("setWebhook", **arguments))["description"] == f"Bad Request: {description}"
