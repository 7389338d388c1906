"""`account …`, `session …` and `key …`: who may sign in, who is signed in, and which services may call.

Secrets are printed once and kept nowhere."""

import argparse
import getpass
import secrets
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from broadcast_api.adapters.accounts import Accounts, BadAccount
from broadcast_api.adapters.database import Database
from broadcast_api.adapters.event_store import EventStore
from broadcast_api.adapters.keys import LIFE_DAYS, Keys, state_of
from broadcast_api.adapters.queries import utc
from broadcast_api.adapters.schema_version import require_schema
from broadcast_api.adapters.sessions import Sessions
from broadcast_api.adapters.views import Views
from broadcast_api.application.record import Record
from broadcast_api.domain.call import Actor, Call
from broadcast_api.domain.identity import parse_roles, read_roles, show_roles
from broadcast_api.settings import Settings

Parsers = Any
"""What argparse calls a thing that makes parsers, and does not export."""

ROLES_HELP = "BOT=ROLE+ROLE,… where * stands for all bots: main=author+sender,*=viewer"


def add_commands(commands: Parsers) -> None:
    """To those of `python -m broadcast_api`."""
    account = commands.add_parser("account", description="local accounts, used where no OIDC provider is configured")
    of_account = account.add_subparsers(required=True, metavar="add | roles | password | disable | enable | list")
    add = _command(of_account, "add", _add_account, "account.added")
    add.add_argument("login")
    add.add_argument("--name", required=True)
    add.add_argument("--position", default="")
    _roles(add)
    add.add_argument("--ask", action="store_true", help="ask for the password instead of making one up")
    _roles(_command(of_account, "roles", _change_roles, "account.roles_changed", login=True))
    _command(of_account, "password", _change_password, "account.password_changed", login=True)
    for name, disabled in (("disable", True), ("enable", False)):
        able = partial(_able, disabled=disabled)
        _command(of_account, name, able, f"account.{name}d", login=True)
    _command(of_account, "list", _list_accounts)

    session = commands.add_parser("session", description="who is signed in to the console, at a provider or locally")
    of_session = session.add_subparsers(required=True, metavar="list | end")
    _command(of_session, "list", _list_sessions)
    end = _command(of_session, "end", _end_sessions, "session.ended")
    end.add_argument("id", help="of a person, as `session list` shows it: oidc:… or local:…; ends all of theirs")

    key = commands.add_parser("key", description="API keys of services")
    of_key = key.add_subparsers(required=True, metavar="create | revoke | list")
    create = _command(of_key, "create", _create_key, "key.created")
    create.add_argument("name", help="stands beside everything that is done with the key")
    create.add_argument("--position", default="")
    create.add_argument("--days", type=int, default=LIFE_DAYS, choices=range(1, 3651), metavar="1…3650")
    _roles(create)
    _command(of_key, "revoke", _revoke_key, "key.revoked").add_argument("id")
    _command(of_key, "list", _list_keys)


def _command(
    parsers: Parsers, name: str, run: Callable[[Database, Any], None], what: str = "", *, login: bool = False
) -> argparse.ArgumentParser:
    """`what` is how the audit calls it; nothing is recorded of a command that only looks."""
    parser: argparse.ArgumentParser = parsers.add_parser(name)
    if login:
        parser.add_argument("login")
    parser.set_defaults(what=what, run=lambda settings, given: _run(settings, given, run))
    return parser


def _run(settings: Settings, given: Any, run: Callable[[Database, Any], None]) -> None:
    database = Database(settings.database_url)
    try:
        require_schema(database)
        if given.what:
            _record(settings, database, given)
        run(database, given)
    except BadAccount as error:
        sys.exit(str(error))
    finally:
        database.close()


def _record(settings: Settings, database: Database, given: Any) -> None:
    store = EventStore(settings.event_store)
    try:
        roles = {"roles": show_roles(given.roles)} if "roles" in given else {}
        title = getattr(given, "name", "") or getattr(given, "login", "")
        subject = getattr(given, "login", "") or getattr(given, "id", "")
        call = Call(Actor("python -m broadcast_api", id=f"command:{getpass.getuser()}"))
        record = Record(store, Views(database, store, settings.batch_size))
        record.about_to(given.what, call, subject=subject, title=title, **roles)
    finally:
        store.close()


def _roles(parser: argparse.ArgumentParser) -> None:
    def roles(text: str) -> Any:
        try:
            return parse_roles(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    parser.add_argument("--roles", required=True, type=roles, help=ROLES_HELP)


def _say(*words: object) -> None:
    print(*words, sep="\t")  # noqa: T201 the answer of a command


def _add_account(database: Database, given: Any) -> None:
    password = getpass.getpass() if given.ask else secrets.token_urlsafe(15)
    Accounts(database).create(given.login, given.name, given.position, given.roles, password)
    _say(given.login, "" if given.ask else password)


def _change_roles(database: Database, given: Any) -> None:
    Accounts(database).change(given.login, roles=given.roles)


def _change_password(database: Database, given: Any) -> None:
    password = secrets.token_urlsafe(15)
    Accounts(database).change(given.login, password=password)
    _say(given.login, password)


def _able(database: Database, given: Any, *, disabled: bool) -> None:
    Accounts(database).change(given.login, disabled=disabled)


def _list_accounts(database: Database, _: Any) -> None:
    for row in Accounts(database).all():
        _say(
            row.login, row.name, row.position, show_roles(read_roles(row.roles)), "disabled" if row.disabled_at else ""
        )


def _list_sessions(database: Database, _: Any) -> None:
    for row in _sessions(database).all():
        since = f"since {utc(row.created_at):%Y-%m-%d %H:%M} UTC"
        _say(row.principal, row.name, row.position, show_roles(read_roles(row.roles)), since)


def _end_sessions(database: Database, given: Any) -> None:
    if not _sessions(database).end_all(given.id):
        sys.exit(f"{given.id} is not signed in")


def _sessions(database: Database) -> Sessions:
    return Sessions(database, life_seconds=0)  # none is begun here


def _create_key(database: Database, given: Any) -> None:
    id, key = Keys(database).create(given.name, given.position, given.roles, "command", given.days)
    _say(id, key)


def _revoke_key(database: Database, given: Any) -> None:
    if not Keys(database).revoke(given.id):
        sys.exit(f"there is no active key {given.id}")


def _list_keys(database: Database, _: Any) -> None:
    for row in Keys(database).all():
        until = f"until {row.expires_at:%Y-%m-%d}"
        used = f"used {utc(row.last_used_at):%Y-%m-%d}" if row.last_used_at else "never used"
        _say(row.id, row.name, show_roles(read_roles(row.roles)), state_of(row), until, used)
