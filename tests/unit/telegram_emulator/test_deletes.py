"""Deleting within the 48 hours, and what is said when it cannot be."""

import pytest
from aiogram.exceptions import TelegramBadRequest, TelegramForbiddenError

from .conftest import Telegram

HOURS_48 = 48 * 3600


async def test_a_deleted_message_is_gone_for_the_chat_but_not_for_the_record(telegram: Telegram) -> None:
    person = telegram.people[0]
    message = await telegram.bot.send_message(person, "oops")
    assert await telegram.bot.delete_message(person, message.message_id)
    assert telegram.texts(person) == []
    told = (await telegram.control("GET", f"chats/{person}"))["messages"]
    assert [(each["text"], each["deleted"]) for each in told] == [("oops", True)]


async def test_a_message_can_be_deleted_once(telegram: Telegram) -> None:
    person, stranger = telegram.people[:2]
    message = await telegram.bot.send_message(person, "x")
    with pytest.raises(TelegramBadRequest, match="message to delete not found"):
        await telegram.bot.delete_message(stranger, message.message_id)
    await telegram.bot.delete_message(person, message.message_id)
    with pytest.raises(TelegramBadRequest, match="message to delete not found"):
        await telegram.bot.delete_message(person, message.message_id)


async def test_deleting_many_passes_over_what_is_missing(telegram: Telegram) -> None:
    person = telegram.people[0]
    ids = [(await telegram.bot.send_message(person, str(each))).message_id for each in range(3)]
    assert await telegram.bot.delete_messages(person, [*ids, 999, ids[0]])
    assert telegram.account.history.deleted == 3


async def test_48_hours_are_the_last_moment(telegram: Telegram) -> None:
    person = telegram.people[0]
    message = await telegram.bot.send_message(person, "x")
    telegram.emulation.clock.advance(HOURS_48 - 2)
    assert await telegram.bot.delete_message(person, message.message_id)


async def test_after_48_hours_nothing_is_deleted(telegram: Telegram) -> None:
    person = telegram.people[0]
    message = await telegram.bot.send_message(person, "x")
    await telegram.control("POST", "clock", {"advance_seconds": HOURS_48 + 1})
    with pytest.raises(TelegramBadRequest, match="message can't be deleted for everyone"):
        await telegram.bot.delete_message(person, message.message_id)


async def test_one_message_too_old_spares_them_all(telegram: Telegram) -> None:
    person = telegram.people[0]
    old = await telegram.bot.send_message(person, "old")
    telegram.emulation.clock.advance(HOURS_48 + 1)
    new = await telegram.bot.send_message(person, "new")
    with pytest.raises(TelegramBadRequest, match="message can't be deleted for everyone"):
        await telegram.bot.delete_messages(person, [new.message_id, old.message_id])
    assert telegram.texts(person) == ["old", "new"]


async def test_a_supergroup_says_it_in_other_words(telegram: Telegram) -> None:
    await telegram.control("POST", "people", {"chat_id": -1_001_234_567_890, "kind": "supergroup", "title": "Штаб"})
    message = await telegram.bot.send_message(-1_001_234_567_890, "x")
    telegram.emulation.clock.advance(HOURS_48 + 1)
    answer = await telegram.call("deleteMessage", chat_id=message.chat.id, message_id=message.message_id)
    assert answer["description"] == "Bad Request: message can't be deleted"


@pytest.mark.parametrize(
    ("ids", "description"),
    [([], "message identifiers are not specified"), (list(range(1, 102)), "too many message identifiers specified")],
)
async def test_between_1_and_100_ids_are_taken(telegram: Telegram, ids: list[int], description: str) -> None:
    answer = await telegram.call("deleteMessages", chat_id=telegram.people[0], message_ids=ids)
    assert answer["description"] == f"Bad Request: {description}"


async def test_a_person_who_blocked_the_bot_still_loses_its_messages_but_a_deleted_account_does_not(
    telegram: Telegram,
) -> None:
    blocked, left = telegram.people[:2]
    messages = [await telegram.bot.send_message(each, "x") for each in (blocked, left)]
    await telegram.control("POST", f"people/{blocked}/block")
    await telegram.control("POST", f"people/{left}/deactivate")
    assert await telegram.bot.delete_message(blocked, messages[0].message_id)
    with pytest.raises(TelegramForbiddenError, match="user is deactivated"):
        await telegram.bot.delete_message(left, messages[1].message_id)
