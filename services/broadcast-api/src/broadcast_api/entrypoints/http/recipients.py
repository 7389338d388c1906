"""`/v1/recipients`: the directory of the people connected to each bot; and `/v1/bots`."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from broadcast_api.adapters.directory import Person
from broadcast_api.adapters.queries import utc
from broadcast_api.domain.errors import NotFound, UnknownBot
from broadcast_api.entrypoints.http.context import Door
from broadcast_api.entrypoints.http.models import Request, RowId, Words
from broadcast_api.entrypoints.http.paging import Cursor, Limit, Page, SearchText, number, page
from broadcast_api.entrypoints.http.problems import documented

UPSERT_MAX = 10_000
CHAT_ID_END = 2**52  # "at most 52 significant bits", Bot API, Chat.id

router = APIRouter(prefix="/v1", tags=["recipients"])

Reachability = Literal["active", "blocked", "deactivated", "not_started"]


def _person(chat_id: int) -> int:
    if chat_id <= 0:
        raise ValueError("a negative chat id is a group or channel: a broadcast goes to people only")
    if chat_id >= CHAT_ID_END:
        raise ValueError("a chat id has at most 52 bits")
    return chat_id


class PersonIn(Request):
    """Somebody connected to a bot. Without `status` a known one keeps theirs and a new one is active."""

    chat_id: Annotated[int, AfterValidator(_person)]
    status: Reachability | None = None
    username: Words | None = Field(None, max_length=64)
    first_name: Words = Field("", max_length=256)
    last_name: Words = Field("", max_length=256)
    language: Words | None = Field(None, max_length=16)
    kind: Literal["employee", "contractor"] = "employee"
    department: Words | None = Field(None, max_length=256)
    position: Words | None = Field(None, max_length=256)
    external_id: Words | None = Field(None, max_length=256)


class People(Request):
    """Up to 10,000 people of one bot, each known by chat id; the last one counts where two have the same."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "bot": "main",
                "recipients": [{"chat_id": 123456789, "first_name": "Анна", "department": "Кадры", "language": "ru"}],
            }
        }
    )

    bot: Words = Field(max_length=32)
    recipients: list[PersonIn] = Field(min_length=1, max_length=UPSERT_MAX)


class Upserted(BaseModel):
    """How many people were entered or changed."""

    upserted: int


class RecipientOut(BaseModel):
    """Somebody in the directory."""

    id: int
    bot: str
    chat_id: int
    status: Reachability
    username: str | None
    first_name: str
    last_name: str
    language: str | None
    kind: str
    department: str | None
    position: str | None
    external_id: str | None
    created_at: datetime
    updated_at: datetime


class Bot(BaseModel):
    """A bot that broadcasts can be sent by."""

    name: str


class Bots(BaseModel):
    """All of them."""

    items: list[Bot]


@router.get("/bots", summary="List the bots", tags=["bots"])
def bots(door: Door) -> Bots:
    return Bots(items=[Bot(name=name) for name in door.bots])


@router.get("/recipients", summary="List people, search by name", responses=documented(422))
def list_recipients(
    door: Door,
    bot: Annotated[str | None, Query(max_length=32, pattern=r"^[^\x00]*$")] = None,
    status: Reachability | None = None,
    chat_id: Annotated[int | None, Query(ge=1, lt=CHAT_ID_END)] = None,
    text: SearchText = "",
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[RecipientOut]:
    after = number(cursor) or 0
    rows = door.directory.page(bot=bot, status=status, chat_id=chat_id, text=text, after=after, limit=limit + 1)
    return page(rows, limit, recipient_out, lambda row: [row.id])


@router.put("/recipients", summary="Enter or change many people at once", responses=documented(400, 413, 422))
def upsert(body: People, door: Door) -> Upserted:
    if body.bot not in door.bots:
        raise UnknownBot(bot=body.bot)
    people = (Person(**person.model_dump()) for person in body.recipients)
    return Upserted(upserted=door.directory.upsert(body.bot, people))


@router.get("/recipients/{id}", summary="Read one", responses=documented(404, 422))
def read(id: RowId, door: Door) -> RecipientOut:
    row = door.directory.get(id)
    if row is None:
        raise NotFound("recipient", id)
    return recipient_out(row)


@router.delete("/recipients/{id}", status_code=204, summary="Take somebody out", responses=documented(404, 422))
def delete(id: RowId, door: Door) -> None:
    if not door.directory.delete(id):
        raise NotFound("recipient", id)


def recipient_out(row: Any) -> RecipientOut:
    """Show a row of the directory."""
    fields = {name: getattr(row, name) for name in RecipientOut.model_fields}
    return RecipientOut(**{**fields, "created_at": utc(row.created_at), "updated_at": utc(row.updated_at)})
