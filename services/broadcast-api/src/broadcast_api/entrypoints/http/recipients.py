"""`/v1/recipients`: the directory of the people connected to each bot; and `/v1/bots`."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from broadcast_api.domain.errors import NotConnected, NotFound, UnknownBot
from broadcast_api.entrypoints.http import people_csv
from broadcast_api.entrypoints.http.context import By, Door
from broadcast_api.entrypoints.http.models import RowId
from broadcast_api.entrypoints.http.paging import Cursor, Limit, Page, SearchText, number, page
from broadcast_api.entrypoints.http.people import (
    CHAT_ID_END,
    People,
    PersonChanges,
    Reachability,
    RecipientOut,
    recipient_out,
    refuse_groups,
    shown,
)
from broadcast_api.entrypoints.http.policy import ADMIN, VIEWER
from broadcast_api.entrypoints.http.problems import documented

router = APIRouter(prefix="/v1", tags=["recipients"])

Value = Annotated[str | None, Query(max_length=256, pattern=r"^[^\x00]*$")]


class Upserted(BaseModel):
    """upserted = created + updated."""

    upserted: int
    created: int
    updated: int


class Bot(BaseModel):
    """A bot that broadcasts can be sent by."""

    name: str


class Bots(BaseModel):
    """All of them."""

    items: list[Bot]


@router.get("/bots", dependencies=[VIEWER], summary="List the bots", tags=["bots"], responses=documented())
def bots(door: Door) -> Bots:
    return Bots(items=[Bot(name=name) for name in door.bots])


@router.get(
    "/recipients",
    dependencies=[VIEWER],
    summary="List people, search by name; format=csv for all of them in one stream",
    response_model=Page[RecipientOut],
    responses={200: {"content": {"text/csv": {}}}, **documented()},
)
def list_recipients(
    door: Door,
    bot: Annotated[str | None, Query(max_length=32, pattern=r"^[^\x00]*$")] = None,
    status: Reachability | None = None,
    chat_id: Annotated[int | None, Query(gt=-CHAT_ID_END, lt=CHAT_ID_END)] = None,
    external_id: Value = None,
    department: Value = None,
    tag: Value = None,
    text: SearchText = "",
    cursor: Cursor = None,
    limit: Limit = 50,
    format: Literal["json", "csv"] = "json",
) -> Page[RecipientOut] | Response:
    filters: dict[str, Any] = {"bot": bot, "status": status, "chat_id": chat_id, "external_id": external_id}
    filters |= {"department": department, "tag": tag, "text": text}
    if format == "csv":
        lines = people_csv.written(door.directory.export(**filters))
        disposition = {"Content-Disposition": 'attachment; filename="recipients.csv"'}
        return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=disposition)
    rows = door.directory.page(**filters, after=number(cursor) or 0, limit=limit + 1)
    tags = door.directory.tags([row.id for row in rows])
    return page(rows, limit, lambda row: recipient_out(row, tags.get(row.id, ())), lambda row: [row.id])


@router.put(
    "/recipients",
    dependencies=[ADMIN],
    summary="Enter or change many people at once",
    responses=documented(400, 413),
)
def upsert(body: People, door: Door, by: By) -> Upserted:
    if body.bot not in door.bots:
        raise UnknownBot(bot=body.bot)
    door.scope.require_bot(body.bot)
    if not door.groups:
        refuse_groups(body.recipients)
    door.record.about_to("people.entered", by, bot=body.bot, people=len(body.recipients))
    entered = door.directory.upsert(body.bot, (person.person() for person in body.recipients))
    return Upserted(upserted=entered.created + entered.updated, created=entered.created, updated=entered.updated)


@router.get("/recipients/{id}", dependencies=[VIEWER], summary="Read one", responses=documented(404))
def read(id: RowId, door: Door) -> RecipientOut:
    row = door.directory.get(id)
    if row is None:
        raise NotFound("recipient", id)
    return shown(door, [row])[0]


@router.patch("/recipients/{id}", dependencies=[ADMIN], summary="Change one", responses=documented(400, 404, 413))
def change(id: RowId, body: PersonChanges, door: Door, by: By) -> RecipientOut:
    row, changes = door.directory.get(id), body.given()
    if row is not None:
        door.scope.require(row.bot, "recipient", id)
    if row is not None and row.chat_id is None and changes.get("status", "not_started") != "not_started":
        raise NotConnected()
    if row is not None:
        door.record.about_to("person.changed", by, subject=id, bot=row.bot, fields=sorted(changes))
    if row is None or door.directory.change(id, changes) is None:
        raise NotFound("recipient", id)
    return read(id, door)


@router.delete(
    "/recipients/{id}",
    dependencies=[ADMIN],
    status_code=204,
    summary="Take somebody out; erase=1 forgets who got past broadcasts, too",
    responses=documented(404),
)
def delete(
    id: RowId,
    door: Door,
    by: By,
    erase: Annotated[bool, Query(description="past deliveries keep their outcome and lose the person")] = False,
) -> None:
    """Taken out, somebody gets nothing any more. Erased, nothing in our databases says that they ever did."""
    row = door.directory.get(id)
    if row is not None:
        door.scope.require(row.bot, "recipient", id)
    elif door.scope.allowed is not None:  # of whom nobody knows whose they were, only who may erase everywhere can tell
        raise NotFound("recipient", id)
    if row is not None or erase:  # somebody who was taken out may still be erased
        what = "person.erased" if erase else "person.removed"
        door.record.about_to(what, by, subject=id, bot=row.bot if row else "")
    if not (door.directory.erase(id) if erase else door.directory.delete(id)):
        raise NotFound("recipient", id)
