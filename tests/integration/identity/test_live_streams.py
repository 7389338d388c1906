"""A stream that was opened rightly ends when whoever opened it may not look any more."""

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from fastapi import FastAPI

from broadcast_api.domain.identity import parse_roles
from broadcast_api.entrypoints.console import live
from tests.integration.identity.conftest import Browser, Build, client
from tests.support.broadcast_api import Api
from tests.support.identity import identity, sign_in

BEAT = 0.1


@pytest.fixture
def app(built: Build, monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    monkeypatch.setattr(live, "BEAT_SECONDS", BEAT)
    return built(heartbeat_seconds=BEAT, live_poll_seconds=0.05)


@pytest.fixture
async def watched(api: Api) -> AsyncIterator[str]:
    yield await api.in_state("created")
    await asyncio.to_thread(api.app.state.services.feed.close)


async def ends(stream: "asyncio.Task[httpx.Response]", by: Callable[[], object]) -> None:
    """It goes on for some beats, and ends after the act."""
    await asyncio.sleep(5 * BEAT)
    assert not stream.done()
    await asyncio.to_thread(by)
    answer = await asyncio.wait_for(stream, 5)
    assert answer.status_code == 200
    assert answer.text


async def test_a_live_stream_ends_when_its_key_is_revoked(api: Api, watched: str) -> None:
    keys = identity(api.app).keys
    id, key = keys.create("reader", "", parse_roles("main=viewer"), "tests")
    async with client(api.app, {"Authorization": f"Bearer {key}"}) as http:
        await ends(asyncio.create_task(http.get(f"/v1/broadcasts/{watched}/live")), lambda: keys.revoke(id))


@pytest.mark.parametrize("path", ["/broadcasts/live", "/broadcasts/{id}/live"])
async def test_a_page_stops_moving_when_its_official_is_signed_out(
    api: Api, watched: str, browser: Browser, path: str
) -> None:
    http = browser(api.app).http
    sign_in(http, api.app, "main=viewer")
    sessions = identity(api.app).sessions
    stream = asyncio.create_task(http.get(path.format(id=watched), params={"id": watched}))
    await ends(stream, lambda: sessions.end_all("local:operator"))


async def test_a_live_stream_ends_when_the_roles_of_its_account_change(
    api: Api, watched: str, browser: Browser
) -> None:
    accounts = identity(api.app).accounts
    accounts.create("anna", "Anna", "", parse_roles("main=viewer"), "a long password")
    http = browser(api.app).http
    principal = accounts.check("anna", "a long password", "address")
    assert principal
    http.cookies.set("session", identity(api.app).sessions.begin(principal))
    stream = asyncio.create_task(http.get(f"/broadcasts/{watched}/live"))
    await ends(stream, lambda: accounts.change("anna", roles=parse_roles("other=viewer")))
