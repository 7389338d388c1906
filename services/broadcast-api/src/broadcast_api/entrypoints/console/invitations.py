"""Inviting people: the link that opens a chat with the bot, and the same as a QR code to print or to show."""

import io
import re
from urllib.parse import urlencode

import segno
from fastapi import Response
from starlette.exceptions import HTTPException

from broadcast_api.entrypoints.console.access import VIEWER
from broadcast_api.entrypoints.console.page import Page, Viewed
from broadcast_api.entrypoints.console.route import pages

PERSONAL = re.compile(r"[A-Za-z0-9_-]{1,61}")
"""An external id that fits into a link: after `id-` Telegram allows so many of these characters."""

router = pages()


@router.get("/people/invite", dependencies=[VIEWER])
def invite(page: Viewed, bot: str = "", person: str = "") -> Response:
    chosen, person = _bot(page, bot), person.strip()
    unfit = bool(person) and not PERSONAL.fullmatch(person)
    query = urlencode({"bot": chosen, "person": person})
    return page.render(
        "invite.html",
        bot=chosen,
        person=person,
        unfit=unfit,
        link="" if unfit else _link(page, chosen, person),
        picture=f"/people/invite.svg?{query}",
        file=f"{chosen}-{person or 'invitation'}.svg",
    )


@router.get("/people/invite.svg", dependencies=[VIEWER])
def picture(page: Viewed, bot: str = "", person: str = "") -> Response:
    """Black on white in either theme: cameras expect it."""
    link = _link(page, _bot(page, bot), person)
    if not link or (person and not PERSONAL.fullmatch(person)):
        raise HTTPException(404)
    drawn = io.BytesIO()
    segno.make(link, error="m", micro=False).save(drawn, kind="svg", scale=8, light="#fff", xmldecl=False)
    return Response(drawn.getvalue(), media_type="image/svg+xml")


def _bot(page: Page, bot: str) -> str:
    return bot if bot in page.door.bots else page.door.bots[0]


def _link(page: Page, bot: str, person: str) -> str:
    """Empty where nobody has said the bot's username."""
    username = page.door.usernames.get(bot)
    if not username:
        return ""
    return f"https://t.me/{username}" + (f"?start=id-{person}" if person else "")
