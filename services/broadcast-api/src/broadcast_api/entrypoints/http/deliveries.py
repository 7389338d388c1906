"""`/v1/broadcasts/{id}/deliveries`: what became of each recipient, by pages or all at once as CSV or NDJSON."""

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from broadcast_api.domain.errors import NotFound
from broadcast_api.entrypoints.http.context import Door
from broadcast_api.entrypoints.http.paging import Cursor, Limit, Page, number, page
from broadcast_api.entrypoints.http.policy import VIEWER
from broadcast_api.entrypoints.http.problems import documented
from broadcast_api.entrypoints.http.spreadsheets import harmless
from broadcast_api.entrypoints.http.trials import message_ids
from broadcast_contracts import Answer, Outcome

CSV, NDJSON = "text/csv", "application/x-ndjson"
CHUNK = 500

Format = Literal["json", "csv", "ndjson"]
FORMATS: dict[Format, str] = {"json": "application/json", "csv": CSV, "ndjson": NDJSON}

router = APIRouter(prefix="/v1/broadcasts/{id}/deliveries", tags=["broadcasts"])


class DeliveryOut(BaseModel):
    """A recipient of a run. `outcome` is null while pending; the names are empty for who left the directory."""

    recipient_id: int
    chat_id: int
    first_name: str
    last_name: str
    username: str | None
    department: str | None
    outcome: Outcome | None
    reason: str | None
    answer: Answer | None = Field(description="what an operator decided where the outcome is in doubt")
    message_ids: list[int]
    sent_at: datetime | None
    recall_outcome: Outcome | None
    recall_reason: str | None


Wanted = Annotated[
    Literal[
        "pending", "delivered", "blocked", "deactivated", "not_started", "refused", "partly", "unconfirmed", "skipped"
    ]
    | None,
    Query(description="only these"),
]


@router.get(
    "",
    dependencies=[VIEWER],
    summary="What became of each recipient of a run",
    response_model=Page[DeliveryOut],
    responses={200: {"content": {CSV: {}, NDJSON: {}}}, **documented(404)},
)
def deliveries(
    id: UUID,
    door: Door,
    run: Annotated[int | None, Query(ge=1, lt=2**31, description="the latest unless given")] = None,
    outcome: Wanted = None,
    answered: Annotated[bool | None, Query(description="with, or without, an operator's answer")] = None,
    text: Annotated[
        str,
        Query(
            max_length=200, pattern=r"^[^\x00]*$", description="part of a name, username or external id; or a chat id"
        ),
    ] = "",
    cursor: Cursor = None,
    limit: Limit = 100,
    format: Annotated[Format | None, Query(description="instead of Accept: for links in a browser")] = None,
    accept: Annotated[str, Header(description=f"{CSV} or {NDJSON} for everything in one stream")] = "application/json",
) -> Page[DeliveryOut] | Response:
    broadcast = door.queries.broadcast(id)
    if broadcast is None:
        raise NotFound("broadcast", id)
    run_id = door.queries.run_id(id, run or broadcast.run) if run or broadcast.run else None
    if run_id is None and run is not None:
        raise NotFound("run", run)
    chosen: dict[str, Any] = {"outcome": outcome, "answered": answered, "text": text.strip()}
    wanted = FORMATS[format] if format else accept.split(",")[0].split(";")[0].strip().lower()
    if wanted in (CSV, NDJSON):
        rows = iter(()) if run_id is None else door.queries.export(run_id, **chosen)
        lines = _csv(rows) if wanted == CSV else _ndjson(rows)
        name = f"{id}-{run or broadcast.run}.{'csv' if wanted == CSV else 'ndjson'}"
        disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(lines, media_type=f"{wanted}; charset=utf-8", headers=disposition)
    after = number(cursor)
    found = [] if run_id is None else door.queries.deliveries(run_id, **chosen, after=after, limit=limit + 1)
    return page(found, limit, _show, lambda row: [row.position])


def _show(row: Any) -> DeliveryOut:
    return DeliveryOut(
        recipient_id=row.recipient_id,
        chat_id=row.chat_id,
        first_name=row.first_name or "",
        last_name=row.last_name or "",
        username=row.username,
        department=row.department,
        outcome=row.outcome,
        reason=row.reason,
        answer=row.answer,
        message_ids=message_ids(row.message_ids),
        sent_at=None if row.sent_at is None else datetime.fromtimestamp(row.sent_at, UTC),
        recall_outcome=row.recall_outcome,
        recall_reason=row.recall_reason,
    )


def _ndjson(rows: Iterable[Any]) -> Iterator[str]:
    for chunk in _chunks(rows):
        yield "".join(_show(row).model_dump_json() + "\n" for row in chunk)


def _csv(rows: Iterable[Any]) -> Iterator[str]:
    yield "\ufeff" + ",".join(DeliveryOut.model_fields) + "\r\n"  # the mark makes spreadsheets read UTF-8
    for chunk in _chunks(rows):
        text = io.StringIO()
        csv.writer(text).writerows(_cells(_show(row)) for row in chunk)
        yield text.getvalue()


def _cells(delivery: DeliveryOut) -> list[str]:
    cells = delivery.model_dump(mode="json")
    cells["message_ids"] = " ".join(map(str, delivery.message_ids))
    return [harmless(cell) for cell in cells.values()]


def _chunks(rows: Iterable[Any]) -> Iterator[list[Any]]:
    chunk: list[Any] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
