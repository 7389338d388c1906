"""Draw up a broadcast, or change one: the form, its preview, and what was wrong with it."""

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from fastapi import Response
from fastapi.responses import HTMLResponse, RedirectResponse
from markupsafe import Markup

from broadcast_api.application.draft import SOURCE_MAX
from broadcast_api.domain.broadcast import Status
from broadcast_api.domain.draft import FIELDS, Draft
from broadcast_api.domain.errors import BadName, BadText, NotCreated, NotFound, Refused, UnknownAudience, UnknownBot
from broadcast_api.entrypoints.console.access import AUTHOR, VIEWER
from broadcast_api.entrypoints.console.broadcasts import broadcast_page
from broadcast_api.entrypoints.console.bubble import bubble
from broadcast_api.entrypoints.console.drafts import new_draft, remember_used, used_drafts
from broadcast_api.entrypoints.console.explain import explain, text_fault
from broadcast_api.entrypoints.console.forms import Form, Posted
from broadcast_api.entrypoints.console.page import FLASH_SECONDS, Page, Viewed
from broadcast_api.entrypoints.console.route import pages, status_of
from broadcast_api.entrypoints.console.words import Words
from broadcast_api.entrypoints.http.models import attachment_out, calls_out
from broadcast_contracts import ParseMode
from broadcast_telegram.formatting import TEXT_LIMIT, FormattingError, parse
from broadcast_telegram.plan import plan

AUDIENCES = 500

router = pages()


@dataclass(frozen=True, slots=True)
class Preview:
    """What Telegram would make of a text. `at` is the place of the fault, in UTF-16 units of the source."""

    message: Markup
    length: int
    fault: str = ""
    at: int | None = None
    line: int = 0
    column: int = 0


def preview(text: str, parse_mode: str, words: Words) -> Preview:
    """An empty text is no fault yet: somebody is about to write it."""
    try:
        parsed = parse(text[:SOURCE_MAX], parse_mode)
    except FormattingError as error:
        before = text.encode("utf-8", "replace")[: error.byte_offset or 0].decode("utf-8", "ignore")
        return Preview(
            message=Markup("{}").format(text),
            length=len(text),
            fault=text_fault(str(error), words),
            at=None if error.byte_offset is None else len(before.encode("utf-16-le")) // 2,
            line=before.count("\n") + 1,
            column=len(before) - before.rfind("\n"),
        )
    fault = text_fault("message is too long", words) if parsed.length > TEXT_LIMIT else ""
    return Preview(bubble(parsed), parsed.length, fault)


@router.get("/broadcasts/new", dependencies=[AUTHOR])
def new(page: Viewed) -> Response:
    return _form_page(page, None, {})


@router.post("/broadcasts/new", dependencies=[AUTHOR])
def create(page: Viewed, form: Posted) -> Response:
    if "check" in form:
        return _form_page(page, None, _values(form))
    try:
        audience = page.door.queries.audience(_audience_id(form))
        if audience is None:
            raise UnknownAudience
        call = page.call(form)
        text_needed = "files_follow" not in form
        created = page.door.broadcasts.create(audience.bot, _draft(form), call, text_needed=text_needed)
    except Refused as error:
        return _form_page(page, None, _values(form), error)
    response: HTMLResponse | RedirectResponse = page.redirect(f"/broadcasts/{created.id}", "created")
    if page.is_part:  # a script is about to attach the files
        response = HTMLResponse(str(created.id), 201)
        page.remember(response, "flash", "created", FLASH_SECONDS)
    remember_used(page.request, response, form.one("draft"))
    return response


@router.post("/broadcasts/preview", dependencies=[VIEWER])
def show_preview(page: Viewed, form: Posted) -> Response:
    """The preview alone, while somebody is writing."""
    shown = preview(form.one("text"), form.one("parse_mode"), page.words)
    return page.render("part_preview.html", preview=shown, **_files(page, _edited(page, form), _values(form)))


@router.get("/broadcasts/{id}/edit", dependencies=[AUTHOR])
def edit(id: UUID, page: Viewed) -> Response:
    row = page.door.queries.broadcast(id)
    if row is None:
        raise NotFound("broadcast", id)
    if row.status != Status.CREATED:
        error = NotCreated(row.status, stopping=row.stopping)
        return broadcast_page(page, id, status_of(error), explain(error, page.words))
    fields = (*(name for name in FIELDS if name != "files"), "version")
    return _form_page(page, row, {name: getattr(row, name) for name in fields})


