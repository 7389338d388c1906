"""What moves by itself."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

from starlette.requests import Request

from broadcast_api.domain.identity import EVERYTHING
from broadcast_api.entrypoints.console import live
from broadcast_api.entrypoints.console.pace import Pace
from broadcast_api.entrypoints.console.page import make_page
from tests.support.broadcast_api import Api


async def watching(api: Api, *ids: str, newest: str | None = None) -> AsyncIterator[str]:
    """The events of the stream, without the beats; `newest` is what the page knew, the last of the ids unless told.
    (An ASGI transport would wait for the end of the answer.)"""
    scope = {"type": "http", "app": api.app, "path": "/broadcasts", "query_string": b"", "method": "GET"}
    request = Request(
        {**scope, "headers": [(b"accept-language", b"ru")], "state": {"request_id": "1", "scope": EVERYTHING}}
    )
    wanted = [UUID(id) for id in ids]
    known = UUID(newest) if newest else wanted[-1] if wanted else None
    answer = await live.live_list(make_page(request), wanted, known)
    async for event in answer.body_iterator:
        text = bytes(event).decode() if not isinstance(event, str) else event
        if not text.startswith("event: beat"):
            yield text


async def following(events: AsyncIterator[str], words: str) -> str:
    async with asyncio.timeout(5):
        async for event in events:
            if words in event:
                return event
    raise AssertionError(f"the stream ended without {words!r}")


async def test_a_stream_begins_with_the_present_state_and_tells_every_change(api: Api) -> None:
    id = await api.in_state("sending")
    events = watching(api, id)
    assert f'<tr id="b-{id}"' in await following(events, "Идёт отправка")
    await api.press("stop", id)
    await following(events, "Останавливается")


async def test_a_new_or_deleted_broadcast_makes_the_list_stale(api: Api) -> None:
    id = (await api.broadcast())["id"]
    events = watching(api, id)
    await following(events, "Создана")
    await api.broadcast(name="Ещё одна")
    await following(events, "event: stale")
    await api.http.delete(f"/v1/broadcasts/{id}")
    await following(events, "event: stale")


async def test_a_broadcast_created_before_the_stream_was_open_makes_the_list_stale(api: Api) -> None:
    id = (await api.broadcast())["id"]
    missed = (await api.broadcast(name="Ещё одна"))["id"]
    await following(watching(api, id), "event: stale")
    heard = [event async for event in first(2, watching(api, id, newest=missed))]
    assert [event for event in heard if "event: stale" in event] == []


async def test_who_joins_others_is_told_nothing_older_than_what_they_saw(api: Api) -> None:
    id = await api.in_state("created")
    events = watching(api, id)
    await following(events, "Создана")
    await api.press("send", id)
    assert "Создана" not in await anext(watching(api, id))


async def first(n: int, events: AsyncIterator[str]) -> AsyncIterator[str]:
    """No more than these, and no longer than two seconds."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(2):
            for _ in range(n):
                yield await anext(events)


async def test_an_empty_list_is_watched_too(api: Api) -> None:
    events = watching(api)
    waiting = asyncio.create_task(following(events, "event: stale"))
    await asyncio.sleep(0.2)
    await api.broadcast()
    await waiting


def test_a_pace_is_measured_over_the_last_seconds_and_never_guessed() -> None:
    pace = Pace()
    pace.add(100.0, 0)
    assert pace.left(300) is None
    for second in range(1, 31):
        pace.add(100.0 + second, 30 * second)
    assert pace.per_second == 30
    assert pace.left(300) == timedelta(seconds=10)


def test_a_standstill_has_a_pace_of_nothing_and_no_end_in_sight() -> None:
    pace = Pace()
    for second in range(40):
        pace.add(float(second), min(second, 5) * 10)
    assert pace.per_second == 0
    assert pace.left(300) is None


def test_what_was_measured_of_another_run_is_forgotten() -> None:
    pace = Pace()
    pace.add(0.0, 100)
    pace.add(10.0, 200)
    assert pace.per_second == 10
    pace.add(11.0, 0)
    assert pace.left(100) is None
