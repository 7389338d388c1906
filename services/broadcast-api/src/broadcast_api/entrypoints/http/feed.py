"""One poller for all who watch broadcasts live: a connection costs an event, not a query."""

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

    token: str
    row: Any


class Feed:
    """`read` is called in a thread, for all watched broadcasts at once, every `interval` seconds while any is."""

    def __init__(self, read: Read, interval: float) -> None:
        self._read, self._interval = read, interval
        self._watchers: dict[UUID, set[asyncio.Event]] = {}
        self._latest: dict[UUID, Change] = {}
        self._poller: asyncio.Task[None] | None = None
        self._closed = False

    async def watch(self, id: UUID, row: Any, heartbeat: float) -> AsyncIterator[Change | None]:
        """The present state, which the caller has just read, then every change.

        None when nothing changed for `heartbeat` seconds. A slow reader misses what lies between, never the last state.
        """
        news = asyncio.Event()
        self._watchers.setdefault(id, set()).add(news)
        self._latest.setdefault(id, _change(row))
        if self._poller is None and not self._closed:
            self._poller = asyncio.create_task(self._poll())
        try:
            change = self._latest[id]
            yield change
            while change.row is not None and not self._closed:
                try:
                    await asyncio.wait_for(news.wait(), heartbeat)
                except TimeoutError:
                    yield None
                    continue
                news.clear()
                if self._latest[id] != change:
                    change = self._latest[id]
                    yield change
        finally:
            self._leave(id, news)

    def close(self) -> None:
        """End every connection: the process is shutting down. Only in the event loop's thread."""
        self._closed = True
        for watchers in self._watchers.values():
            for news in watchers:
                news.set()

    def _leave(self, id: UUID, news: asyncio.Event) -> None:
        self._watchers[id].discard(news)
        if not self._watchers[id]:
            del self._watchers[id], self._latest[id]
        if not self._watchers and self._poller is not None:
            self._poller.cancel()
            self._poller = None

    async def _poll(self) -> None:
        while not self._closed:
            await asyncio.sleep(self._interval)
            ids = list(self._watchers)
            try:
                rows = await asyncio.to_thread(self._read, ids)
            except Exception:
                log.warning("live_poll_failed", exc_info=True)
                continue
            for id in ids:
                self._tell(id, _change(rows.get(id)))

    def _tell(self, id: UUID, change: Change) -> None:
        if id in self._watchers and self._latest[id].token != change.token:
            self._latest[id] = change
            for news in self._watchers[id]:
                news.set()


def _change(row: Any) -> Change:
    state = None if row is None else tuple(row)
    return Change(hashlib.sha256(repr(state).encode("utf-8", "replace")).hexdigest()[:16], row)
