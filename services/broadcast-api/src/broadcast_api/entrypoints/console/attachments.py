"""The files of a broadcast in the form that changes it: attach, rename, move, take away.

A script asks for the list alone and gets it with the new version in a header; without scripts the form comes back.
"""

import asyncio
import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

from fastapi import Request, Response
from fastapi.responses import PlainTextResponse

from broadcast_api.domain.broadcast import Broadcast
from broadcast_api.domain.call import Call
from broadcast_api.domain.errors import NotFound, Refused
from broadcast_api.entrypoints.console.access import AUTHOR, VIEWER
from broadcast_api.entrypoints.console.explain import explain
from broadcast_api.entrypoints.console.forms import Form, Posted, posted_by_our_page
from broadcast_api.entrypoints.console.page import Page, Viewed
from broadcast_api.entrypoints.console.route import pages, status_of
from broadcast_api.entrypoints.http.attachments import attach_upload, download
from broadcast_api.entrypoints.http.context import call_of
from broadcast_api.entrypoints.http.models import AttachmentOut, broadcast_out
from broadcast_api.entrypoints.http.problems import Problem
from broadcast_api.entrypoints.http.uploads import received

SHA256 = re.compile(r"[0-9a-f]{64}")

router = pages()


@router.post("/broadcasts/{id}/attachments", dependencies=[AUTHOR])
async def attach(id: UUID, page: Viewed, request: Request) -> Response:
    """The fields of the form come before the file: what is forged is refused before anything is kept."""
    limits = page.door.attachments.limits
    try:
        await asyncio.to_thread(page.door.attachments.expect, id, call_of(request))
        async with received(request, limits.file_bytes, others=True) as upload:
            form = Form(list(upload.fields.items()))
            posted_by_our_page(request, form)
            await attach_upload(page.door, id, upload, page.call(form), form.version, page.words.language)
    except (Refused, Problem) as error:
        return _refused(page, id, error)
    return await asyncio.to_thread(_list, page, id)


@router.post("/broadcasts/{id}/attachments/remove", dependencies=[AUTHOR])
def remove(id: UUID, page: Viewed, form: Posted) -> Response:
    command = page.door.attachments.remove
    return _change(page, id, lambda call: command(id, form.one("id"), call, form.version), form)


@router.post("/broadcasts/{id}/attachments/rename", dependencies=[AUTHOR])
def rename(id: UUID, page: Viewed, form: Posted) -> Response:
    sha256, command = form.one("id"), page.door.attachments.rename
    name = form.one(f"name-{sha256}")
    return _change(page, id, lambda call: command(id, sha256, name, call, form.version), form)


@router.post("/broadcasts/{id}/attachments/up", dependencies=[AUTHOR])
def up(id: UUID, page: Viewed, form: Posted) -> Response:
    return _move(page, id, form, -1)


@router.post("/broadcasts/{id}/attachments/down", dependencies=[AUTHOR])
def down(id: UUID, page: Viewed, form: Posted) -> Response:
    return _move(page, id, form, 1)


@router.post("/broadcasts/{id}/attachments/order", dependencies=[AUTHOR])
def order(id: UUID, page: Viewed, form: Posted) -> Response:
    """As they were dragged."""
    command = page.door.attachments.order
    return _change(page, id, lambda call: command(id, form.all("order"), call, form.version), form)


@router.get("/broadcasts/{id}/attachments/{action}", dependencies=[VIEWER])
async def look(id: UUID, page: Viewed, action: str, inline: bool = False) -> Response:
    """A file, for whom a session shows pages; or where a reload ends after something was refused."""
    if SHA256.fullmatch(action):
        return await download(id, action, page.door, inline)
    return page.redirect(f"/broadcasts/{id}/edit")


def _move(page: Page, id: UUID, form: Form, by: int) -> Response:
    ids = [file.id for file in _files(page, id)]
    sha256 = form.one("id")
    if sha256 not in ids:
        return _refused(page, id, NotFound("attachment", sha256))
    place = ids.index(sha256)
    ids.insert(max(0, place + by), ids.pop(place))
    return _change(page, id, lambda call: page.door.attachments.order(id, ids, call, form.version), form)


def _change(page: Page, id: UUID, command: Callable[[Call], Broadcast], form: Form) -> Response:
    try:
        command(call_of(page.request))
    except Refused as error:
        return _refused(page, id, error)
    return _list(page, id)


def _list(page: Page, id: UUID) -> Response:
    if not page.is_part:
        return page.redirect(f"/broadcasts/{id}/edit", "files_changed")
    row = _row(page, id)
    part = page.render("part_files.html", row=row, files=_files(page, id), limits=page.door.attachments.limits)
    part.headers["X-Version"] = str(row.version)
    return part


def _refused(page: Page, id: UUID, error: Refused | Problem) -> Response:
    told = explain(error, page.words)
    status = error.status_code if isinstance(error, Problem) else status_of(error)
    if page.is_part:
        return PlainTextResponse(told.detail, status)
    return page.render("error.html", status, told=told)


def _files(page: Page, id: UUID) -> list[AttachmentOut]:
    return broadcast_out(_row(page, id), page.words.language).attachments


def _row(page: Page, id: UUID) -> Any:
    row = page.door.queries.broadcast(id)
    if row is None:
        raise NotFound("broadcast", id)
    return row
