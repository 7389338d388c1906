"""What each official sees of a broadcast that needs a second person: here, one to more than two people."""

import pytest

from broadcast_api.settings import Settings
from tests.support.broadcast_api import Api
from tests.support.console import Reader, Seen
from tests.support.identity import sign_in


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"approval_above": 2})


async def to_many(api: Api) -> str:
    await api.people(1, 2, 3)
    id: str = (await api.broadcast(text="<b>Всем</b>", parse_mode="HTML"))["id"]
    return f"/broadcasts/{id}"


async def approve(reader: Reader, path: str) -> Seen:
    """As the page of the question says."""
    asked = await reader.open(f"{path}/approve")
    return await reader.submit(f"{path}/approve", {"digest": asked.value("digest"), "key": asked.value("key")})


async def test_a_second_person_looks_at_it_approves_it_and_it_is_sent(api: Api, reader: Reader) -> None:
    path = await to_many(api)
    page = await reader.open(path)
    assert "нужно согласование второго сотрудника, так как получателей больше 2" in page.text
    assert ("send" in page.buttons(), "approve" in page.buttons()) == (False, True)
    asked = await reader.open(f"{path}/approve")
    assert "Все Все, кто подключён к боту Получат 3 получателя" in asked.text
    assert "<b>Всем</b>" in asked.raw
    page = await approve(reader, path)
    assert "Рассылка согласована. " in page.text
    assert "Согласовано: Operator" in page.text
    assert {"send", "withdraw"} <= set(page.buttons())
    sent = await reader.submit(f"{path}/send", {})
    assert "Идёт отправка" in sent.text
    assert "Согласование Согласовано: Operator" in sent.text


async def test_whoever_drew_it_up_is_told_to_ask_somebody_else(api: Api, reader: Reader) -> None:
    await api.people(1, 2, 3)
    fields: dict[str, str | list[str]] = {"name": "Моё", "text": "x", "audience_id": (await api.audience())["id"]}
    mine = await reader.submit("/broadcasts/new", fields)
    assert "согласовать её должен другой сотрудник" in mine.text
    assert "approve" not in mine.buttons()
    refused = await approve(reader, mine.path)
    assert (refused.status, "Своё согласовать нельзя" in refused.text) == (403, True)
    sent = await reader.submit(f"{mine.path}/send", {})
    assert (sent.status, "Нужно согласование второго сотрудника" in sent.text) == (409, True)


async def test_who_may_not_approve_is_told_whom_to_ask(api: Api, reader: Reader) -> None:
    path = await to_many(api)
    sign_in(reader.http, api.app, "main=author+sender")
    page = await reader.open(path)
    assert "Обратитесь к сотруднику с ролью «согласует» бота main" in page.text
    assert "approve" not in page.buttons()
    assert "disabled" in (await reader.open(f"{path}/send")).raw


async def test_what_changed_while_somebody_looked_is_not_approved(api: Api, reader: Reader) -> None:
    path = await to_many(api)
    asked = await reader.open(f"{path}/approve")
    await api.http.patch(f"/v1{path}", json={"text": "Другое"}, headers={"If-Match": "*"})
    refused = await reader.submit(f"{path}/approve", {"digest": asked.value("digest")})
    assert (refused.status, "Рассылку изменили после того, как вы её открыли" in refused.text) == (409, True)


async def test_an_approval_is_withdrawn_and_the_history_has_both(api: Api, reader: Reader) -> None:
    path = await to_many(api)
    await approve(reader, path)
    page = await reader.submit(f"{path}/withdraw", {})
    history = page.text.partition(" История ")[2]
    assert "Отправить пока нельзя" in page.text
    assert history.index("Согласование отозвано") < history.index("Согласовано") < history.index("Создана")


async def test_the_list_says_what_waits(api: Api, reader: Reader) -> None:
    path = await to_many(api)
    assert f'data-load="{path}/approval"' in (await reader.open("/broadcasts")).raw
    words = [(await reader.open(f"{path}/approval")).text.strip()]
    await approve(reader, path)
    words.append((await reader.open(f"{path}/approval")).text.strip())
    assert words == ["нужно согласование", "согласовано"]
