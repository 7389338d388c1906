"""Whoever reaches the console does not reach the numbers."""

from pathlib import Path

import httpx
import pytest

from broadcast_api.app import build
from broadcast_api.settings import Settings
from deploy.local.stack import free_port
from tests.support.postgres import with_tables


async def test_the_numbers_are_on_a_port_of_their_own_and_not_where_the_console_is(tmp_path: Path) -> None:
    port = free_port()
    url = with_tables(f"sqlite:///{tmp_path}/b.db")
    app = build(Settings(database_url=url, event_store=f"sqlite:///{tmp_path}/e.db", metrics_port=port))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        httpx.AsyncClient(transport=transport, base_url="http://api") as public,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as internal,
    ):
        async with app.router.lifespan_context(app):
            assert (await public.get("/metrics")).status_code == 404
            numbers = (await internal.get("/metrics")).text
            assert 'http_requests_total{method="GET",route="none",status="404"} 1.0' in numbers
            assert "broadcasts_leader 0.0" in numbers
        with pytest.raises(httpx.ConnectError):
            await internal.get("/metrics")
