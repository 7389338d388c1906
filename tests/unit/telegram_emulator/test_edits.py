"""Edits: no time limit, no change without a change, and the first wording stays on record."""

import pytest
from aiogram.exceptions import TelegramBadRequest
from aiogram.types import (
    BufferedInputFile,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaDocument,
    InputMediaPhoto,
    KeyboardButton,
    ReplyKeyboardMarkup,
)

from .conftest import Telegram
from .test_media import PNG, document

BUTTON = InlineKeyboardMarkup(inline_keyboard=[[InlineKeyboardButton(text="Да", callback_data="yes")]])


async def test_a_text_is_edited_even_after_a_year(telegram: Telegram) -> None:
    person = telegram.people[0]
    message = await telegram.bot.send_message(person, "10:00")
    telegram.emulation.clock.advance(365 * 86_400)
    edited = await telegram.bot.edit_message_text("11:00", chat_id=person, message_id=message.message_id)
    assert not isinstance(edited, bool)
    assert (edited.text, edited.message_id) == ("11:00", message.message_id)
    assert edited.edit_date
    told = (await telegram.control("GET", f"chats/{person}"))["messages"][0]
    assert (told["text"], told["received_text"], [each["text"] for each in told["edits"]]) == (
        "11:00",
        "10:00",
        ["11:00"],
    )


async def test_the_same_again_is_not_modified_but_another_keyboard_is(telegram: Telegram) -> None:
    person = telegram.people[0]
    message = await telegram.bot.send_message(person, "x")
    with pytest.raises(TelegramBadRequest, match="message is not modified: specified new message content and reply"):
        await telegram.bot.edit_message_text("x", chat_id=person, message_id=message.message_id)
    await telegram.bot.edit_message_text("x", chat_id=person, message_id=message.message_id, reply_markup=BUTTON)


async def test_what_is_gone_cannot_be_edited(telegram: Telegram) -> None:
    person = telegram.people[0]
    message = await telegram.bot.send_message(person, "x")
    await telegram.bot.delete_message(person, message.message_id)
    with pytest.raises(TelegramBadRequest, match="message to edit not found"):
        await telegram.bot.edit_message_text("y", chat_id=person, message_id=message.message_id)


async def test_a_message_with_a_reply_keyboard_cannot_be_edited(telegram: Telegram) -> None:
    keyboard = ReplyKeyboardMarkup(keyboard=[[KeyboardButton(text="Да")]])
    message = await telegram.bot.send_message(telegram.people[0], "x", reply_markup=keyboard)
    with pytest.raises(TelegramBadRequest, match="message can't be edited"):
        await telegram.bot.edit_message_text("y", chat_id=message.chat.id, message_id=message.message_id)


async def test_captions_and_texts_are_edited_each_by_its_own_method(telegram: Telegram) -> None:
    person = telegram.people[0]
    text = await telegram.bot.send_message(person, "x")
    file = await telegram.bot.send_document(person, document(), caption="x")
    edited = await telegram.bot.edit_message_caption(chat_id=person, message_id=file.message_id, caption="y")
    assert not isinstance(edited, bool)
    assert edited.caption == "y"
    with pytest.raises(TelegramBadRequest, match="there is no text in the message to edit"):
        await telegram.bot.edit_message_text("y", chat_id=person, message_id=file.message_id)
    with pytest.raises(TelegramBadRequest, match="there is no caption in the message to edit"):
        await telegram.bot.edit_message_caption(chat_id=person, message_id=text.message_id, caption="y")


async def test_a_file_is_replaced_but_in_an_album_only_by_its_like(telegram: Telegram) -> None:
    person = telegram.people[0]
    items = [InputMediaDocument(media=document(str(each))) for each in range(2)]
    first = (await telegram.bot.send_media_group(person, items))[0]  # type: ignore[arg-type]
    other = InputMediaDocument(media=document("other"), caption="new")
    edited = await telegram.bot.edit_message_media(other, chat_id=person, message_id=first.message_id)
    assert not isinstance(edited, bool)
    assert (edited.caption, edited.media_group_id) == ("new", first.media_group_id)
    photo = InputMediaPhoto(media=BufferedInputFile(PNG, "p.png"))
    with pytest.raises(TelegramBadRequest, match="can't use the media of the specified type in the album"):
        await telegram.bot.edit_message_media(photo, chat_id=person, message_id=first.message_id)
