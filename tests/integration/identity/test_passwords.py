"""Signing in with a local account."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI

from broadcast_api.__main__ import served
from broadcast_api.adapters import accounts as module
from broadcast_api.adapters.accounts import BadAccount
from broadcast_api.domain.identity import parse_roles
from broadcast_api.settings import Settings
from tests.integration.identity.conftest import Browser, Build
from tests.support.console import Reader, Seen
from tests.support.identity import identity

PASSWORD = "correct horse battery"


@pytest.fixture
def anna(app: FastAPI) -> str:
    """Her login."""
    identity(app).accounts.create("anna", "Анна Петрова", "Кадры", parse_roles("main=author"), PASSWORD)
    return "anna"


async def attempt(reader: Reader, login: str, password: str, **more: str) -> Seen:
    return await reader.submit("/sign-in", {"login": login, "password": password, "next": "/broadcasts", **more})


async def test_who_signs_in_sees_their_name_and_what_they_may_do(app: FastAPI, browser: Browser, anna: str) -> None:
    reader = browser(app)
    assert (await reader.open("/broadcasts")).path == "/sign-in"
    page = await attempt(reader, "Anna", PASSWORD)
    assert page.path == "/broadcasts"
    assert "Анна Петрова" in page.text
    assert "готовит" in (await reader.open("/you")).text


async def test_signing_in_leads_back_to_the_page_that_was_wanted(app: FastAPI, browser: Browser, anna: str) -> None:
    reader = browser(app)
    wanted = await reader.open("/broadcasts?sort=name&text=а б")
    next = [attributes["value"] for _, attributes in wanted.tags if attributes.get("name") == "next"][-1]
    page = await attempt(reader, anna, PASSWORD, next=next)
    assert page.status == 200
    assert 'value="а б"' in page.raw


async def test_no_sign_in_leads_to_another_site(app: FastAPI, browser: Browser, anna: str) -> None:
    for next in ("//evil.example", "https://evil.example", "/\\evil.example"):
        reader = browser(app)
        assert (await attempt(reader, anna, PASSWORD, next=next)).path == "/broadcasts"
        assert reader.http.base_url.host == "api"


async def test_a_wrong_login_and_a_wrong_password_look_the_same(app: FastAPI, browser: Browser, anna: str) -> None:
    reader = browser(app)
    one, two = await attempt(reader, anna, "wrong"), await attempt(reader, "nobody", "wrong")
    assert (one.status, two.status) == (401, 401)
    assert one.raw.replace("anna", "") == two.raw.replace("nobody", "")


async def test_both_cost_the_same_hash(app: FastAPI, anna: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[str] = []
    verify = module.hasher.verify

    class Counting:
        def verify(self, hashed: str, password: str) -> bool:
            looked_at.append(hashed[:10])
            return verify(hashed, password)

    monkeypatch.setattr(module, "hasher", Counting())
    for login in (anna, "nobody"):
        assert identity(app).accounts.check(login, "wrong", "192.0.2.1") is None
    assert looked_at == ["$argon2id$"] * 2


async def test_a_hundred_wrong_passwords_at_once_are_looked_at_ten_times(
    app: FastAPI, browser: Browser, anna: str
) -> None:
    reader = browser(app)
    await reader.open("/sign-in")
    pages = await asyncio.gather(*(attempt(reader, anna, f"wrong {n}") for n in range(100)))
    statuses = [page.status for page in pages]
    assert (statuses.count(401), statuses.count(429)) == (10, 90)
    refused = await attempt(reader, anna, PASSWORD)
    assert refused.status == 429, "not even the right one"
    assert 0 < int(refused.headers["retry-after"]) <= 900


async def test_an_address_that_tries_every_login_is_stopped(app: FastAPI, anna: str) -> None:
    accounts = identity(app).accounts
    for n in range(module.FAILURES_OF_ADDRESS):
        assert accounts.check(f"guess-{n}", "wrong", "192.0.2.1") is None
    with pytest.raises(module.TooManyAttempts):
        accounts.check(anna, PASSWORD, "192.0.2.1")
    assert accounts.check(anna, PASSWORD, "192.0.2.2") is not None, "others go on"


@pytest.mark.parametrize(
    ("connected", "statuses"),
    [("10.1.2.3", [401, 401, 429, 401]), ("198.51.100.7", [401, 401, 429, 429])],
    ids=["our proxy", "somebody who says so"],
)
async def test_an_address_is_the_one_that_our_proxy_saw_and_nobody_else_can_name_another(
    built: Build, anna: str, monkeypatch: pytest.MonkeyPatch, connected: str, statuses: list[int]
) -> None:
    """Without it all the world has the address of the Ingress, and fifty failures keep everybody out."""
    monkeypatch.setattr(module, "FAILURES_OF_ADDRESS", 2)
    proxies = ("10.1.0.0/16",)
    config = served(built(proxies=proxies), Settings(proxies=proxies))
    config.load()
    transport = httpx.ASGITransport(config.loaded_app, client=(connected, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as http:
        reader = Reader(http)
        await reader.open("/sign-in")
        found = []
        for n, said in enumerate(["192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2"]):
            http.headers["X-Forwarded-For"] = said
            found.append((await attempt(reader, f"guess-{n}", "wrong")).status)
    assert found == statuses


async def test_an_office_that_signs_in_all_morning_is_not_stopped(app: FastAPI, anna: str) -> None:
    for _ in range(module.FAILURES_OF_ADDRESS + 1):
        assert identity(app).accounts.check(anna, PASSWORD, "192.0.2.1") is not None


async def test_a_session_that_an_attacker_planted_is_not_the_one_that_begins(
    app: FastAPI, browser: Browser, anna: str
) -> None:
    """Session fixation: with a token that nobody began, and with one of the attacker's own."""
    identity(app).accounts.create("eve", "Ева", "", parse_roles("other=viewer"), PASSWORD)
    eve, victim = browser(app), browser(app)
    await attempt(eve, "eve", PASSWORD)
    for planted in ("planted", eve.http.cookies["session"]):
        victim.http.cookies.clear()
        victim.http.cookies.set("session", planted, domain="api.local")
        await attempt(victim, anna, PASSWORD)
        began = [cookie.value for cookie in victim.http.cookies.jar if cookie.name == "session"]
        assert planted not in began
        assert identity(app).sessions.principal(planted) is None, "what was planted opens nothing any more"


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(app: FastAPI, browser: Browser, anna: str) -> None:
    reader = browser(app)
    form = await reader.open("/sign-in")
    fields = {"csrf": form.value("csrf"), "login": anna, "password": PASSWORD}
    answer = await reader.http.post("/sign-in", data=fields)
    cookie = _set(answer, "session=")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    over_https = await reader.http.post(
        "https://api/sign-in", data=fields, headers={"Cookie": f"csrf={fields['csrf']}"}
    )
    assert "Secure" in _set(over_https, "session=")


