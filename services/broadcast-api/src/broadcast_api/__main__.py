"""`python -m broadcast_api serve` runs the API; `init` makes tables, streams and consumers or
brings them up to date, and exits;
`verify` compares every copy with its truth; `rebuild` makes the read models anew while no replica leads;
`doubt [BROADCAST…]` makes everybody without an outcome in a stopped run unconfirmed, after a restore;
`set-webhook BOT [URL]` tells Telegram where to post what people say to a bot; `account` and `key` say who may sign in
and which services may call, `session` who is signed in, and signs out; `policies` prints which role opens which route;
`audit` exports who did what and verifies such an export."""

import argparse
import asyncio
import logging
import signal
import sys
import time
from types import FrameType
from uuid import UUID

import nats
import uvicorn
from fastapi import FastAPI

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.event_store import EventStore
from broadcast_api.adapters.schema_version import WrongSchema, require_schema
from broadcast_api.app import build
from broadcast_api.audit_commands import add_commands as add_audit_commands
from broadcast_api.background import NatsDuties
from broadcast_api.entrypoints.http.policy_table import table
from broadcast_api.identity_commands import add_commands
from broadcast_api.pipe import reader_may_leave
from broadcast_api.repair.command import doubt, rebuild, verify
from broadcast_api.settings import BadSettings, DoorTokens, Settings, read_settings
from broadcast_delivery import tracing
from broadcast_delivery.logs import log_json
from broadcast_delivery.topology import ensure
from broadcast_telegram.listener import Listener, Unanswered

log = logging.getLogger("broadcast_api")

GRACE_SECONDS = 10
KEEP_ALIVE_SECONDS = 75
"""Of an idle connection: longer than a reverse proxy keeps it (nginx: 60 s). Whoever keeps one for longer than we do
sends a request into a connection that we are just closing, and nobody knows whether it was heard."""
SCHEMA_WAIT_SECONDS = 30


class Server(uvicorn.Server):
    """Ends the live connections as soon as it is told to stop: they would never end by themselves."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        assert isinstance(self.config.app, FastAPI)
        asyncio.get_running_loop().call_soon_threadsafe(self.config.app.state.services.feed.close)
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True


def serve(settings: Settings) -> None:
    """Until SIGTERM or SIGINT."""
    try:
        tracing.start("broadcast-api")
    except ValueError as error:
        raise BadSettings(str(error)) from error
    _await_schema(settings)
    Server(served(build(settings, NatsDuties), settings)).run()


def served(app: FastAPI, settings: Settings) -> uvicorn.Config:
    """Where and how. A request comes from whom the connection is, or from whom one of our `proxies` says."""
    return uvicorn.Config(
        app,
        settings.host,
        settings.port,
        log_config=None,
        access_log=False,
        forwarded_allow_ips=list(settings.proxies),
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


def _await_schema(settings: Settings) -> None:
    """`init` runs beside the first start of a version: give it a moment, then raise `WrongSchema`."""
    database, until = Database(settings.database_url), time.monotonic() + SCHEMA_WAIT_SECONDS
    try:
        while True:
            try:
                return require_schema(database)
            except WrongSchema as why:
                if time.monotonic() > until:
                    raise
                log.warning("waiting_for_schema", extra={"why": str(why)})
            time.sleep(1)
    finally:
        database.close()


def init(settings: Settings) -> None:
    """Harmless when everything is there."""
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)  # they say that they exist
    from broadcast_api.adapters.migrate import migrate  # slow to import, and nobody else migrates

    migrate(settings.database_url)
    EventStore(settings.event_store).close()
    asyncio.run(_topology(settings))


async def _topology(settings: Settings) -> None:
    if (steward := settings.steward_options()) is None:
        raise BadSettings("BROADCAST_NATS_STEWARD_USER: who may make streams is not said")
    client = await nats.connect(**steward, max_reconnect_attempts=3)
    try:
        await ensure(client.jetstream(), settings.bots, replicas=settings.nats_replicas)
    finally:
        await client.close()


async def set_webhook(settings: Settings, bot: str, url: str) -> None:
    """Have Telegram post the updates of a bot to an address; without one, have it keep them for polling."""
    tokens = settings.door_tokens.get(bot, DoorTokens())
    if not tokens.token.get_secret_value():
        raise BadSettings(f"BROADCAST_DOOR_TOKENS: no token of {bot}")
    if url and not tokens.secret.get_secret_value():
        raise BadSettings(f"BROADCAST_DOOR_TOKENS: no secret of {bot}")
    listener = Listener(tokens.token, settings.telegram_url)
    try:
        await listener.set_webhook(url, tokens.secret)
    finally:
        await listener.close()
    print(f"{bot}: {url or 'no webhook'}")


def main() -> None:
    """Exit code 2 with one line when the settings are wrong or the tables too old."""
    with reader_may_leave():
        arguments = _commands().parse_args()
        try:
            settings = read_settings()
            log_json(settings.log_level)
            arguments.run(settings, arguments)
        except (BadSettings, WrongSchema) as error:
            print(error, file=sys.stderr)
            sys.exit(2)
        except Unanswered as error:
            sys.exit(f"Telegram: {error}")


def _commands() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="broadcast_api", description=__doc__)
    commands = parser.add_subparsers(
        dest="command",
        required=True,
        metavar="serve | init | verify | rebuild | doubt | set-webhook | account | session | key | policies | audit",
    )
    commands.add_parser("serve").set_defaults(run=lambda settings, _: serve(settings))
    commands.add_parser("init").set_defaults(run=lambda settings, _: init(settings))
    for name, command in (("verify", verify), ("rebuild", rebuild)):
        parser_of = commands.add_parser(name, description=command.__doc__)
        parser_of.set_defaults(run=lambda settings, _, command=command: sys.exit(asyncio.run(command(settings))))
    doubtful = commands.add_parser("doubt", description=doubt.__doc__)
    doubtful.add_argument("broadcasts", nargs="*", type=UUID, metavar="BROADCAST")
    doubtful.set_defaults(run=lambda settings, given: sys.exit(asyncio.run(doubt(settings, given.broadcasts))))
    webhook = commands.add_parser("set-webhook", description=set_webhook.__doc__)
    webhook.add_argument("bot")
    webhook.add_argument("url", nargs="?", default="", help="https://…/telegram/BOT/webhook; without it: no webhook")
    webhook.set_defaults(run=lambda settings, given: asyncio.run(set_webhook(settings, given.bot, given.url)))
    commands.add_parser("policies").set_defaults(run=lambda settings, _: print(table(build(settings))))
    add_commands(commands)
    add_audit_commands(commands)
    return parser


if __name__ == "__main__":
    main()
