"""Admins give services keys: no more than they hold themselves, once seen, on record, ended at a click."""

import re

import pytest
from fastapi import FastAPI

from tests.integration.identity.conftest import Browser, client
from tests.support.broadcast_api import Api
from tests.support.console import Reader, Seen
from tests.support.identity import bearer, identity, sign_in


@pytest.fixture
def admin(app: FastAPI, browser: Browser) -> Reader:
    """Of the bot `main`, where they write, too."""
    reader = browser(app)
    sign_in(reader.http, app, "main=admin+author+approver,other=author", name="Анна Петрова")
    return reader


async def make(reader: Reader, *roles: str, name: str = "Кадровая программа", days: str = "90") -> Seen:
    return await reader.submit("/people/keys", {"name": name, "roles": list(roles), "days": days})


async def test_a_key_is_seen_once_opens_what_it_says_and_is_revoked_by_a_click(
    api: Api, app: FastAPI, admin: Reader
) -> None:
    page = await make(admin, "main=author", "main=viewer")
    key = re.findall(r"tbk_[\w-]+", page.raw)[0]
    assert "Не использовался" in page.text
    async with client(app, {"Authorization": f"Bearer {key}"}) as service:
        assert (await service.get("/v1/broadcasts")).status_code == 200
        page = await admin.open("/people/keys")
        assert ("Использовался " in page.text, "Не использовался" in page.text) == (True, False)
        assert key not in page.raw
        assert "Кадровая программа" in page.text
        assert "Анна Петрова" in page.text
        asked = next(link for link in page.links() if link.endswith("/revoke"))
        assert "сразу потеряют доступ" in (await admin.open(asked)).text
        page = await admin.submit(asked, {})
        assert "Ключ отозван" in page.text
        assert asked not in page.links()
        assert (await service.get("/v1/broadcasts")).status_code == 401
    assert (await admin.submit(asked, {})).status == 404
    entries = (await api.http.get("/v1/audit")).json()["items"]
    told = [(entry["what"], entry["title"], entry["bot"], entry["by"]["name"]) for entry in entries]
    assert told == [(what, "Кадровая программа", "main", "Анна Петрова") for what in ("key.revoked", "key.created")]
    assert entries[1]["details"] == {"roles": "main=author+viewer", "days": 90}
    assert {entry["subject"] for entry in entries} == {asked.split("/")[3]}
    assert key not in (await api.http.get("/v1/audit/export")).text
    assert "Ключ API выдан Бот main: смотрит, готовит" in (await admin.open("/audit")).text


@pytest.mark.parametrize("role", ["main=sender", "main=approver", "other=author", "*=viewer", "main=root", "nonsense"])
async def test_nobody_gives_what_they_do_not_hold_or_do_not_administer(app: FastAPI, admin: Reader, role: str) -> None:
    assert f'value="{role}"' not in (await admin.open("/people/keys")).raw
    assert (await make(admin, "main=author", role)).status == 403
    assert identity(app).keys.all() == []


@pytest.mark.parametrize(
    ("name", "roles", "days", "words"),
    [
        (" ", ["main=author"], "90", "Нужно название ключа"),
        ("x" * 101, ["main=author"], "90", "Нужно название ключа"),
        ("Кадры", [], "90", "Не выбрано ни одной роли"),
        ("Кадры", ["main=author"], "9999999", "У ключа должен быть срок"),
    ],
)
async def test_what_is_missing_is_told_and_the_rest_stays_filled_in(
    app: FastAPI, admin: Reader, name: str, roles: list[str], days: str, words: str
) -> None:
    page = await make(admin, *roles, name=name, days=days)
    assert (page.status, words in page.text, page.value("name")) == (422, True, name)
    assert page.raw.count(" checked") == len(roles)
    assert identity(app).keys.all() == []


async def test_keys_that_open_more_than_one_administers_are_out_of_sight(app: FastAPI, admin: Reader) -> None:
    for roles in ("*=viewer", "main=viewer,other=viewer", "other=author"):
        bearer(app, roles, name=f"Чужой {roles}")
    bearer(app, "main=sender", name="Свой")
    page = await admin.open("/people/keys")
    assert ("Чужой" in page.text, "Свой" in page.text) == (False, True)
    for row in identity(app).keys.all():
        status = (await admin.open(f"/people/keys/{row.id}/revoke")).status
        assert status == (200 if row.name == "Свой" else 404)
