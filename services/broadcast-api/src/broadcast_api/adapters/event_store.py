"""The event store: an `eventsourcing` application over an SQLite file or PostgreSQL. The truth of every decision."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit
from uuid import UUID

import psycopg
from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.domain import Aggregate, AggregateEvent, CanMutateAggregate
from eventsourcing.persistence import ApplicationRecorder, IntegrityError
from psycopg.conninfo import conninfo_to_dict

from broadcast_api.adapters.sqlite_folder import alone_in_folder_of
from broadcast_api.application.ports import Conflict
from broadcast_api.domain.audience import Audience
from broadcast_api.domain.broadcast import Broadcast
from broadcast_api.domain.errors import NotFound

log = logging.getLogger(__name__)

A = TypeVar("A", bound=Aggregate)

POSTGRES_LOCK_TIMEOUT_SECONDS = 2  # the library tries ten times; appends hold the lock for about a millisecond
POSTGRES_CONNECT_TIMEOUT_SECONDS = 2
SQLITE_LOCK_TIMEOUT_SECONDS = 15
CREATE_LOCK = 0x6576_656E_7473  # "events"


@dataclass(frozen=True, slots=True)
class Notification:
    """A stored event in its place in the log. `digest` (16 hex digits) names the stored bytes."""

    id: int
    originator_id: UUID
    version: int
    topic: str
    event: AggregateEvent
    digest: str


class EventStore(Application[UUID]):
    """Synchronous: call it from a thread. `url` is `sqlite:///path` or a PostgreSQL DSN."""

    name = "broadcasts"

    def __init__(self, url: str) -> None:
        self._url = url
        super().__init__(environment(url))
        self._epoch = ""

    def construct_recorder(self) -> ApplicationRecorder:
        """Creates the table. Both engines fail when several replicas do it at once: one after another."""
        if self._url.startswith("sqlite"):
            with alone_in_folder_of(self._url):
                return super().construct_recorder()
        with psycopg.connect(_dsn(self._url), autocommit=True) as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", [CREATE_LOCK])
            return super().construct_recorder()

    def broadcast(self, id: UUID) -> Broadcast:
        """Raises `NotFound`."""
        return self._load(Broadcast, "broadcast", id)

    def audience(self, id: UUID) -> Audience:
        """Raises `NotFound`."""
        return self._load(Audience, "audience", id)

    def append(self, aggregate: Aggregate) -> None:
        """Store the pending events; raises `Conflict` when somebody else stored one first.

        When the reply to COMMIT was lost, the library tries again and meets our own events: that is success.
        """
        pending = list(aggregate.pending_events)
        try:
            self.save(aggregate)
        except IntegrityError as error:
            versions = [event.originator_version for event in pending]
            stored = list(self.events.get(aggregate.id, gt=versions[0] - 1, lte=versions[-1]))
            if stored != pending:
                raise Conflict from error
        for event in pending:
            log.info("recorded", extra=_said(event))

    def history(self, id: UUID) -> Sequence[AggregateEvent]:
        """Every event of one aggregate, oldest first."""
        return [_ours(event) for event in self.events.get(id)]

    def notifications(self, after: int, limit: int) -> list[Notification]:
        """Up to `limit` events that follow notification `after`, in the order of the log. Ids may have gaps."""
        return [
            Notification(
                found.id,
                UUID(str(found.originator_id)),
                found.originator_version,
                found.topic,
                _ours(self.mapper.to_domain_event(found)),
                _digest(found.topic, found.state),
            )
            for found in self.recorder.select_notifications(after, limit, inclusive_of_start=False)
        ]

    def max_notification_id(self) -> int:
        """0 while nothing is stored."""
        return self.recorder.max_notification_id() or 0

    @property
    def epoch(self) -> str:
        """What tells this event store from any other: the digest of its first event. Empty while nothing is stored.

        The first event holds a time in microseconds and the id of a request, and it never changes.
        """
        if not self._epoch and (first := self.notifications(0, 1)):
            self._epoch = first[0].digest
        return self._epoch

    def _load(self, kind: type[A], name: str, id: UUID) -> A:
        try:
            found: Aggregate = self.repository.get(id)
        except AggregateNotFoundError:
            raise NotFound(name, id) from None
        if not isinstance(found, kind):
            raise NotFound(name, id)
        return found


def _said(event: CanMutateAggregate[UUID]) -> dict[str, object]:
    """What a log may say of a decision: which, about what, and of which request; not a word of what it holds."""
    topic, request = str(getattr(event, "TOPIC", "")), getattr(event, "request", {})
    about = {f"{topic.partition('.')[0]}_id": str(event.originator_id), "run": getattr(event, "run", None)}
    of_request = {"request_id": request.get("id"), "trace_id": request.get("trace", "")[3:35]}
    fields = {"what": topic, "version": event.originator_version, **about, **of_request}
    return {name: value for name, value in fields.items() if value}


def environment(url: str) -> dict[str, str]:
    """The library's settings for an event store; raises ValueError with one line when the URL cannot be used."""
    if url.startswith("sqlite:///"):
        return {
            "PERSISTENCE_MODULE": "eventsourcing.sqlite",
            "SQLITE_DBNAME": url.removeprefix("sqlite:///"),
            "SQLITE_LOCK_TIMEOUT": str(SQLITE_LOCK_TIMEOUT_SECONDS),
        }
    scheme = urlsplit(url).scheme.partition("+")[0]
    if scheme not in ("postgresql", "postgres"):
        raise ValueError("the event store is sqlite:///path or postgresql://user:password@host:port/database")
    parts = conninfo_to_dict(_dsn(url))
    if other := set(parts) - {"host", "port", "user", "password", "dbname"}:
        raise ValueError(f"the event store takes {min(other)} from the environment of libpq, not from its URL")
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_HOST": str(parts.get("host", "localhost")),
        "POSTGRES_PORT": str(parts.get("port", 5432)),
        "POSTGRES_USER": str(parts.get("user", "postgres")),
        "POSTGRES_PASSWORD": str(parts.get("password", "")),
        "POSTGRES_DBNAME": str(parts.get("dbname", "postgres")),
        "POSTGRES_CONNECT_TIMEOUT": str(POSTGRES_CONNECT_TIMEOUT_SECONDS),
        "POSTGRES_LOCK_TIMEOUT": str(POSTGRES_LOCK_TIMEOUT_SECONDS),
        "POSTGRES_POOL_SIZE": "2",
        "POSTGRES_MAX_OVERFLOW": "10",
        "POSTGRES_PRE_PING": "yes",
    }


def _dsn(url: str) -> str:
    """Without the driver that SQLAlchemy wants named."""
    return f"postgresql:{url.partition(':')[2]}"


def _digest(topic: str, state: bytes) -> str:
    return hashlib.sha256(topic.encode() + b"\0" + state).hexdigest()[:16]


def _ours(event: object) -> AggregateEvent:
    assert isinstance(event, AggregateEvent), event
    return event
