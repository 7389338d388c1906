"""Server-Sent Events and shutdown, against a real server process."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local.credentials import local_key
from deploy.local.stack import free_port

Event = dict[str, str]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """The whole process, without a NATS that answers."""
    opened(tmp_path)  # makes the tables
    port = free_port()
    settings = {
        "BROADCAST_PORT": str(port),
        "BROADCAST_DATABASE_URL": f"sqlite:///{tmp_path}/broadcasts.db",
        "BROADCAST_EVENT_STORE": f"sqlite:///{tmp_path}/events.db",
        "BROADCAST_NATS_URL": f"nats://127.0.0.1:{free_port()}",
        "BROADCAST_HEARTBEAT_SECONDS": "0.3",
        "BROADCAST_LIVE_POLL_SECONDS": "0.05",
        "BROADCAST_LOG_LEVEL": "warning",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "broadcast_api", "serve", env={**os.environ, **settings}
    )
    url = f"http://127.0.0.1:{port}"
    async with httpx.AsyncClient() as http:
        for _ in range(600):
            try:
                await http.get(f"{url}/livez")
                break
            except httpx.TransportError:
                await asyncio.sleep(0.1)
    yield url, process
    if process.returncode is None:
        process.kill()
        await process.wait()


async def test_a_change_reaches_every_watcher_and_shutdown_ends_them_cleanly(
    server: tuple[str, asyncio.subprocess.Process],
    tmp_path: Path,
) -> None:
    url, process = server
    async with httpx.AsyncClient(base_url=url, timeout=20, headers=opened(tmp_path)) as http:
        not_ready = await http.get("/readyz")
        assert (not_ready.status_code, not_ready.json()["faults"]) == (503, {"nats": "not connected"})
        audience = {"bot": "main", "name": "Все", "definition": {"kind": "everyone"}}
        await http.put("/v1/recipients", json={"bot": "main", "recipients": [{"chat_id": 1}]})
        draft = {"bot": "main", "name": "n", "text": "t"}
        draft["audience_id"] = (await http.post("/v1/audiences", json=audience)).json()["id"]
        id = (await http.post("/v1/broadcasts", json=draft)).json()["id"]
        path = f"/v1/broadcasts/{id}/live"
        async with watching(http, path, "ru") as russian, watching(http, path, "en") as english:
            first = await next_event(english)
            assert (await next_event(russian))["id"] == first["id"]
            assert (first["event"], shown(first)["status"]) == ("broadcast", "created")
            assert (await next_line(english)).startswith(":")  # a heartbeat
            await http.post(f"/v1/broadcasts/{id}/send")
            change = await next_event(english)
            assert (shown(change)["status"], shown(change)["run"]) == ("sending", 1)
            assert shown(await next_event(russian))["status_label"] == "идёт отправка"
            assert change["id"] != first["id"]
            async with watching(http, path, "en", change["id"]) as again:  # a reconnect that missed nothing
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(next_event(again), 0.7)
            process.send_signal(signal.SIGTERM)
            with pytest.raises(StopAsyncIteration):
                await asyncio.wait_for(next_event(english), 5)
        assert await asyncio.wait_for(process.wait(), 10) == 0


async def test_a_deleted_broadcast_ends_its_stream(
    server: tuple[str, asyncio.subprocess.Process], tmp_path: Path
) -> None:
    url, _ = server
    async with httpx.AsyncClient(base_url=url, timeout=20, headers=opened(tmp_path)) as http:
        audience = {"bot": "main", "name": "Все", "definition": {"kind": "everyone"}}
        draft = {"bot": "main", "name": "n", "text": "t"}
        draft["audience_id"] = (await http.post("/v1/audiences", json=audience)).json()["id"]
        id = (await http.post("/v1/broadcasts", json=draft)).json()["id"]
        async with watching(http, f"/v1/broadcasts/{id}/live", "en") as lines:
            await next_event(lines)
            await http.delete(f"/v1/broadcasts/{id}")
            assert (await next_event(lines))["event"] == "deleted"
            with pytest.raises(StopAsyncIteration):
                await next_event(lines)


async def test_a_bad_setting_is_one_clear_line_and_exit_code_2() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "broadcast_api", "serve"),
        env={**os.environ, "BROADCAST_BATCH_SIZE": "0"},
        stderr=asyncio.subprocess.PIPE,
    )
    _, error = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 2
    assert error.decode().count("\n") == 1
    assert "BROADCAST_BATCH_SIZE" in error.decode()


def opened(folder: Path) -> dict[str, str]:
    """The header that opens the server."""
    return {"Authorization": f"Bearer {local_key(f'sqlite:///{folder}/broadcasts.db', folder)}"}


@asynccontextmanager
async def watching(
    http: httpx.AsyncClient, path: str, language: str, seen: str | None = None
) -> AsyncIterator[AsyncIterator[str]]:
    headers = {"Accept-Language": language, **({"Last-Event-ID": seen} if seen else {})}
    async with http.stream("GET", path, headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield answer.aiter_lines()


async def next_line(lines: AsyncIterator[str]) -> str:
    """The next line with something in it."""
    while not (line := await anext(lines)):
        pass
    return line


async def next_event(lines: AsyncIterator[str]) -> Event:
    """The next event; comments are passed over."""
    event: Event = {}
    while True:
        line = await anext(lines)
        if line and not line.startswith((":", "retry")):
            name, _, value = line.partition(": ")
            event[name] = value
        elif not line and event:
            return event


def shown(event: Event) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(event["data"])
    return data
