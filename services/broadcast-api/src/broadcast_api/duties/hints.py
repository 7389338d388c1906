"""Tell the workers what a run should be doing. A hint speeds a stop up; the batches' logs decide."""

import logging
from uuid import UUID

import nats.errors
from nats.js import JetStreamContext
from nats.js.errors import Error as JetStreamError
from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError

from broadcast_contracts import Malformed, RunControlV1, decode, encode
from broadcast_contracts.topology import CONTROL, control_key

log = logging.getLogger(__name__)


class Hints:
    """A hint only ever moves forward: to a later leg, or from running to stopped within a leg."""

    def __init__(self, js: JetStreamContext) -> None:
        self._js = js
        self._put: dict[str, tuple[int, bool]] = {}

    async def put(self, broadcast_id: UUID, run: int, leg: int, *, stopped: bool) -> None:
        """Write it unless it, or a later one, is there. A failure is logged: nothing depends on a hint."""
        key, hint = control_key(broadcast_id, run), (leg, stopped)
        if self._put.get(key, (0, False)) >= hint:
            return
        try:
            await self._write(key, hint)
        except (nats.errors.Error, JetStreamError, TimeoutError) as error:
            log.warning("hint_failed", extra={"run": key, "error": str(error)})
        else:
            self._put[key] = hint

    async def _write(self, key: str, hint: tuple[int, bool]) -> None:
        bucket = await self._js.key_value(CONTROL.name)
        body = encode(RunControlV1(leg=hint[0], stopped=hint[1]))
        while True:
            revision, there = 0, (0, False)
            try:
                entry = await bucket.get(key)
                revision, there = entry.revision or 0, _said(entry.value)
            except KeyNotFoundError:
                pass
            if there >= hint:
                return
            try:
                await (bucket.update(key, body, last=revision) if revision else bucket.create(key, body))
                return
            except KeyWrongLastSequenceError:
                continue


def _said(body: bytes | None) -> tuple[int, bool]:
    try:
        control = decode(RunControlV1, body or b"")
    except Malformed:
        return 0, False
    return control.leg, control.stopped
