"""Who may open a page: the policies of HTTP v1, with a session of the console instead of a bearer token."""

from fastapi import Depends, Request, Response

from broadcast_api.adapters.identity import Identity
from broadcast_api.domain.identity import Principal, Role
from broadcast_api.entrypoints.http.policy import Policy, open_to_all

SESSION_COOKIE = "session"


class NotSignedIn(Exception):
    """Nobody is signed in, or not any more."""


class Signed(Policy):
    """A policy of a page."""

    def __call__(self, request: Request) -> None:
        """Runs before every other dependency of the route."""
        self.admit(request)


def identity_of(request: Request) -> Identity:
    """By what somebody can say who they are."""
    identity = request.app.state.services.identity
    assert isinstance(identity, Identity)
    return identity


def signed_in(request: Request) -> Principal:
    """Whose session the request belongs to; raises `NotSignedIn`."""
    token = request.cookies.get(SESSION_COOKIE, "")
    principal = identity_of(request).sessions.principal(token) if token else None
    if principal is None:
        raise NotSignedIn
    return principal


def remember_session(request: Request, response: Response, principal: Principal, id_token: str | None = None) -> None:
    """Begin a session under a new token, whatever token the browser came with; that one ends."""
    identity = identity_of(request)
    end_session(request)
    response.set_cookie(
        SESSION_COOKIE,
        identity.sessions.begin(principal, id_token),
        max_age=int(identity.session_seconds),
        httponly=True,
        samesite="lax",
        secure=is_secure(request),
    )


def end_session(request: Request) -> str:
    """Sign out on the server; answers the ID token of the session, "" where there is none."""
    token = request.cookies.get(SESSION_COOKIE, "")
    return identity_of(request).sessions.end(token) if token else ""


def is_secure(request: Request) -> bool:
    """Whether cookies may travel over https only."""
    return identity_of(request).secure or request.url.scheme == "https"


VIEWER = Depends(Signed(Role.VIEWER, signed_in))
AUTHOR = Depends(Signed(Role.AUTHOR, signed_in))
SENDER = Depends(Signed(Role.SENDER, signed_in))
APPROVER = Depends(Signed(Role.APPROVER, signed_in))
ADMIN = Depends(Signed(Role.ADMIN, signed_in))
ANYBODY = Depends(open_to_all("what a browser needs before anybody signed in"))
