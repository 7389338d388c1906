"""The duties of a replica that serves HTTP: they need NATS, and HTTP does not wait for it."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from typing import Any

import nats
import nats.errors
from nats.aio.client import Client

from broadcast_api.adapters.arrivals import Arrivals
from broadcast_api.adapters.database import Database
from broadcast_api.adapters.event_store import EventStore
from broadcast_api.application.runs import Runs
from broadcast_api.duties.run import Duties, DutySettings, Step
from broadcast_api.duties.standing import Standing
from broadcast_api.entrypoints.telegram.polling import Poller
from broadcast_api.settings import Settings
from broadcast_telegram.listener import Listener

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
CLOSE_SECONDS = 5.0


class NatsDuties:
    """`run` until cancelled: connects, leads when it can, and starts again after whatever went wrong."""

    def __init__(self, settings: Settings, database: Database, store: EventStore, runs: Runs) -> None:
        self._connection, self._steward = settings.nats_options(), settings.steward_options()
        self._settings = DutySettings(
            bots=settings.bots,
            batch_size=settings.batch_size,
            window_batches=settings.window_batches,
            sweep_seconds=settings.sweep_seconds,
            lease_seconds=settings.lease_seconds,
            lease_grace_seconds=settings.lease_grace_seconds,
            attachment_grace_seconds=settings.attachment_grace_seconds,
            replicas=settings.nats_replicas,
        )
        self._parts = (database, store, runs)
        self._doors = settings.doors("polling")
        self._telegram_url = settings.telegram_url
        self._client: Client | None = None
        self._duties: Duties | None = None

    def wake(self) -> None:
        """A command was obeyed: look at once. Callable from any thread."""
        if self._duties is not None:
            self._duties.wake()

    def faults(self) -> dict[str, str]:
        """What does not work, by name."""
        if self._client is None or not self._client.is_connected:
            return {"nats": "not connected"}
        if self._duties is not None and self._duties.halted:
            return {"relay": self._duties.halted}
        return {}

    @property
    def standing(self) -> Standing | None:
        """How far behind the system is; None where another replica leads."""
        return self._duties.standing if self._duties is not None else None

    @property
    def reissues(self) -> int:
        """Jobs that this process has issued again since it has been connected."""
        return self._duties.reissues if self._duties is not None else 0

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._lead()
            except (nats.errors.Error, OSError, TimeoutError) as error:
                log.warning("nats_unreachable", extra={"error": str(error)})
            except Exception:
                log.exception("duties_failed")
            await asyncio.sleep(RETRY_SECONDS)

    async def _lead(self) -> None:
        self._client = await nats.connect(**self._connection, name="broadcast-api", **_PATIENT)
        steward = await nats.connect(**self._steward, name="broadcast-api", **_PATIENT) if self._steward else None
        listeners = {bot: Listener(door.token, self._telegram_url) for bot, door in self._doors.items()}
        try:
            self._duties = Duties(self._settings, *self._parts, self._client, steward, self._pollers(listeners))
            await self._duties.run()
        finally:
            await asyncio.gather(*(listener.close() for listener in listeners.values()))
            client, self._client, self._duties = self._client, None, None
            for connection in (client, steward):
                with contextlib.suppress(nats.errors.Error, TimeoutError):
                    if connection is not None:
                        await asyncio.wait_for(connection.close(), CLOSE_SECONDS)

    def _pollers(self, listeners: Mapping[str, Listener]) -> Mapping[str, Step]:
        arrivals = Arrivals(self._parts[0])
        pollers = {bot: Poller(bot, listener, arrivals) for bot, listener in listeners.items()}
        return {f"poll_{bot}": poller.poll for bot, poller in pollers.items()} | {
            f"greet_{bot}": poller.greet for bot, poller in pollers.items()
        }


async def _quiet(error: Exception) -> None:
    log.info("nats_error", extra={"error": repr(error)})


_PATIENT: dict[str, Any] = {"max_reconnect_attempts": -1, "reconnect_time_wait": 0.5, "error_cb": _quiet}
