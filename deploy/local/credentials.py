"""How one signs in on this machine: an API key for the supervisor and the samples, an account for whoever looks."""

import secrets
from pathlib import Path

from broadcast_api.adapters.accounts import Accounts
from broadcast_api.adapters.database import Database
from broadcast_api.adapters.keys import Keys
from broadcast_api.adapters.migrate import migrate
from broadcast_api.domain.identity import ALL_BOTS, Role

EVERY_ROLE = {ALL_BOTS: frozenset(Role)}
LOGIN = "admin"


def local_key(database_url: str, var: Path) -> str:
    """The key in `var/api-key`, readable by its owner alone; made where it is missing or opens nothing any more.

    The tables are brought up to date for it.
    """
    migrate(database_url)
    file, database = var / "api-key", Database(database_url)
    try:
        keys = Keys(database)
        if file.exists() and keys.principal(key := file.read_text().strip()) is not None:
            return key
        _, key = keys.create("Локальный запуск", "", EVERY_ROLE, "deploy.local")
        file.touch(mode=0o600)
        file.write_text(key + "\n")
        return key
    finally:
        database.close()


def local_account(database_url: str) -> tuple[str, str] | None:
    """The login and password of the first account, made now; None where there is an account already."""
    database = Database(database_url)
    try:
        accounts = Accounts(database)
        if accounts.all():
            return None
        password = secrets.token_urlsafe(12)
        accounts.create(LOGIN, "Администратор", "Локальный запуск", EVERY_ROLE, password)
        return LOGIN, password
    finally:
        database.close()
