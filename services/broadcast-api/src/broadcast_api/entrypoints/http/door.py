"""The ASGI application: every router behind the same middleware and the same errors."""

import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig

from broadcast_api.entrypoints.http import (
    approvals,
    attachments,
    audiences,
    audit,
    broadcasts,
    deliveries,
    doubts,
    health,
    history,
    imports,
    live,
    recipients,
    trials,
)
from broadcast_api.entrypoints.http.context import Services
from broadcast_api.entrypoints.http.middleware import BodyLimit, Outermost
from broadcast_api.entrypoints.http.problems import ProblemDocument, install

DESCRIPTION = """Broadcasts to the people connected to a Telegram bot: draw up, try out, send, watch, stop, resume,
recall, edit, send again.

Errors are RFC 9457 problem documents. A field or a query parameter that is none of ours is refused.
`Idempotency-Key` makes any POST, PATCH or DELETE safe to repeat.
An ETag is the version of what you read: send it back in `If-Match`."""

UNTRACED = re.compile(r"/(livez|readyz|healthz|metrics)|/assets/.*|.*/live")
"""What nobody looks for in a trace, and what lasts for as long as somebody watches."""

TRACED: TelemetryConfig = {
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
    "exclude": lambda scope: UNTRACED.fullmatch(scope["path"]) is not None,
}
"""FastAPI makes the span of a request, where `tracing` was started."""

MODULES = (
    broadcasts,
    approvals,
    attachments,
    trials,
    deliveries,
    doubts,
    history,
    live,
    audiences,
    imports,
    recipients,
    audit,
    health,
)


def make_app(services: Services, lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]]) -> FastAPI:
    """Serve `services` over HTTP."""
    app = FastAPI(
        title="Broadcasts",
        version="1",
        description=DESCRIPTION,
        lifespan=lifespan,
        telemetry=TRACED,
        docs_url=None,  # these pages run scripts of another site, here with the session of whoever opens them
        redoc_url=None,
    )
    app.state.services = services
    for module in MODULES:
        app.include_router(module.router)
    install(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(Outermost)
    _document_problems(app)
    return app


def _document_problems(app: FastAPI) -> None:
    """The routes refer to one schema of problems; FastAPI knows only the schemas of its own answers."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schema = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(schema.pop("$defs", {}))
        schemas["ProblemDocument"] = schema
        return document

    app.openapi = openapi  # type: ignore[method-assign]
