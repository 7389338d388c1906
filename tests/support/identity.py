"""Who the tests are: a key for HTTP v1, a session for the console, each with whatever roles a test wants."""

from typing import Any

import httpx
from fastapi import FastAPI

from broadcast_api.adapters.accounts import Accounts
from broadcast_api.adapters.database import Database
from broadcast_api.adapters.identity import Identity
from broadcast_api.adapters.sessions import Sessions
from broadcast_api.domain.identity import Principal, parse_roles

EVERY_ROLE = "*=viewer+author+sender+approver+admin"


def identity(app: FastAPI) -> Identity:
    """By what the application knows people."""
    found = app.state.services.identity
    assert isinstance(found, Identity)
    return found


def bearer(app: FastAPI, roles: str = EVERY_ROLE, name: str = "Operator", position: str = "") -> dict[str, str]:
    """The header of a service with a key of its own."""
    _, key = identity(app).keys.create(name, position, parse_roles(roles), "tests")
    return {"Authorization": f"Bearer {key}"}


def session(database_url: str, name: str, position: str = "Отдел кадров") -> str:
    """The cookie of an official who is signed in to a running system."""
    database = Database(database_url)
    try:
        principal = Principal(f"local:{name}", name, position, parse_roles(EVERY_ROLE))
        return Sessions(database, 3600).begin(principal)
    finally:
        database.close()


def add_account(database_url: str, login: str, password: str, roles: str = EVERY_ROLE) -> None:
    """Of an official who can sign in to a running system."""
    database = Database(database_url)
    try:
        Accounts(database).create(login, login.title(), "", parse_roles(roles), password)
    finally:
        database.close()


def sign_in(http: httpx.AsyncClient, app: FastAPI, roles: str = EVERY_ROLE, **who: Any) -> None:
    """Give a browser the session of an official."""
    official = {"id": "local:operator", "name": "Operator", **who}
    token = identity(app).sessions.begin(Principal(**official, roles=parse_roles(roles)))
    http.cookies.set("session", token)
