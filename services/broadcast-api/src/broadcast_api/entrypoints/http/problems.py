"""Errors as RFC 9457 problem documents: one shape for everything that is not a success."""

import logging
from typing import Any

from eventsourcing.persistence import PersistenceError
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from broadcast_api.domain.errors import (
    AlreadyAttached,
    ApprovalNeeded,
    ApprovalOfAnother,
    AudienceArchived,
    AudienceEmpty,
    Busy,
    Forbidden,
    ImportUnderWay,
    KeyReused,
    NobodyToResendTo,
    NobodyUnconfirmed,
    NotAPerson,
    NotApproved,
    NotFound,
    NothingToSend,
    NotUnconfirmed,
    OtherFiles,
    OwnApproval,
    ProviderUnavailable,
    Refused,
    Stale,
    StorageAway,
    StorageFull,
    TooManyFiles,
    Unusable,
    WrongState,
)
from broadcast_api.entrypoints.http.catalogue import STATUS_LABELS, TEXTS, language_of
from broadcast_api.entrypoints.http.definition_faults import in_words

log = logging.getLogger(__name__)

URN = "urn:broadcasts:problem:"
MEDIA_TYPE = "application/problem+json"

STATUSES: dict[type[Refused], int] = {
    NotFound: 404,
    Forbidden: 403,
    OwnApproval: 403,
    NotAPerson: 403,
    Stale: 412,
    Busy: 503,
    ProviderUnavailable: 503,
    KeyReused: 422,
    WrongState: 409,
    ApprovalNeeded: 409,
    ApprovalOfAnother: 409,
    NotApproved: 409,
    NobodyUnconfirmed: 409,
    NotUnconfirmed: 409,
    NobodyToResendTo: 409,
    AudienceEmpty: 409,
    AudienceArchived: 409,
    ImportUnderWay: 409,
    NothingToSend: 409,
    TooManyFiles: 409,
    AlreadyAttached: 409,
    OtherFiles: 409,
    StorageFull: 507,
    StorageAway: 503,
    Unusable: 422,
}


class Problem(HTTPException):
    """A refusal of the HTTP door itself."""

    def __init__(self, status: int, code: str, headers: dict[str, str] | None = None, **facts: Any) -> None:
        super().__init__(status, code, headers)
        self.code, self.facts = code, facts


class FieldError(BaseModel):
    """One fault of the request."""

    pointer: str = Field(description="where: a JSON pointer into the body, or query:name, header:name, path:name")
    code: str
    detail: str


class ProblemDocument(BaseModel):
    """RFC 9457. Further members by type: `status_now` and `stopping` (409), `version` and `current` (412),
    `byte_offset` (bad_text), `errors` (invalid), `ids` (unknown_recipients)…"""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "example": {
                "type": "urn:broadcasts:problem:not_created",
                "title": "Not possible now",
                "status": 409,
                "detail": "The broadcast is sending: this is possible only while it is created.",
                "instance": "/v1/broadcasts/6f1c2b60-8a47-4f0e-9a36-0f6b8f0f5d11",
                "request_id": "b7f0c1",
                "status_now": "sending",
                "stopping": False,
            }
        },
    )

    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    errors: list[FieldError] | None = None


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route: which problems it may answer with, beside those that any of them may."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}
    return {
        status: {"description": _MEANINGS[status], "content": content}
        for status in (401, 403, *statuses, 422, 500, 503)
    }


_MEANINGS = {
    400: "The request cannot be read",
    401: "Nobody is signed in: send a bearer token",
    403: "The role that this needs is not held",
    404: "There is no such thing",
    409: "Not possible in the present state",
    412: "It was changed meanwhile; `current` is what it is now",
    413: "The body or the file is too large",
    415: "The body is not multipart/form-data",
    422: "The request is understood and cannot be obeyed",
    428: "If-Match is required",
    500: "Our fault",
    503: "Try again in a moment",
    507: "There is no room for another file",
}


def answer(request: Request, status: int, code: str, facts: dict[str, Any], headers: Any = None) -> JSONResponse:
    """A problem document in the language of the request."""
    language = language_of(request.headers.get("accept-language"))
    facts = in_words(facts, language)
    title, template = TEXTS[code][language]
    words = {**facts, "status": STATUS_LABELS[language].get(str(facts.get("status_now")), "")}
    body = {
        "type": URN + code,
        "title": title,
        "status": status,
        "detail": template.format_map(_Words(words)),
        "instance": request.url.path,
        "request_id": request.scope.get("state", {}).get("request_id", ""),
        **facts,
    }
    all_headers = {"Content-Language": language, **(headers or {})}
    return JSONResponse(body, status, headers=all_headers, media_type=MEDIA_TYPE)


class _Words(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return ""


def install(app: FastAPI) -> None:
    """Every way to fail ends in a problem document."""

    @app.exception_handler(Refused)
    def refused(request: Request, error: Refused) -> JSONResponse:
        status = next(status for kind, status in STATUSES.items() if isinstance(error, kind))
        headers = {"Retry-After": "1"} if status == 503 else None
        return answer(request, status, error.code, error.facts, headers)

    @app.exception_handler(HTTPException)
    def http(request: Request, error: HTTPException) -> JSONResponse:
        if isinstance(error, Problem):
            return answer(request, error.status_code, error.code, error.facts, error.headers)
        code = {404: "no_such_page", 405: "method_not_allowed", 400: "malformed"}.get(error.status_code, "internal")
        return answer(request, error.status_code, code, {}, error.headers)

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        faults = error.errors()
        if any(fault["type"] == "json_invalid" for fault in faults):
            return answer(request, 400, "malformed", {})
        return answer(request, 422, "invalid", {"errors": [_fault(fault) for fault in faults[:50]]})

    for kind in (OperationalError, InterfaceError, PoolTimeout, PersistenceError):
        app.add_exception_handler(kind, _unavailable)


def _unavailable(request: Request, error: Exception) -> JSONResponse:
    log.warning("database_unavailable", extra={"error": str(error)})
    return answer(request, 503, "unavailable", {}, {"Retry-After": "1"})


def _fault(fault: dict[str, Any]) -> dict[str, str]:
    """Without the offending value: it may not even be printable."""
    where, *path = fault["loc"]
    place = "".join(f"/{part}" for part in path) if where == "body" else f"{where}:{'.'.join(map(str, path))}"
    return {"pointer": place, "code": fault["type"], "detail": fault["msg"]}
