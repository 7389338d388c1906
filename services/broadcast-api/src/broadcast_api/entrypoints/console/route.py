"""Around every page: security headers, and an answer in HTML to whatever goes wrong."""

import logging
from collections.abc import Callable, Coroutine
from typing import Any

from eventsourcing.persistence import PersistenceError
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import ValidationError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from broadcast_api.domain.errors import NotFound, Refused
from broadcast_api.entrypoints.console.access import NotSignedIn
from broadcast_api.entrypoints.console.explain import Explanation, explain, explain_problem
from broadcast_api.entrypoints.console.forms import Forged
from broadcast_api.entrypoints.console.page import Page, make_page
from broadcast_api.entrypoints.http.problems import STATUSES, Problem

log = logging.getLogger(__name__)

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cache-Control": "no-store",
}


class PageRoute(APIRoute):
    """A route of the console."""

    def get_route_handler(self) -> Handler:
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                response = await handler(request)
            except Exception as error:
                response = failure(make_page(request), error)
            return secured(response)

        return handle


def secured(response: Response) -> Response:
    """With the headers that forbid a browser what no page of ours does."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def pages() -> APIRouter:
    """A router for pages."""
    return APIRouter(route_class=PageRoute, include_in_schema=False)


def status_of(error: Refused) -> int:
    """As HTTP v1 would answer."""
    return next(status for kind, status in STATUSES.items() if isinstance(error, kind))


def failure(page: Page, error: Exception) -> Response:
    """A page that says what went wrong."""
    words = page.words
    match error:
        case Refused():
            status, told = status_of(error), explain(error, words)
        case NotSignedIn():
            return signed_out_answer(page)
        case Forged():
            why = words.gettext(
                "The form has expired or came from another site. Nothing was done. Open the page again."
            )
            status, told = 403, Explanation(words.gettext("Please try again"), why)
        case Problem():
            status, told = error.status_code, explain_problem(error, words)
        case RequestValidationError() | ValidationError():
            status, told = 404, explain(NotFound("page", page.request.url.path), words)
        case HTTPException():
            status, told = error.status_code, explain(NotFound("page", page.request.url.path), words)
        case OperationalError() | InterfaceError() | PoolTimeout() | PersistenceError():
            log.warning("database_unavailable", extra={"error": str(error)})
            status, told = (
                503,
                Explanation(
                    words.gettext("Unavailable"), words.gettext("The database does not answer. Try again shortly.")
                ),
            )
        case _:
            log.error("request_failed", extra={"path": page.request.url.path}, exc_info=error)
            why = words.gettext("Something went wrong on our side. It was logged under the number %(number)s.")
            number = page.request.scope["state"]["request_id"]
            status, told = 500, Explanation(words.gettext("Our fault"), why % {"number": number})
    return page.render("error.html", status, told=told)


def signed_out_answer(page: Page) -> Response:
    """The way in, and back to the page afterwards. A script that asked for a part or a stream gets none."""
    request = page.request
    if page.is_part or request.headers.get("accept") == "text/event-stream":
        return Response(status_code=401)
    query = f"?{request.url.query}" if request.method == "GET" and request.url.query else ""
    return page.redirect(page.address("/sign-in", next=request.url.path + query))


def install(app: FastAPI) -> None:
    """A browser that asks for what is not there gets a page; everybody else what they got before."""
    otherwise = app.exception_handlers[HTTPException]

    async def not_found(request: Request, error: Exception) -> Response:
        wants_page = "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/v1/")
        if not wants_page or type(error) is not HTTPException:
            return otherwise(request, error)  # type: ignore[return-value]
        return secured(failure(make_page(request), error))

    app.add_exception_handler(404, not_found)
