"""Audiences: the list, and the form that defines one by attributes or by name."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from fastapi import Response
from fastapi.responses import JSONResponse

from broadcast_api.domain.errors import NotFound, Refused
from broadcast_api.entrypoints.console.explain import Explanation, explain
from broadcast_api.entrypoints.console.forms import Posted
from broadcast_api.entrypoints.console.page import Page, Viewed
from broadcast_api.entrypoints.console.route import pages, status_of
from broadcast_api.entrypoints.console.selection import SHOWN_FIELDS, Draft, described, drafted, stored
from broadcast_api.entrypoints.http import audiences as http
from broadcast_api.entrypoints.http.paging import Cursor, place_of, time_and_id
from broadcast_api.entrypoints.http.paging import page as paged

ROWS = 50
VALUES_MAX = 500
FOUND_MAX = 20
CHOSEN_SHOWN = 100

router = pages()


@router.get("/audiences")
def list_audiences(page: Viewed, archived: bool = False, cursor: Cursor = None) -> Response:
    rows = page.door.queries.audiences(bot=None, archived=archived, after=time_and_id(cursor), limit=ROWS + 1)
    next = paged(rows, ROWS, lambda row: row.name, place_of).next
    return page.render(
        "audiences.html", rows=rows[:ROWS], described=described, next=next, archived=archived, first=cursor is None
    )


@router.get("/audiences/new")
def new(page: Viewed, bot: str = "") -> Response:
    return _form_page(page, None, Draft(bot if bot in page.door.bots else page.door.bots[0]))


@router.post("/audiences/new")
def create(page: Viewed, form: Posted) -> Response:
    draft = drafted(form)
    if "find" in form or "check" in form:
        return _form_page(page, None, draft, find=form.one("find_text"))
    try:
        body = http.NewAudience(bot=draft.bot, name=draft.name, definition=draft.definition())
        created = http.create(body, page.door, page.call(form), Response())
    except Refused as error:
        return _form_page(page, None, draft, error, form.one("find_text"))
    if page.is_part:
        return JSONResponse({"id": str(created.id), "name": created.name, "bot": created.bot}, 201)
    return page.redirect("/audiences", "audience_created")


@router.post("/audiences/preview")
def preview(page: Viewed, form: Posted) -> Response:
    """Whom the rules reach, while somebody is choosing them."""
    return page.render("part_reach.html", reach=_reach(page, drafted(form)), sample=True)


@router.post("/audiences/people")
def find(page: Viewed, form: Posted) -> Response:
    """People to choose from."""
    return page.render("part_found.html", **_found(page, drafted(form), form.one("find_text")))


@router.get("/audiences/{id}/reach")
def reach(id: UUID, page: Viewed) -> Response:
    return page.render("part_reach.html", reach=http.preview_stored(id, page.door), sample=False)


@router.get("/audiences/{id}")
def edit(id: UUID, page: Viewed) -> Response:
    return _form_page(page, _row(page, id), _draft(page, _row(page, id)))


@router.post("/audiences/{id}")
def save(id: UUID, page: Viewed, form: Posted) -> Response:
    row, draft = _row(page, id), drafted(form)
    if "find" in form or "check" in form:
        return _form_page(page, row, draft, find=form.one("find_text"))
    try:
        body = http.AudienceChanges(name=draft.name, definition=draft.definition())
        http.edit(id, body, form.version, page.door, page.call(form), Response())
    except Refused as error:
        now = _row(page, id)
        return _form_page(page, now, replace(draft, version=now.version), error, form.one("find_text"))
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
        return _form_page(page, row, _draft(page, row), error)
    return page.redirect("/audiences", "audience_archived")


def _form_page(page: Page, row: Any, draft: Draft, error: Refused | None = None, find: str = "") -> Response:
    """`row` is the audience that is being changed; None for a new one."""
    told: Explanation | None = None if error is None else explain(error, page.words)
    values = {name: _choices(page, draft, name) for name in SHOWN_FIELDS}
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
    people = (directory.get(id) for id in draft.members[:CHOSEN_SHOWN])
    others = directory.page(bot=draft.bot, text=text.strip(), limit=FOUND_MAX + len(draft.members))
    inside = set(draft.members)
    return {
        "chosen": [person for person in people if person is not None and person.bot == draft.bot],
        "chosen_too": draft.members[CHOSEN_SHOWN:],
        "found": [person for person in others if person.id not in inside][:FOUND_MAX],
        "find_text": text,
    }


def _reach(page: Page, draft: Draft) -> http.Preview | None:
    try:
        return http.preview(http.PreviewRequest(bot=draft.bot, definition=draft.definition()), page.door)
    except Refused:
        return None


def _draft(page: Page, row: Any) -> Draft:
    return stored(row, page.door.queries.members(row.id))


def _row(page: Page, id: UUID) -> Any:
    row = page.door.queries.audience(id)
    if row is None:
        raise NotFound("audience", id)
    return row
