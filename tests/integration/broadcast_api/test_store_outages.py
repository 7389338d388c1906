"""A PostgreSQL that goes away: answered as a problem, and forgotten when it is back."""

import asyncio
from pathlib import Path

import httpx
import psycopg
from sqlalchemy import Engine, create_engine

from broadcast_api.app import build
from broadcast_api.settings import Settings
from tests.support.broadcast_api import Api
from tests.support.identity import bearer
from tests.support.postgres import PostgresServer, fresh_database, with_tables


async def test_a_restart_of_postgresql_is_survived(postgres_server: str, postgres_dsn: str) -> None:
    url = with_tables(postgres_dsn.replace("postgresql://", "postgresql+psycopg://"))
    app = build(Settings(database_url=url, event_store=postgres_dsn))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api", headers=bearer(app)) as http,
    ):
        api = Api(http, app)
        await api.people(1)
        id = (await api.broadcast())["id"]
        await asyncio.to_thread(end_every_session, postgres_server, postgres_dsn)
        assert (await api.press("send", id)).json()["status"] == "sending"
        await asyncio.to_thread(end_every_session, postgres_server, postgres_dsn)
        assert (await http.get("/readyz")).status_code == 200


async def test_readiness_falls_while_postgresql_is_away_and_rises_when_it_is_back(own_postgres: PostgresServer) -> None:
    with fresh_database(own_postgres.dsn) as dsn:
        url = with_tables(dsn.replace("postgresql://", "postgresql+psycopg://"))
        app = build(Settings(database_url=url, event_store=dsn))
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as http,
        ):
            assert (await http.get("/readyz")).status_code == 200
            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute("CHECKPOINT")  # the tests' server may forget its latest commits when it goes
            await asyncio.to_thread(own_postgres.stop)
            try:
                away = await http.get("/readyz")
                assert (away.status_code, away.json()["faults"]) == (503, {"database": "does not answer"})
                assert (await http.get("/livez")).status_code == 200
            finally:
                await asyncio.to_thread(own_postgres.start)
            assert (await http.get("/readyz")).status_code == 200


async def test_a_database_that_does_not_answer_is_a_problem_and_not_ready(tmp_path: Path) -> None:
    url = with_tables(f"sqlite:///{tmp_path}/b.db")
    app = build(Settings(database_url=url, event_store=f"sqlite:///{tmp_path}/e.db"))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://api", headers=bearer(app)) as http,
    ):
        app.state.services.queries._database.engine = unreachable()
        answer = await http.get("/v1/broadcasts")
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:broadcasts:problem:unavailable")
        assert answer.headers["retry-after"] == "1"
        assert (await http.get("/readyz")).json() == {
            "status": "unavailable",
            "faults": {"database": "does not answer"},
        }
        assert (await http.get("/livez")).status_code == 200


def end_every_session(server: str, dsn: str) -> None:
    database = dsn.rpartition("/")[2]
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database])


def unreachable() -> Engine:
    return create_engine("postgresql+psycopg://nobody@127.0.0.1:1/none", connect_args={"connect_timeout": 1})
