"""Signing in and out at the organisation's provider."""

import logging
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from tests.integration.identity.conftest import ADDRESS, Browser, Build
from tests.support.console import Reader, Seen
from tests.support.identity import identity, sign_in
from tests.support.oidc_provider import ASKED, OidcProvider


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


def leads_to(page: Seen) -> str:
    """Where a browser goes from this page by itself; "" where it stays."""
    refresh = [tag for _, tag in page.tags if tag.get("http-equiv") == "refresh"]
    return refresh[0]["content"].removeprefix("0; url=") if refresh else ""


async def test_who_signs_out_does_so_at_the_provider_too_and_comes_back(
    app_with_provider: FastAPI, browser: Browser, provider: OidcProvider
) -> None:
    reader = browser(app_with_provider)
    await reader.open(await go_there(reader))
    token = reader.http.cookies["session"]
    page = await reader.submit("/sign-out", {})
    assert (page.status, "session" in reader.http.cookies) == (200, False)
    assert identity(app_with_provider).sessions.principal(token) is None
    assert leads_to(page) in page.links(), "for whoever wants no page to move by itself"
    assert not provider.signed_out
    async with httpx.AsyncClient() as http:
        there = await http.get(leads_to(page))
        assert (there.status_code, there.headers["location"], provider.signed_out) == (302, f"{ADDRESS}/sign-in", True)
        assert "Вы вышли" in (await reader.open(there.headers["location"])).text
        again = await reader.http.get("/sign-in/start")
        assert "Who are you?" in (await http.get(again.headers["location"])).text


async def test_signing_out_stays_here_where_the_provider_announces_no_place_for_it(
    app_with_provider: FastAPI, browser: Browser, provider: OidcProvider
) -> None:
    del provider.places["end_session"]
    reader = browser(app_with_provider)
    await reader.open(await go_there(reader))
    page = await reader.submit("/sign-out", {})
    assert (page.path, "Вы вышли" in page.text, leads_to(page)) == ("/sign-in", True, "")
    assert (await reader.open("/you")).path == "/sign-in"


async def test_signing_out_works_while_the_provider_is_away(built: Build, browser: Browser) -> None:
    app = built(oidc_issuer="http://127.0.0.1:9", oidc_client_id="console")
    reader = browser(app)
    sign_in(reader.http, app)
    token = reader.http.cookies["session"]
    page = await reader.submit("/sign-out", {})
    assert (page.path, "Вы вышли" in page.text) == ("/sign-in", True)
    assert identity(app).sessions.principal(token) is None


async def test_without_a_session_or_with_an_id_token_too_long_for_an_address_the_provider_asks(
    app_with_provider: FastAPI, browser: Browser, provider: OidcProvider
) -> None:
    provider.spoil = lambda claims: {**claims, "photo": "x" * 5_000}
    reader = browser(app_with_provider)
    await reader.open(await go_there(reader))
    for page in (await reader.submit("/sign-out", {}), await reader.submit("/sign-out", {})):
        assert parse_qs(urlsplit(leads_to(page)).query) == {
            "realm": ["staff"],
            "client_id": ["console"],
            "post_logout_redirect_uri": [f"{ADDRESS}/sign-in"],
        }
        async with httpx.AsyncClient() as http:
            assert ASKED in (await http.get(leads_to(page))).text


async def test_no_id_token_is_logged_even_when_it_cannot_be_stored(
    app_with_provider: FastAPI, browser: Browser, provider: OidcProvider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    reader = browser(app_with_provider)
    await reader.open(await go_there(reader))
    page = await reader.submit("/sign-out", {})
    id_token = parse_qs(urlsplit(leads_to(page)).query)["id_token_hint"][0]
    back = await go_there(reader)
    with identity(app_with_provider).sessions._database.write() as connection:
        connection.execute(text("ALTER TABLE sessions DROP COLUMN id_token"))
    assert (await reader.open(back)).status == 503
    assert "database_unavailable" in caplog.messages
    written = "".join(str(vars(record)) for record in caplog.records)
    assert id_token.partition(".")[0] not in written, "the header is the same in all of them"
