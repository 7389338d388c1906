"""The stop hint: workers learn of a stop within milliseconds, long before their batches are closed one by one."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Iterator
from typing import NoReturn

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.errors import Error as JetStreamError
from nats.js.errors import KeyNotFoundError

from broadcast_contracts import BatchKey, Malformed, RunControlV1, decode
from broadcast_contracts.topology import CONTROL, control_key

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0


class StopHints:
    """What the control bucket says of the runs that are being worked on.

    A write to a bucket is an ordinary message on `$KV.<bucket>.<key>`: a plain subscription sees it at once and
    survives reconnects. Beside it the followed runs are polled, for what was written while nobody listened.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: dict[str, RunControlV1] = {}
        self._followed: Counter[str] = Counter()

    def stopped(self, key: BatchKey, leg: int) -> bool:
        """Whether the run was stopped in this leg (or a later one)."""
        if not self._known:
            return False  # asked twice for every message: the common answer must cost nothing
        control = self._known.get(control_key(key.broadcast_id, key.run))
        return control is not None and control.stopped and control.leg >= leg

    @contextlib.contextmanager
    def follow(self, key: BatchKey) -> Iterator[None]:
        """Keep the hint of this run fresh for as long as a batch of it is worked on."""
        run = control_key(key.broadcast_id, key.run)
        self._followed[run] += 1
        try:
            yield
        finally:
            self._followed[run] -= 1
            if not self._followed[run]:
                del self._followed[run]
                self._known.pop(run, None)

    async def listen(self) -> NoReturn:
        """Until cancelled."""
        prefix = f"$KV.{CONTROL.name}."

        async def on_write(message: Msg) -> None:
            self._take(message.subject.removeprefix(prefix), message.data)

        await self._client.subscribe(f"{prefix}>", cb=on_write)
        while True:
            await self._poll()
            await asyncio.sleep(POLL_SECONDS)

    async def _poll(self) -> None:
        for run in list(self._followed):
            try:
                bucket = await self._client.jetstream(timeout=2).key_value(CONTROL.name)
                entry = await bucket.get(run)
            except KeyNotFoundError:
                continue
            except (nats.errors.Error, JetStreamError, TimeoutError) as error:
                log.warning("control_unreachable", extra={"error": str(error)})
                return
            self._take(run, entry.value or b"")

    def _take(self, run: str, body: bytes) -> None:
        if not body or run not in self._followed:
            return
        try:
            control = decode(RunControlV1, body)
        except Malformed as error:
            log.error("control_malformed", extra={"run": run, "error": str(error)})
            return
        known = self._known.get(run)
        if known is None or (control.leg, control.stopped) >= (known.leg, known.stopped):
            self._known[run] = control
