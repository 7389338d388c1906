"""`/v1/broadcasts/{id}/attachments`: the files of a broadcast: attach, look, rename, put in order, take away."""

import asyncio
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Path, Response
from fastapi import Request as HttpRequest
from pydantic import Field

from broadcast_api.application.filenames import clean
from broadcast_api.application.filetypes import INLINE, recognised
from broadcast_api.domain.broadcast import Broadcast
from broadcast_api.domain.call import Call
from broadcast_api.domain.draft import Draft
from broadcast_api.domain.errors import NotFound
from broadcast_api.entrypoints.http.broadcasts import current_state_when_stale, show
from broadcast_api.entrypoints.http.catalogue import Language
from broadcast_api.entrypoints.http.context import Caller, Door, Headless, IfMatch, InLanguage, Services
from broadcast_api.entrypoints.http.models import BroadcastOut, Request, Words
from broadcast_api.entrypoints.http.policy import AUTHOR, VIEWER
from broadcast_api.entrypoints.http.problems import documented
from broadcast_api.entrypoints.http.uploads import PART, Upload, received
from broadcast_contracts import File

router = APIRouter(prefix="/v1/broadcasts/{id}/attachments", tags=["attachments"])

AttachmentId = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="the SHA-256 of its bytes, in hexadecimal")]

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {PART: {"type": "string", "format": "binary"}},
                    "required": [PART],
                }
            }
        },
    }
}


class NewName(Request):
    """As recipients will see it; folders and control characters are left out, the ending is put right."""

    name: Words = Field(min_length=1, max_length=1000)


class Order(Request):
    """The ids of all attachments, each once."""

    ids: list[Words] = Field(max_length=100)


@router.post(
    "",
    dependencies=[AUTHOR],
    status_code=201,
    summary="Attach a file while the broadcast is created",
    responses=documented(400, 404, 409, 412, 413, 415, 507),
    openapi_extra=_BODY,
)
async def attach(
    id: UUID,
    request: HttpRequest,
    version: IfMatch,
    door: Door,
    call: Headless,
    language: InLanguage,
    response: Response,
) -> BroadcastOut:
    """One file a request, up to 5 MB of it and 10 of them unless configured otherwise.

    What it is is found from its bytes: the name's ending is put right, and what a computer or a browser would run is
    refused. The same bytes can be attached once.
    """
    await asyncio.to_thread(door.attachments.expect, id, call)
    async with received(request, door.attachments.limits.file_bytes) as upload:
        sha256 = await attach_upload(door, id, upload, call, version, language)
    response.headers["Location"] = f"/v1/broadcasts/{id}/attachments/{sha256}"
    return await asyncio.to_thread(show, door, id, language, response)


async def attach_upload(
    door: Services, id: UUID, upload: Upload, call: Call, version: int | None, language: Language
) -> str:
    """Keep the bytes and say so in the broadcast, or neither; answers the attachment's id."""
    types = door.attachments.limits.types
    media_type, kind = await asyncio.to_thread(recognised, upload.file, upload.size, upload.name, types)
    name = clean(upload.name, media_type)
    file = File(sha256=upload.sha256, name=name, kind=kind, media_type=media_type, size=upload.size)
    if call.key:
        call = call.about(f"attach\n{id}\n{file.sha256}\n{upload.name}".encode("utf-8", "replace"))
    kept = await door.vault.keep(file.sha256, file.size, upload.file)

    def command() -> Broadcast:
        with current_state_when_stale(door, id, language):
            return door.attachments.attach(id, file, call, version)

    try:
        await asyncio.to_thread(command)
    except BaseException:
        await asyncio.shield(door.vault.forget(kept))
        raise
    return file.sha256


@router.get(
    "/{attachment_id}",
    dependencies=[VIEWER],
    summary="Download a file",
    response_class=Response,
    responses={200: {"content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}}, **documented(404)},
)
async def download(id: UUID, attachment_id: AttachmentId, door: Door, inline: bool = False) -> Response:
    """The bytes as they were attached. With `inline` a picture may be shown in its place; anything else is saved."""
    file = await asyncio.to_thread(_attached, door, id, attachment_id)
    shown = inline and file.media_type in INLINE
    headers = {
        "Content-Disposition": f"{'inline' if shown else 'attachment'}; filename*=UTF-8''{quote(file.name, safe='')}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "private, max-age=86400, immutable",
        "ETag": f'"{file.sha256}"',
    }
    return Response(await door.vault.read(file.sha256), media_type=file.media_type, headers=headers)


@router.patch(
    "/{attachment_id}",
    dependencies=[AUTHOR],
    summary="Rename a file",
    responses=documented(400, 404, 409, 412, 413),
)
def rename(
    id: UUID,
    attachment_id: AttachmentId,
    body: NewName,
    version: IfMatch,
    door: Door,
    call: Caller,
    language: InLanguage,
    response: Response,
) -> BroadcastOut:
    with current_state_when_stale(door, id, language):
        door.attachments.rename(id, attachment_id, body.name, call, version)
    return show(door, id, language, response)


@router.delete(
    "/{attachment_id}", dependencies=[AUTHOR], summary="Take a file away", responses=documented(404, 409, 412)
)
def remove(
    id: UUID,
    attachment_id: AttachmentId,
    version: IfMatch,
    door: Door,
    call: Caller,
    language: InLanguage,
    response: Response,
) -> BroadcastOut:
    with current_state_when_stale(door, id, language):
        door.attachments.remove(id, attachment_id, call, version)
    return show(door, id, language, response)


@router.put(
    "",
    dependencies=[AUTHOR],
    summary="Put the files in another order",
    responses=documented(400, 404, 409, 412, 413),
)
def order(
    id: UUID,
    body: Order,
    version: IfMatch,
    door: Door,
    call: Caller,
    language: InLanguage,
    response: Response,
) -> BroadcastOut:
    with current_state_when_stale(door, id, language):
        door.attachments.order(id, body.ids, call, version)
    return show(door, id, language, response)


def _attached(door: Services, id: UUID, sha256: str) -> File:
    row = door.queries.broadcast(id)
    if row is None:
        raise NotFound("broadcast", id)
    for file in Draft.read(row._asdict()).files:
        if file.sha256 == sha256:
            return file
    raise NotFound("attachment", sha256)
