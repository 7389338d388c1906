"""`/v1/audiences`: who gets broadcasts, by name."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from broadcast_api.adapters.queries import utc
from broadcast_api.domain.audience import MEMBERS_MAX, check
from broadcast_api.domain.broadcast import Status
from broadcast_api.domain.errors import NotFound, UnknownBot
from broadcast_api.entrypoints.http.context import Caller, Door, IfMatch, IfMatchRequired, Services, etag
from broadcast_api.entrypoints.http.models import Request, RowId, Words
from broadcast_api.entrypoints.http.paging import Cursor, Limit, Page, page, place_of, time_and_id
from broadcast_api.entrypoints.http.people import RecipientOut, shown
from broadcast_api.entrypoints.http.policy import AUTHOR, VIEWER
from broadcast_api.entrypoints.http.problems import documented

SAMPLE = 10
USERS = 100

router = APIRouter(prefix="/v1/audiences", tags=["audiences"])

Values = Annotated[list[Words], Field(min_length=1, max_length=500)]


class Everyone(Request):
    """All who are connected to the bot."""

    kind: Literal["everyone"]


class ExplicitList(Request):
    """These people, by directory id."""

    kind: Literal["list"]
    recipient_ids: list[RowId] = Field(min_length=1, max_length=MEMBERS_MAX)


class Where(Request):
    """All that is given must match, each by any of its values."""

    kind: Values | None = None
    department: Values | None = None
    position: Values | None = None
    language: Values | None = None


class ByAttributes(Request):
    """People of some departments, positions, kinds or languages."""

    kind: Literal["attributes"]
    where: Where


class ByRule(Request):
    """People who match a rule R: {"all": [R…]}, {"any": [R…]}, {"not": R}, {"field": …, "in": […]},
    {"field": "joined", "before" or "after": day}, {"audience": id}. Fields: kind, department, position, language, tags.
    At most 8 levels and 200 parts."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "kind": "rule",
                "rule": {
                    "all": [
                        {"field": "department", "in": ["Логистика", "IT"]},
                        {"field": "joined", "after": "2026-01-01"},
                        {"not": {"field": "tags", "in": ["в отпуске"]}},
                    ]
                },
            }
        }
    )

    kind: Literal["rule"]
    rule: dict[str, Any]


AnyDefinition = Annotated[Everyone | ExplicitList | ByAttributes | ByRule, Field(discriminator="kind")]


