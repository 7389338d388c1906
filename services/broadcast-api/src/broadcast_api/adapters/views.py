"""Stored events become rows: each event once, in order, together with the position in one transaction."""

import logging
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from eventsourcing.domain import AggregateEvent
from sqlalchemy import Connection, delete, insert, select, update

from broadcast_api.adapters.audience_sql import resolve
from broadcast_api.adapters.audit import note
from broadcast_api.adapters.database import Database
from broadcast_api.adapters.event_store import EventStore
from broadcast_api.adapters.former_ids import present
from broadcast_api.adapters.schema import (
    audience_members,
    audiences,
    batches,
    broadcasts,
    decisions,
    deliveries,
    positions,
    runs,
)
from broadcast_api.adapters.schema import recipients as directory
from broadcast_api.domain.act import Act
from broadcast_api.domain.audience import Audience
from broadcast_api.domain.broadcast import Broadcast, Status, draft_of
from broadcast_api.domain.call import trace_of
from broadcast_api.domain.draft import Draft
from broadcast_api.domain.errors import BadDefinition
from broadcast_api.domain.rules import NOBODY
from broadcast_contracts import Answer, Outcome

log = logging.getLogger(__name__)

READER = "views"
SECTION = 500


class Views:
    """Any number of threads and replicas may catch up at once."""

    def __init__(self, database: Database, store: EventStore, batch_size: int) -> None:
        self._database, self._store, self._batch_size = database, store, batch_size

    def catch_up(self) -> int:
        """Apply every stored event not applied yet; answers how many there were."""
        with self._database.read() as connection:
            position = self._position(connection)
        applied = 0
        while self._store.notifications(position or 0, 1):  # take no lock when there is nothing to do
            count, position = self._apply_section()
            applied += count
        return applied

    def _apply_section(self) -> tuple[int, int]:
        with self._database.write() as connection:
            position = self._position(connection, lock=True) or 0
            section = self._store.notifications(position, SECTION)
            for notification in section:
                note(connection, notification)
                apply(connection, notification.event, self._batch_size)
                position = notification.id
            connection.execute(update(positions).where(positions.c.reader == READER).values(notification_id=position))
        return len(section), position

    def _position(self, connection: Connection, *, lock: bool = False) -> int | None:
        query = select(positions.c.notification_id).where(positions.c.reader == READER)
        found: int | None = connection.scalar(query.with_for_update() if lock else query)
        if found is None and lock:
            first = self._database.upsert(positions).values(reader=READER, notification_id=0)
            connection.execute(first.on_conflict_do_nothing())
            found = connection.scalar(query.with_for_update())
        return found


def apply(connection: Connection, event: AggregateEvent, batch_size: int) -> None:
    """Change the rows as the event says. Only the duties write what happens inside a run."""
    id, at = event.originator_id, event.timestamp.astimezone(UTC)
    match event:
        case Act.Created():
            return  # what it was about was changed by whoever recorded it
        case Broadcast.Created():
            connection.execute(insert(broadcasts).values(id=id, **_created(event), created_at=at, version=1))
            return
        case Broadcast.Deleted():
            connection.execute(delete(broadcasts).where(broadcasts.c.id == id))
            return
        case Audience.Created():
            values = {"bot": event.bot, "name": event.name, "definition": event.definition}
            connection.execute(insert(audiences).values(id=id, **values, archived=False, created_at=at, version=1))
            _members(connection, id, event.members)
            return
        case Audience.Edited():
            _audience(connection, event, name=event.name, definition=event.definition)
            if event.members is not None or event.definition["kind"] != "list":
                connection.execute(delete(audience_members).where(audience_members.c.audience_id == id))
                _members(connection, id, event.members or [])
            return
        case Audience.Archived():
            _audience(connection, event, archived=True)
            return
        case Broadcast.Edited():
            _broadcast(connection, event, **_content(event))
        case Broadcast.Approved() | Broadcast.ApprovalWithdrawn():
            _broadcast(connection, event)
        case Broadcast.TestRequested():
            _broadcast(connection, event)
            _test(connection, event, at)
        case Broadcast.SendingStarted():
            started = {"status": Status.SENDING, "run": event.run, "sent_at": at}
            _broadcast(connection, event, **started, stopping=False, stop_cause=None, stop_detail=None)
            _start_run(connection, id, event.run, "sending", batch_size, at)
            _run(connection, id, event.run, trace=trace_of(event), send_trace=trace_of(event))
            _write_audience_out(connection, id, event.run)
        case Broadcast.AudienceFrozen():
            _broadcast(connection, event)
        case Broadcast.StopRequested():
            _broadcast(connection, event, stopping=True, stop_cause=event.cause, stop_detail=event.detail)
            _run(connection, id, event.run, state="stopping")
        case Broadcast.Stopped():
            _broadcast(connection, event, status=Status.STOPPED, stopping=False)
            _run(connection, id, event.run, state="stopped")
        case Broadcast.Resumed():
            _go_on(connection, event)
        case Broadcast.UnconfirmedAnswered():
            if event.answer == Answer.RESEND:
                _go_on(connection, event)
            _broadcast(connection, event)
            whom = event.recipients if isinstance(event.recipients, list) else None
            _decide(connection, event, answer=event.answer, recipients=whom)
        case Broadcast.ResendRequested():
            _go_on(connection, event)
            _decide(connection, event)
        case Broadcast.Sent():
            _broadcast(connection, event, status=Status.SENT, stopping=False, stop_cause=None, stop_detail=None)
            _run(connection, id, event.run, state="sent")
        case Broadcast.RecallRequested():
            _broadcast(connection, event, status=Status.RECALLING)
            _run(connection, id, event.run, state="recalling", trace=trace_of(event))
        case Broadcast.Recalled():
            _broadcast(connection, event, status=Status.CREATED, stop_cause=None, stop_detail=None)
            _run(connection, id, event.run, state="recalled")
        case _:
            raise ValueError(f"no view knows {type(event).__name__}")


