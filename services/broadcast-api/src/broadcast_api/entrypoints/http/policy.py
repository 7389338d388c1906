"""Who may call a route: declared beside it. A route that declares nothing cannot even ask for its services."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.routing import BaseRoute

from broadcast_api.adapters.identity import Identity
from broadcast_api.domain.identity import NOTHING, Principal, Role, Scope, scope_of
from broadcast_api.entrypoints.http.problems import Problem
from broadcast_api.entrypoints.http.query import refuse_unknown_parameters

Identify = Callable[[Request], Principal]

_bearer = HTTPBearer(auto_error=False, description="an API key, or a JWT of the organisation's OIDC provider")


@dataclass(frozen=True, slots=True)
class Policy:
    """`role` None: everybody, signed in or not, for the reason given in `why`."""

    role: Role | None
    identify: Identify | None = None
    why: str = ""

    def admit(self, request: Request) -> None:
        """Leave in the request's state who calls, what they may see and by which policy. Raises 401 and `Forbidden`."""
        state = request.state
        state.policy = self
        if self.role is None or self.identify is None:
            state.scope = NOTHING
            return
        state.principal = self.identify(request)
        state.scope = scope_of(state.principal, self.role, request.app.state.services.bots)


class Needs(Policy):
    """A policy of HTTP v1: a bearer token of somebody who holds the role, and no parameter that nobody reads."""

    def __call__(
        self, request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)] = None
    ) -> None:
        """Runs before every other dependency of the route."""
        self.admit(request)
        refuse_unknown_parameters(request)


class Open(Policy):
    """A policy that asks for nothing."""

    def __call__(self, request: Request) -> None:
        """Runs before every other dependency of the route."""
        self.admit(request)


def needs(role: Role) -> Needs:
    """For `dependencies=[Depends(needs(Role.AUTHOR))]`."""
    return Needs(role, _bearer_of)


def scope(request: Request) -> Scope:
    """What the request may see and change; fails where its route declares no policy."""
    found = getattr(request.state, "scope", None)
    assert isinstance(found, Scope), f"{request.url.path} declares no policy"
    return found


def caller(request: Request) -> Principal:
    """Who calls; fails where nobody had to say so."""
    found = getattr(request.state, "principal", None)
    assert isinstance(found, Principal), f"{request.url.path} asks nobody who they are"
    return found


def policy_of(route: BaseRoute) -> Policy | None:
    """What a route declares; None where it was forgotten."""
    dependant = getattr(route, "dependant", None)
    calls = [inner.call for inner in dependant.dependencies] if dependant else []
    return next((call for call in calls if isinstance(call, Policy)), None)


def _bearer_of(request: Request) -> Principal:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Problem(401, "not_authenticated", {"WWW-Authenticate": "Bearer"})
    identity: Identity = request.app.state.services.identity
    principal = identity.principal(token.strip())
    if principal is None:
        raise Problem(401, "bad_token", {"WWW-Authenticate": 'Bearer error="invalid_token"'})
    return principal


VIEWER = Depends(needs(Role.VIEWER))
AUTHOR = Depends(needs(Role.AUTHOR))
SENDER = Depends(needs(Role.SENDER))
APPROVER = Depends(needs(Role.APPROVER))
ADMIN = Depends(needs(Role.ADMIN))


def open_to_all(why: str) -> Open:
    """For `dependencies=[Depends(open_to_all("…"))]`; the reason is shown in docs/security.md."""
    return Open(None, None, why)
