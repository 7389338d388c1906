"""The list of broadcasts."""

import re

import pytest

from tests.support.broadcast_api import Api
from tests.support.console import Reader
from tests.support.identity import bearer

WORDS = {
    "created": ("Создана", "Created"),
    "sending": ("Идёт отправка", "Sending"),
    "stopping": ("Останавливается", "Stopping"),
    "stopped": ("Остановлена", "Stopped"),
    "recalling": ("Идёт отзыв сообщений", "Recalling messages"),
    "sent": ("Отправлено", "Sent"),
}


async def test_the_root_leads_to_the_broadcasts(reader: Reader) -> None:
    assert (await reader.open("/")).path == "/broadcasts"


async def test_an_empty_list_leads_to_creating_a_broadcast(reader: Reader) -> None:
    page = await reader.open("/broadcasts")
    assert "Рассылок пока нет" in page.text
    assert page.links().count("/broadcasts/new") == 2


async def test_a_row_says_what_went_to_whom_when_from_whom_and_how_far_it_is(api: Api, reader: Reader) -> None:
    draft = await api.draft(name="Учебная тревога")
    by = bearer(api.app, name="Anna", position="Head")
    id = (await api.http.post("/v1/broadcasts", json=draft, headers=by)).json()["id"]
    page = await reader.open("/broadcasts")
    for heading in ("Наименование рассылки", "Время отправки", "Аудитория", "Отправитель", "Доставлено", "Статус"):
        assert re.search(rf"<th[^>]*>(<a[^>]*>)?{heading}<", page.raw)
    row = page.text[page.text.index("Учебная тревога") :]
    assert "не отправлялась Все Anna Head — Создана" in row
    assert f"/broadcasts/{id}" in page.links()


@pytest.mark.parametrize("state", WORDS)
async def test_every_state_has_its_word_in_both_languages(api: Api, reader: Reader, state: str) -> None:
    await api.in_state(state)
    russian, english = WORDS[state]
    assert f'<span class="status {state}">' in (page := await reader.open("/broadcasts")).raw
    assert russian in page.text
    assert english in (await reader.open("/broadcasts", **{"Accept-Language": "en"})).text


@pytest.mark.parametrize("state", WORDS)
async def test_only_what_is_being_sent_can_be_stopped_in_its_row(api: Api, reader: Reader, state: str) -> None:
    await api.in_state(state)
    assert ("stop" in (await reader.open("/broadcasts")).buttons()) is (state == "sending")


async def test_search_and_status_narrow_the_list(api: Api, reader: Reader) -> None:
    await api.broadcast(name="Пожарная тревога")
    await api.broadcast(name="Корпоратив")
    found = (await reader.open("/broadcasts?text=ТРЕВОГА&status=created")).text
    assert "Пожарная тревога" in found
    assert "Корпоратив" not in found
    assert "Ничего не найдено" in (await reader.open("/broadcasts?status=sent")).text


async def test_a_status_that_does_not_exist_is_no_status_at_all(api: Api, reader: Reader) -> None:
    await api.broadcast(name="Корпоратив")
    assert "Корпоратив" in (await reader.open("/broadcasts?status=lost")).text


async def test_a_long_list_is_read_by_pages_and_no_row_is_lost(api: Api, reader: Reader) -> None:
    audience = (await api.audience())["id"]
    for number in range(30):
        await api.broadcast(name=f"№{number:02}", audience_id=audience)
    first = await reader.open("/broadcasts")
    second = await reader.open(next(link for link in first.links() if "cursor=" in link))
    shown = [number for number in range(30) if f"№{number:02}" in first.text + second.text]
    assert len(shown) == 30
    assert "№29" in first.text
    assert "№00" in second.text


async def test_a_heading_orders_the_list_and_once_more_turns_it_round(api: Api, reader: Reader) -> None:
    for name in ("Весна", "Август", "Гроза"):
        await api.broadcast(name=name)
    page = await reader.open("/broadcasts?status=created")
    up = await reader.open(next(link for link in page.links() if "sort=name" in link))
    down = await reader.open(next(link for link in up.links() if "sort=-name" in link))
    assert re.findall("Весна|Август|Гроза", up.text) == ["Август", "Весна", "Гроза"]
    assert re.findall("Весна|Август|Гроза", down.text) == ["Гроза", "Весна", "Август"]
    assert 'aria-sort="ascending"' in up.raw
    assert "status=created" in next(link for link in down.links() if "sort=" in link), "and the filter stays"


async def test_an_order_that_does_not_exist_is_newest_first(api: Api, reader: Reader) -> None:
    await api.broadcast(name="Корпоратив")
    assert "Корпоратив" in (await reader.open("/broadcasts?sort=luck")).text
