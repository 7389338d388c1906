"""The pages: what a chat shows, and that no text can break out of it."""

import pytest
from aiogram.types import InputMediaPhoto

from tests.telegram_emulator.rich_text import rich_text

from .conftest import Telegram
from .test_media import photo


async def page(telegram: Telegram, path: str) -> str:
    async with telegram.http.get(telegram.url + path) as answer:
        assert answer.status == 200
        return await answer.text()


async def test_the_list_shows_the_latest_chat_first_and_can_be_searched(telegram: Telegram) -> None:
    await telegram.control("POST", "people", {"chat_id": 77, "first_name": "Ада", "last_name": "Лавлейс"})
    await telegram.bot.send_message(77, "последнее слово")
    shown = await page(telegram, "/")
    assert shown.index("Ада Лавлейс") < shown.index("/chat/52")
    assert "последнее слово" in shown
    assert (await page(telegram, "/?q=лавлейс")).count("<li>") == 1


async def test_a_chat_shows_entities_albums_edits_and_deleted_messages(telegram: Telegram) -> None:
    person = telegram.people[0]
    await telegram.bot.send_message(person, "<b>жирно</b>", parse_mode="HTML")
    album = await telegram.bot.send_media_group(person, [InputMediaPhoto(media=photo(f"{each}.png")) for each in "ab"])
    edited = await telegram.bot.send_message(person, "было")
    await telegram.bot.edit_message_text("стало", chat_id=person, message_id=edited.message_id)
    deleted = await telegram.bot.send_message(person, "ошибка")
    await telegram.bot.delete_message(person, deleted.message_id)
    shown = await page(telegram, f"/chat/{person}")
    assert "<b>жирно</b>" in shown
    assert shown.count("<article") == 4
    assert f"#{album[0].message_id}–{album[1].message_id}" in shown
    assert "стало" in shown
    assert "<li>было</li>" in shown
    assert 'class="bubble theirs deleted"' in shown


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</article>&"])
async def test_nothing_hostile_gets_out_of_a_text_or_a_name(telegram: Telegram, hostile: str) -> None:
    await telegram.control("POST", "people", {"chat_id": 77, "first_name": hostile, "username": hostile})
    await telegram.bot.send_message(77, hostile)
    for path in ("/", "/chat/77"):
        assert hostile not in await page(telegram, path)


def test_a_link_is_only_a_link_to_the_web() -> None:
    link = {"type": "text_link", "offset": 0, "length": 1}
    assert 'href="https://a.b/?x=1&amp;y=2"' in rich_text("x", [{**link, "url": "https://a.b/?x=1&y=2"}])
    assert "href" not in rich_text("x", [{**link, "url": "javascript:alert(1)"}])


def test_entities_nest_and_count_in_utf_16() -> None:
    entities = [{"type": "bold", "offset": 0, "length": 7}, {"type": "italic", "offset": 2, "length": 3}]
    assert rich_text("👍abc 1<", entities) == "<b>👍<i>abc</i> 1</b>&lt;"


async def test_styles_and_script_are_served_and_nothing_else(telegram: Telegram) -> None:
    assert "setInterval" in await page(telegram, "/static/emulator.js")
    for path in ("/static/..%2fserver.py", "/static/server.py", "/chat/1", "/nothing"):
        async with telegram.http.get(telegram.url + path) as answer:
            assert answer.status == 404
