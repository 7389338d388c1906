"""Signing in at the organisation's provider."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi import FastAPI

from tests.integration.identity.conftest import Browser
from tests.support.console import Reader
from tests.support.oidc_provider import OidcProvider


async def go_there(reader: Reader, next: str = "/broadcasts") -> str:
    """Where the provider sends the browser back to."""
    answer = await reader.http.get("/sign-in/start", params={"next": next})
    assert answer.status_code == 303
    async with httpx.AsyncClient() as http:
        there = await http.get(answer.headers["location"])
    assert there.status_code == 302, there.text
    return there.headers["location"]


async def test_who_signs_in_there_has_the_name_position_and_roles_that_it_claims(
    app_with_provider: FastAPI, browser: Browser, provider: OidcProvider
) -> None:
    reader = browser(app_with_provider)
    assert "учётной записью вашей организации" in (await reader.open("/people")).text
    page = await reader.open(await go_there(reader, "/people"))
    assert page.path == "/people"
    you = await reader.open("/you")
    assert "Анна Петрова" in you.text
    assert "Кадры" in you.text
    assert "Бот main готовит, отправляет" in you.text
    asked = provider.asked[0]
    assert (asked["code_challenge_method"], len(asked["code_challenge"])) == ("S256", 43)


async def test_who_has_no_role_gets_in_and_sees_nothing(
    app_with_provider: FastAPI, browser: Browser, provider: OidcProvider
) -> None:
    provider.user = {"sub": "u-2", "name": "Борис", "groups": ["guests"]}
    reader = browser(app_with_provider)
    assert (await reader.open(await go_there(reader))).status == 403


async def test_a_way_back_that_began_in_another_browser_signs_nobody_in(
    app_with_provider: FastAPI, browser: Browser
) -> None:
    """Login CSRF: the attacker's own code, followed by the victim."""
    attacker, victim = browser(app_with_provider), browser(app_with_provider)
    back = await go_there(attacker)
    await go_there(victim)
    assert (await victim.open(back)).status == 400
    assert "session" not in victim.http.cookies


async def test_a_way_back_works_once(app_with_provider: FastAPI, browser: Browser) -> None:
    reader = browser(app_with_provider)
    back = await go_there(reader)
    state = reader.http.cookies["sign_in"]
    assert (await reader.open(back)).status == 200
    reader.http.cookies.clear()
    reader.http.cookies.set("sign_in", state)
    assert (await reader.open(back)).status == 400


async def test_a_code_of_somebody_else_is_refused_by_pkce(app_with_provider: FastAPI, browser: Browser) -> None:
    thief, victim = browser(app_with_provider), browser(app_with_provider)
    stolen = parse_qs(urlsplit(await go_there(victim)).query)["code"][0]
    own = parse_qs(urlsplit(await go_there(thief)).query)["state"][0]
    answer = await thief.http.get("/sign-in/back", params={"code": stolen, "state": own})
    assert (answer.status_code, "session" in thief.http.cookies) == (401, False)


SPOILT: list[dict[str, Any]] = [
    {"nonce": "another"},
    {"nonce": None},
    {"aud": "another-client"},
    {"aud": None},
    {"iss": "https://evil.example"},
    {"exp": 1},
    {"exp": None},
    {"sub": None},
    {"sub": "somebody else than userinfo says"},
    {"aud": ["console", "x"], "azp": "x"},
]


@pytest.mark.parametrize("lie", SPOILT, ids=str)
async def test_an_id_token_that_is_not_for_this_sign_in_is_refused(
    app_with_provider: FastAPI, browser: Browser, provider: OidcProvider, lie: dict[str, Any]
) -> None:
    provider.spoil = lambda claims: {**claims, **lie}
    reader = browser(app_with_provider)
    answer = await reader.http.get(await go_there(reader))
    assert (answer.status_code, "session" in reader.http.cookies) == (401, False)


async def test_who_said_no_there_is_told_so_here(app_with_provider: FastAPI, browser: Browser) -> None:
    reader = browser(app_with_provider)
    await go_there(reader)
    state = reader.http.cookies["sign_in"]
    answer = await reader.http.get("/sign-in/back", params={"state": state, "error": "access_denied"})
    assert answer.status_code == 401


async def test_passwords_are_not_taken_where_there_is_a_provider(app_with_provider: FastAPI, browser: Browser) -> None:
    reader = browser(app_with_provider)
    await reader.open("/sign-in")
    page = await reader.submit("/sign-in", {"login": "anna", "password": "x"})
    assert (page.path, "session" in reader.http.cookies) == ("/sign-in", False)
