"""Local accounts: people who sign in by a password, where there is no OIDC provider."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection, Row, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.identity_schema import accounts, sessions, sign_in_failures
from broadcast_api.adapters.secret_tokens import new_token, token_hash
from broadcast_api.domain.identity import Principal, Roles, read_roles, write_roles

WINDOW_SECONDS = 15 * 60
FAILURES_OF_ACCOUNT = 10
FAILURES_OF_ADDRESS = 50
"""In a window; an address may be that of a whole office."""

PASSWORD_MIN = 12
PASSWORD_MAX = 200
"""Characters. The upper bound keeps a request from costing more than any other."""

SIGN_IN_LOCK = 0x7369_676E_2D69_6E  # "sign-in"

hasher = PasswordHasher()


class TooManyAttempts(Exception):
    """Wait `seconds` before the next one; the password was not even looked at."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"wait {seconds} s")
        self.seconds = seconds


class BadAccount(ValueError):
    """One line that says what is wrong."""


@cache
def _nobodys_hash() -> str:
    return hasher.hash(new_token())


class Accounts:
    """Synchronous: call it from a thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, login: str, name: str, position: str, roles: Roles, password: str) -> None:
        """Raises `BadAccount`."""
        if not 1 <= len(login) <= 64 or not login.isprintable() or " " in login:
            raise BadAccount("a login has 1 to 64 characters without spaces")
        row: dict[str, Any] = {"login": login.lower(), "name": name, "position": position, "roles": write_roles(roles)}
        row |= {"password": _hashed(password), "created_at": datetime.now(UTC)}
        try:
            with self._database.write() as connection:
                connection.execute(insert(accounts).values(row))
        except IntegrityError:
            raise BadAccount(f"there is an account {login} already") from None

    def change(self, login: str, **changes: Any) -> None:
        """`roles`, `password`, `name`, `position` or `disabled`; ends the sessions. Raises `BadAccount`."""
        if "password" in changes:
            changes["password"] = _hashed(changes["password"])
        if "roles" in changes:
            changes["roles"] = write_roles(changes["roles"])
        if "disabled" in changes:
            changes["disabled_at"] = datetime.now(UTC) if changes.pop("disabled") else None
        with self._database.write() as connection:
            of_login = accounts.c.login == login.lower()
            if not connection.execute(update(accounts).where(of_login).values(changes)).rowcount:
                raise BadAccount(f"there is no account {login}")
            connection.execute(delete(sessions).where(sessions.c.principal == f"local:{login.lower()}"))

    def all(self) -> Sequence[Row[Any]]:
        """By login."""
        with self._database.read() as connection:
            return connection.execute(select(accounts).order_by(accounts.c.login)).all()

    def check(self, login: str, password: str, address: str) -> Principal | None:
        """Who signs in; None where login or password are wrong, which takes equally long. Raises `TooManyAttempts`.

        An attempt counts before the password is looked at: a hundred at once are not more than a hundred in turn.
        """
        login = login.strip().lower()[:200]
        subjects = [f"account:{token_hash(login)}", f"address:{token_hash(address)}"]
        attempt = self._count(subjects)
        with self._database.read() as connection:
            row = connection.execute(select(accounts).where(accounts.c.login == login)).one_or_none()
        right = _matches(row.password if row else _nobodys_hash(), password[: PASSWORD_MAX + 1])
        if row is None or not right or row.disabled_at is not None:
            return None
        with self._database.write() as connection:
            of_account = sign_in_failures.c.subject == subjects[0]
            connection.execute(delete(sign_in_failures).where(of_account | sign_in_failures.c.id.in_(attempt)))
            if hasher.check_needs_rehash(row.password):
                connection.execute(
                    update(accounts).where(accounts.c.login == login).values(password=hasher.hash(password))
                )
        return Principal(f"local:{login}", row.name, row.position, read_roles(row.roles))

    def _count(self, subjects: Sequence[str]) -> list[int]:
        now, failed = int(time.time()), insert(sign_in_failures).returning(sign_in_failures.c.id)
        with self._database.write() as connection:
            if not self._database.is_sqlite:  # where attempts at the same time would not see each other
                connection.execute(select(func.pg_advisory_xact_lock(SIGN_IN_LOCK)))
            connection.execute(delete(sign_in_failures).where(sign_in_failures.c.at <= now - WINDOW_SECONDS))
            for subject, limit in zip(subjects, (FAILURES_OF_ACCOUNT, FAILURES_OF_ADDRESS), strict=True):
                if seconds := _wait(connection, subject, limit, now):
                    raise TooManyAttempts(seconds)
            return [connection.execute(failed.values(subject=subject, at=now)).scalar_one() for subject in subjects]


def _wait(connection: Connection, subject: str, limit: int, now: int) -> int:
    of_subject = sign_in_failures.c.subject == subject
    count, first = connection.execute(select(func.count(), func.min(sign_in_failures.c.at)).where(of_subject)).one()
    return max(1, first + WINDOW_SECONDS - now) if count >= limit else 0


def _matches(hashed: str, password: str) -> bool:
    try:
        return hasher.verify(hashed, password)
    except (VerificationError, InvalidHashError):
        return False


def _hashed(password: str) -> str:
    if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
        raise BadAccount(f"a password has {PASSWORD_MIN} to {PASSWORD_MAX} characters")
    return hasher.hash(password)
