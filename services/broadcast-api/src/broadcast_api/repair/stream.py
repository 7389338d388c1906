"""Compare the public stream BROADCASTS with the event log: every event once, in order, as it would be said today."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from broadcast_api.adapters.event_store import EventStore, Notification
from broadcast_api.duties.relay import SECTION, notification_of, published_id
from broadcast_api.duties.translate import translate
from broadcast_contracts import BroadcastEvent, encode
from broadcast_contracts.topology import BROADCASTS

PATIENCE_SECONDS = 5.0
"""How long the relay may take for an event that is not published yet."""


@dataclass(frozen=True, slots=True)
class _Published:
    """A message of the stream."""

    sequence: int
    id: str
    subject: str
    said: dict[str, Any]

    def __str__(self) -> str:
        """For whoever looks for a decision."""
        name, broadcast = self.subject.split(".")[-2:]
        of_run = f", run {self.said['run']}" if "run" in self.said else ""
        return f"{self.id!r} ({name} of broadcast {broadcast}{of_run}, {self.said.get('at')})"


class StreamCheck:
    """`run` once. `checked` counts events; `aged` says that earlier ones have left the stream by age."""

    def __init__(self, js: JetStreamContext, store: EventStore) -> None:
        self._js, self._store = js, store
        self.checked = 0
        self.aged = False

    async def differences(self) -> AsyncIterator[str]:
        """Ends with the first, for what follows would differ too; of what the event log has lost all is named."""
        state = (await self._js.stream_info(BROADCASTS.name)).state
        sequence, after = state.first_seq or 1, 0
        if state.last_seq and not state.messages:
            self.aged = True
            return
        if sequence > 1:
            self.aged = True
            found = await self._message(sequence)
            after = int(found.id.split(":")[1]) - 1 if found else 0
        async for notification, event in self._events(after):
            expected = published_id(await asyncio.to_thread(lambda: self._store.epoch), notification)
            found = await self._patiently(sequence)
            if found is None:
                yield f"{BROADCASTS.name}: event {notification.id} and what follows it are not published"
                return
            sequence = found.sequence
            if found.id != expected:
                yield f"{BROADCASTS.name} {sequence}: {found.id!r} where {expected!r} belongs"
                break
            if found.said != json.loads(encode(event)):
                yield f"{BROADCASTS.name} {sequence}: is not what event {notification.id} says"
            self.checked += 1
            sequence += 1
        while found := await self._message(sequence):
            if not await asyncio.to_thread(notification_of, self._store, found.id):  # the log may grow while it is read
                yield f"{BROADCASTS.name} {found.sequence}: {found} is not in the event log"
            sequence = found.sequence + 1

    async def _events(self, after: int) -> AsyncIterator[tuple[Notification, BroadcastEvent]]:
        while section := await asyncio.to_thread(self._store.notifications, after, SECTION):
            for notification in section:
                after = notification.id
                if (event := translate(notification.event)) is not None:
                    yield notification, event

    async def _patiently(self, sequence: int) -> _Published | None:
        deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while (found := await self._message(sequence)) is None:
            if asyncio.get_running_loop().time() > deadline:
                return None
            await asyncio.sleep(0.2)
        return found

    async def _message(self, sequence: int) -> _Published | None:
        """The first message from there on."""
        try:
            found = await self._js.get_msg(BROADCASTS.name, seq=sequence, subject=BROADCASTS.subjects[0], next=True)
        except NotFoundError:
            return None
        id = (found.headers or {}).get("Nats-Msg-Id", "")
        return _Published(found.seq or 0, id, found.subject or "", json.loads(found.data or b"{}"))
