"""Pages that move: parts of them over Server-Sent Events, rendered as the page itself renders them."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event

from broadcast_api.adapters.imports import Imports
from broadcast_api.adapters.queries import Queries
from broadcast_api.domain.broadcast import Status
from broadcast_api.domain.errors import NotFound
from broadcast_api.entrypoints.console.access import VIEWER
from broadcast_api.entrypoints.console.broadcasts import ROWS, Shown, newest_of, shown
from broadcast_api.entrypoints.console.chart import chart
from broadcast_api.entrypoints.console.pace import Pace
from broadcast_api.entrypoints.console.page import Page, Viewed
from broadcast_api.entrypoints.console.route import pages
from broadcast_api.entrypoints.http.streams import streamed
from broadcast_contracts import Counts

BEAT_SECONDS = 3.0
"""A browser that hears nothing for a few beats connects again: a laptop that slept does not notice by itself."""

RETRY_MILLISECONDS = 2_000
NEWEST = UUID(int=0)
"""Watched like a broadcast: which one is the newest."""

router = pages()


def watched(queries: Queries, imports: Imports) -> Callable[[Collection[UUID]], Mapping[UUID, Any]]:
    """What the feed reads: broadcasts and imports by id, and which broadcast is the newest."""

    def read(ids: Collection[UUID]) -> Mapping[UUID, Any]:
        rows: dict[UUID, Any] = dict(queries.broadcasts_by_id(ids))
        if others := set(ids) - rows.keys() - {NEWEST}:
            rows.update(imports.by_id(others))
        return {**rows, NEWEST: (newest_of(queries),)} if NEWEST in ids else rows

    return read


@router.get("/broadcasts/live", dependencies=[VIEWER])
async def live_list(
    page: Viewed,
    id: Annotated[list[UUID], Query(max_length=ROWS)] = [],  # noqa: B006
    newest: UUID | None = None,
) -> StreamingResponse:
    """Event `patch` with the rows that changed, `stale` when the list itself did since `newest` was the newest."""
    rows = await asyncio.to_thread(page.door.queries.broadcasts_by_id, id)
    return beating(page, _list(page, [one for one in id if one in rows], newest))


async def _list(page: Page, ids: Sequence[UUID], known: UUID | None) -> AsyncGenerator[bytes]:
    yield format_sse_event(event="beat", data_str=".", retry=RETRY_MILLISECONDS)
    async for change in page.door.feed.watch([NEWEST, *ids], BEAT_SECONDS):
        if change is None:
            yield format_sse_event(event="beat", data_str=".")
        elif change.id == NEWEST:
            first = await asyncio.to_thread(newest_of, page.door.queries)
            if first != known:
                yield format_sse_event(event="stale", data_str=".")
            known = first
        elif change.row is None:
            yield format_sse_event(event="stale", data_str=".")
        else:
            html = page.text("part_row.html", it=await _shown(page, change.row), asks_approval=False)
            yield format_sse_event(event="patch", data_str=f"<table><tbody>{html}</tbody></table>")


@router.get("/broadcasts/{id}/live", dependencies=[VIEWER])
async def live_one(id: UUID, page: Viewed) -> StreamingResponse:
    """Event `patch` with the state, the counts and how fast they grow; `stale` after a deletion."""
    if await asyncio.to_thread(page.door.queries.broadcast, id) is None:
        raise NotFound("broadcast", id)
    return beating(page, _one(page, id))


async def _one(page: Page, id: UUID) -> AsyncGenerator[bytes]:
    yield format_sse_event(event="beat", data_str=".", retry=RETRY_MILLISECONDS)
    pace, drawing, said = Pace(), Drawing(page), ""
    async for change in page.door.feed.watch([id], BEAT_SECONDS):
        if change is not None and change.row is None:
            yield format_sse_event(event="stale", data_str=".")
            return
        if change is not None:
            row = change.row
        if change is not None or row.status != Status.CREATED:
            it = await _shown(page, row)
        moves = change is not None or row.status in (Status.SENDING, Status.RECALLING)
        left = "" if it.recallable_for is None else page.words.countdown(it.recallable_for)
        drawn = await drawing.again(it)
        if not moves and not drawn and left == said:
            yield format_sse_event(event="beat", data_str=".")
            continue
        if moves:
            pace.add(time.monotonic(), it.done if it.recall else it.b.counts.total - it.b.counts.pending)
        said = left
        yield format_sse_event(event="patch", data_str=page.text("part_live.html", it=it, pace=pace) + drawn)


async def _shown(page: Page, row: Any) -> Shown:
    """With its approval while that decides what can be done next."""
    asked = row.status == Status.CREATED
    return shown(row, page, await asyncio.to_thread(page.door.broadcasts.standing, row.id) if asked else None)


class Drawing:
    """The chart of a broadcast, drawn anew where it would look different, and not more often than one can follow."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._drawn: tuple[int, Counts] | None = None
        self._at = 0.0

    async def again(self, it: Shown) -> str:
        """Empty where it stays as it is."""
        moment = (it.b.run, it.b.counts)
        if not it.b.run or moment == self._drawn or time.monotonic() - self._at < BEAT_SECONDS:
            return ""
        self._drawn, self._at = moment, time.monotonic()
        return await asyncio.to_thread(self._draw, it)

    def _draw(self, it: Shown) -> str:
        queries = self._page.door.queries
        run_id = queries.run_id(it.b.id, it.b.run)
        drawn = chart(queries.timeline(run_id), it.b.counts) if run_id else None
        return self._page.text("part_timeline.html", it=it, chart=drawn)


def beating(page: Page, events: AsyncGenerator[bytes]) -> StreamingResponse:
    """A stream that says something at every beat."""
    return streamed(page.request, events, BEAT_SECONDS)
