"""The organisation's OpenID Connect provider: who signs in and out there (code flow with PKCE), and whose JWT it is."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2
from authlib.common.urls import add_params_to_uri  # type: ignore[import-untyped]
from authlib.integrations.base_client import OAuthError  # type: ignore[import-untyped]
from authlib.integrations.httpx_client import OAuth2Client  # type: ignore[import-untyped]
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from broadcast_api.adapters.sessions import Pending
from broadcast_api.domain.errors import ProviderUnavailable
from broadcast_api.domain.identity import Principal, Role, parse_roles

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Only what a public key verifies: a provider's public key can never be taken for a shared secret, and never `none`."""

CACHED_SECONDS = 600
AGAIN_SECONDS = 30
"""A key id that nobody knows makes us look again, but not more often: anybody can send one."""

LEEWAY_SECONDS = 30
TOKEN_MAX = 16_384
HINT_MAX = 4_096
"""Of an ID token in an address: servers commonly take 8 KB of one."""
TIMEOUT_SECONDS = 5


class BadToken(Exception):
    """What is wrong with it is for the log, not for who sent it."""


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """`audience` is that of bearer tokens for HTTP v1 (none are taken without); `claims` says which claims hold name,
    position and roles, nested ones as `realm_access.roles`; `roles` what a value of the latter grants, as in
    `{"hr-senders": "hr=author+sender"}`."""

    issuer: str
    client_id: str
    client_secret: str
    redirect_uri: str
    signed_out_uri: str
    audience: str = ""
    claims: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)


