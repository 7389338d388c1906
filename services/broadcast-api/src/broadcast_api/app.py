"""Where everything meets."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from fastapi import FastAPI
from sqlalchemy import text

from broadcast_api.adapters.accounts import Accounts
from broadcast_api.adapters.arrivals import Arrivals
from broadcast_api.adapters.audit import Audit
from broadcast_api.adapters.database import Database
from broadcast_api.adapters.directory import Directory
from broadcast_api.adapters.doubts import Doubts
from broadcast_api.adapters.event_store import EventStore
from broadcast_api.adapters.identity import Identity
from broadcast_api.adapters.imports import Imports
from broadcast_api.adapters.keys import Keys
from broadcast_api.adapters.oidc import Provider, ProviderSettings
from broadcast_api.adapters.queries import Queries
from broadcast_api.adapters.sessions import Sessions
from broadcast_api.adapters.vault import Vault
from broadcast_api.adapters.views import Views
from broadcast_api.application.attachments import Attachments, Limits
from broadcast_api.application.audiences import Audiences
from broadcast_api.application.broadcasts import Broadcasts
from broadcast_api.application.record import Record
from broadcast_api.application.runs import Runs
from broadcast_api.entrypoints.console.door import add_console
from broadcast_api.entrypoints.console.live import watched
from broadcast_api.entrypoints.http.context import Services
from broadcast_api.entrypoints.http.door import make_app
from broadcast_api.entrypoints.http.feed import Feed
from broadcast_api.entrypoints.telegram.webhook import add_webhook
from broadcast_api.metrics import Metrics, Observed, Observing
from broadcast_api.settings import Settings
from broadcast_delivery import tracing

log = logging.getLogger(__name__)

CATCH_UP_SECONDS = 1.0
CLOSE_SECONDS = 10.0
"""What a thread may take to come to its end when the process stops."""


class Duties(Observed, Protocol):
    """What runs beside HTTP."""

    def wake(self) -> None:
        """A command was obeyed: look at once. Callable from any thread."""
        ...

    def faults(self) -> dict[str, str]:
        """What does not work, by name."""
        ...

    async def run(self) -> None:
        """Until cancelled."""
        ...


MakeDuties = Callable[[Settings, Database, EventStore, Runs], Duties]


def build(settings: Settings, duties: MakeDuties | None = None) -> FastAPI:
    """The ASGI application. Without `duties` nothing that was recorded is carried out; files need NATS all the same.

    The SQL tables are there: `migrate` made them.
    """
    database = Database(settings.database_url)
    store = EventStore(settings.event_store)
    views = Views(database, store, settings.batch_size)
    background = duties and duties(settings, database, store, Runs(store, views))
    vault = Vault(settings.nats_options())
    directory, queries, imports = Directory(database), Queries(database), Imports(database)

    def faults() -> dict[str, str]:
        found = background.faults() if background else {}
        try:
            with database.read() as connection:
                connection.execute(text("SELECT 1"))
            store.max_notification_id()
        except Exception as error:
            log.warning("not_ready", extra={"error": str(error)})
            found["database"] = "does not answer"
        return found

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        threads = ThreadPoolExecutor(thread_name_prefix="api")
        asyncio.get_running_loop().set_default_executor(threads)
        tasks = [asyncio.create_task(_keep_catching_up(views)), asyncio.create_task(metrics.lag.watch())]
        if background:
            tasks.append(asyncio.create_task(background.run()))
        try:
            with metrics.served(settings.host, settings.metrics_port):
                yield
        finally:
            services.feed.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.to_thread(imports.close)
            await vault.close()
            await _end(threads)
            store.close()
            database.close()
            await asyncio.to_thread(tracing.stop)

    metrics = Metrics(background)
    wake = background.wake if background else _nobody
    doubts, above = Doubts(database), settings.approval_above
    broadcasts = Broadcasts(store, views, directory, doubts, settings.bots, wake, above)
    limits = Limits(settings.attachment_max_bytes, settings.attachments_max, settings.attachment_types)
    services = Services(
        bots=settings.bots,
        broadcasts=broadcasts,
        attachments=Attachments(store, broadcasts, limits),
        vault=vault,
        audiences=Audiences(store, views, directory, settings.bots),
        directory=directory,
        imports=imports,
        queries=queries,
        history=store.history,
        audit=Audit(database, store),
        record=Record(store, views),
        feed=Feed(watched(queries, imports), settings.live_poll_seconds),
        faults=faults,
        test_wait_seconds=settings.test_wait_seconds,
        heartbeat_seconds=settings.heartbeat_seconds,
        groups=settings.groups,
        usernames=settings.usernames,
        identity=_identity(settings, database),
    )
    app = make_app(services, lifespan)
    webhooks = {bot: door.secret for bot, door in settings.doors("webhook").items()}
    add_webhook(app, webhooks, Arrivals(database))
    add_console(app)
    app.add_middleware(Observing, metrics=metrics)
    return app


def _identity(settings: Settings, database: Database) -> Identity:
    provider = None
    if settings.oidc_issuer:
        stated = ProviderSettings(
            issuer=settings.oidc_issuer,
            client_id=settings.oidc_client_id,
            client_secret=settings.oidc_client_secret.get_secret_value(),
            redirect_uri=f"{settings.public_url}/sign-in/back",
            signed_out_uri=f"{settings.public_url}/sign-in",
            audience=settings.oidc_audience,
            claims=settings.oidc_claims,
            roles=settings.oidc_roles,
        )
        provider = Provider(stated)
    return Identity(
        accounts=Accounts(database),
        keys=Keys(database),
        sessions=Sessions(database, settings.session_seconds),
        provider=provider,
        session_seconds=settings.session_seconds,
        secure=settings.public_url.startswith("https:"),
    )


async def _end(threads: ThreadPoolExecutor) -> None:
    """A task that is cancelled leaves its thread at work, and nothing may be closed under that: SQLite would crash."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CLOSE_SECONDS):
            await asyncio.to_thread(threads.shutdown)


async def _keep_catching_up(views: Views) -> None:
    """A replica may have died between storing an event and showing it."""
    while True:
        try:
            await asyncio.to_thread(views.catch_up)
        except Exception:
            log.exception("catch_up_failed")
        await asyncio.sleep(CATCH_UP_SECONDS)


def _nobody() -> None:
    """Nobody is there to be woken."""
