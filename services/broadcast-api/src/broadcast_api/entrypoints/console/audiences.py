"""Audiences: the list, and the form that defines one by attributes or by name."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from fastapi import Response
from fastapi.responses import JSONResponse

from broadcast_api.domain.errors import NotFound, Refused
from broadcast_api.entrypoints.console.access import AUTHOR, VIEWER
from broadcast_api.entrypoints.console.explain import Explanation, explain
from broadcast_api.entrypoints.console.forms import Form, Posted
from broadcast_api.entrypoints.console.page import Page, Viewed
from broadcast_api.entrypoints.console.route import pages, status_of
from broadcast_api.entrypoints.console.rule_form import CONDITIONS, Condition, changed, rule_of
from broadcast_api.entrypoints.console.selection import SHOWN_FIELDS, Draft, described, drafted, stored
from broadcast_api.entrypoints.console.wording import ATTRIBUTES as LABELS
from broadcast_api.entrypoints.console.words import Words
from broadcast_api.entrypoints.http import audiences as http
from broadcast_api.entrypoints.http.paging import Cursor, place_of, time_and_id
from broadcast_api.entrypoints.http.paging import page as paged

ROWS = 50
VALUES_MAX = 500
FOUND_MAX = 20
CHOSEN_SHOWN = 100
AUDIENCES = 500
CHIPS = 24
"""Values that a line offers at once; the others are typed, with suggestions."""

router = pages()


@router.get("/audiences", dependencies=[VIEWER])
def list_audiences(page: Viewed, archived: bool = False, cursor: Cursor = None) -> Response:
    rows = page.door.queries.audiences(bot=None, archived=archived, after=time_and_id(cursor), limit=ROWS + 1)
    next = paged(rows, ROWS, lambda row: row.name, place_of).next
    return page.render(
        "audiences.html", rows=rows[:ROWS], described=described, next=next, archived=archived, first=cursor is None
    )


@router.get("/audiences/new", dependencies=[AUTHOR])
def new(page: Viewed, bot: str = "") -> Response:
    return _form_page(page, None, Draft(bot if bot in (mine := page.bots("author")) else mine[0]))


@router.post("/audiences/new", dependencies=[AUTHOR])
def create(page: Viewed, form: Posted) -> Response:
    draft = drafted(form)
    if _looking(form):
        return _form_page(page, None, _acted(draft, form)[0], find=form.one("find_text"))
    try:
        body = http.NewAudience(bot=draft.bot, name=draft.name, definition=draft.definition())
        created = http.create(body, page.door, page.call(form), Response())
    except Refused as error:
        return _form_page(page, None, draft, error, form.one("find_text"))
    if page.is_part:
        return JSONResponse({"id": str(created.id), "name": created.name, "bot": created.bot}, 201)
    return page.redirect("/audiences", "audience_created")


@router.post("/audiences/preview", dependencies=[VIEWER])
def preview(page: Viewed, form: Posted) -> Response:
    """Whom the rules reach, while somebody is choosing them."""
    return page.render("part_reach.html", reach=_reach(page, drafted(form)), sample=True)


@router.post("/audiences/rule", dependencies=[AUTHOR])
def build(page: Viewed, form: Posted) -> Response:
    """The rule alone, after one of its buttons."""
    draft, focus = _acted(drafted(form), form)
    return page.render("part_rule.html", draft=draft, focus=focus, **_builder(page, draft))


@router.post("/audiences/people", dependencies=[AUTHOR])
def find(page: Viewed, form: Posted) -> Response:
    """People to choose from."""
    return page.render("part_found.html", **_found(page, drafted(form), form.one("find_text")))


@router.get("/audiences/{id}/reach", dependencies=[VIEWER])
def reach(id: UUID, page: Viewed) -> Response:
    return page.render("part_reach.html", reach=http.preview_stored(id, page.door), sample=False)


@router.get("/audiences/{id}", dependencies=[VIEWER])
def edit(id: UUID, page: Viewed) -> Response:
    return _form_page(page, _row(page, id), _draft(page, _row(page, id)))


@router.post("/audiences/{id}", dependencies=[AUTHOR])
def save(id: UUID, page: Viewed, form: Posted) -> Response:
    row, draft = _row(page, id), drafted(form)
    if _looking(form):
        return _form_page(page, row, _acted(draft, form)[0], find=form.one("find_text"))
    try:
        body = http.AudienceChanges(name=draft.name, definition=draft.definition())
        http.edit(id, body, form.version, page.door, page.call(form), Response())
    except Refused as error:
        now = _row(page, id)
        return _form_page(page, now, replace(draft, version=now.version), error, form.one("find_text"))
    return page.redirect("/audiences", "audience_edited")


@router.get("/audiences/{id}/archive", dependencies=[AUTHOR])
def ask_to_archive(id: UUID, page: Viewed) -> Response:
    return page.render("ask_archive.html", row=_row(page, id))


@router.post("/audiences/{id}/archive", dependencies=[AUTHOR])
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
    return page.render(
        "audience.html",
        200 if error is None else status_of(error),
        row=row,
        draft=draft,
        reach=_reach(page, draft),
        alert=told,
        focus="",
        **_builder(page, draft, None if row is None else row.id, incomplete=error is not None),
        **_found(page, draft, find),
    )


def _looking(form: Form) -> bool:
    """Whether a button was pressed that saves nothing."""
    return any(name in form for name in ("find", "check", "act"))


def _acted(draft: Draft, form: Form) -> tuple[Draft, str]:
    """With what a button of the builder did, and the part to go on with."""
    tree, focus = changed(draft.tree, form.one("act"))
    return replace(draft, tree=tree), focus


def _builder(page: Page, draft: Draft, id: UUID | None = None, *, incomplete: bool = False) -> dict[str, Any]:
    """What the builder offers. `id` is the audience that is being changed: it cannot contain itself."""
    words = page.words
    values = {name: _choices(page, draft, name) for name in SHOWN_FIELDS}
    audiences = page.door.queries.audiences(bot=draft.bot, archived=False, after=None, limit=AUDIENCES)
    labels = {**LABELS, "joined": "Joined", "audience": "Audience"}

    def choices(line: Condition) -> list[str]:
        """The most frequent ones and those chosen."""
        shown = values[line.field][:CHIPS]
        return [*shown, *(value for value in line.values if value not in shown)]

    return {
        "values": values,
        "choices": choices,
        "others": [audience for audience in audiences if audience.id != id],
        "conditions": [(name, words.gettext(labels[name])) for name in CONDITIONS],
        "sentence": _in_words(draft, words),
        "told_incomplete": incomplete,
    }


def _in_words(draft: Draft, words: Words) -> str:
    """Empty while a line of the rule says nothing yet."""
    try:
        return described({"kind": "rule", "rule": rule_of(draft.tree)}, words)
    except Refused:
        return ""


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
