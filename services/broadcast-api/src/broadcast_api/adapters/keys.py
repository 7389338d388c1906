"""API keys: how services say who they are."""

import logging
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.exc import DBAPIError

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.identity_schema import api_keys
from broadcast_api.adapters.queries import utc
from broadcast_api.adapters.secret_tokens import new_token, token_hash
from broadcast_api.domain.identity import Principal, Roles, read_roles, write_roles

log = logging.getLogger(__name__)

PREFIX = "tbk_"
"""Lets secret scanners, and us, tell a key from a JWT."""

LIFE_DAYS = 365
SHOWN = 200
USE_NOTED = timedelta(hours=1)
"""A key that is used all day is written about once an hour."""


class Keys:
    """Synchronous: call it from a thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self, name: str, position: str, roles: Roles, by: str, days: int = LIFE_DAYS, id: str = ""
    ) -> tuple[str, str]:
        """A new key: its id, which may be chosen by `new_id`, and the key itself, which cannot be read again."""
        id, key, now = id or new_id(), new_token(PREFIX), datetime.now(UTC)
        row = {"id": id, "key_hash": token_hash(key), "name": name, "position": position, "roles": write_roles(roles)}
        with self._database.write() as connection:
            made = {"created_by": by, "created_at": now, "expires_at": now + timedelta(days=days)}
            connection.execute(insert(api_keys).values(**row, **made))
        return id, key

    def principal(self, key: str) -> Principal | None:
        """Whose key this is; None for one that is unknown, expired or revoked. One indexed look at SQL."""
        with self._database.read() as connection:
            row = connection.execute(select(api_keys).where(api_keys.c.key_hash == token_hash(key))).one_or_none()
        if row is None or state_of(row) != "active":
            return None
        self._note_use(row)
        return Principal(f"key:{row.id}", row.name, row.position, read_roles(row.roles))

    def _note_use(self, row: Any) -> None:
        now, noted = datetime.now(UTC), api_keys.c.last_used_at
        if row.last_used_at is not None and utc(row.last_used_at) > now - USE_NOTED:
            return
        due = (api_keys.c.id == row.id) & (noted.is_(None) | (noted <= now - USE_NOTED))
        try:
            with self._database.write() as connection:
                connection.execute(update(api_keys).where(due).values(last_used_at=now))
        except DBAPIError as error:  # the service gets its answer all the same
            log.warning("use_of_key_not_noted", extra={"key_id": row.id, "error": str(error)})

    def revoke(self, id: str) -> bool:
        """From now on it opens nothing; answers whether it did."""
        active = (api_keys.c.id == id) & api_keys.c.revoked_at.is_(None)
        with self._database.write() as connection:
            changed = connection.execute(update(api_keys).where(active).values(revoked_at=datetime.now(UTC)))
            return changed.rowcount > 0

    def all(self) -> Sequence[Row[Any]]:
        """The latest 200, newest first."""
        return list(islice(self._newest_first(), SHOWN))

    def of(self, admin: Principal) -> Sequence[Row[Any]]:
        """The latest 200 of those that open nothing but what this administrator administers, newest first."""
        return list(islice((row for row in self._newest_first() if admin.administers(read_roles(row.roles))), SHOWN))

    def _newest_first(self) -> Sequence[Row[Any]]:
        with self._database.read() as connection:
            return connection.execute(select(api_keys).order_by(api_keys.c.created_at.desc(), api_keys.c.id)).all()


def new_id() -> str:
    """For who has to name a key before it is made: the record comes first."""
    return secrets.token_hex(8)


def state_of(row: Any) -> str:
    """active, revoked or expired."""
    if row.revoked_at is not None:
        return "revoked"
    return "active" if utc(row.expires_at) > datetime.now(UTC) else "expired"
