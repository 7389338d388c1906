"""Compare the public stream BROADCASTS with the event log: every event once, in order, as it would be said today."""

import asyncio
import json
from collections.abc import AsyncIterator

from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from broadcast_api.adapters.event_store import EventStore, Notification
from broadcast_api.duties.relay import SECTION, published_id
from broadcast_api.duties.translate import translate
from broadcast_contracts import BroadcastEvent, encode
from broadcast_contracts.topology import BROADCASTS

PATIENCE_SECONDS = 5.0
"""How long the relay may take for an event that is not published yet."""


class StreamCheck:
    """`run` once. `checked` counts events; `aged` says that earlier ones have left the stream by age."""

    def __init__(self, js: JetStreamContext, store: EventStore) -> None:
        self._js, self._store = js, store
        self.checked = 0
        self.aged = False

    async def differences(self) -> AsyncIterator[str]:
        """Ends with the first: what follows it would differ too."""
        state = (await self._js.stream_info(BROADCASTS.name)).state
        sequence, after = state.first_seq or 1, 0
        if state.last_seq and not state.messages:
            self.aged = True
            return
        if sequence > 1:
            self.aged = True
            found = await self._message(sequence)
            after = int(found[1].split(":")[1]) - 1 if found else 0
        async for notification, event in self._events(after):
            expected = published_id(await asyncio.to_thread(lambda: self._store.epoch), notification)
            found = await self._patiently(sequence)
            if found is None:
                yield f"{BROADCASTS.name}: event {notification.id} and what follows it are not published"
                return
            sequence, id, body = found
            if id != expected:
                yield f"{BROADCASTS.name} {sequence}: {id!r} where {expected!r} belongs"
                return
            if json.loads(body) != json.loads(encode(event)):
                yield f"{BROADCASTS.name} {sequence}: is not what event {notification.id} says"
            self.checked += 1
            sequence += 1
        if (found := await self._message(sequence)) and not await self._stored_since(found[1]):
            yield f"{BROADCASTS.name} {found[0]}: {found[1]!r} is not in the event log"

    async def _events(self, after: int) -> AsyncIterator[tuple[Notification, BroadcastEvent]]:
        while section := await asyncio.to_thread(self._store.notifications, after, SECTION):
            for notification in section:
                after = notification.id
                if (event := translate(notification.event)) is not None:
                    yield notification, event

    async def _stored_since(self, id: str) -> bool:
        """Whether the log grew while it was read: then the message is one of the new events."""
        number = int(id.split(":")[1]) if id.count(":") == 2 else 0
        found = await asyncio.to_thread(self._store.notifications, number - 1, 1)
        return bool(found) and published_id(self._store.epoch, found[0]) == id

    async def _patiently(self, sequence: int) -> tuple[int, str, bytes] | None:
        deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while (found := await self._message(sequence)) is None:
            if asyncio.get_running_loop().time() > deadline:
                return None
            await asyncio.sleep(0.2)
        return found

    async def _message(self, sequence: int) -> tuple[int, str, bytes] | None:
        """The first message from there on: sequence, id, body."""
        try:
            found = await self._js.get_msg(BROADCASTS.name, seq=sequence, subject=BROADCASTS.subjects[0], next=True)
        except NotFoundError:
            return None
        return found.seq or 0, (found.headers or {}).get("Nats-Msg-Id", ""), found.data or b""
