"""Sessions of the console, kept on the server: signing out, or taking a role away, takes effect at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row, delete, insert, select

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.identity_schema import pending_sign_ins, sessions
from broadcast_api.adapters.queries import utc
from broadcast_api.adapters.secret_tokens import new_token, token_hash
from broadcast_api.domain.identity import Principal, read_roles, write_roles

PENDING_LIFE = timedelta(minutes=10)
"""How long somebody may take at the OIDC provider."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A sign-in that was begun at the OIDC provider. `state` is in the address and in a cookie of that browser."""

    state: str
    nonce: str
    verifier: str
    next: str


class Sessions:
    """Synchronous: call it from a thread."""

    def __init__(self, database: Database, life_seconds: float) -> None:
        self._database, self._life = database, timedelta(seconds=life_seconds)

    def begin(self, principal: Principal, id_token: str | None = None) -> str:
        """A new session, under a token that nobody has seen before; answers the token. `id_token`: the provider's."""
        token, now = new_token(), datetime.now(UTC)
        who = {"principal": principal.id, "name": principal.name, "position": principal.position}
        when = {"created_at": now, "expires_at": now + self._life}
        with self._database.write() as connection:
            connection.execute(delete(sessions).where(sessions.c.expires_at < now))
            row = {"token_hash": token_hash(token), **who, "roles": write_roles(principal.roles), **when}
            row["id_token"] = id_token
            connection.execute(insert(sessions).values(**row))
        return token

    def principal(self, token: str) -> Principal | None:
        """Whose session this is; None for one that is unknown or has ended."""
        with self._database.read() as connection:
            row = connection.execute(select(sessions).where(sessions.c.token_hash == token_hash(token))).one_or_none()
        if row is None or utc(row.expires_at) < datetime.now(UTC):
            return None
        return Principal(row.principal, row.name, row.position, read_roles(row.roles))

    def end(self, token: str) -> str:
        """Sign out; answers the ID token that the session began with, "" where there is none."""
        of_token = delete(sessions).where(sessions.c.token_hash == token_hash(token))
        with self._database.write() as connection:
            return connection.execute(of_token.returning(sessions.c.id_token)).scalar_one_or_none() or ""

    def end_all(self, principal_id: str) -> bool:
        """Sign somebody out everywhere; answers whether they were signed in."""
        now = datetime.now(UTC)
        with self._database.write() as connection:
            of_principal = delete(sessions).where(sessions.c.principal == principal_id)
            ended = connection.execute(of_principal.returning(sessions.c.expires_at)).scalars().all()
        return any(utc(end) >= now for end in ended)

    def all(self) -> Sequence[Row[Any]]:
        """Those that have not ended, by whose they are."""
        query = select(sessions).where(sessions.c.expires_at >= datetime.now(UTC))
        with self._database.read() as connection:
            return connection.execute(query.order_by(sessions.c.principal, sessions.c.created_at)).all()

    def expect(self, next: str) -> Pending:
        """Begin a sign-in at the OIDC provider; `next` is where it shall lead."""
        pending, now = Pending(new_token(), new_token(), new_token(), next), datetime.now(UTC)
        with self._database.write() as connection:
            connection.execute(delete(pending_sign_ins).where(pending_sign_ins.c.expires_at < now))
            row = {"state_hash": token_hash(pending.state), "nonce": pending.nonce, "verifier": pending.verifier}
            connection.execute(insert(pending_sign_ins).values(**row, next=next, expires_at=now + PENDING_LIFE))
        return pending

    def expected(self, state: str) -> Pending | None:
        """The sign-in that was begun under this state: once, then never again."""
        of_state = pending_sign_ins.c.state_hash == token_hash(state)
        with self._database.write() as connection:
            row = connection.execute(delete(pending_sign_ins).where(of_state).returning(pending_sign_ins)).one_or_none()
        if row is None or utc(row.expires_at) < datetime.now(UTC):
            return None
        return Pending(state, row.nonce, row.verifier, row.next)