def _content(event: Broadcast.Created | Broadcast.Edited) -> dict[str, Any]:
    draft = draft_of(event)
    return {**draft.stated(), "audience_id": draft.audience_id, "search": draft.name.lower()}


def _created(event: Broadcast.Created) -> dict[str, Any]:
    by = event.by or {}
    who = {"created_by_name": by.get("name", ""), "created_by_position": by.get("position", "")}
    return {"bot": event.bot, "status": Status.CREATED, **_content(event), **who}


def _broadcast(connection: Connection, event: AggregateEvent, **values: Any) -> None:
    row = broadcasts.c.id == event.originator_id
    connection.execute(update(broadcasts).where(row).values(version=event.originator_version, **values))


def _audience(connection: Connection, event: AggregateEvent, **values: Any) -> None:
    row = audiences.c.id == event.originator_id
    connection.execute(update(audiences).where(row).values(version=event.originator_version, **values))


def _members(connection: Connection, audience_id: UUID, members: list[int]) -> None:
    if members:
        now = present(connection, members)  # somebody's two rows may have become one since the list was checked
        rows = [{"audience_id": audience_id, "recipient_id": member} for member in sorted(now)]
        connection.execute(insert(audience_members), rows)


def _run(connection: Connection, broadcast_id: UUID, run: int, **values: Any) -> None:
    connection.execute(update(runs).where(runs.c.broadcast_id == broadcast_id, runs.c.run == run).values(**values))


def _go_on(
    connection: Connection, event: Broadcast.Resumed | Broadcast.UnconfirmedAnswered | Broadcast.ResendRequested
) -> None:
    _broadcast(connection, event, status=Status.SENDING, stop_cause=None, stop_detail=None)
    _run(connection, event.originator_id, event.run, state="sending", leg=event.leg, trace=trace_of(event))


def _decide(
    connection: Connection, event: Broadcast.UnconfirmedAnswered | Broadcast.ResendRequested, **values: Any
) -> None:
    of_run = (runs.c.broadcast_id == event.originator_id) & (runs.c.run == event.run)
    run_id = connection.execute(select(runs.c.id).where(of_run)).scalar_one()
    connection.execute(insert(decisions).values(run_id=run_id, number=event.originator_version, **values))


def _start_run(connection: Connection, broadcast_id: UUID, run: int, state: str, batch_size: int, at: datetime) -> None:
    """The content is what the broadcast says at this point of the log."""
    row = connection.execute(select(broadcasts).where(broadcasts.c.id == broadcast_id)).one()
    connection.execute(
        insert(runs).values(
            broadcast_id=broadcast_id,
            run=run,
            bot=row.bot,
            audience_id=row.audience_id,
            content=_content_of(row),
            state=state,
            started_at=at,
            batch_size=batch_size,
        )
    )


def _content_of(row: Any) -> dict[str, Any]:
    return Draft.read(row._asdict()).content().model_dump(mode="json")


def _write_audience_out(connection: Connection, broadcast_id: UUID, run: int) -> None:
    """The run keeps the rule as it is at this point of the log: a later edit of any audience in it changes nothing."""
    of_run = (runs.c.broadcast_id == broadcast_id) & (runs.c.run == run)
    started = connection.execute(select(runs).where(of_run)).one()
    audience = connection.execute(select(audiences).where(audiences.c.id == started.audience_id)).one()
    try:
        rule = resolve(connection, started.bot, audience.id, audience.definition)
    except BadDefinition as error:
        # Send refuses this; two edits at the same moment may still have closed a circle.
        log.error("audience_unresolved", extra={"audience": str(audience.id), "error": str(error)})
        rule = NOBODY
    connection.execute(update(runs).where(runs.c.id == started.id).values(audience=rule))


def _test(connection: Connection, event: Broadcast.TestRequested, at: datetime) -> None:
    """A test is a batch of one in run 0. Somebody who left the directory meanwhile is refused at once."""
    id = event.originator_id
    of_tests = (runs.c.broadcast_id == id) & (runs.c.run == 0)
    if connection.scalar(select(runs.c.id).where(of_tests)) is None:
        _start_run(connection, id, 0, "test", 1, at)
    row = connection.execute(select(broadcasts).where(broadcasts.c.id == id)).one()
    _run(connection, id, 0, content=_content_of(row), trace=trace_of(event))
    run_id = connection.scalar(select(runs.c.id).where(of_tests))
    chat_id = connection.scalar(select(directory.c.chat_id).where(directory.c.id == event.recipient_id))
    gone = {"outcome": Outcome.REFUSED, "reason": "not in the directory, or without a chat"} if chat_id is None else {}
    connection.execute(insert(batches).values(run_id=run_id, batch=event.test, size=1, sealed=bool(gone)))
    connection.execute(
        insert(deliveries).values(
            run_id=run_id, position=event.test, recipient_id=event.recipient_id, chat_id=chat_id or 0, **gone
        )
    )
