"""Which drafts of a browser became broadcasts: the server says so to the next new form, whatever scripts ran since."""

import re
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response

from broadcast_api.entrypoints.console.access import is_secure

COOKIE = "used_drafts"
KEPT = 20
"""A browser holds one draft of a new broadcast; the others are those of tabs that were open beside it."""

AGE_SECONDS = 30 * 86_400

_ID = re.compile(r"[0-9a-f]{12}")


def new_draft() -> str:
    """Names what somebody begins to write. A draft that is restored keeps its name."""
    return uuid4().hex[:12]


def used_drafts(request: Request) -> list[str]:
    """The latest ones, oldest first."""
    return [id for id in request.cookies.get(COOKIE, "").split(".") if _ID.fullmatch(id)][-KEPT:]


def remember_used(request: Request, response: Response, draft: str) -> None:
    """Say from now on that this draft was used; what is no name of a draft is nothing to remember."""
    if _ID.fullmatch(draft):
        ids = [*(id for id in used_drafts(request) if id != draft), draft][-KEPT:]
        secure = is_secure(request)
        response.set_cookie(
            COOKIE, ".".join(ids), max_age=AGE_SECONDS, httponly=True, samesite="lax", secure=secure, path="/broadcasts"
        )