class NewAudience(Request):
    """An audience to be defined."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "bot": "main",
                "name": "Логистика и IT",
                "definition": {"kind": "attributes", "where": {"department": ["Логистика", "IT"]}},
            }
        }
    )

    bot: Words = Field(max_length=32)
    name: Words
    definition: AnyDefinition


class AudienceChanges(Request):
    """Only what is given changes."""

    name: Words | None = None
    definition: AnyDefinition | None = None


class PreviewRequest(Request):
    """A definition that is not stored yet."""

    bot: Words = Field(max_length=32)
    definition: AnyDefinition


class AudienceOut(BaseModel):
    """`definition.recipient_ids` of a list is given only where one audience is read."""

    id: UUID
    bot: str
    name: str
    definition: dict[str, Any]
    archived: bool
    created_at: datetime
    version: int


class UsedBy(BaseModel):
    """A broadcast that goes to the audience; `status` is null where it is another audience whose rule names it."""

    id: UUID
    name: str
    status: Status | None = None


class Usage(BaseModel):
    """Up to 100 of each, newest first."""

    broadcasts: list[UsedBy]
    audiences: list[UsedBy]


class Preview(BaseModel):
    """total = reachable + blocked + deactivated + not_started, as the directory knows it now."""

    total: int
    reachable: int
    blocked: int
    deactivated: int
    not_started: int
    sample: list[RecipientOut]


@router.get("", dependencies=[VIEWER], summary="List audiences, newest first", responses=documented())
def list_audiences(
    door: Door,
    bot: Annotated[str | None, Query(max_length=32, pattern=r"^[^\x00]*$")] = None,
    archived: bool = False,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[AudienceOut]:
    rows = door.queries.audiences(bot=bot, archived=archived, after=time_and_id(cursor), limit=limit + 1)
    return page(rows, limit, _show, place_of)


@router.post("", dependencies=[AUTHOR], status_code=201, summary="Define an audience", responses=documented(400, 413))
def create(body: NewAudience, door: Door, call: Caller, response: Response) -> AudienceOut:
    definition, members = _stored(body.definition)
    created = door.audiences.create(body.bot, body.name, definition, members or [], call)
    response.headers["Location"] = f"/v1/audiences/{created.id}"
    return _read(door, created.id, response)


@router.post("/preview", dependencies=[VIEWER], summary="Whom a definition would reach", responses=documented(400, 413))
def preview(body: PreviewRequest, door: Door) -> Preview:
    if body.bot not in door.bots:
        raise UnknownBot(bot=body.bot)
    definition, members = _stored(body.definition)
    check(definition, members)
    reach = door.directory.reach(body.bot, uuid4(), definition, members, SAMPLE)
    return _preview(reach.counts, shown(door, reach.sample))


@router.get("/{id}", dependencies=[VIEWER], summary="Read one", responses=documented(404))
def read(id: UUID, door: Door, response: Response) -> AudienceOut:
    return _read(door, id, response)


@router.get("/{id}/preview", dependencies=[VIEWER], summary="Whom it would reach now", responses=documented(404))
def preview_stored(id: UUID, door: Door) -> Preview:
    row = door.queries.audience(id)
    if row is None:
        raise NotFound("audience", id)
    reach = door.directory.reach(row.bot, id, row.definition, None, SAMPLE)
    return _preview(reach.counts, shown(door, reach.sample))


@router.get(
    "/{id}/usage",
    dependencies=[VIEWER],
    summary="Which broadcasts and audiences use it",
    responses=documented(404),
)
def usage(id: UUID, door: Door) -> Usage:
    if door.queries.audience(id) is None:
        raise NotFound("audience", id)
    by, inside = door.queries.usage(id, USERS)
    return Usage(
        broadcasts=[UsedBy(id=row.id, name=row.name, status=row.status) for row in by],
        audiences=[UsedBy(id=row.id, name=row.name) for row in inside],
    )


@router.patch(
    "/{id}",
    dependencies=[AUTHOR],
    summary="Rename or redefine one",
    responses=documented(400, 404, 409, 412, 413, 428),
)
def edit(
    id: UUID, body: AudienceChanges, version: IfMatchRequired, door: Door, call: Caller, response: Response
) -> AudienceOut:
    """A run under way keeps the people it started with."""
    definition, members = (None, None) if body.definition is None else _stored(body.definition)
    door.audiences.edit(id, body.name, definition, members, call, version)
    return _read(door, id, response)


@router.delete(
    "/{id}",
    dependencies=[AUTHOR],
    status_code=204,
    summary="Archive one: what used it keeps it",
    responses=documented(404, 409, 412),
)
def archive(id: UUID, version: IfMatch, door: Door, call: Caller) -> None:
    door.audiences.archive(id, call, version)


def _stored(definition: Everyone | ExplicitList | ByAttributes | ByRule) -> tuple[dict[str, Any], list[int] | None]:
    if isinstance(definition, ExplicitList):
        return {"kind": "list"}, definition.recipient_ids
    if isinstance(definition, ByRule):
        return {"kind": "rule", "rule": definition.rule}, None
    return definition.model_dump(exclude_none=True), None


def _read(door: Services, id: UUID, response: Response) -> AudienceOut:
    row = door.queries.audience(id)
    if row is None:
        raise NotFound("audience", id)
    response.headers["ETag"] = etag(row.version)
    found = _show(row)
    if found.definition["kind"] == "list":
        found.definition = {**found.definition, "recipient_ids": door.queries.members(id)}
    return found


def _show(row: Any) -> AudienceOut:
    return AudienceOut(
        id=row.id,
        bot=row.bot,
        name=row.name,
        definition=row.definition,
        archived=row.archived,
        created_at=utc(row.created_at),
        version=row.version,
    )


def _preview(counts: dict[str, int], sample: list[RecipientOut]) -> Preview:
    return Preview(
        total=sum(counts.values()),
        reachable=counts.get("active", 0),
        blocked=counts.get("blocked", 0),
        deactivated=counts.get("deactivated", 0),
        not_started=counts.get("not_started", 0),
        sample=sample,
    )
