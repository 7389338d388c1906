"""Drawing up a broadcast and changing it."""

from typing import Any

import pytest

from tests.support.broadcast_api import Api
from tests.support.console import Reader
from tests.support.identity import sign_in

Fields = dict[str, str | list[str]]


async def filled(api: Api, **more: Any) -> Fields:
    await api.people(1)
    fields: Fields = {"name": "Тревога", "text": "<b>Завтра</b> в 9:00", "parse_mode": "HTML", "link_preview": "on"}
    return {**fields, "audience_id": (await api.audience())["id"], **more}


async def test_a_broadcast_is_created_by_whoever_is_signed_in(api: Api, reader: Reader) -> None:
    sign_in(reader.http, api.app, name="Анна Петрова", position="Кадры")
    page = await reader.submit("/broadcasts/new", await filled(api, official_name="Кто-то другой"))
    assert "Рассылка создана" in page.text
    stored = await api.get(page.path.rpartition("/")[2])
    assert stored["created_by"] == {"name": "Анна Петрова", "position": "Кадры"}
    assert (stored["name"], stored["text"], stored["parse_mode"]) == ("Тревога", "<b>Завтра</b> в 9:00", "HTML")
    assert (stored["link_preview"], stored["silent"]) == (True, False)


async def test_line_breaks_arrive_as_they_were_typed(api: Api, reader: Reader) -> None:
    page = await reader.submit("/broadcasts/new", await filled(api, text="раз\r\nдва", parse_mode="none"))
    assert (await api.get(page.path.rpartition("/")[2]))["text"] == "раз\nдва"


async def test_the_next_form_is_told_which_drafts_became_broadcasts(api: Api, reader: Reader) -> None:
    form = await reader.open("/broadcasts/new")
    draft = form.value("draft")
    assert f'data-used="{draft}"' not in form.raw
    refused = await reader.submit("/broadcasts/new", await filled(api, name="", draft=draft))
    assert refused.value("draft") == draft, "it is still the same draft"
    await reader.submit("/broadcasts/new", await filled(api, draft=draft))
    after = await reader.open("/broadcasts/new")
    assert f'data-used="{draft}"' in after.raw
    assert after.value("draft") != draft


async def test_a_form_sent_twice_makes_one_broadcast(api: Api, reader: Reader) -> None:
    fields = await filled(api, key=(await reader.open("/broadcasts/new")).value("key"))
    first, second = [await reader.submit("/broadcasts/new", fields) for _ in range(2)]
    assert first.path == second.path
    assert len((await api.http.get("/v1/broadcasts")).json()["items"]) == 1


async def test_a_form_sent_again_with_something_else_is_refused(api: Api, reader: Reader) -> None:
    fields = await filled(api, key=(await reader.open("/broadcasts/new")).value("key"))
    await reader.submit("/broadcasts/new", fields)
    page = await reader.submit("/broadcasts/new", {**fields, "name": "Другая"})
    assert page.status == 422
    assert "Форма уже отправлена" in page.text


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"name": " "}, "Название — от 1 до 200 символов"),
        ({"text": ""}, "Текст пуст"),
        ({"text": "я" * 4097}, "Текст слишком длинный"),
        ({"text": "раз\n<b>два"}, "Telegram не понимает оформление текста"),
        ({"audience_id": ""}, "Такой аудитории нет"),
        ({"audience_id": "0b0f3b52-6c8e-4a0e-b7a2-6d1f0b4b7f10"}, "Такой аудитории нет"),
    ],
)
async def test_a_fault_is_told_and_nothing_typed_is_lost(
    api: Api, reader: Reader, wrong: dict[str, str], words: str
) -> None:
    fields = {"name": "Моё название", "text": "Мой текст", **wrong}
    page = await reader.submit("/broadcasts/new", await filled(api, **fields))
    assert page.status == 422
    assert words in page.text
    assert page.value("name") == fields["name"]
    assert fields["text"] in page.raw or "&lt;b&gt;два" in page.raw


async def test_a_fault_of_the_markup_is_shown_where_it_is(api: Api, reader: Reader) -> None:
    page = await reader.submit("/broadcasts/preview", {"text": "😀 раз\nдва <b>три</i>", "parse_mode": "HTML"})
    assert 'data-at="' in page.raw
    assert "Строка 2, символ 11" in page.text


async def test_characters_are_counted_after_the_markup_was_read(reader: Reader) -> None:
    page = await reader.submit("/broadcasts/preview", {"text": "<b>😀 раз</b>", "parse_mode": "HTML"})
    assert "5 из 4096 символов" in page.text
    assert "<b>😀 раз</b>" in page.raw


async def test_without_scripts_the_preview_is_a_button(api: Api, reader: Reader) -> None:
    page = await reader.submit("/broadcasts/new", await filled(api, check=""))
    assert page.status == 200
    assert '<div class="text"><b>Завтра</b> в 9:00</div>' in page.raw
    assert (await api.http.get("/v1/broadcasts")).json()["items"] == []


async def test_changes_are_saved_and_only_in_the_state_created(api: Api, reader: Reader) -> None:
    id = (await api.broadcast())["id"]
    form = await reader.open(f"/broadcasts/{id}/edit")
    page = await reader.submit(f"/broadcasts/{id}/edit", await filled(api, version=form.value("version")))
    assert "Изменения сохранены" in page.text
    assert (await api.get(id))["name"] == "Тревога"
    await api.press("send", id)
    assert (await reader.open(f"/broadcasts/{id}/edit")).status == 409
    late = await reader.submit(f"/broadcasts/{id}/edit", await filled(api, name="Поздно"))
    assert late.status == 409
    assert "только в состоянии «создана»" in late.text


async def test_two_who_edit_at_once_do_not_overwrite_each_other(api: Api, reader: Reader) -> None:
    id = (await api.broadcast())["id"]
    mine = await filled(api, version="1", text="Мой текст", parse_mode="none")
    await api.http.patch(f"/v1/broadcasts/{id}", json={"text": "Чужой текст"}, headers={"If-Match": '"1"'})
    page = await reader.submit(f"/broadcasts/{id}/edit", mine)
    assert page.status == 412
    assert "Кто-то изменил" in page.text
    assert "Мой текст" in page.raw
    assert (await api.get(id))["text"] == "Чужой текст"
    assert page.value("version") == "2", "sent again, it replaces what the reader has now been told of"
