"""`/v1/recipients/imports`: a file of people, read in the background."""

import asyncio
import csv
import io
import mmap
import os
import re
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote
from uuid import UUID, uuid4

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from broadcast_api.adapters.imports import state_of
from broadcast_api.adapters.queries import utc
from broadcast_api.domain.errors import NotFound, UnknownBot
from broadcast_api.entrypoints.http.catalogue import IMPORT_FAULTS, Language
from broadcast_api.entrypoints.http.context import Door, InLanguage, Services, call_of
from broadcast_api.entrypoints.http.people_csv import open_people
from broadcast_api.entrypoints.http.policy import ADMIN
from broadcast_api.entrypoints.http.problems import Problem, documented
from broadcast_api.entrypoints.http.spreadsheets import harmless

SHOWN = 50

router = APIRouter(prefix="/v1/recipients/imports", tags=["recipients"])

_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {
                "schema": {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}}
            },
        },
    }
}


class RefusedRow(BaseModel):
    """`row` as a spreadsheet numbers it: the header is row 1. `column` is empty where the whole row is meant."""

    row: int
    column: str
    code: str
    reason: str = Field(description="by Accept-Language, Russian or English")


class ImportOut(BaseModel):
    """read = created + updated + refused. What an interrupted import has entered stays; repeat it to enter the rest."""

    id: UUID
    bot: str
    file_name: str
    state: Literal["running", "finished", "failed", "interrupted"]
    reason: str | None
    total: int = Field(description="about how many rows the file has: cells may hold line breaks")
    read: int
    created: int
    updated: int
    refused: int
    started_at: datetime
    ended_at: datetime | None
    errors: list[RefusedRow] = Field(description="about the first 1,000; empty in the list of imports")


class Imports(BaseModel):
    """The latest 50."""

    items: list[ImportOut]


@router.post(
    "",
    dependencies=[ADMIN],
    status_code=202,
    summary="Enter people from a CSV file of up to 200 MB",
    responses=documented(409, 413),
    openapi_extra=_BODY,
)
async def start(
    request: Request,
    door: Door,
    language: InLanguage,
    response: Response,
    bot: Annotated[str, Query(max_length=32, pattern=r"^[^\x00]*$")],
    ignore_unknown: Annotated[bool, Query(description="leave columns alone that are not known")] = False,
) -> ImportOut:
    """UTF-8, UTF-16 or Windows-1251; separated by commas, semicolons or tabs; Russian or English column names.

    Only the columns of the file change. A wrong row is refused by itself and stops nothing.
    """
    if bot not in door.bots:
        raise UnknownBot(bot=bot)
    door.scope.require_bot(bot)
    await asyncio.to_thread(door.imports.refuse_second, bot)
    path = await save(request)
    try:
        id = await asyncio.to_thread(begin, door, bot, request, path, ignore_unknown)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    response.headers["Location"] = f"/v1/recipients/imports/{id}"
    return await asyncio.to_thread(read, id, door, language)


@router.get("", dependencies=[ADMIN], summary="List imports, newest first", responses=documented())
def list_imports(door: Door) -> Imports:
    return Imports(items=[shown(row) for row in door.imports.page(SHOWN, door.scope.allowed)])


@router.get("/{id}", dependencies=[ADMIN], summary="How far an import has come", responses=documented(404))
def read(id: UUID, door: Door, language: InLanguage) -> ImportOut:
    row = door.imports.get(id, door.scope.allowed)
    if row is None:
        raise NotFound("import", id)
    return _show(row, [_error(error, language) for error in door.imports.errors(id)])


@router.get(
    "/{id}/errors",
    dependencies=[ADMIN],
    summary="The refused rows as CSV",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {}}}, **documented(404)},
)
def errors(id: UUID, door: Door, language: InLanguage) -> StreamingResponse:
    found = read(id, door, language)
    disposition = {"Content-Disposition": f'attachment; filename="import-{id}-errors.csv"'}
    return StreamingResponse(_csv(found.errors), media_type="text/csv; charset=utf-8", headers=disposition)


