"""Audiences: the list, and the form that defines one by attributes or by name."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from fastapi import Response
from fastapi.responses import JSONResponse
from pydantic import ValidationError

from broadcast_api.domain.audience import ATTRIBUTES
from broadcast_api.domain.errors import BadDefinition, NotFound, Refused
from broadcast_api.entrypoints.console.explain import Explanation, explain
from broadcast_api.entrypoints.console.forms import Form, Posted
from broadcast_api.entrypoints.console.page import Page, Viewed
from broadcast_api.entrypoints.console.route import pages, status_of
from broadcast_api.entrypoints.http import audiences as http
from broadcast_api.entrypoints.http.paging import Cursor, place_of, time_and_id
from broadcast_api.entrypoints.http.paging import page as paged

ROWS = 50
VALUES_MAX = 500
FOUND_MAX = 20

router = pages()


@dataclass(frozen=True, slots=True)
class Draft:
    """An audience as the form has it."""

    bot: str
    name: str = ""
    kind: str = "attributes"
    where: dict[str, list[str]] = field(default_factory=dict)
    members: list[int] = field(default_factory=list)
    version: int | None = None
    key: str = ""

    @property
    def definition(self) -> dict[str, Any]:
        """As HTTP v1 takes it."""
        match self.kind:
            case "everyone":
                return {"kind": "everyone"}
            case "list":
                return {"kind": "list", "recipient_ids": self.members}
            case _:
                return {"kind": "attributes", "where": {name: values for name, values in self.where.items() if values}}


@router.get("/audiences")
def list_audiences(page: Viewed, archived: bool = False, cursor: Cursor = None) -> Response:
    rows = page.door.queries.audiences(bot=None, archived=archived, after=time_and_id(cursor), limit=ROWS + 1)
    next = paged(rows, ROWS, lambda row: row.name, place_of).next
    return page.render("audiences.html", rows=rows[:ROWS], next=next, archived=archived, first=cursor is None)


@router.get("/audiences/new")
def new(page: Viewed, bot: str = "") -> Response:
    return _form_page(page, None, Draft(bot if bot in page.door.bots else page.door.bots[0]))


@router.post("/audiences/new")
def create(page: Viewed, form: Posted) -> Response:
    draft = _read(form)
    if "find" in form or "check" in form:
        return _form_page(page, None, draft, find=form.one("find_text"))
    try:
        body = http.NewAudience(bot=draft.bot, name=draft.name, definition=_checked(draft))
        created = http.create(body, page.door, page.call(form), Response())
    except Refused as error:
        return _form_page(page, None, draft, error, form.one("find_text"))
    if page.is_part:
        return JSONResponse({"id": str(created.id), "name": created.name, "bot": created.bot}, 201)
    return page.redirect("/audiences", "audience_created")


@router.post("/audiences/preview")
def preview(page: Viewed, form: Posted) -> Response:
    """Whom the rules reach, while somebody is choosing them."""
    return page.render("part_reach.html", reach=_reach(page, _read(form)), sample=True)


@router.post("/audiences/people")
def find(page: Viewed, form: Posted) -> Response:
    """People to choose from."""
    return page.render("part_found.html", **_found(page, _read(form), form.one("find_text")))


@router.get("/audiences/{id}/reach")
def reach(id: UUID, page: Viewed) -> Response:
    return page.render("part_reach.html", reach=http.preview_stored(id, page.door), sample=False)


@router.get("/audiences/{id}")
def edit(id: UUID, page: Viewed) -> Response:
    return _form_page(page, _row(page, id), _stored(page, _row(page, id)))


@router.post("/audiences/{id}")
def save(id: UUID, page: Viewed, form: Posted) -> Response:
    row, draft = _row(page, id), _read(form)
    if "find" in form or "check" in form:
        return _form_page(page, row, draft, find=form.one("find_text"))
    try:
        body = http.AudienceChanges(name=draft.name, definition=_checked(draft))
        http.edit(id, body, form.version, page.door, page.call(form), Response())
    except Refused as error:
        return _form_page(page, _row(page, id), draft, error, form.one("find_text"))
    return page.redirect("/audiences", "audience_edited")


@router.get("/audiences/{id}/archive")
def ask_to_archive(id: UUID, page: Viewed) -> Response:
    return page.render("ask_archive.html", row=_row(page, id))


@router.post("/audiences/{id}/archive")
def archive(id: UUID, page: Viewed, form: Posted) -> Response:
    try:
        page.door.audiences.archive(id, page.call(form), form.version)
    except Refused as error:
        row = _row(page, id)
        return _form_page(page, row, _stored(page, row), error)
    return page.redirect("/audiences", "audience_archived")


def _form_page(page: Page, row: Any, draft: Draft, error: Refused | None = None, find: str = "") -> Response:
    """`row` is the audience that is being changed; None for a new one."""
    told: Explanation | None = None if error is None else explain(error, page.words)
    values = {name: _choices(page, draft, name) for name in ATTRIBUTES}
    return page.render(
        "audience.html",
        200 if error is None else status_of(error),
        row=row,
        draft=draft,
        values=values,
        reach=_reach(page, draft),
        alert=told,
        **_found(page, draft, find),
    )


def _choices(page: Page, draft: Draft, attribute: str) -> list[str]:
    known = page.door.directory.values(draft.bot, attribute, VALUES_MAX)
    return [*known, *(value for value in draft.where.get(attribute, []) if value not in known)]


def _found(page: Page, draft: Draft, text: str) -> dict[str, Any]:
    """Those already chosen, and others to choose from."""
    directory = page.door.directory
    chosen = [person for id in draft.members if (person := directory.get(id)) is not None and person.bot == draft.bot]
    others = directory.page(bot=draft.bot, text=text.strip(), limit=FOUND_MAX + len(draft.members))
    inside = set(draft.members)
    found = [person for person in others if person.id not in inside][:FOUND_MAX]
    return {"chosen": chosen, "found": found, "find_text": text}


def _reach(page: Page, draft: Draft) -> http.Preview | None:
    try:
        return http.preview(http.PreviewRequest(bot=draft.bot, definition=_checked(draft)), page.door)
    except Refused:
        return None


def _checked(draft: Draft) -> Any:
    """The definition as HTTP v1 checks it; raises `BadDefinition`."""
    try:
        return http.PreviewRequest.model_validate({"bot": draft.bot, "definition": draft.definition}).definition
    except ValidationError as error:
        raise BadDefinition(reason="nothing chosen") from error


def _read(form: Form) -> Draft:
    ids = [int(id) for id in form.all("member") if id.isdecimal() and len(id) < 19]
    return Draft(
        bot=form.one("bot"),
        name=form.one("name"),
        kind=form.one("by"),
        where={name: form.all(name) for name in ATTRIBUTES if form.all(name)},
        members=ids,
        version=form.version,
        key=form.one("key"),
    )


def _stored(page: Page, row: Any) -> Draft:
    definition = row.definition
    return Draft(
        bot=row.bot,
        name=row.name,
        kind=definition["kind"],
        where=definition.get("where", {}),
        members=page.door.queries.members(row.id) if definition["kind"] == "list" else [],
        version=row.version,
    )


def _row(page: Page, id: UUID) -> Any:
    row = page.door.queries.audience(id)
    if row is None:
        raise NotFound("audience", id)
    return row
