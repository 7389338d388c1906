"""Counts for the world: at most one message a second for each batch, and always the last one."""

import asyncio
import logging
from collections.abc import Callable

import nats.errors
from nats.js import JetStreamContext
from nats.js.errors import Error as JetStreamError

from broadcast_contracts import BatchKey, Message
from broadcast_delivery import Batch, Fold
from broadcast_delivery.logs import of_batch
from broadcast_delivery.publish import publish

log = logging.getLogger(__name__)

EVERY_SECONDS = 1.0
TRIES = 5
RETRY_SECONDS = 1.0


class CountsFeed:
    """Publishes how each batch stands, absolute and versioned, to the COUNTS stream."""

    def __init__(self, js: JetStreamContext, source: str, counts: Callable[[Batch, Fold], tuple[str, Message]]) -> None:
        self._js, self._source, self._counts = js, source, counts
        self._batches: dict[BatchKey, tuple[Batch, Fold]] = {}
        self._due: dict[BatchKey, float] = {}
        self._publishing: set[asyncio.Task[None]] = set()

    def note(self, batch: Batch, state: Fold) -> None:
        """Remember the state after a step; never waits."""
        now = asyncio.get_running_loop().time()
        self._batches[batch.key] = (batch, state)
        if now >= self._due.setdefault(batch.key, now + EVERY_SECONDS):
            self._due[batch.key] = now + EVERY_SECONDS
            task = asyncio.create_task(self._publish(batch, state, tries=1))
            self._publishing.add(task)
            task.add_done_callback(self._publishing.discard)

    async def flush(self, key: BatchKey) -> None:
        """Publish the last state of a batch that is being left."""
        self._due.pop(key, None)
        if last := self._batches.pop(key, None):
            await self._publish(*last, tries=TRIES)

    async def _publish(self, batch: Batch, state: Fold, tries: int) -> None:
        subject, message = self._counts(batch, state)
        for _ in range(tries):
            try:
                await publish(
                    self._js,
                    subject,
                    message,
                    message_id=f"{subject}:{state.version}",
                    source=self._source,
                    about=str(batch.key.broadcast_id),
                )
            except (nats.errors.Error, JetStreamError, TimeoutError) as error:
                log.warning("counts_unpublished", extra={**of_batch(batch.key), "error": str(error)})
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return
