"""Who speaks HTTP v1: API keys, and JWTs of the provider."""

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from joserfc.jwk import RSAKey
from sqlalchemy import select, update

from broadcast_api.adapters.identity_schema import api_keys
from broadcast_api.adapters.keys import USE_NOTED
from broadcast_api.adapters.queries import utc
from broadcast_api.domain.identity import parse_roles
from tests.integration.identity.conftest import client
from tests.support.broadcast_api import Api
from tests.support.identity import bearer, identity
from tests.support.oidc_provider import OidcProvider


async def asks(app: FastAPI, token: str) -> int:
    """How a list of broadcasts is answered."""
    async with client(app, {"Authorization": f"Bearer {token}"}) as http:
        return (await http.get("/v1/broadcasts")).status_code


async def test_without_a_token_there_is_a_problem_that_says_what_to_do(app: FastAPI) -> None:
    async with client(app) as http:
        for headers in ({}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer"}, {"X-Actor-Name": "Anna"}):
            answer = await http.get("/v1/broadcasts", headers=headers)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.json()["type"] == "urn:broadcasts:problem:not_authenticated"
            assert "Authorization: Bearer" in answer.json()["detail"]


async def test_a_session_of_the_console_opens_no_http_v1(app: FastAPI) -> None:
    """So that no form of another site can reach it with the cookie of an official."""
    principal = identity(app).keys.principal(bearer(app)["Authorization"].removeprefix("Bearer "))
    assert principal is not None
    async with client(app) as http:
        http.cookies.set("session", identity(app).sessions.begin(principal))
        assert (await http.get("/v1/broadcasts")).status_code == 401


async def test_everything_done_with_a_key_bears_its_name(api: Api) -> None:
    headers = bearer(api.app, name="Кадровая система", position="сервис")
    created = await api.http.post("/v1/broadcasts", json=await api.draft(), headers={**headers, "X-Actor-Name": "Eve"})
    assert created.json()["created_by"] == {"name": "Кадровая система", "position": "сервис"}


async def test_a_key_that_was_revoked_or_has_expired_opens_nothing(app: FastAPI) -> None:
    keys = identity(app).keys
    id, key = keys.create("a", "", parse_roles("main=viewer"), "tests")
    _, old = keys.create("b", "", parse_roles("main=viewer"), "tests", days=1)
    assert (await asks(app, key), await asks(app, old)) == (200, 200)
    assert keys.revoke(id)
    with keys._database.write() as connection:
        past = datetime.now(UTC) - timedelta(seconds=1)
        connection.execute(update(api_keys).where(api_keys.c.name == "b").values(expires_at=past))
    assert (await asks(app, key), await asks(app, old), await asks(app, key[:-1])) == (401, 401, 401)


def test_the_last_use_of_a_key_is_written_down_once_an_hour(app: FastAPI) -> None:
    """So that whoever revokes what nobody uses can see it."""
    keys = identity(app).keys
    _, key = keys.create("a", "", parse_roles("main=viewer"), "tests")
    assert noted(app) is None
    for age, again in ((None, True), (USE_NOTED - timedelta(minutes=1), False), (USE_NOTED, True)):
        before = None if age is None else datetime.now(UTC) - age
        with keys._database.write() as connection:
            connection.execute(update(api_keys).values(last_used_at=before))
        assert keys.principal(key) is not None
        assert (noted(app) != before) is again, age


def test_what_opens_nothing_is_not_used(app: FastAPI) -> None:
    keys = identity(app).keys
    id, key = keys.create("a", "", parse_roles("main=viewer"), "tests")
    keys.revoke(id)
    assert keys.principal(key) is None
    assert noted(app) is None


def test_a_key_opens_what_it_opens_where_its_use_cannot_be_written_down(app: FastAPI) -> None:
    keys = identity(app).keys
    _, key = keys.create("a", "", parse_roles("main=viewer"), "tests")
    with keys._database.write() as connection:
        when = "CREATE TRIGGER full BEFORE UPDATE ON api_keys BEGIN SELECT RAISE(ABORT, 'full'); END"
        connection.exec_driver_sql(when)
    assert keys.principal(key) is not None
    assert noted(app) is None


def noted(app: FastAPI) -> datetime | None:
    """When the only key was used, as far as is written down."""
    (row,) = identity(app).keys.all()
    return None if row.last_used_at is None else utc(row.last_used_at)


def test_what_is_stored_of_a_key_is_not_the_key(app: FastAPI) -> None:
    keys = identity(app).keys
    _, key = keys.create("a", "", parse_roles("main=viewer"), "tests")
    with keys._database.read() as connection:
        assert key not in repr(connection.execute(select(api_keys)).all())


async def test_a_jwt_of_the_provider_opens_what_its_roles_open(
    app_with_provider: FastAPI, provider: OidcProvider
) -> None:
    assert await asks(app_with_provider, provider.token()) == 200
    assert await asks(app_with_provider, provider.token(groups=[])) == 403


WRONG: list[dict[str, Any]] = [
    {"aud": "another-service"},
    {"aud": "console"},
    {"aud": None},
    {"iss": "https://evil.example"},
    {"iss": None},
    {"exp": 1},
    {"exp": None},
    {"exp": "tomorrow"},
    {"nbf": 4_000_000_000},
    {"sub": None},
    {"sub": 7},
]


@pytest.mark.parametrize("claims", WRONG, ids=str)
async def test_a_jwt_for_somebody_else_or_of_another_time_is_refused(
    app_with_provider: FastAPI, provider: OidcProvider, claims: dict[str, Any]
) -> None:
    assert await asks(app_with_provider, provider.token(**claims)) == 401


async def test_a_forged_jwt_is_refused(app_with_provider: FastAPI, provider: OidcProvider) -> None:
    genuine = provider.token()
    header, body, signature = genuine.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    richer = _part({**claims, "groups": ["senders", "lookers"]})
    public = provider.key.as_pem(private=False)
    confusing = f"{_part({'alg': 'HS256', 'kid': 'first'})}.{body}"
    mac = hmac.digest(public, confusing.encode(), "sha256")
    confused = f"{confusing}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    own = _part({"alg": "RS256", "jwk": provider.key.as_dict(private=False)})
    forged = {
        "another key": provider.token(key=RSAKey.generate_key(2048, {"kid": "first"}, private=True)),
        "an unknown key": provider.token(key=RSAKey.generate_key(2048, {"kid": "other"}, private=True)),
        "alg none": f"{_part({'alg': 'none'})}.{body}.",
        "alg None": f"{_part({'alg': 'None', 'kid': 'first'})}.{body}.{signature}",
        "the public key as a secret": confused,
        "other claims": f"{header}.{richer}.{signature}",
        "no signature": f"{header}.{body}.",
        "a key of its own": f"{own}.{richer}.{signature}",
        "too long": genuine + "A" * 20_000,
        "garbage": "a.b.c",
        "no token": "...",
    }
    assert {name: await asks(app_with_provider, token) for name, token in forged.items()} == dict.fromkeys(forged, 401)
    assert await asks(app_with_provider, genuine) == 200


async def test_a_provider_that_changes_its_key_is_asked_again(
    app_with_provider: FastAPI, provider: OidcProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await asks(app_with_provider, provider.token()) == 200
    provider.key = RSAKey.generate_key(2048, {"kid": "second"}, private=True)
    assert await asks(app_with_provider, provider.token()) == 401, "anybody can invent a key id: not at once"
    monkeypatch.setattr("broadcast_api.adapters.oidc.AGAIN_SECONDS", 0)
    assert await asks(app_with_provider, provider.token()) == 200


async def test_a_provider_that_is_away_is_a_reason_to_try_again(built: Any) -> None:
    more = {"oidc_client_id": "c", "oidc_audience": "a", "oidc_roles": {}}
    app = built(oidc_issuer="http://127.0.0.1:9", **more)
    assert await asks(app, "a.b.c") == 503


def _part(stated: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(stated).encode()).rstrip(b"=").decode()