class Provider:
    """Synchronous: call it from a thread. Everything may raise `ProviderUnavailable`."""

    def __init__(self, settings: ProviderSettings) -> None:
        self._settings = settings
        self._grants = {value: parse_roles(granted) for value, granted in settings.roles.items()}
        self._lock = threading.Lock()
        self._metadata: dict[str, Any] = {}
        self._keys: KeySet | None = None
        self._read_at = 0.0

    def address(self, pending: Pending) -> str:
        """Where to send a browser that wants to sign in."""
        with self._client() as client:
            endpoint = self._described()["authorization_endpoint"]
            url, _ = client.create_authorization_url(
                endpoint, state=pending.state, nonce=pending.nonce, code_verifier=pending.verifier
            )
            return str(url)

    def signed_in(self, code: str, pending: Pending) -> tuple[Principal, str]:
        """Who came back with this code, and the ID token that says so; raises `BadToken`."""
        described = self._described()
        try:
            with self._client() as client:
                token = client.fetch_token(
                    described["token_endpoint"],
                    code=code,
                    grant_type="authorization_code",
                    redirect_uri=self._settings.redirect_uri,
                    code_verifier=pending.verifier,
                )
                id_token = str(token.get("id_token", ""))
                claims = self._verified(id_token, self._settings.client_id, nonce=pending.nonce)
                if endpoint := described.get("userinfo_endpoint"):
                    told = client.get(endpoint).raise_for_status().json()
                    if told.get("sub") != claims["sub"]:
                        raise BadToken("userinfo is about somebody else")
                    claims = {**told, **claims}
        except OAuthError as error:
            raise BadToken(f"the code was refused: {error.error}") from None
        except httpx2.HTTPError as error:
            raise ProviderUnavailable from error
        return self._principal(claims), id_token

    def sign_out_address(self, id_token: str) -> str:
        """Where to send a browser that has signed out here, so that it does so there; "" where the provider announces
        no such place (OpenID Connect RP-Initiated Logout 1.0).

        Without the ID token the provider has to ask whether they meant it, and some refuse to come back.
        """
        endpoint = self._described().get("end_session_endpoint")
        if not endpoint:
            return ""
        stated = {
            "client_id": self._settings.client_id,
            "post_logout_redirect_uri": self._settings.signed_out_uri,
            "id_token_hint": id_token if len(id_token) <= HINT_MAX else "",
        }
        return str(add_params_to_uri(endpoint, [(name, value) for name, value in stated.items() if value]))

    def principal_of_bearer(self, token: str) -> Principal:
        """Whose access token this is; raises `BadToken`.

        A client that stands for nobody but itself has its own id as the subject (RFC 9068, 2.2).
        """
        if not self._settings.audience:
            raise BadToken("no audience is set: bearer JWTs are not taken")
        claims = self._verified(token, self._settings.audience)
        itself = claims["sub"] in (claims.get("client_id"), claims.get("azp"))
        return self._principal(claims, "client" if itself else "oidc")

    def _verified(self, token: str, audience: str, nonce: str | None = None) -> dict[str, Any]:
        if len(token) > TOKEN_MAX:
            raise BadToken("too long")
        required: dict[str, jwt.ClaimsOption] = {
            "iss": {"essential": True, "value": self._settings.issuer},
            "aud": {"essential": True, "value": audience},
            "exp": {"essential": True},
            "sub": {"essential": True},
        }
        if nonce is not None:
            required["nonce"] = {"essential": True, "value": nonce}
        try:
            claims = self._decoded(token).claims
            jwt.JWTClaimsRegistry(None, LEEWAY_SECONDS, **required).validate(claims)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise BadToken(f"{type(error).__name__}: {error}") from None
        if nonce is not None and claims.get("azp", audience) != audience:
            raise BadToken("issued to another client")
        return dict(claims)

    def _decoded(self, token: str) -> jwt.Token:
        """With the keys as we know them; once more with fresh ones when none of them fits."""
        keys = self._key_set()
        try:
            return jwt.decode(token, keys, algorithms=ALGORITHMS)
        except (JoseError, ValueError):
            if (fresh := self._key_set(AGAIN_SECONDS)) is keys:
                raise
            return jwt.decode(token, fresh, algorithms=ALGORITHMS)

    def _principal(self, claims: Mapping[str, Any], kind: str = "oidc") -> Principal:
        names = {"name": "name", "position": "position", "roles": "roles", **self._settings.claims}
        roles: dict[str, frozenset[Role]] = {}
        for value in _listed(_at(claims, names["roles"])):
            for bot, held in self._grants.get(value, {}).items():
                roles[bot] = roles.get(bot, frozenset()) | held
        name = str(_at(claims, names["name"]) or claims["sub"])
        return Principal(f"{kind}:{claims['sub']}", name[:200], str(_at(claims, names["position"]) or "")[:200], roles)

    def _described(self) -> dict[str, Any]:
        self._key_set()
        return self._metadata

    def _key_set(self, age: float = CACHED_SECONDS) -> KeySet:
        """As read at most `age` seconds ago."""
        with self._lock:
            if self._keys is None or time.monotonic() - self._read_at > age:
                try:
                    self._read()
                except (httpx2.HTTPError, ValueError, KeyError) as error:
                    if self._keys is None:
                        raise ProviderUnavailable from error
            assert self._keys is not None
            return self._keys

    def _read(self) -> None:
        """Known keys outlive an outage of the provider."""
        self._read_at = time.monotonic() if self._keys else self._read_at
        with httpx2.Client(timeout=TIMEOUT_SECONDS) as http:
            address = self._settings.issuer.rstrip("/") + "/.well-known/openid-configuration"
            metadata = http.get(address).raise_for_status().json()
            if metadata["issuer"] != self._settings.issuer:
                raise ValueError(f"{address} speaks for {metadata['issuer']}")
            keys = KeySet.import_key_set(http.get(metadata["jwks_uri"]).raise_for_status().json())
        self._metadata, self._keys, self._read_at = metadata, keys, time.monotonic()

    def _client(self) -> OAuth2Client:
        return OAuth2Client(
            client_id=self._settings.client_id,
            client_secret=self._settings.client_secret or None,
            token_endpoint_auth_method="client_secret_basic" if self._settings.client_secret else "none",
            scope="openid profile",
            redirect_uri=self._settings.redirect_uri,
            code_challenge_method="S256",
            timeout=TIMEOUT_SECONDS,
        )


def _at(claims: Mapping[str, Any], path: str) -> Any:
    found: Any = claims
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _listed(value: Any) -> list[str]:
    return [str(part) for part in value] if isinstance(value, list) else str(value or "").split()
