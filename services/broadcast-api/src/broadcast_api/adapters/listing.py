"""In which order broadcasts are listed, a page at a time, each order from an index of its own.

Whatever is ordered by its sending has a second part: what was never sent, newest first, after all that was.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Row, Select, literal, tuple_

from broadcast_api.adapters.schema import broadcasts, runs
from broadcast_api.domain.broadcast import Status


class Sort(StrEnum):
    """A minus: the largest or latest first."""

    NEWEST = "-created"
    OLDEST = "created"
    NAME = "name"
    NAME_DOWN = "-name"
    SENT_LAST = "-sent"
    SENT_FIRST = "sent"
    DELIVERED_MOST = "-delivered"
    DELIVERED_LEAST = "delivered"

    @property
    def column(self) -> Column[Any]:
        """What is compared; for `delivered` the latest run has it."""
        return _COLUMNS[self.removeprefix("-")]

    @property
    def down(self) -> bool:
        """Whether the largest comes first."""
        return self.startswith("-")

    @property
    def by_run(self) -> bool:
        """Whether the order is one of runs."""
        return self.column.table is runs

    @property
    def by_sending(self) -> bool:
        """Whether a broadcast that was never sent has nothing to be compared by."""
        return self.removeprefix("-") in ("sent", "delivered")


_COLUMNS: dict[str, Column[Any]] = {
    "created": broadcasts.c.created_at,
    "name": broadcasts.c.search,
    "sent": broadcasts.c.sent_at,
    "delivered": runs.c.delivered,
}

RUN_STATES: dict[str, tuple[str, ...]] = {
    Status.CREATED: ("recalled",),
    Status.SENDING: ("sending", "stopping"),
    Status.STOPPED: ("stopped",),
    Status.RECALLING: ("recalling",),
    Status.SENT: ("sent",),
}
"""What the latest run of a broadcast with this status is, so that the index of runs can serve the filter."""


@dataclass(frozen=True, slots=True)
class PageEnd:
    """Where a page ends. `unsent` says that it ends among those never sent: then `key` is when it was created."""

    key: datetime | str | int
    id: UUID
    unsent: bool = False


Read = Callable[[Select[Any]], Sequence[Row[Any]]]


def listed(
    query: Select[Any],
    everything: Select[Any],
    sort: Sort,
    status: str | None,
    after: PageEnd | None,
    limit: int,
    read: Read,
) -> Sequence[Row[Any]]:
    """Both select broadcasts with their latest run, every other filter already said: `query` may leave out what was
    never sent where the order is by sending, `everything` leaves out nothing."""
    rows: Sequence[Row[Any]] = []
    if after is None or not after.unsent:
        rows = read(_page(_of_status(query, sort, status), sort.column, sort.down, after, limit))
    if sort.by_sending and len(rows) < limit and status in (None, Status.CREATED):
        never = everything.where(broadcasts.c.status == Status.CREATED, broadcasts.c.sent_at.is_(None))
        start = after if after is not None and after.unsent else None
        rest = read(_page(never, broadcasts.c.created_at, True, start, limit - len(rows)))
        return [*rows, *rest]
    return rows


def page_end(row: Any, sort: Sort) -> PageEnd:
    """Where a page that ends with this row ends."""
    if sort.by_sending and row.sent_at is None:
        return PageEnd(row.created_at, row.id, unsent=True)
    return PageEnd(getattr(row, sort.column.name), row.id)


def _of_status(query: Select[Any], sort: Sort, status: str | None) -> Select[Any]:
    if sort.by_sending:
        query = query.where(broadcasts.c.sent_at.is_not(None))
    if sort.by_run and status is not None:
        query = query.where(runs.c.state.in_(RUN_STATES[status]))
    return query if status is None else query.where(broadcasts.c.status == status)


def _page(query: Select[Any], key: Column[Any], down: bool, after: PageEnd | None, limit: int) -> Select[Any]:
    """The id that breaks a tie is in the same table as the key, and so in its index."""
    id = runs.c.broadcast_id if key.table is runs else broadcasts.c.id
    if after is not None:
        here = tuple_(literal(after.key, key.type), literal(after.id, id.type))
        query = query.where(tuple_(key, id) < here if down else tuple_(key, id) > here)
    return query.order_by(*((key.desc(), id.desc()) if down else (key, id))).limit(limit)
