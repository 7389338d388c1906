"""Who did what, when, to what: a row for each event of the log, to search by, and the events themselves to export."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, func, insert, select

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.event_store import EventStore, Notification
from broadcast_api.adapters.schema import audit
from broadcast_api.adapters.search import contains
from broadcast_api.domain.act import Act
from broadcast_api.domain.call import Obeyed

PAGE = 500
_ENVELOPE = {"originator_id", "originator_version", "originator_topic", "timestamp", "by", "request"}
_ABOUT = {"what", "subject", "bot", "title"}


@dataclass(frozen=True, slots=True)
class Filter:
    """`bots` None: all, and what belongs to none. `person` is a part of a name or id, `subject` an id. `until` is not
    included."""

    bots: Collection[str] | None = None
    person: str = ""
    subject: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Of rows."""
        given: list[ColumnElement[bool]] = [] if self.bots is None else [audit.c.bot.in_(sorted(self.bots))]
        if self.person:
            given.append(contains(audit.c.person, self.person))
        if self.subject:
            given.append(audit.c.subject == self.subject)
        if self.since:
            given.append(audit.c.at >= _utc(self.since))
        if self.until:
            given.append(audit.c.at < _utc(self.until))
        return given


class Audit:
    """Synchronous: call it from a thread."""

    def __init__(self, database: Database, store: EventStore) -> None:
        self._database, self._store = database, store

    @property
    def log(self) -> str:
        """What tells this event log from any other."""
        return self._store.epoch

    def page(self, wanted: Filter, before: int | None, limit: int) -> Sequence[Row[Any]]:
        """Newest first."""
        query = select(audit).where(*wanted.conditions()).order_by(audit.c.number.desc()).limit(limit)
        with self._database.read() as connection:
            return connection.execute(query if before is None else query.where(audit.c.number < before)).all()

    def entries(self, after: int, bots: Collection[str] | None = None) -> Iterator[dict[str, Any]]:
        """What an export says of each event, oldest first, up to what is shown now. Memory stays flat."""
        of_bots = Filter(bots).conditions()
        with self._database.read() as connection:
            end: int = connection.scalar(select(func.max(audit.c.number))) or 0
        while after < end and (section := self._store.notifications(after, PAGE)):
            last = min(section[-1].id, end)
            within = audit.c.number.between(after + 1, last)
            with self._database.read() as connection:
                rows = {row.number: row for row in connection.execute(select(audit).where(within, *of_bots))}
            yield from (_entry(one, rows[one.id]) for one in section if one.id in rows)
            after = last


def note(connection: Connection, notification: Notification) -> None:
    """The row of an event, in the transaction of whatever else the event changes."""
    event = notification.event
    assert isinstance(event, Obeyed)
    topic = str(getattr(event, "TOPIC", ""))
    what, subject = topic, str(event.originator_id)
    if isinstance(event, Act.Created):
        what, subject, bot, title = event.what, event.subject, event.bot, event.title
    else:
        bot, title = getattr(event, "bot", ""), getattr(event, "name", "")
        if not bot or not title:
            before = select(audit.c.bot, audit.c.title).where(audit.c.subject == subject)
            known = connection.execute(before.order_by(audit.c.number.desc()).limit(1)).one_or_none()
            bot, title = bot or (known.bot if known else ""), title or (known.title if known else "")
    by = event.by or {}
    connection.execute(
        insert(audit).values(
            number=notification.id,
            at=event.timestamp.astimezone(UTC),
            what=what,
            subject=subject,
            title=title,
            bot=bot,
            by_id=by.get("id", ""),
            by_name=by.get("name", ""),
            by_position=by.get("position", ""),
            person=f"{by.get('name', '')} {by.get('id', '')}".lower().strip(),
            request_id=event.request.get("id", ""),
            details=event.details if isinstance(event, Act.Created) else {},
        )
    )


def _entry(notification: Notification, row: Any) -> dict[str, Any]:
    """From the event itself; of the row only the bot and the title, which most events do not repeat."""
    event = notification.event
    assert isinstance(event, Obeyed)
    said = {name: _plain(value) for name, value in vars(event).items() if name not in _ENVELOPE}
    act = isinstance(event, Act.Created)
    return {
        "number": notification.id,
        "at": event.timestamp.isoformat(),
        "what": row.what,
        "about": {"id": row.subject, "bot": row.bot, "title": row.title},
        "version": notification.version,
        "by": event.by,
        "request_id": event.request.get("id", ""),
        "details": said["details"] if act else {n: v for n, v in said.items() if n not in _ABOUT},
    }


def _utc(at: datetime) -> datetime:
    """The first and the last day there is have no equal in another zone."""
    try:
        return at.astimezone(UTC)
    except OverflowError:
        return at.replace(tzinfo=UTC)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, UUID) else value
