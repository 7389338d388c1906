"""The API and its console, with whatever settings a test of identity needs, on SQLite."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from broadcast_api.app import build
from broadcast_api.settings import Settings
from tests.support.broadcast_api import Api
from tests.support.console import Reader
from tests.support.identity import bearer
from tests.support.oidc_provider import AUDIENCE, CLIENT_ID, CLIENT_SECRET, OidcProvider, oidc_provider
from tests.support.postgres import with_tables

ADDRESS = "http://api"

Build = Callable[..., FastAPI]


@pytest.fixture
def built(tmp_path: Path) -> Build:
    """An application with these settings."""
    with_tables(f"sqlite:///{tmp_path}/b.db")

    def make(**more: Any) -> FastAPI:
        urls = {"database_url": f"sqlite:///{tmp_path}/b.db", "event_store": f"sqlite:///{tmp_path}/e.db"}
        return build(Settings(**{**urls, "bots": ("main", "other"), "public_url": ADDRESS, **more}))

    return make


@pytest.fixture
def app(built: Build) -> FastAPI:
    """With local accounts."""
    return built()


@pytest.fixture
def provider() -> Iterator[OidcProvider]:
    with oidc_provider(f"{ADDRESS}/sign-in/back") as provider:
        yield provider


@pytest.fixture
def app_with_provider(built: Build, provider: OidcProvider) -> FastAPI:
    """Where people sign in at the provider."""
    return built(
        oidc_issuer=provider.issuer,
        oidc_client_id=CLIENT_ID,
        oidc_client_secret=CLIENT_SECRET,
        oidc_audience=AUDIENCE,
        oidc_claims={"position": "title", "roles": "groups"},
        oidc_roles={"senders": "main=author+sender", "lookers": "other=viewer"},
    )


Browser = Callable[[FastAPI], Reader]


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """A new browser each time it is called; nobody is signed in."""
    clients: list[httpx.AsyncClient] = []

    def make(app: FastAPI) -> Reader:
        clients.append(client(app, {"Accept": "text/html", "Accept-Language": "ru"}))
        return Reader(clients[-1])

    yield make
    for http in clients:
        await http.aclose()


@pytest.fixture
async def api(app: FastAPI) -> AsyncIterator[Api]:
    """Somebody who may do everything, for getting there."""
    async with client(app, bearer(app)) as http:
        yield Api(http, app)


def client(app: FastAPI, headers: dict[str, str] | None = None) -> httpx.AsyncClient:
    """Of HTTP v1, with these headers on every request."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url=ADDRESS, headers=headers)