async def test_who_signed_out_is_out_on_the_server_too(app: FastAPI, browser: Browser, anna: str) -> None:
    reader = browser(app)
    await attempt(reader, anna, PASSWORD)
    token = reader.http.cookies["session"]
    page = await reader.submit("/sign-out", {})
    assert (page.path, "Вы вышли" in page.text) == ("/sign-in", True)
    assert identity(app).sessions.principal(token) is None


@pytest.mark.parametrize("change", [{"roles": parse_roles("main=viewer")}, {"disabled": True}, {"password": "x" * 12}])
async def test_what_an_administrator_changes_takes_effect_at_once(
    app: FastAPI, browser: Browser, anna: str, change: dict[str, object]
) -> None:
    reader = browser(app)
    await attempt(reader, anna, PASSWORD)
    identity(app).accounts.change(anna, **change)
    assert (await reader.open("/broadcasts")).path == "/sign-in"
    assert (await attempt(reader, anna, PASSWORD)).status == (200 if "roles" in change else 401)


async def test_another_site_can_sign_nobody_in_or_out(app: FastAPI, browser: Browser, anna: str) -> None:
    reader = browser(app)
    await attempt(reader, anna, PASSWORD)
    for path in ("/sign-in", "/sign-out"):
        for forged in ({"csrf": "guessed"}, {"csrf": ""}):
            assert (await reader.submit(path, {"login": anna, "password": PASSWORD, **forged})).status == 403
        assert (await reader.submit(path, {}, {"Origin": "http://evil.example"})).status == 403
    assert (await reader.open("/broadcasts")).path == "/broadcasts"


async def test_a_script_whose_session_has_ended_is_told_so_and_gets_no_page(app: FastAPI, browser: Browser) -> None:
    for headers in ({"X-Part": "1"}, {"Accept": "text/event-stream"}):
        answer = await browser(app).http.get("/broadcasts", headers=headers)
        assert (answer.status_code, answer.content) == (401, b"")


@pytest.mark.parametrize(
    ("login", "password"), [("", PASSWORD), ("a b", PASSWORD), ("x" * 65, PASSWORD), ("b", "short")]
)
def test_an_account_that_would_be_weak_is_not_made(app: FastAPI, login: str, password: str) -> None:
    with pytest.raises(BadAccount):
        identity(app).accounts.create(login, "B", "", parse_roles("main=viewer"), password)


def _set(answer: httpx.Response, start: str) -> str:
    return next(c for c in answer.headers.get_list("set-cookie") if c.startswith(start) and "Max-Age=0" not in c)
