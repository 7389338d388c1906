"""API keys: which services may call HTTP v1, a new one, and the end of one. For administrators."""

from collections.abc import Iterable
from typing import Any

from fastapi import Response

from broadcast_api.adapters.keys import Keys, new_id, state_of
from broadcast_api.domain.errors import Forbidden, NotFound
from broadcast_api.domain.identity import ALL_BOTS, Principal, Role, Roles, read_roles, show_roles
from broadcast_api.entrypoints.console.access import ADMIN
from broadcast_api.entrypoints.console.explain import Explanation
from broadcast_api.entrypoints.console.forms import Form, Posted
from broadcast_api.entrypoints.console.page import Page, Viewed
from broadcast_api.entrypoints.console.route import pages
from broadcast_api.entrypoints.console.wording import KEY_STATES
from broadcast_api.entrypoints.http.policy import caller

NAME_MAX = 100
LIVES = (30, 90, 365, 1095)
"""Days."""

router = pages()


@router.get("/people/keys", dependencies=[ADMIN])
def list_keys(page: Viewed) -> Response:
    return _page(page, Form([]))


@router.post("/people/keys", dependencies=[ADMIN])
def create(page: Viewed, form: Posted) -> Response:
    """The key stands in the answer, and nowhere else: no address, no cookie, no log has it."""
    name, days = form.one("name").strip(), form.one("days")
    roles = _roles(_admin(page), page.door.bots, form.all("roles"))
    words = page.words
    if not 0 < len(name) <= NAME_MAX:
        why = words.gettext("Say which service it is for, in at most %(n)s characters.") % {"n": NAME_MAX}
        return _page(page, form, alert=Explanation(words.gettext("The key needs a name"), why))
    if not roles:
        why = words.gettext("Choose what the service may do.")
        return _page(page, form, alert=Explanation(words.gettext("No role is chosen"), why))
    if days not in map(str, LIVES):
        why = words.gettext("Choose how long it is valid.")
        return _page(page, form, alert=Explanation(words.gettext("Every key ends"), why))
    id, call = new_id(), page.call(form)
    page.door.record.about_to(
        "key.created", call, subject=id, bot=_bot(roles), title=name, roles=show_roles(roles), days=int(days)
    )
    _, key = _keys(page).create(name, "", roles, _admin(page).name, int(days), id)
    return _page(page, Form([]), key=key, name=name)


@router.get("/people/keys/{id}/revoke", dependencies=[ADMIN])
def ask_to_revoke(id: str, page: Viewed) -> Response:
    return page.render("ask_revoke.html", row=_row(page, id))


@router.post("/people/keys/{id}/revoke", dependencies=[ADMIN])
def revoke(id: str, page: Viewed, form: Posted) -> Response:
    row = _row(page, id)
    page.door.record.about_to(
        "key.revoked", page.call(form), subject=id, bot=_bot(read_roles(row.roles)), title=row.name
    )
    _keys(page).revoke(id)
    return page.redirect("/people/keys", "key_revoked")


def _page(page: Page, form: Form, *, alert: Explanation | None = None, key: str = "", name: str = "") -> Response:
    """With what was filled in, or with the key that was made."""
    admin = _admin(page)
    return page.render(
        "keys.html",
        422 if alert else 200,
        alert=alert,
        keys=_keys(page).of(admin),
        state_of=state_of,
        states=KEY_STATES,
        offered=_in_order(admin.may_give(page.door.bots)),
        lives=LIVES,
        name_max=NAME_MAX,
        filled=form,
        made=key,
        made_for=name,
    )


def _roles(admin: Principal, bots: Iterable[str], chosen: Iterable[str]) -> Roles:
    """From `main=author` and so on; raises `Forbidden` for what this administrator cannot give."""
    offered = admin.may_give(bots)
    roles: dict[str, frozenset[Role]] = {}
    for bot, _, role in (each.partition("=") for each in chosen):
        if role not in offered.get(bot, ()):
            raise Forbidden(role=role, bot=bot)
        roles[bot] = roles.get(bot, frozenset()) | {Role(role)}
    return roles


def _row(page: Page, id: str) -> Any:
    """One that still opens something and that is in sight; raises `NotFound`."""
    row = next((row for row in _keys(page).of(_admin(page)) if row.id == id), None)
    if row is None or state_of(row) != "active":
        raise NotFound("key", id)
    return row


def _bot(roles: Roles) -> str:
    """Whose audit it belongs to: that of the only bot, otherwise of who administers all of them."""
    only = list(roles)
    return only[0] if len(only) == 1 and only[0] != ALL_BOTS else ""


def _in_order(roles: Roles) -> list[tuple[str, list[Role]]]:
    return [(bot, [role for role in Role if role in roles[bot]]) for bot in sorted(roles)]


def _keys(page: Page) -> Keys:
    return page.door.identity.keys


def _admin(page: Page) -> Principal:
    return caller(page.request)
