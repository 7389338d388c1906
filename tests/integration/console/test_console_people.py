"""People from a file, and people who are invited."""

import asyncio
import re

import httpx
import pytest

from broadcast_api.app import build
from broadcast_api.settings import Settings
from tests.support.broadcast_api import Api
from tests.support.console import Reader, Seen, seen
from tests.support.identity import sign_in

FILE = "Табельный номер;Имя;Вид\n7;Анна;сотрудник\n8;Иван;робот\n9;Пётр;подрядчик\n"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"usernames": {"main": "company_bot"}})


async def send(reader: Reader, content: bytes, name: str = "люди.csv", **fields: str) -> Seen:
    """As the form does: its fields before the file."""
    page = await reader.open("/people/import")
    data = {"csrf": page.value("csrf"), "bot": "main", **fields}
    answer = await reader.http.post(
        "/people/import", data=data, files={"file": (name, content, "text/csv")}, follow_redirects=True
    )
    return seen(answer)


async def finished(reader: Reader, page: Seen) -> Seen:
    """The page of an import once it is not being read any more."""
    for _ in range(100):
        page = await reader.open(page.path)
        if "Загружается" not in page.text:
            return page
        await asyncio.sleep(0.1)
    raise AssertionError(page.text)


async def test_a_file_is_read_and_what_was_refused_is_told_by_row_and_as_a_file(api: Api, reader: Reader) -> None:
    page = await finished(reader, await send(reader, FILE.encode()))
    assert "люди.csv" in page.text
    assert "3 строки прочитано" in page.text
    assert "Новых 2" in page.text
    assert "3 kind недопустимое значение" in page.text
    report = await reader.open(f"{page.path}/errors.csv")
    assert report.headers["content-type"].startswith("text/csv")
    assert "недопустимое значение" in report.raw
    assert "люди.csv" in (await reader.open("/people/import")).text, "it stands among the latest"
    people = (await api.http.get("/v1/recipients")).json()["items"]
    assert [person["external_id"] for person in people] == ["7", "9"]


async def test_how_far_it_is_comes_live(api: Api, reader: Reader) -> None:
    page = await finished(reader, await send(reader, FILE.encode()))
    asyncio.get_running_loop().call_later(0.5, api.app.state.services.feed.close)
    text = (await reader.open(f"{page.path}/live")).raw
    assert "event: patch" in text
    assert "Готово" in text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"name,colour\n1,red\n", "Неизвестные столбцы"),
        ("Имя\nАнна\n".encode(), "Людей не различить"),
        (b"", "Файл пуст"),
    ],
)
async def test_a_file_that_is_none_of_people_is_refused_on_the_form(reader: Reader, content: bytes, words: str) -> None:
    page = await send(reader, content)
    assert page.status == 422
    assert words in page.text
    assert "Которые столбцы" in page.text or "Какие бывают столбцы" in page.text


async def test_unknown_columns_are_left_alone_when_asked_to(api: Api, reader: Reader) -> None:
    page = await send(reader, b"external_id,colour\n1,red\n", ignore_unknown="on")
    assert "Готово" in (await finished(reader, page)).text


async def test_a_file_from_another_site_is_not_read(api: Api, reader: Reader) -> None:
    await reader.open("/people/import")
    for data, headers in (({"csrf": "guessed"}, {}), ({}, {}), ({"csrf": "x"}, {"Sec-Fetch-Site": "cross-site"})):
        files = {"file": ("p.csv", FILE.encode(), "text/csv")}
        answer = await reader.http.post("/people/import", data={"bot": "main", **data}, files=files, headers=headers)
        assert answer.status_code == 403
    assert (await api.http.get("/v1/recipients/imports")).json()["items"] == []


async def test_the_link_to_the_bot_comes_with_its_code(reader: Reader) -> None:
    page = await reader.open("/people/invite")
    assert page.value("bot") == "main"
    assert 'value="https://t.me/company_bot"' in page.raw
    picture = next(attributes["src"] for tag, attributes in page.tags if tag == "img")
    drawn = await reader.open(picture)
    assert drawn.headers["content-type"] == "image/svg+xml"
    assert "<svg" in drawn.raw
    assert "style=" not in drawn.raw


async def test_a_link_for_one_person_carries_their_number(api: Api, reader: Reader) -> None:
    body = {"bot": "main", "recipients": [{"external_id": "T-17", "first_name": "Анна"}]}
    await api.http.put("/v1/recipients", json=body)
    people = await reader.open("/people")
    page = await reader.open(next(link for link in people.links() if "person=" in link))
    assert 'value="https://t.me/company_bot?start=id-T-17"' in page.raw


async def test_a_number_that_fits_into_no_link_is_told_so(reader: Reader) -> None:
    page = await reader.open("/people/invite?person=Анна Петрова")
    assert "Такой номер нельзя поместить в ссылку" in page.text
    assert (await reader.open("/people/invite.svg?person=Анна")).status == 404


async def test_a_bot_without_a_username_says_who_can_help(settings: Settings) -> None:
    app = build(settings.model_copy(update={"usernames": {}}))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as http:
        sign_in(http, app)
        page = await Reader(http).open("/people/invite", **{"Accept-Language": "en"})
    assert re.search(r"An administrator sets BROADCAST_USERNAMES=main=", page.text)
