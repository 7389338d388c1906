"""`/v1/audit`: who did what, when, to what; by pages to look at, and as a chain of hashes to keep."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from broadcast_api.adapters.audit import Filter
from broadcast_api.adapters.queries import utc
from broadcast_api.application.audit_chain import NOTHING, End, export
from broadcast_api.entrypoints.http.context import Door
from broadcast_api.entrypoints.http.models import Moment
from broadcast_api.entrypoints.http.paging import Cursor, Limit, Page, number, page
from broadcast_api.entrypoints.http.policy import ADMIN
from broadcast_api.entrypoints.http.problems import documented
from broadcast_contracts import Actor

NDJSON = "application/x-ndjson"
CHUNK = 100

router = APIRouter(prefix="/v1/audit", tags=["audit"])

Part = Annotated[str, Query(max_length=200, pattern=r"^[^\x00]*$")]
Bound = Annotated[Moment | None, Query(description="with a time zone")]


class AuditEntry(BaseModel):
    """One event of the log. `bot` is empty where all bots are meant: accounts and API keys."""

    number: int = Field(description="its place in the log; numbers may have gaps")
    at: datetime
    what: str = Field(description="broadcast.created, audience.edited, import.started, person.erased, key.revoked…")
    subject: str = Field(description="the id of what it was done to; empty where there is no single one")
    title: str = Field(description="what that was called then")
    bot: str
    by: Actor | None = Field(description="null where the system itself acted")
    by_id: str
    request_id: str
    details: dict[str, Any] = Field(
        description="of people, imports, accounts and keys; for the others: history, export"
    )


@router.get("", dependencies=[ADMIN], summary="Who did what, newest first", responses=documented())
def list_audit(
    door: Door,
    person: Annotated[Part, Query(description="part of a name, or of an id such as local:anna")] = "",
    subject: Annotated[Part, Query(description="id of a broadcast, audience, person, import, account or key")] = "",
    since: Bound = None,
    until: Bound = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[AuditEntry]:
    """Of the bots that one administers; what belongs to no bot is shown to who administers all of them."""
    wanted = Filter(door.scope.allowed, person.strip(), subject.strip(), since, until)
    rows = door.audit.page(wanted, number(cursor), limit + 1)
    return page(rows, limit, entry_out, lambda row: [row.number])


@router.get(
    "/export",
    dependencies=[ADMIN],
    summary="All of it, oldest first, as lines of JSON that are chained by their hashes",
    response_class=StreamingResponse,
    responses={200: {"content": {NDJSON: {}}}, **documented()},
)
def export_audit(
    door: Door,
    after: Annotated[int, Query(ge=0, lt=2**63, description="`last` of an earlier export's seal")] = 0,
    previous: Annotated[str, Query(pattern=r"^[0-9a-f]{64}$", description="`hash` of that seal")] = NOTHING,
) -> StreamingResponse:
    """Check it by `python -m broadcast_api audit verify FILE`. Told where an earlier export ended it goes on there.

    The first line is `start`, the last is `seal`: a file without a seal was cut off.
    """
    bots = door.scope.allowed
    lines = export(
        door.audit.log, None if bots is None else sorted(bots), End(after, previous), door.audit.entries(after, bots)
    )
    disposition = {"Content-Disposition": 'attachment; filename="audit.ndjson"'}
    return StreamingResponse(_chunks(lines), media_type=f"{NDJSON}; charset=utf-8", headers=disposition)


def entry_out(row: Any) -> AuditEntry:
    """From a row of `Audit.page`."""
    by = Actor(name=row.by_name, position=row.by_position) if row.by_name else None
    shown = {name: getattr(row, name) for name in ("number", "what", "subject", "title", "bot", "by_id")}
    return AuditEntry(**shown, at=utc(row.at), by=by, request_id=row.request_id, details=row.details)


def _chunks(lines: Iterable[str]) -> Iterator[str]:
    chunk: list[str] = []
    for line in lines:
        chunk.append(line)
        if len(chunk) == CHUNK:
            yield "".join(chunk)
            chunk = []
    yield "".join(chunk)
