"""The API without duties, over HTTP, on each engine in turn."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from broadcast_api.app import build
from broadcast_api.settings import Settings
from tests.support.broadcast_api import Api
from tests.support.identity import bearer


@pytest.fixture
def nats_url() -> str:
    """Nobody is there: only files need NATS."""
    return "nats://127.0.0.1:1"


@pytest.fixture
async def app(database_url: str, event_store_url: str, nats_url: str) -> AsyncIterator[FastAPI]:
    settings = Settings(
        nats_url=nats_url,
        database_url=database_url,
        event_store=event_store_url,
        bots=("main", "other"),
        test_wait_seconds=0.3,
        live_poll_seconds=0.05,
        heartbeat_seconds=0.2,
    )
    app = build(settings)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def api(app: FastAPI) -> AsyncIterator[Api]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://api", headers=bearer(app)) as http:
        yield Api(http, app)
