"""What is shown: broadcasts with the counts of their latest run, deliveries, test messages, audiences.

Lists are read by keyset, so that a page costs the same however deep it is and rows added meanwhile shift nothing.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, ColumnElement, Row, Select, Table, Text, and_, cast, func, literal, or_, select, tuple_

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.listing import PageEnd, Sort, listed
from broadcast_api.adapters.schema import (
    audience_members,
    audiences,
    batches,
    broadcasts,
    deliveries,
    exceptional,
    recipients,
    runs,
)
from broadcast_api.adapters.search import contains
from broadcast_api.adapters.timeline import Point, points
from broadcast_contracts import Outcome

EXPORT_PAGE = 2_000
FEW = 1_000
REASONS = 50  # Telegram has far fewer ways to say no

_CHAT_ID = re.compile(r"-?[0-9]{1,16}")

COUNTS = ("total", "delivered", "failed", "blocked", "unconfirmed", "skipped", "recalled", "unrecalled")

_LATEST_RUN = and_(runs.c.broadcast_id == broadcasts.c.id, runs.c.run == broadcasts.c.run)
_SHOWN = select(
    broadcasts,
    audiences.c.name.label("audience_name"),
    runs.c.frozen,
    *(func.coalesce(runs.c[name], 0).label(name) for name in COUNTS),
)
_ITS_AUDIENCE = audiences.c.id == broadcasts.c.audience_id
_BROADCASTS = _SHOWN.select_from(broadcasts.outerjoin(audiences, _ITS_AUDIENCE).outerjoin(runs, _LATEST_RUN))
_SENT_BROADCASTS = _SHOWN.select_from(runs.join(broadcasts, _LATEST_RUN).outerjoin(audiences, _ITS_AUDIENCE))
"""Only those with a run; the runs come first, so that they can give the order."""

Place = tuple[datetime, UUID]
"""Where a page of a list by time ends: the time and id of its last row."""


def utc(time: datetime) -> datetime:
    """SQLite gives times without a zone; all are UTC."""
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


class Queries:
    """Synchronous: call it from a thread. With `bots` nothing exists but what is theirs."""

    def __init__(self, database: Database, bots: Collection[str] | None = None) -> None:
        self._database, self._bots = database, bots

    def within(self, bots: Collection[str] | None) -> "Queries":
        """The same, of these bots only; None leaves out nothing."""
        return Queries(self._database, bots)

    def broadcast(self, id: UUID) -> Row[Any] | None:
        """One broadcast with the counts of its latest run."""
        return self._first(_BROADCASTS.where(broadcasts.c.id == id, *self._seen(broadcasts)))

    def broadcasts_by_id(self, ids: Collection[UUID]) -> dict[UUID, Row[Any]]:
        """Those of the ids that exist."""
        query = _BROADCASTS.where(broadcasts.c.id.in_(ids), *self._seen(broadcasts))
        return {row.id: row for row in self._all(query)}

    def broadcasts(
        self, *, status: str | None, text: str, after: PageEnd | None, limit: int, sort: Sort = Sort.NEWEST
    ) -> Sequence[Row[Any]]:
        """A page of the list in this order."""
        named = [*self._seen(broadcasts), *([contains(broadcasts.c.search, text)] if text else [])]
        query = _SENT_BROADCASTS if sort.by_run else _BROADCASTS
        return listed(query.where(*named), _BROADCASTS.where(*named), sort, status, after, limit, self._all)

    def test(self, broadcast_id: UUID, test: int) -> Row[Any] | None:
        """What became of a test message: outcome, reason, message_ids."""
        of_tests = and_(runs.c.broadcast_id == broadcast_id, runs.c.run == 0)
        query = select(deliveries).join(runs, runs.c.id == deliveries.c.run_id)
        return self._first(query.where(of_tests, deliveries.c.position == test, *self._seen(runs)))

    def run_id(self, broadcast_id: UUID, run: int) -> int | None:
        """The row of a run."""
        of_run = (runs.c.broadcast_id == broadcast_id, runs.c.run == run)
        found = self._first(select(runs.c.id).where(*of_run, *self._seen(runs)))
        return None if found is None else int(found.id)

    def deliveries(
        self,
        run_id: int,
        *,
        outcome: str | None,
        answered: bool | None = None,
        text: str = "",
        after: int | None,
        limit: int,
    ) -> Sequence[Row[Any]]:
        """The recipients of a run in order of position, each with what the directory says of them."""
        return self._all(_delivered(self._chosen(run_id, outcome, answered, text), after, limit))

    def export(
        self, run_id: int, *, outcome: str | None, answered: bool | None = None, text: str = ""
    ) -> Iterator[Row[Any]]:
        """All of them, a page at a time: memory stays flat."""
        chosen = self._chosen(run_id, outcome, answered, text)
        after: int | None = None
        while page := self._all(_delivered(chosen, after, EXPORT_PAGE)):
            yield from page
            after = page[-1].position

    def _chosen(self, run_id: int, outcome: str | None, answered: bool | None, text: str) -> list[ColumnElement[bool]]:
        chosen = [deliveries.c.run_id == run_id]
        if outcome is not None:
            chosen.append(_with_outcome(outcome))
        if answered is not None:
            chosen.append(deliveries.c.answer.is_not(None) if answered else deliveries.c.answer.is_(None))
        if text:
            named = self._named(text)
            by_chat = _CHAT_ID.fullmatch(text) is not None
            chosen.append(or_(named, deliveries.c.chat_id == int(text)) if by_chat else named)
        return chosen

    def _named(self, text: str) -> ColumnElement[bool]:
        """The few are found in the directory first, so that a run is read without it; many are met soon anyway."""
        inside = contains(recipients.c.search, text.removeprefix("@"))
        ids = [row.id for row in self._all(select(recipients.c.id).where(inside).limit(FEW + 1))]
        return inside if len(ids) > FEW else deliveries.c.recipient_id.in_(ids)

    def timeline(self, run_id: int) -> list[Point]:
        """How the outcomes of a run came in."""
        query = select(batches.c.timeline).where(batches.c.run_id == run_id, batches.c.version > 0)
        return points(row.timeline for row in self._all(query))

    def reasons(self, run_id: int) -> Sequence[Row[Any]]:
        """outcome, reason, people: those of a run who did not get it, most frequent first."""
        return self._all(_grouped(deliveries.c.outcome, deliveries.c.reason, run_id).where(exceptional))

    def recall_reasons(self, run_id: int) -> Sequence[Row[Any]]:
        """outcome, reason, people: those of a run whose message stayed, most frequent first. Reads the whole run."""
        outcome = deliveries.c.recall_outcome
        return self._all(_grouped(outcome, deliveries.c.recall_reason, run_id).where(outcome != Outcome.RECALLED))

    def audience(self, id: UUID) -> Row[Any] | None:
        """One audience, archived or not."""
        return self._first(select(audiences).where(audiences.c.id == id, *self._seen(audiences)))

    def audiences(self, *, bot: str | None, archived: bool, after: Place | None, limit: int) -> Sequence[Row[Any]]:
        """Newest first."""
        query = select(audiences).where(audiences.c.archived == archived, *self._seen(audiences))
        query = _newest_first(query, audiences.c.created_at, audiences.c.id, after, limit)
        return self._all(query if bot is None else query.where(audiences.c.bot == bot))

    def usage(self, audience_id: UUID, limit: int) -> tuple[Sequence[Row[Any]], Sequence[Row[Any]]]:
        """The broadcasts that go to an audience, and the audiences whose rules name it; newest first."""
        by = select(broadcasts).where(broadcasts.c.audience_id == audience_id, *self._seen(broadcasts))
        named = cast(audiences.c.definition, Text).contains(str(audience_id))
        inside = select(audiences).where(named, audiences.c.id != audience_id, *self._seen(audiences))
        return (
            self._all(_newest_first(by, broadcasts.c.created_at, broadcasts.c.id, None, limit)),
            self._all(_newest_first(inside, audiences.c.created_at, audiences.c.id, None, limit)),
        )

    def members(self, audience_id: UUID) -> list[int]:
        """The directory ids of an explicit list."""
        query = select(audience_members.c.recipient_id).where(audience_members.c.audience_id == audience_id)
        return [row.recipient_id for row in self._all(query.order_by(audience_members.c.recipient_id))]

    def _seen(self, table: Table) -> list[ColumnElement[bool]]:
        return [] if self._bots is None else [table.c.bot.in_(sorted(self._bots))]

    def _all(self, query: Select[Any]) -> Sequence[Row[Any]]:
        with self._database.read() as connection:
            return connection.execute(query).all()

    def _first(self, query: Select[Any]) -> Row[Any] | None:
        with self._database.read() as connection:
            return connection.execute(query).one_or_none()


def _grouped(outcome: Column[str], reason: Column[str], run_id: int) -> Select[Any]:
    people = func.count().label("people")
    columns: list[ColumnElement[Any]] = [outcome.label("outcome"), reason.label("reason"), people]
    query = select(*columns).where(deliveries.c.run_id == run_id)
    return query.group_by(outcome, reason).order_by(people.desc()).limit(REASONS)


def _newest_first(
    query: Select[Any], time: Column[datetime], id: Column[UUID], after: Place | None, limit: int
) -> Select[Any]:
    if after is not None:
        query = query.where(tuple_(time, id) < tuple_(literal(after[0], time.type), literal(after[1], id.type)))
    return query.order_by(time.desc(), id.desc()).limit(limit)


def _delivered(chosen: Sequence[ColumnElement[bool]], after: int | None, limit: int) -> Select[Any]:
    people = [recipients.c[name] for name in ("first_name", "last_name", "username", "department")]
    with_people = deliveries.outerjoin(recipients, recipients.c.id == deliveries.c.recipient_id)
    query = select(deliveries, *people).select_from(with_people).where(*chosen)
    query = query if after is None else query.where(deliveries.c.position > after)
    return query.order_by(deliveries.c.position).limit(limit)


def _with_outcome(outcome: str) -> ColumnElement[bool]:
    if outcome == "pending":
        return deliveries.c.outcome.is_(None)
    equal = deliveries.c.outcome == outcome
    return equal if outcome == Outcome.DELIVERED else and_(equal, exceptional)