async def save(request: Request) -> Path:
    """The body in a temporary file: memory stays flat."""
    descriptor, name = tempfile.mkstemp(prefix="people-", suffix=".csv")
    try:
        with os.fdopen(descriptor, "wb") as file:
            async for chunk in request.stream():
                await asyncio.to_thread(file.write, chunk)
    except BaseException:
        os.unlink(name)
        raise
    return Path(name)


def begin(door: Services, bot: str, request: Request, path: Path, ignore_unknown: bool) -> UUID:
    """Read a saved body in the background; raises `Problem` or `Refused` where it is no file of people."""
    start, name = 0, _words(request.headers.get("x-file-name", ""))
    if boundary := boundary_of(request):
        start, name = _first_file(path, boundary)
    if path.stat().st_size <= start:
        raise Problem(422, "empty_file")
    people = open_people(path, start, ignore_unknown=ignore_unknown, groups=door.groups)
    done = lambda: path.unlink(missing_ok=True)  # noqa: E731
    door.imports.refuse_second(bot)
    id, rows = uuid4(), lines_in(path, start) - 1
    door.record.about_to(
        "import.started", call_of(request), subject=id, bot=bot, rows=rows, columns=sorted(people.named)
    )
    return door.imports.begin(id, bot, name[:200], people.named, people.rows, done, rows)


def boundary_of(request: Request) -> str:
    """What separates the parts of a multipart body; empty for any other body."""
    kind = request.headers.get("content-type", "")
    found = re.search(r'^multipart/form-data;.*boundary="?([^";]{1,70})', kind)
    return found[1] if found else ""


def lines_in(path: Path, start: int) -> int:
    """About as many as the file has rows: cells may hold line breaks."""
    with path.open("rb") as file:
        file.seek(start)
        lines, last = 0, b"\n"
        while chunk := file.read(2**20):
            lines, last = lines + chunk.count(b"\n"), chunk
    return lines + (not last.endswith((b"\n", b"\n\0")))


def _first_file(path: Path, boundary: str) -> tuple[int, str]:
    """Where the first file of a multipart body starts, and its name; cuts off what follows it."""
    mark = f"--{boundary}".encode()
    if path.stat().st_size == 0:
        raise Problem(422, "empty_file")
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as body:
        at = body.find(mark)
        while at >= 0:
            head = body.find(b"\r\n\r\n", at)
            end = body.find(b"\r\n" + mark, head)
            if head < 0 or end < 0:
                break
            found = re.search(rb'filename="([^"\r\n]*)"', body[at:head])
            if found:
                os.truncate(path, max(end, head + 4))
                return head + 4, _words(found[1].decode(errors="replace"))
            at = body.find(mark, end + 2)
    raise Problem(422, "empty_file")


def _words(name: str) -> str:
    return "".join(letter for letter in unquote(name, errors="replace") if letter.isprintable())


def shown(row: Any) -> ImportOut:
    """Without the rows that were refused."""
    return _show(row, [])


def _show(row: Any, errors: list[RefusedRow]) -> ImportOut:
    state = state_of(row)
    return ImportOut(
        id=row.id,
        bot=row.bot,
        file_name=row.file_name,
        state=state,
        reason=row.reason,
        total=row.total,
        read=row.read,
        created=row.created,
        updated=row.updated,
        refused=row.refused,
        started_at=utc(row.started_at),
        ended_at=None if state == "running" else utc(row.beat_at),
        errors=errors,
    )


def _error(row: Any, language: Language) -> RefusedRow:
    reason = IMPORT_FAULTS[row.code][language]
    return RefusedRow(row=row.row, column=row.column, code=row.code, reason=reason)


def _csv(errors: list[RefusedRow]) -> Iterator[str]:
    yield "\ufeffrow,column,code,reason\r\n"
    for error in errors:
        text = io.StringIO()
        csv.writer(text).writerow([error.row, harmless(error.column), error.code, error.reason])
        yield text.getvalue()
