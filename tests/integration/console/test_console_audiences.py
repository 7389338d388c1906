"""Audiences and people."""

import pytest

from tests.support.broadcast_api import Api
from tests.support.console import Reader


async def test_an_audience_is_created_by_attributes(api: Api, reader: Reader) -> None:
    await api.people(1, 2, department="Кадры")
    await api.people(3, department="IT")
    form = await reader.open("/audiences/new")
    assert "Кадры" in form.text
    fields: dict[str, str | list[str]] = {"bot": "main", "name": "Кадры", "by": "attributes", "department": ["Кадры"]}
    counted = await reader.submit("/audiences/new", {**fields, "check": ""})
    assert "2 получателя" in counted.text
    page = await reader.submit("/audiences/new", fields)
    assert "Аудитория создана" in page.text
    assert "Отдел: Кадры" in page.text


async def test_kinds_of_people_are_not_confused_with_kinds_of_audiences(api: Api, reader: Reader) -> None:
    await api.people(1, kind="contractor")
    await api.people(2, 3, kind="employee")
    fields: dict[str, str | list[str]] = {"bot": "main", "by": "attributes", "kind": ["contractor"]}
    assert "1 получатель" in (await reader.submit("/audiences/preview", fields)).text


async def test_tags_and_days_make_a_rule_that_the_form_can_read_again(api: Api, reader: Reader) -> None:
    await api.people(1, tags=["профком"])
    fields: dict[str, str | list[str]] = {"bot": "main", "name": "Профком", "by": "attributes", "tags": ["профком"]}
    await reader.submit("/audiences/new", {**fields, "joined_after": "2020-01-31"})
    audience = (await api.http.get("/v1/audiences")).json()["items"][0]
    assert audience["definition"]["kind"] == "rule"
    page = await reader.open(f"/audiences/{audience['id']}")
    assert page.value("joined_after") == "2020-01-31"
    assert 'value="профком" checked' in page.raw


async def test_people_are_found_and_chosen_by_name_without_scripts(api: Api, reader: Reader) -> None:
    anna, ivan = [*await api.people(1, first_name="Анна"), *await api.people(2, first_name="Иван")]
    fields: dict[str, str | list[str]] = {"bot": "main", "name": "Двое", "by": "list", "member": [str(anna)]}
    page = await reader.submit("/audiences/new", {**fields, "find": "", "find_text": "иван"})
    assert f'value="{anna}" checked' in page.raw
    assert f'name="member" value="{ivan}">' in page.raw
    await reader.submit("/audiences/new", {**fields, "member": [str(anna), str(ivan)]})
    audience = (await api.http.get("/v1/audiences")).json()["items"][0]["id"]
    stored = (await api.http.get(f"/v1/audiences/{audience}")).json()
    assert stored["definition"] == {"kind": "list", "recipient_ids": [anna, ivan]}


@pytest.mark.parametrize("by", ["attributes", "list", "nonsense"])
async def test_an_audience_of_nobody_is_refused(api: Api, reader: Reader, by: str) -> None:
    page = await reader.submit("/audiences/new", {"bot": "main", "name": "Никто", "by": by})
    assert page.status == 422
    assert "Никто не выбран" in page.text
    assert page.value("name") == "Никто"


async def test_a_dialog_gets_the_new_audience_as_data(api: Api, reader: Reader) -> None:
    fields: dict[str, str | list[str]] = {"bot": "main", "name": "Все", "by": "everyone"}
    answer = await reader.submit("/audiences/new", fields, {"X-Part": "1"})
    assert answer.status == 201
    assert '"name":"Все"' in answer.raw


async def test_an_archived_audience_can_be_seen_and_no_longer_chosen(api: Api, reader: Reader) -> None:
    id = (await api.audience(name="Прежняя"))["id"]
    page = await reader.submit(f"/audiences/{id}/archive", {"version": "1"})
    assert "Аудитория перемещена в архив" in page.text
    assert "Прежняя" not in (await reader.open("/broadcasts/new")).text
    assert "Прежняя" in (await reader.open("/audiences?archived=true")).text
    late = await reader.submit(f"/audiences/{id}", {"bot": "main", "name": "Новая", "by": "everyone", "version": "2"})
    assert late.status == 409
    assert "в архив" in late.text


async def test_who_edits_an_audience_that_changed_is_told(api: Api, reader: Reader) -> None:
    id = (await api.audience())["id"]
    await api.http.patch(f"/v1/audiences/{id}", json={"name": "Чужое"}, headers={"If-Match": '"1"'})
    page = await reader.submit(f"/audiences/{id}", {"bot": "main", "name": "Моё", "by": "everyone", "version": "1"})
    assert page.status == 412
    assert page.value("name") == "Моё"
    assert page.value("version") == "2"


async def test_people_are_searched_and_filtered_by_status(api: Api, reader: Reader) -> None:
    await api.people(1, first_name="Анна", status="blocked")
    await api.people(2, first_name="Иван")
    page = await reader.open("/people?text=АНН&status=blocked")
    assert "Анна" in page.text
    assert "Бот заблокирован" in page.text
    assert "Иван" not in page.text
