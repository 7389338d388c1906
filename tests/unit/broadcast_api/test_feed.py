"""Who watches live is told what is, and never what was."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from typing import Any
from uuid import UUID, uuid4

import pytest

from broadcast_api.entrypoints.http.feed import Change, Feed

HEARTBEAT = 0.05
SELDOM = 3600.0


class Rows:
    """What is stored, by id; counts how often it was read."""

    def __init__(self, *ids: UUID) -> None:
        self.stored: dict[UUID, Any] = dict.fromkeys(ids, ("created",))
        self.reads = 0
        self.before_answering: Callable[[], object] = lambda: None

    def read(self, ids: Collection[UUID]) -> Mapping[UUID, Any]:
        self.reads += 1
        found = {id: self.stored[id] for id in ids if id in self.stored}
        self.before_answering()
        return found


async def change_told(watching: AsyncIterator[Change | None]) -> Change:
    """The next one, however many heartbeats come before it."""
    async with asyncio.timeout(5):
        async for change in watching:
            if change is not None:
                return change
    raise AssertionError("the stream ended")


async def told(watching: AsyncIterator[Change | None]) -> Any:
    """The next state."""
    return (await change_told(watching)).row


async def test_who_joins_a_colleague_is_told_how_it_stands_now_and_not_what_the_colleague_was_told_last() -> None:
    id = uuid4()
    rows = Rows(id)
    feed = Feed(rows.read, interval=SELDOM)
    colleague = feed.watch([id], HEARTBEAT)
    assert await told(colleague) == ("created",)
    rows.stored[id] = ("sending",)
    assert await told(feed.watch([id], HEARTBEAT)) == ("sending",)
    assert await told(colleague) == ("sending",), "and the colleague hears of it, too"


async def test_an_older_answer_that_comes_late_takes_nobody_back() -> None:
    id = uuid4()
    rows = Rows(id)
    feed = Feed(rows.read, interval=0.01)
    first = feed.watch([id], HEARTBEAT)
    assert await told(first) == ("created",)
    begun, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        rows.before_answering = lambda: None
        begun.set()
        go_on.wait(5)

    rows.before_answering = hold
    assert await asyncio.to_thread(begun.wait, 5), "the poller has read and does not answer yet"
    rows.stored[id] = ("sending",)
    asyncio.get_running_loop().call_later(0.2, go_on.set)
    second = feed.watch([id], HEARTBEAT)
    assert await told(second) == ("sending",)
    assert [change.row async for change in _soon(second) if change] == []


async def _soon(watching: AsyncIterator[Change | None]) -> AsyncIterator[Change | None]:
    for _ in range(4):
        yield await anext(watching)


async def test_many_are_read_at_once_and_each_change_is_told_once() -> None:
    ids = [uuid4() for _ in range(25)]
    rows = Rows(*ids)
    watching = Feed(rows.read, interval=0.01).watch(ids, HEARTBEAT)
    assert [await told(watching) for _ in ids] == [("created",)] * 25
    assert rows.reads == 1
    rows.stored[ids[7]] = ("sending",)
    change = await change_told(watching)
    assert (change.id, change.row) == (ids[7], ("sending",))
    assert await anext(watching) is None


async def test_it_ends_with_the_last_of_them() -> None:
    one, other = uuid4(), uuid4()
    rows = Rows(one, other)
    watching = Feed(rows.read, interval=0.01).watch([one, other], HEARTBEAT)
    assert [await told(watching), await told(watching)] == [("created",)] * 2
    del rows.stored[one]
    assert await told(watching) is None
    assert await anext(watching) is None, "one is left"
    del rows.stored[other]
    assert await told(watching) is None
    with pytest.raises(StopAsyncIteration):
        await anext(watching)


async def test_nobody_is_asked_about_when_nobody_watches() -> None:
    id = uuid4()
    rows = Rows(id)
    feed = Feed(rows.read, interval=0.01)
    watching = feed.watch([id], HEARTBEAT)
    await told(watching)
    await watching.aclose()  # type: ignore[attr-defined]
    reads = rows.reads
    await asyncio.sleep(0.1)
    assert rows.reads == reads
    assert await told(feed.watch([id], HEARTBEAT)) == ("created",)
    feed.close()
