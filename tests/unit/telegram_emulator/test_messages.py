"""Texts: what is delivered and what is refused, in the server's words."""

import aiohttp
import httpx
import pytest
from aiogram.exceptions import TelegramBadRequest
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup

from .conftest import TOKEN, Telegram

LONG_BUTTON = {"inline_keyboard": [[{"text": "x", "callback_data": "y" * 65}]]}


async def test_a_bot_learns_who_it_is(telegram: Telegram) -> None:
    me = await telegram.bot.get_me()
    assert (me.id, me.is_bot) == (42, True)


async def test_a_message_arrives_with_its_entities_and_its_id(telegram: Telegram) -> None:
    person = telegram.people[0]
    message = await telegram.bot.send_message(person, "<b>Привет</b> &amp; all", parse_mode="HTML")
    assert (message.chat.id, message.text) == (person, "Привет & all")
    assert [(each.type, each.offset, each.length) for each in message.entities or []] == [("bold", 0, 6)]
    assert telegram.texts(person) == ["Привет & all"]


async def test_markdown_and_ready_entities_are_understood(telegram: Telegram) -> None:
    marked = await telegram.bot.send_message(telegram.people[0], r"*да* 1\.", parse_mode="MarkdownV2")
    given = await telegram.call(
        "sendMessage", chat_id=telegram.people[1], text="да", entities=[{"type": "bold", "offset": 0, "length": 2}]
    )
    assert (marked.text, given["result"]["entities"][0]["type"]) == ("да 1.", "bold")


async def test_buttons_come_back_in_the_message(telegram: Telegram) -> None:
    keyboard = InlineKeyboardMarkup(inline_keyboard=[[InlineKeyboardButton(text="Да", callback_data="yes")]])
    message = await telegram.bot.send_message(telegram.people[0], "?", reply_markup=keyboard)
    assert message.reply_markup
    assert message.reply_markup.inline_keyboard[0][0].callback_data == "yes"


@pytest.mark.parametrize(
    ("arguments", "description"),
    [
        ({"text": ""}, "message text is empty"),
        ({"text": "х" * 4097}, "message is too long"),
        ({"text": "<b>x", "parse_mode": "HTML"}, "can't parse entities: Can't find end tag corresponding to start tag"),
        ({"text": "x.", "parse_mode": "MarkdownV2"}, "can't parse entities: Character '.' is reserved"),
        ({"text": "x", "parse_mode": "Word"}, "unsupported parse_mode"),
        ({"text": "x", "chat_id": 1}, "chat not found"),
        ({"text": "x", "chat_id": ""}, "chat_id is empty"),
        ({"text": "x", "reply_markup": LONG_BUTTON}, "BUTTON_DATA_INVALID"),
    ],
)
async def test_a_bad_message_is_refused(telegram: Telegram, arguments: dict[str, object], description: str) -> None:
    answer = await telegram.call("sendMessage", **{"chat_id": telegram.people[0], **arguments})
    assert (answer["ok"], answer["error_code"]) == (False, 400)
    assert answer["description"].startswith(f"Bad Request: {description}")
    assert telegram.account.history.sent == 0


async def test_the_longest_text_is_counted_in_code_points_after_the_tags(telegram: Telegram) -> None:
    await telegram.bot.send_message(telegram.people[0], f"<b>{'👍' * 4096}</b>", parse_mode="HTML")
    with pytest.raises(TelegramBadRequest, match="message is too long"):
        await telegram.bot.send_message(telegram.people[0], f"<b>{'👍' * 4097}</b>", parse_mode="HTML")


async def test_every_way_to_pass_arguments_says_the_same(telegram: Telegram) -> None:
    url = f"{telegram.url}/bot{TOKEN}/SENDmessage"
    said = {"chat_id": str(telegram.people[0]), "text": "a=b&c + д%"}
    parts = aiohttp.FormData(said, default_to_multipart=True)
    async with httpx.AsyncClient() as client:
        assert (await client.get(url, params=said)).json()["ok"]
        assert (await client.post(url, data=said)).json()["ok"]
        assert (await client.post(url, json=said)).json()["ok"]
    async with telegram.http.post(url, data=parts) as answer:
        assert (await answer.json())["ok"]
    assert telegram.texts(telegram.people[0]) == [said["text"]] * 4


async def test_an_unknown_token_is_401_and_an_unknown_method_404(telegram: Telegram) -> None:
    async with telegram.http.post(f"{telegram.url}/bot42:WRONG/getMe") as answer:
        assert (answer.status, (await answer.json())["description"]) == (401, "Unauthorized")
    assert await telegram.call("sendNothing") == {"ok": False, "error_code": 404, "description": "Not Found"}


async def test_a_chat_is_described(telegram: Telegram) -> None:
    chat = await telegram.bot.get_chat(telegram.people[0])
    assert chat.first_name == telegram.account.chats[telegram.people[0]].first_name
