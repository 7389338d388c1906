"""Chats that refuse, each in its own words, and chats that move."""

import pytest
from aiogram.exceptions import TelegramForbiddenError, TelegramMigrateToChat

from .conftest import Telegram


@pytest.mark.parametrize(
    ("status", "description"),
    [
        ("blocked", "Forbidden: bot was blocked by the user"),
        ("deactivated", "Forbidden: user is deactivated"),
        ("not_started", "Forbidden: bot can't initiate conversation with a user"),
    ],
)
async def test_a_closed_chat_refuses_in_its_own_words(telegram: Telegram, status: str, description: str) -> None:
    await telegram.control("POST", "people", {"chat_id": 7_000_000_001, "status": status})
    answer = await telegram.call("sendMessage", chat_id=7_000_000_001, text="x")
    assert (answer["error_code"], answer["description"]) == (403, description)
    assert telegram.account.history.sent == 0


async def test_a_blocked_bot_is_heard_again_after_unblock_and_after_start(telegram: Telegram) -> None:
    person = telegram.people[0]
    for way_back in ("unblock", "start"):
        await telegram.control("POST", f"people/{person}/block")
        with pytest.raises(TelegramForbiddenError, match="blocked by the user"):
            await telegram.bot.send_message(person, "x")
        await telegram.control("POST", f"people/{person}/{way_back}")
        await telegram.bot.send_message(person, way_back)


async def test_a_group_that_became_a_supergroup_tells_its_new_id(telegram: Telegram) -> None:
    group = (await telegram.control("POST", "people", {"count": 1, "status": "group"}))["chats"][0]["id"]
    await telegram.control("POST", f"people/{group}/migrate")
    with pytest.raises(TelegramMigrateToChat) as moved:
        await telegram.bot.send_message(group, "x")
    message = await telegram.bot.send_message(moved.value.migrate_to_chat_id, "x")
    assert message.chat.type == "supergroup"


async def test_a_group_can_throw_the_bot_out(telegram: Telegram) -> None:
    group = (await telegram.control("POST", "people", {"count": 1, "status": "group"}))["chats"][0]["id"]
    await telegram.control("POST", f"people/{group}/block")
    answer = await telegram.call("sendMessage", chat_id=group, text="x")
    assert answer["description"] == "Forbidden: bot was kicked from the group chat"


async def test_each_bot_has_its_own_relation_to_a_person(telegram: Telegram) -> None:
    await telegram.control("POST", "bots", {"token": "43:OTHER"})
    person = (await telegram.control("POST", "people", {"count": 1}))["chats"][0]["id"]
    await telegram.control("POST", f"people/{person}/block?bot=43")
    other = telegram.new_bot("43:OTHER")
    await telegram.bot.send_message(person, "still friends")
    with pytest.raises(TelegramForbiddenError):
        await other.send_message(person, "not any more")
    await other.session.close()
