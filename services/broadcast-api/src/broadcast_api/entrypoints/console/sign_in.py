"""Signing in and out: at the organisation's OIDC provider, or with a local account where there is none."""

import hmac
import logging

from fastapi import Request, Response

from broadcast_api.adapters.accounts import TooManyAttempts
from broadcast_api.adapters.oidc import BadToken
from broadcast_api.domain.errors import ProviderUnavailable
from broadcast_api.entrypoints.console.access import (
    ANYBODY,
    SESSION_COOKIE,
    end_session,
    identity_of,
    is_secure,
    remember_session,
)
from broadcast_api.entrypoints.console.forms import Posted
from broadcast_api.entrypoints.console.page import FLASH_SECONDS, Page, Viewed, local_path
from broadcast_api.entrypoints.console.route import pages

log = logging.getLogger(__name__)

STATE_COOKIE = "sign_in"
STATE_SECONDS = 600

router = pages()


@router.get("/sign-in", dependencies=[ANYBODY])
def ask(page: Viewed, next: str = "/") -> Response:
    return _page(page, next)


@router.post("/sign-in", dependencies=[ANYBODY])
def sign_in(page: Viewed, form: Posted) -> Response:
    """By login and password. Whether it was the login or the password that was wrong is not said."""
    next, login, request = form.one("next"), form.one("login"), page.request
    identity = identity_of(request)
    if identity.provider is not None:
        return page.redirect("/sign-in")
    try:
        address = request.client.host if request.client else ""
        principal = identity.accounts.check(login, form.one("password"), address)
    except TooManyAttempts as error:
        log.warning("sign_in_limited", extra={"address": address})
        minutes = -(-error.seconds // 60)
        fault = page.words.ngettext(
            "Too many attempts. Try again in %(n)s minute.", "Too many attempts. Try again in %(n)s minutes.", minutes
        )
        response = _page(page, next, 429, fault % {"n": minutes}, login)
        response.headers["Retry-After"] = str(error.seconds)
        return response
    if principal is None:
        log.warning("sign_in_refused", extra={"address": address})
        return _page(page, next, 401, page.words.gettext("The login or the password is wrong."), login)
    log.info("signed_in", extra={"principal": principal.id, "address": address})
    response = page.redirect(local_path(next, "/"))
    remember_session(request, response, principal)
    return response


@router.get("/sign-in/start", dependencies=[ANYBODY])
def start(page: Viewed, next: str = "/") -> Response:
    """To the provider. A cookie ties the way back to this browser."""
    identity = identity_of(page.request)
    if identity.provider is None:
        return page.redirect("/sign-in")
    pending = identity.sessions.expect(local_path(next, "/"))
    response = page.redirect(identity.provider.address(pending))
    response.set_cookie(
        STATE_COOKIE,
        pending.state,
        max_age=STATE_SECONDS,
        httponly=True,
        samesite="lax",
        secure=is_secure(page.request),
        path="/sign-in",
    )
    return response


@router.get("/sign-in/back", dependencies=[ANYBODY])
def back(page: Viewed, state: str = "", code: str = "", error: str = "") -> Response:
    """From the provider. What was not begun in this browser, or was finished before, signs nobody in."""
    request = page.request
    identity = identity_of(request)
    ours = hmac.compare_digest(request.cookies.get(STATE_COOKIE, "").encode(), state.encode())
    pending = identity.sessions.expected(state) if ours and state else None
    if identity.provider is None or pending is None:
        return _page(page, "/", 400, page.words.gettext("This sign-in has expired. Please begin again."))
    try:
        if not code:
            raise BadToken(f"the provider said: {error[:100]}")
        principal, id_token = identity.provider.signed_in(code, pending)
    except BadToken as refusal:
        log.warning("sign_in_refused", extra={"why": str(refusal)})
        return _page(page, pending.next, 401, page.words.gettext("The sign-in service did not let you in."))
    log.info("signed_in", extra={"principal": principal.id})
    response = page.redirect(pending.next)
    remember_session(request, response, principal, id_token)
    response.delete_cookie(STATE_COOKIE, path="/sign-in")
    return response


@router.post("/sign-out", dependencies=[ANYBODY])
def sign_out(page: Viewed, form: Posted) -> Response:
    """Here at once, whatever becomes of it at the provider; then there, too: whoever sits down next could otherwise
    sign in again without a password.

    The browser goes there from a page and not by a redirect: after a form our CSP forbids to be led to another site,
    and where the provider leads it in turn nobody here knows.
    """
    address = _sign_out_address(page.request, end_session(page.request))
    if address:
        response: Response = page.render("signed_out.html", address=address)
        page.remember(response, "flash", "signed_out", FLASH_SECONDS)
    else:
        response = page.redirect("/sign-in", "signed_out")
    response.delete_cookie(SESSION_COOKIE)
    return response


def _sign_out_address(request: Request, id_token: str) -> str:
    """At the provider; "" where nobody has to go there, or nobody knows where."""
    provider = identity_of(request).provider
    try:
        return provider.sign_out_address(id_token) if provider else ""
    except ProviderUnavailable:
        log.warning("signed_out_only_here", extra={"why": "the provider is unavailable"})
        return ""


def _page(page: Page, next: str, status: int = 200, fault: str = "", login: str = "") -> Response:
    by_provider = identity_of(page.request).provider is not None
    return page.render(
        "sign_in.html", status, next=local_path(next, "/"), fault=fault, login=login, by_provider=by_provider
    )
