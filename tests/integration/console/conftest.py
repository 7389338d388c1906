"""The console without duties, on SQLite, read as a browser without scripts reads it."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from broadcast_api.app import build
from broadcast_api.settings import Settings
from tests.support.broadcast_api import Api
from tests.support.console import Reader
from tests.support.identity import bearer, sign_in
from tests.support.postgres import with_tables


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        database_url=with_tables(f"sqlite:///{tmp_path}/broadcasts.db"),
        event_store=f"sqlite:///{tmp_path}/events.db",
        test_wait_seconds=0.2,
        live_poll_seconds=0.05,
    )


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[Api]:
    app = build(settings)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    client = httpx.AsyncClient(transport=transport, base_url="http://api", headers=bearer(app))
    async with app.router.lifespan_context(app), client as http:
        yield Api(http, app)


@pytest.fixture
async def reader(api: Api) -> AsyncIterator[Reader]:
    transport = httpx.ASGITransport(api.app, raise_app_exceptions=False)
    headers = {"Accept": "text/html", "Accept-Language": "ru"}
    async with httpx.AsyncClient(transport=transport, base_url="http://api", headers=headers) as http:
        sign_in(http, api.app)
        yield Reader(http)
