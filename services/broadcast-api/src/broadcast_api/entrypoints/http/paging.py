"""Cursors: opaque, and good for the list they came from."""

import base64
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, Field

from broadcast_api.adapters.listing import PageEnd, Sort, page_end
from broadcast_api.adapters.queries import Place, utc
from broadcast_api.entrypoints.http.models import storable
from broadcast_api.entrypoints.http.problems import Problem

T = TypeVar("T")
R = TypeVar("R")

Limit = Annotated[int, Query(ge=1, le=500, description="rows of a page")]
Cursor = Annotated[str | None, Query(max_length=1000, description="`next` of the page before")]
SearchText = Annotated[str, Query(max_length=200, pattern=r"^[^\x00]*$", description="part of a name, in any case")]


class Page(BaseModel, Generic[T]):
    """`next` is null on the last page."""

    items: list[T]
    next: str | None = Field(None, description="pass it as `cursor` to get the next page")


def page(rows: Sequence[R], limit: int, show: Callable[[R], T], place: Callable[[R], list[Any]]) -> Page[T]:
    """A page of rows that were asked for with one more than `limit`."""
    shown = rows[:limit]
    more = len(rows) > limit
    return Page[T](items=[show(row) for row in shown], next=_encode(place(shown[-1])) if more else None)


def place_of(row: Any) -> list[Any]:
    """Where a page of a list by time ends."""
    return [utc(row.created_at).isoformat(), row.id.hex]


def time_and_id(cursor: str | None) -> Place | None:
    """Read back what `place_of` wrote."""
    if cursor is None:
        return None
    try:
        time, id = _decode(cursor)
        return datetime.fromisoformat(time).astimezone(UTC), UUID(id)
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise Problem(422, "bad_cursor") from error


def end_of(row: Any, sort: Sort) -> list[Any]:
    """Where a page of broadcasts in this order ends."""
    end = page_end(row, sort)
    key = utc(end.key).isoformat() if isinstance(end.key, datetime) else end.key
    return [sort, key, end.id.hex, end.unsent]


def broadcast_end(cursor: str | None, sort: Sort) -> PageEnd | None:
    """Read back what `end_of` wrote. A cursor of another order is none of this list."""
    if cursor is None:
        return None
    try:
        order, key, id, unsent = _decode(cursor)
        kind = datetime if unsent else sort.column.type.python_type
        found: Any = datetime.fromisoformat(key).astimezone(UTC) if kind is datetime else key
        sound = type(found) is kind and isinstance(unsent, bool)
        if order != sort or not sound or (unsent and not sort.by_sending) or (kind is int and abs(found) >= 2**31):
            raise ValueError(cursor)
        storable(str(found))
        return PageEnd(found, UUID(id), unsent)
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise Problem(422, "bad_cursor") from error


def number(cursor: str | None) -> int | None:
    """Read back the number of a list by number."""
    if cursor is None:
        return None
    try:
        (value,) = _decode(cursor)
    except (ValueError, TypeError) as error:
        raise Problem(422, "bad_cursor") from error
    if type(value) is not int or abs(value) >= 2**63:  # true is a number to Python, and none to PostgreSQL
        raise Problem(422, "bad_cursor")
    return value


def _encode(place: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(place, ensure_ascii=False).encode()).decode().rstrip("=")


def _decode(cursor: str) -> Any:
    try:
        return json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except RecursionError as error:  # a thousand brackets
        raise ValueError("nested too deep") from error