@router.post("/broadcasts/{id}/edit", dependencies=[AUTHOR])
def save(id: UUID, page: Viewed, form: Posted) -> Response:
    row = page.door.queries.broadcast(id)
    if row is None:
        raise NotFound("broadcast", id)
    if "check" in form:
        return _form_page(page, row, _values(form))
    draft = _draft(form)
    changes = {name: getattr(draft, name) for name in FIELDS if name != "files"}
    try:
        page.door.broadcasts.edit(id, changes, page.call(form), form.version)
    except NotCreated as error:
        return broadcast_page(page, id, status_of(error), explain(error, page.words))
    except Refused as error:
        values = {**_values(form), "version": row.version}
        return _form_page(page, page.door.queries.broadcast(id), values, error)
    return page.redirect(f"/broadcasts/{id}", "edited")


def _form_page(page: Page, row: Any, values: dict[str, Any], error: Refused | None = None) -> Response:
    """`row` is the broadcast that is being changed; None for a new one."""
    bot = row.bot if row else None
    values = {**_EMPTY, **values}
    alert = None if error is None else explain(error, page.words)
    field = next((name for kind, name in _FIELD_OF.items() if isinstance(error, kind)), "")
    used = used_drafts(page.request)
    audiences = page.door.queries.audiences(bot=bot, archived=False, after=None, limit=AUDIENCES)
    return page.render(
        "compose.html",
        200 if error is None else status_of(error),
        row=row,
        values=values,
        preview=preview(values["text"], values["parse_mode"], page.words),
        audiences=[audience for audience in audiences if page.may("author", audience.bot)],
        modes=list(ParseMode),
        limit=TEXT_LIMIT,
        alert=alert,
        wrong=field,
        draft=new_draft() if values["draft"] in ("", *used) else values["draft"],
        used=used,
        limits=page.door.attachments.limits,
        **_files(page, row, values),
    )


def _edited(page: Page, form: Form) -> Any:
    """The broadcast that a preview is of; None while there is none."""
    try:
        return page.door.queries.broadcast(UUID(form.one("broadcast_id")))
    except ValueError:
        return None


def _files(page: Page, row: Any, values: dict[str, Any]) -> dict[str, Any]:
    """The attached files as they will be sent, and in how many messages."""
    draft = Draft("", values["text"][:SOURCE_MAX], UUID(int=0), _mode(values["parse_mode"]))
    if row is not None:
        kept = Draft.read(row._asdict()).files
        draft = replace(draft, files=kept, pictures_as_files=bool(values["pictures_as_files"]))
    calls = () if draft.is_empty else plan(draft.content())
    files = [attachment_out(row.id, file) for file in draft.shown_files]
    return {"files": files, "plan": calls_out(calls), "messages": sum(call.messages for call in calls)}


_EMPTY: dict[str, Any] = dict.fromkeys(("name", "text"), "") | {
    "parse_mode": ParseMode.HTML.value,
    "audience_id": None,
    "link_preview": True,
    "silent": False,
    "pictures_as_files": False,
    "version": None,
    "draft": "",
}

_FIELD_OF: dict[type[Refused], str] = {
    BadName: "name",
    BadText: "text",
    UnknownAudience: "audience_id",
    UnknownBot: "audience_id",
}


def _mode(word: str) -> ParseMode:
    return ParseMode(word) if word in set(ParseMode) else ParseMode.NONE


def _draft(form: Form) -> Draft:
    return Draft(
        name=form.one("name"),
        text=form.one("text"),
        audience_id=_audience_id(form),
        parse_mode=_mode(form.one("parse_mode")),
        link_preview="link_preview" in form,
        silent="silent" in form,
        pictures_as_files="pictures_as_files" in form,
    )


def _audience_id(form: Form) -> UUID:
    try:
        return UUID(form.one("audience_id"))
    except ValueError:
        return UUID(int=0)  # which no audience has: refused as an unknown one


def _values(form: Form) -> dict[str, Any]:
    """What was filled in, to be shown again."""
    texts = {name: form.one(name) for name in ("name", "text", "parse_mode")}
    options = {name: name in form for name in ("link_preview", "silent", "pictures_as_files")}
    return {**texts, **options, "audience_id": _audience_id(form), "version": form.version, "draft": form.one("draft")}
