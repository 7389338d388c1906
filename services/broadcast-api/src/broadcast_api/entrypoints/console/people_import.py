"""A file of people from the console: chosen, uploaded, watched while it is read, and what was refused in it."""

import asyncio
import hmac
from collections.abc import AsyncGenerator
from pathlib import Path
from uuid import UUID

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event

from broadcast_api.domain.errors import NotFound, Refused, UnknownBot
from broadcast_api.entrypoints.console.access import ADMIN
from broadcast_api.entrypoints.console.explain import Explanation, explain, explain_problem
from broadcast_api.entrypoints.console.forms import CSRF_COOKIE, Forged, from_our_page
from broadcast_api.entrypoints.console.live import BEAT_SECONDS, RETRY_MILLISECONDS, beating
from broadcast_api.entrypoints.console.page import Page, Viewed
from broadcast_api.entrypoints.console.route import pages, status_of
from broadcast_api.entrypoints.console.wording import IMPORT_STATES
from broadcast_api.entrypoints.http import imports as http
from broadcast_api.entrypoints.http.people_csv import NAMES
from broadcast_api.entrypoints.http.problems import Problem

SHOWN = 10
ROWS = 100
HEAD_BYTES = 16_384
"""The fields of the form stand before the file in its body."""

router = pages()


@router.get("/people/import", dependencies=[ADMIN])
def choose(page: Viewed) -> Response:
    return _form(page)


@router.post("/people/import", dependencies=[ADMIN])
async def start(request: Request, page: Viewed) -> Response:
    """The body goes into a file as it comes: it may be far larger than our memory."""
    token = request.cookies.get(CSRF_COOKIE, "")
    if not from_our_page(request.headers) or not token:
        raise Forged
    path = await http.save(request)
    try:
        fields = await asyncio.to_thread(_fields, path, http.boundary_of(request))
        if not hmac.compare_digest(fields.get("csrf", "").encode(), token.encode()):
            raise Forged
        id = await asyncio.to_thread(_begin, page, request, path, fields)
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, Refused):
            return _form(page, status_of(error), explain(error, page.words))
        if isinstance(error, Problem):
            return _form(page, error.status_code, explain_problem(error, page.words))
        raise
    return page.redirect(f"/people/imports/{id}")


@router.get("/people/imports/{id}", dependencies=[ADMIN])
def look(id: UUID, page: Viewed) -> Response:
    found = http.read(id, page.door, page.words.language)
    return page.render("import.html", it=found, errors=found.errors[:ROWS], states=IMPORT_STATES)


@router.get("/people/imports/{id}/errors.csv", dependencies=[ADMIN])
def report(id: UUID, page: Viewed) -> Response:
    return http.errors(id, page.door, page.words.language)


@router.get("/people/imports/{id}/live", dependencies=[ADMIN])
async def live(id: UUID, page: Viewed) -> StreamingResponse:
    """Event `patch` with how far it has come."""
    if await asyncio.to_thread(page.door.imports.get, id, page.door.scope.allowed) is None:
        raise NotFound("import", id)
    return beating(page, _progress(page, id))


async def _progress(page: Page, id: UUID) -> AsyncGenerator[bytes]:
    yield format_sse_event(event="beat", data_str=".", retry=RETRY_MILLISECONDS)
    async for change in page.door.feed.watch([id], BEAT_SECONDS):
        if change is not None:
            row = change.row
            if row is None:
                return
        elif row.state != "running":
            yield format_sse_event(event="beat", data_str=".")
            continue
        html = page.text("part_import.html", it=http.shown(row), states=IMPORT_STATES)
        yield format_sse_event(event="patch", data_str=html)


def _form(page: Page, status: int = 200, alert: Explanation | None = None) -> Response:
    latest = [http.shown(row) for row in page.door.imports.page(SHOWN, page.door.scope.allowed)]
    columns = {name: aliases[0] for name, aliases in NAMES.items()}
    return page.render("people_import.html", status, latest=latest, columns=columns, states=IMPORT_STATES, alert=alert)


def _begin(page: Page, request: Request, path: Path, fields: dict[str, str]) -> UUID:
    bot = fields.get("bot", "")
    if bot not in page.door.bots:
        raise UnknownBot(bot=bot)
    page.door.scope.require_bot(bot)
    page.door.imports.refuse_second(bot)
    return http.begin(page.door, bot, request, path, "ignore_unknown" in fields)


def _fields(path: Path, boundary: str) -> dict[str, str]:
    """The short fields of a multipart body that come before its file."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    found: dict[str, str] = {}
    for part in head.split(f"--{boundary}".encode()) if boundary else ():
        about, _, value = part.partition(b"\r\n\r\n")
        words = about.decode("utf-8", "replace")
        if "filename=" in words:
            break
        _, named, rest = words.partition('name="')
        if named:
            found[rest.partition('"')[0]] = value.removesuffix(b"\r\n").decode("utf-8", "replace")
    return found
