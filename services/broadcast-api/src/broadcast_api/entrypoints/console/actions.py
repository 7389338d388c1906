"""The buttons of a broadcast: approve, send, stop, resume, recall, delete, try out. A refusal is told on its page."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from fastapi import Response

from broadcast_api.domain.call import Call
from broadcast_api.domain.errors import NotFound, Refused
from broadcast_api.entrypoints.console.access import APPROVER, AUTHOR, SENDER, VIEWER
from broadcast_api.entrypoints.console.broadcasts import broadcast_page, looked_at, message_of, shown
from broadcast_api.entrypoints.console.explain import explain
from broadcast_api.entrypoints.console.forms import Form, Posted
from broadcast_api.entrypoints.console.page import Page, Viewed, local_path
from broadcast_api.entrypoints.console.route import pages, status_of
from broadcast_api.entrypoints.console.selection import described
from broadcast_api.entrypoints.http import trials
from broadcast_api.entrypoints.http.audiences import preview_stored
from broadcast_api.entrypoints.http.paging import SearchText
from broadcast_contracts import Answer, Outcome

USUAL_PER_SECOND = 30  # Telegram's limit for a bot that does not pay: core.telegram.org/bots/faq
CANDIDATES = 12

router = pages()


@router.get("/broadcasts/{id}/send", dependencies=[SENDER])
def ask_to_send(id: UUID, page: Viewed) -> Response:
    it = looked_at(page, id)
    reach = preview_stored(it.b.audience.id, page.door)
    seconds = -(-reach.reachable // USUAL_PER_SECOND)
    return page.render("ask_send.html", it=it, reach=reach, seconds=seconds, usual=USUAL_PER_SECOND)


@router.get("/broadcasts/{id}/approve", dependencies=[APPROVER])
def ask_to_approve(id: UUID, page: Viewed) -> Response:
    """All that is approved, and its digest in the form."""
    it = looked_at(page, id)
    audience = page.door.queries.audience(it.b.audience.id)
    if audience is None:
        raise NotFound("audience", it.b.audience.id)
    return page.render(
        "ask_approve.html",
        it=it,
        who=described(audience.definition, page.words),
        reach=preview_stored(audience.id, page.door),
        message=message_of(it.b.text, it.b.parse_mode),
    )


@router.get("/broadcasts/{id}/recall", dependencies=[SENDER])
def ask_to_recall(id: UUID, page: Viewed) -> Response:
    return page.render("ask_recall.html", it=shown(_row(page, id), page))


@router.get("/broadcasts/{id}/delete", dependencies=[AUTHOR])
def ask_to_delete(id: UUID, page: Viewed) -> Response:
    return page.render("ask_delete.html", it=shown(_row(page, id), page))


@router.get("/broadcasts/{id}/withdraw", dependencies=[VIEWER])
@router.get("/broadcasts/{id}/stop", dependencies=[VIEWER])
@router.get("/broadcasts/{id}/resume", dependencies=[VIEWER])
@router.get("/broadcasts/{id}/resend", dependencies=[VIEWER])
def look(id: UUID, page: Viewed) -> Response:
    """Where a reload ends after a button was refused."""
    return page.redirect(f"/broadcasts/{id}")


@router.post("/broadcasts/{id}/send", dependencies=[SENDER])
def send(id: UUID, page: Viewed, form: Posted) -> Response:
    return _press(page, id, form, "sent", lambda call: page.door.broadcasts.send(id, call, form.version))


@router.post("/broadcasts/{id}/approve", dependencies=[APPROVER])
def approve(id: UUID, page: Viewed, form: Posted) -> Response:
    """What the form showed, whatever there is now."""
    command = lambda call: page.door.broadcasts.approve(id, form.one("digest"), call)  # noqa: E731
    return _press(page, id, form, "approved", command)


@router.post("/broadcasts/{id}/withdraw", dependencies=[APPROVER])
def withdraw(id: UUID, page: Viewed, form: Posted) -> Response:
    return _press(page, id, form, "withdrawn", lambda call: page.door.broadcasts.withdraw_approval(id, call))


@router.post("/broadcasts/{id}/stop", dependencies=[SENDER])
def stop(id: UUID, page: Viewed, form: Posted) -> Response:
    """Whatever changed meanwhile: a stop is always meant."""
    return _press(page, id, form, "stopped", lambda call: page.door.broadcasts.stop(id, call))


@router.post("/broadcasts/{id}/resume", dependencies=[SENDER])
def resume(id: UUID, page: Viewed, form: Posted) -> Response:
    return _press(page, id, form, "resumed", lambda call: page.door.broadcasts.resume(id, call))


@router.get("/broadcasts/{id}/unconfirmed", dependencies=[SENDER])
def ask_about_unconfirmed(id: UUID, page: Viewed) -> Response:
    return page.render("ask_unconfirmed.html", it=shown(_row(page, id), page))


@router.post("/broadcasts/{id}/unconfirmed", dependencies=[SENDER])
def answer(id: UUID, page: Viewed, form: Posted) -> Response:
    """About all who are unconfirmed."""
    chosen = form.one("answer")
    if chosen not in set(Answer):
        return page.redirect(f"/broadcasts/{id}/unconfirmed")
    command = lambda call: page.door.broadcasts.answer(id, Answer(chosen), None, call)  # noqa: E731
    return _press(page, id, form, "answered", command)


@router.post("/broadcasts/{id}/resend", dependencies=[SENDER])
def resend(id: UUID, page: Viewed, form: Posted) -> Response:
    return _press(page, id, form, "resumed", lambda call: page.door.broadcasts.resend(id, call))


@router.post("/broadcasts/{id}/recall", dependencies=[SENDER])
def recall(id: UUID, page: Viewed, form: Posted) -> Response:
    return _press(page, id, form, "recalled", lambda call: page.door.broadcasts.recall(id, call))


@router.post("/broadcasts/{id}/delete", dependencies=[AUTHOR])
def delete(id: UUID, page: Viewed, form: Posted) -> Response:
    command = lambda call: page.door.broadcasts.delete(id, call, form.version)  # noqa: E731
    return _press(page, id, form, "deleted", command, "/broadcasts")


@router.get("/broadcasts/{id}/test", dependencies=[AUTHOR])
def ask_whom(id: UUID, page: Viewed, text: SearchText = "") -> Response:
    row = _row(page, id)
    people = page.door.directory.page(bot=row.bot, text=text.strip(), limit=CANDIDATES)
    return page.render("ask_test.html", it=shown(row, page), people=people, text=text)


@router.post("/broadcasts/{id}/test", dependencies=[AUTHOR])
async def try_out(id: UUID, page: Viewed, form: Posted) -> Response:
    whom = form.one("recipient_id")
    if not whom.isdecimal() or len(whom) > 18:
        return page.redirect(f"/broadcasts/{id}/test")
    try:
        trial = await trials.try_out(
            id, trials.NewTrial(recipient_id=int(whom)), page.door, page.call(form), Response()
        )
    except Refused as error:
        return _refused(page, id, error)
    flash = {None: "test_waiting", Outcome.DELIVERED: "test_delivered"}.get(trial.outcome, "test_failed")
    return page.redirect(f"/broadcasts/{id}", flash)


def _press(page: Page, id: UUID, form: Form, done: str, command: Callable[[Call], object], then: str = "") -> Response:
    try:
        command(page.call(form))
    except Refused as error:
        return _refused(page, id, error)
    return page.redirect(local_path(form.one("next"), then or f"/broadcasts/{id}"), done)


def _refused(page: Page, id: UUID, error: Refused) -> Response:
    """What it is now, and why the button did not fit."""
    if isinstance(error, NotFound):
        raise error
    return broadcast_page(page, id, status_of(error), explain(error, page.words))


def _row(page: Page, id: UUID) -> Any:
    row = page.door.queries.broadcast(id)
    if row is None:
        raise NotFound("broadcast", id)
    return row
