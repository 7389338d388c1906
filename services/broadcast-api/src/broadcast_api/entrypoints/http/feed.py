"""One poller for all who watch broadcasts live: a connection costs a query, and then events."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

log = logging.getLogger(__name__)

Read = Callable[[Collection[UUID]], Mapping[UUID, Any]]


@dataclass(frozen=True, slots=True)
class Change:
    """A broadcast as it is now; `row` is None once it was deleted. `token` tells one state from another."""

    id: UUID
    token: str
    row: Any


class Feed:
    """`read` is called in a thread, for all watched broadcasts at once, every `interval` seconds while any is."""

    def __init__(self, read: Read, interval: float) -> None:
        self._read, self._interval = read, interval
        self._watchers: dict[UUID, set[asyncio.Event]] = {}
        self._latest: dict[UUID, Change] = {}
        self._one_at_a_time = asyncio.Lock()
        self._poller: asyncio.Task[None] | None = None
        self._closed = False

    async def watch(self, ids: Collection[UUID], heartbeat: float) -> AsyncIterator[Change | None]:
        """Each as it is now, then every change, until the last of them is deleted.

        None when nothing changed for `heartbeat` seconds. A slow reader misses what lies between, never the last
        state; nobody is told a state older than one that they could have read before they began to watch.
        """
        news = asyncio.Event()
        for id in ids:
            self._watchers.setdefault(id, set()).add(news)
        if self._poller is None and not self._closed:
            self._poller = asyncio.create_task(self._poll())
        told: dict[UUID, Change] = {}
        try:
            await self._look(ids)
            while not self._closed:
                news.clear()
                for change in [self._latest[id] for id in ids]:
                    if told.get(change.id) is not change:
                        told[change.id] = change
                        yield change
                if all(change.row is None for change in told.values()):
                    return
                try:
                    await asyncio.wait_for(news.wait(), heartbeat)
                except TimeoutError:
                    yield None
        finally:
            self._leave(ids, news)

    def close(self) -> None:
        """End every connection: the process is shutting down. Only in the event loop's thread."""
        self._closed = True
        for watchers in self._watchers.values():
            for news in watchers:
                news.set()

    def _leave(self, ids: Collection[UUID], news: asyncio.Event) -> None:
        for id in ids:
            self._watchers[id].discard(news)
            if not self._watchers[id]:
                del self._watchers[id]
                self._latest.pop(id, None)
        if not self._watchers and self._poller is not None:
            self._poller.cancel()
            self._poller = None

    async def _poll(self) -> None:
        while not self._closed:
            await asyncio.sleep(self._interval)
            try:
                await self._look(list(self._watchers))
            except Exception:
                log.warning("live_poll_failed", exc_info=True)

    async def _look(self, ids: Collection[UUID]) -> None:
        """Of two that read at once, the older answer might come last."""
        async with self._one_at_a_time:
            rows = await asyncio.to_thread(self._read, ids)
            for id in ids:
                self._tell(_change(id, rows.get(id)))

    def _tell(self, change: Change) -> None:
        latest = self._latest.get(change.id)
        if change.id in self._watchers and (latest is None or latest.token != change.token):
            self._latest[change.id] = change
            for news in self._watchers[change.id]:
                news.set()


def _change(id: UUID, row: Any) -> Change:
    state = None if row is None else tuple(row)
    return Change(id, hashlib.sha256(repr(state).encode("utf-8", "replace")).hexdigest()[:16], row)
