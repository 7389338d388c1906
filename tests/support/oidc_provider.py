"""A small OpenID Connect provider: discovery, JWKS, code flow with S256 PKCE, userinfo, RP-initiated logout.

Strict, and scriptable: what RFC 6749, RFC 7636, OpenID Connect Core and RP-Initiated Logout tell a provider to refuse,
it refuses; `spoil` makes it lie.
"""

import base64
import contextlib
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

Claims = dict[str, Any]

ASKED = "Do you want to sign out?"
PAGE = '<!doctype html><link rel="icon" href="data:,"><title>{0}</title>{0}'

CLIENT_ID, CLIENT_SECRET, AUDIENCE = "console", "a client's secret", "broadcasts-api"


class OidcProvider:
    """`user` is who is signed in there, until they sign out (`signed_out`). Until then it sends everybody back at once:
    it asks nothing."""

    def __init__(self, redirect_uri: str) -> None:
        self.issuer, self.redirect_uri = "", redirect_uri
        self.signed_out_uri = redirect_uri.removesuffix("/back")
        self.signed_out = False
        self.places = {name: f"/{name}" for name in ("authorization", "token", "userinfo")}
        self.places["end_session"] = "/logout?realm=staff"
        self.key = RSAKey.generate_key(2048, {"kid": "first"}, private=True)
        self.user: Claims = {"sub": "u-1", "name": "Анна Петрова", "title": "Кадры", "groups": ["senders"]}
        self.spoil: Callable[[Claims], Claims] = lambda claims: claims
        self.asked: list[dict[str, str]] = []
        self._codes: dict[str, dict[str, str]] = {}
        self._tokens: dict[str, Claims] = {}

    def token(self, key: RSAKey | None = None, alg: str = "RS256", **claims: Any) -> str:
        """A JWT as a service would get it for HTTP v1, with some claims changed; None takes one away."""
        now = int(time.time())
        usual = {"iss": self.issuer, "aud": AUDIENCE, "iat": now, "exp": now + 300, "sub": "svc", "groups": ["senders"]}
        stated = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        key = key or self.key
        return jwt.encode({"alg": alg, "kid": key.kid}, stated, key, algorithms=[alg])

    # -- its endpoints

    def described(self) -> Claims:
        """The discovery document."""
        endpoints = {f"{name}_endpoint": self.issuer + path for name, path in self.places.items()}
        return {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/jwks", **endpoints}

    def keys(self) -> Claims:
        """Public ones only."""
        return {"keys": [self.key.as_dict(private=False)]}

    def authorize(self, query: dict[str, str]) -> str:
        """Where the browser goes next; "" where it is asked who it is. Raises ValueError for what must be refused."""
        self.asked.append(query)
        wanted = {"response_type": "code", "client_id": CLIENT_ID, "redirect_uri": self.redirect_uri}
        if any(query.get(name) != value for name, value in wanted.items()):
            raise ValueError("invalid_request")
        if query.get("code_challenge_method") != "S256" or "openid" not in query.get("scope", "").split():
            raise ValueError("invalid_request")
        if self.signed_out:
            return ""
        self._codes[code := secrets.token_urlsafe()] = query
        return f"{self.redirect_uri}?{urlencode({'code': code, 'state': query['state']})}"

    def exchange(self, form: dict[str, str], authorization: str) -> Claims:
        """A code for tokens, once."""
        basic = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        if (unquote(basic[0]), unquote(basic[2])) != (CLIENT_ID, CLIENT_SECRET):
            raise ValueError("invalid_client")
        query = self._codes.pop(form.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if query is None or challenge.rstrip(b"=").decode() != query["code_challenge"]:
            raise ValueError("invalid_grant")
        if form.get("redirect_uri") != query["redirect_uri"]:
            raise ValueError("invalid_grant")
        self._tokens[access := secrets.token_urlsafe()] = dict(self.user)
        said = {"aud": CLIENT_ID, "sub": self.user["sub"], "nonce": query.get("nonce"), "groups": None}
        id_token = self.token(**self.spoil(said))
        return {"access_token": access, "token_type": "Bearer", "expires_in": 300, "id_token": id_token}

    def end_session(self, given: dict[str, str]) -> str:
        """Sign out; answers where the browser goes next, "" where it is asked whether it means that: a provider must
        ask whoever comes without an ID token of who is signed in. Raises ValueError for what must be refused."""
        if given.get("realm") != "staff":
            raise ValueError("its own parameters belong to an endpoint")
        back, hint = given.get("post_logout_redirect_uri", ""), given.get("id_token_hint", "")
        if back not in ("", self.signed_out_uri):
            raise ValueError("invalid_redirect_uri")
        if given.get("client_id", CLIENT_ID) != CLIENT_ID:
            raise ValueError("invalid_client")
        if not hint:
            return ""
        try:  # one that has expired will do
            said = jwt.decode(hint, self.key, algorithms=["RS256"]).claims
        except (JoseError, ValueError):
            raise ValueError("invalid_id_token_hint") from None
        if (said["iss"], said["aud"]) != (self.issuer, CLIENT_ID):
            raise ValueError("invalid_id_token_hint")
        if said["sub"] != self.user["sub"]:
            return ""
        self.signed_out = True
        state = f"?{urlencode({'state': given['state']})}" if "state" in given else ""
        return back + state if back else f"{self.issuer}/goodbye"

    def userinfo(self, authorization: str) -> Claims:
        """Of whom the access token is."""
        return self._tokens[authorization.removeprefix("Bearer ")]


@contextlib.contextmanager
def oidc_provider(redirect_uri: str) -> Iterator[OidcProvider]:
    """On the loopback, in a thread."""
    provider = OidcProvider(redirect_uri)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            try:
                match address.path:
                    case "/.well-known/openid-configuration":
                        self._json(provider.described())
                    case "/jwks":
                        self._json(provider.keys())
                    case "/userinfo":
                        self._json(provider.userinfo(self.headers["Authorization"]))
                    case "/authorization":
                        self._go(provider.authorize(dict(parse_qsl(address.query))), "Who are you?")
                    case "/logout":
                        self._go(provider.end_session(dict(parse_qsl(address.query))), ASKED)
                    case _:
                        self.send_error(404)
            except (ValueError, KeyError) as error:
                self._json({"error": str(error)}, 400)

        def do_POST(self) -> None:
            form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
            address = urlsplit(self.path)
            try:
                if address.path == "/logout":
                    return self._go(provider.end_session({**dict(parse_qsl(address.query)), **form}), ASKED)
                self._json(provider.exchange(form, self.headers.get("Authorization", "")))
            except ValueError as error:
                self._json({"error": str(error)}, 400)

        def _go(self, address: str, question: str) -> None:
            self.send_response(302 if address else 200)
            self.send_header("Location" if address else "Content-Type", address or "text/html")
            self.end_headers()
            self.wfile.write(b"" if address else PAGE.format(question).encode())

        def _json(self, body: Claims, status: int = 200) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.issuer = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
