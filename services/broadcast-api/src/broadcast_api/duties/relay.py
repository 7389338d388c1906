"""The event store, published: every broadcast event once, in order, without a gap.

The stream itself says how far it is: the last message's id names its notification, and each message is accepted only
right behind the one before it (`Nats-Expected-Last-Sequence`). So two relays at once publish nothing twice and nothing
out of order, and a relay killed at any line goes on where the stream ends. The position that is saved in SQL is a
check on the stream, never the truth about it.
"""

import asyncio
import logging
from dataclasses import dataclass

from nats.js import JetStreamContext
from nats.js.errors import APIError, NotFoundError
from sqlalchemy import select

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.event_store import EventStore, Notification
from broadcast_api.adapters.schema import positions
from broadcast_api.domain.call import trace_of
from broadcast_api.duties.translate import translate
from broadcast_contracts.topology import BROADCASTS, event_subject
from broadcast_delivery import tracing
from broadcast_delivery.jetstream import WRONG_LAST_SEQUENCE
from broadcast_delivery.publish import publish

log = logging.getLogger(__name__)

READER = "relay"
SOURCE = "/broadcast-api"
SECTION = 200

LOOK_SECONDS = 10.0
"""How long a relay believes what it knows of the stream, which may be lost while nothing is published."""


class Regressed(Exception):
    """The stream and the event store contradict each other: an operator must look before anything is published."""


@dataclass(frozen=True, slots=True)
class Place:
    """A notification, and the stream sequence up to which everything is published."""

    notification_id: int
    sequence: int


class Relay:
    """Safe with any number of relays on the same store and stream."""

    def __init__(self, js: JetStreamContext, database: Database, store: EventStore) -> None:
        self._js, self._database, self._store = js, database, store
        self._place: Place | None = None
        self._look_at = 0.0

    async def step(self) -> bool:
        """Publish the next section of the log; answers whether there was anything. Raises `Regressed`."""
        now = asyncio.get_running_loop().time()
        if self._place is None or now >= self._look_at:
            self._place, self._look_at = await self._end_of_stream(), now + LOOK_SECONDS
        try:
            section = await asyncio.to_thread(self._store.notifications, self._place.notification_id, SECTION)
            for notification in section:
                sequence = await self._publish(notification, self._place.sequence)
                self._place = Place(notification.id, sequence)
        except APIError as error:
            self._place = None
            if error.err_code not in WRONG_LAST_SEQUENCE:
                raise
            return True
        except BaseException:
            self._place = None  # it may have been stored, or not; another event store may have taken over: look again
            raise
        if section:
            await asyncio.to_thread(self._save, self._place)
        return bool(section)

    async def _publish(self, notification: Notification, last_sequence: int) -> int:
        event = translate(notification.event)
        if event is None:
            return last_sequence
        named = {"broadcast.id": str(event.broadcast_id), "broadcast.event": event.name}
        with tracing.continued(f"publish {event.type}", trace_of(notification.event), named, kind="PRODUCER"):
            return await publish(
                self._js,
                event_subject(event.name, event.broadcast_id),
                event,
                message_id=published_id(self._store.epoch, notification),
                source=SOURCE,
                about=str(event.broadcast_id),
                extra={"Nats-Expected-Last-Sequence": str(last_sequence)},
            )

    async def _end_of_stream(self) -> Place:
        saved = await asyncio.to_thread(self._saved)
        newest = await asyncio.to_thread(self._store.max_notification_id)
        if saved.notification_id > newest:
            raise Regressed(f"the event store ends at {newest}, but {saved.notification_id} was published")
        last = (await self._js.stream_info(BROADCASTS.name)).state.last_seq
        if last < saved.sequence:
            log.error("stream_lost_events", extra={"saved": saved.sequence, "last": last})
        try:
            message = await self._js.get_msg(BROADCASTS.name, last) if last else None
        except NotFoundError:
            message = None
        if message is not None:
            message_id = (message.headers or {}).get("Nats-Msg-Id", "")
            return Place(await asyncio.to_thread(self._notification, message_id), last)
        if last and last >= saved.sequence:
            return Place(saved.notification_id, last)  # everything has aged out of the stream
        return Place(0, last)

    def _notification(self, message_id: str) -> int:
        """The notification that a published message was made of, which must still be in the event store."""
        if message_id.partition(":")[0] != self._store.epoch:
            raise Regressed(f"the stream {BROADCASTS.name} holds the events of another event store: {message_id!r}")
        notification_id = notification_of(self._store, message_id)
        if not notification_id:
            raise Regressed(f"the event store has lost {message_id!r}, which was published")
        return notification_id

    def _saved(self) -> Place:
        with self._database.read() as connection:
            row = connection.execute(select(positions).where(positions.c.reader == READER)).one_or_none()
        return Place(row.notification_id, row.stream_sequence) if row else Place(0, 0)

    def _save(self, place: Place) -> None:
        row = self._database.upsert(positions).values(
            reader=READER, notification_id=place.notification_id, stream_sequence=place.sequence
        )
        forward = row.on_conflict_do_update(
            index_elements=[positions.c.reader],
            set_={name: row.excluded[name] for name in ("notification_id", "stream_sequence")},
            where=positions.c.notification_id < row.excluded.notification_id,
        )
        with self._database.write() as connection:
            connection.execute(forward)


def published_id(epoch: str, notification: Notification) -> str:
    """The `Nats-Msg-Id` of what a stored event became."""
    return f"{epoch}:{notification.id}:{notification.digest[:8]}"


def notification_of(store: EventStore, message_id: str) -> int:
    """What a message of this `Nats-Msg-Id` was made of; 0 where the event store does not have it."""
    number = int(message_id.split(":")[1]) if message_id.count(":") == 2 else 0
    stored = store.notifications(number - 1, 1)
    return number if stored and published_id(store.epoch, stored[0]) == message_id else 0
