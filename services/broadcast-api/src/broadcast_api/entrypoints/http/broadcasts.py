"""`/v1/broadcasts`: draw up, list, read, edit, delete; and the five buttons."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response

from broadcast_api.adapters.listing import Sort
from broadcast_api.application.approval import Standing
from broadcast_api.domain.broadcast import Status
from broadcast_api.domain.draft import Draft
from broadcast_api.domain.errors import NotFound, Stale
from broadcast_api.entrypoints.http.catalogue import Language
from broadcast_api.entrypoints.http.context import Caller, Door, IfMatch, IfMatchRequired, InLanguage, Services, etag
from broadcast_api.entrypoints.http.models import BroadcastChanges, BroadcastOut, NewBroadcast, broadcast_out
from broadcast_api.entrypoints.http.paging import Cursor, Limit, Page, SearchText, broadcast_end, end_of, page
from broadcast_api.entrypoints.http.policy import AUTHOR, SENDER, VIEWER
from broadcast_api.entrypoints.http.problems import Problem, documented

router = APIRouter(prefix="/v1/broadcasts", tags=["broadcasts"])


@router.get("", dependencies=[VIEWER], summary="List broadcasts, in any of several orders", responses=documented())
def list_broadcasts(
    door: Door,
    language: InLanguage,
    status: Status | None = None,
    text: SearchText = "",
    sort: Annotated[
        Sort,
        Query(
            description="by `created`, `name`, `sent` (when its latest run began) or `delivered` (of that run); "
            "a minus: the largest or latest first. Ordered by `sent` or `delivered`, what was never sent comes last."
        ),
    ] = Sort.NEWEST,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[BroadcastOut]:
    after = broadcast_end(cursor, sort)
    rows = door.queries.broadcasts(status=status, text=text, after=after, limit=limit + 1, sort=sort)
    return page(rows, limit, lambda row: broadcast_out(row, language), lambda row: end_of(row, sort))


@router.post("", dependencies=[AUTHOR], status_code=201, summary="Draw up a broadcast", responses=documented(400, 413))
def create(body: NewBroadcast, door: Door, call: Caller, language: InLanguage, response: Response) -> BroadcastOut:
    draft = Draft(**body.model_dump(exclude={"bot"}))
    created = door.broadcasts.create(body.bot, draft, call, text_needed="text" in body.model_fields_set)
    response.headers["Location"] = f"/v1/broadcasts/{created.id}"
    return show(door, created.id, language, response)


@router.get("/{id}", dependencies=[VIEWER], summary="Read one", responses=documented(404))
def read(id: UUID, door: Door, language: InLanguage, response: Response) -> BroadcastOut:
    return show(door, id, language, response)


@router.patch(
    "/{id}",
    dependencies=[AUTHOR],
    summary="Edit one while it is created",
    responses=documented(400, 404, 409, 412, 413, 428),
)
def edit(
    id: UUID,
    body: BroadcastChanges,
    version: IfMatchRequired,
    door: Door,
    call: Caller,
    language: InLanguage,
    response: Response,
) -> BroadcastOut:
    with current_state_when_stale(door, id, language):
        door.broadcasts.edit(id, body.given(), call, version)
    return show(door, id, language, response)


@router.delete(
    "/{id}",
    dependencies=[AUTHOR],
    status_code=204,
    summary="Delete one while it is created",
    responses=documented(404, 409, 412),
)
def delete(id: UUID, version: IfMatch, door: Door, call: Caller, language: InLanguage) -> None:
    with current_state_when_stale(door, id, language):
        door.broadcasts.delete(id, call, version)


def _button(name: str, summary: str) -> None:
    @router.post(
        f"/{{id}}/{name}",
        dependencies=[SENDER],
        status_code=202,
        summary=summary,
        name=name,
        responses=documented(404, 409, 412),
    )
    def press(
        id: UUID, version: IfMatch, door: Door, call: Caller, language: InLanguage, response: Response
    ) -> BroadcastOut:
        command = getattr(door.broadcasts, name)
        with current_state_when_stale(door, id, language):
            command(id, call, version)
        return show(door, id, language, response)


_button("send", "Send it: opens a new run")
_button("stop", "Stop sending: takes effect when the last open attempt has settled")
_button("resume", "Go on with exactly those not yet attempted")
_button("resend", "Send to those who could not be reached then and can be now")
_button("recall", "Delete what the latest run delivered")


def row_and_standing(door: Services, id: UUID) -> tuple[Any, Standing]:
    """A broadcast as lists have it, and how its approval stands, which is read first; raises `NotFound`."""
    standing = door.broadcasts.standing(id)
    row = door.queries.broadcast(id)
    if row is None:
        raise NotFound("broadcast", id)
    return row, standing


def show(door: Services, id: UUID, language: Language, response: Response) -> BroadcastOut:
    """The broadcast as it is now, with its ETag; raises `NotFound`."""
    row, standing = row_and_standing(door, id)
    response.headers["ETag"] = etag(row.version)
    return broadcast_out(row, language, standing)


@contextmanager
def current_state_when_stale(door: Services, id: UUID, language: Language) -> Iterator[None]:
    """Answer a stale version with the broadcast as it is now."""
    try:
        yield
    except Stale as error:
        row, standing = row_and_standing(door, id)
        current = broadcast_out(row, language, standing).model_dump(mode="json")
        raise Problem(412, "stale", {"ETag": etag(row.version)}, version=row.version, current=current) from error
