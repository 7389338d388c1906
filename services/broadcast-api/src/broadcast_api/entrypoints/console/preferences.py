"""Who is signed in; and their language and theme, which are cookies."""

from fastapi import Response
from fastapi.responses import RedirectResponse

from broadcast_api.domain.identity import write_roles
from broadcast_api.entrypoints.console.access import ANYBODY, VIEWER
from broadcast_api.entrypoints.console.forms import Posted
from broadcast_api.entrypoints.console.page import THEMES, Viewed, local_path
from broadcast_api.entrypoints.console.route import pages
from broadcast_api.entrypoints.console.words import LANGUAGES

router = pages()


@router.get("/", dependencies=[ANYBODY])
async def root() -> RedirectResponse:
    return RedirectResponse("/broadcasts", 303)


@router.get("/you", dependencies=[VIEWER])
def you(page: Viewed, next: str = "/") -> Response:
    """Who is signed in, and what they may do."""
    assert page.principal is not None
    return page.render("you.html", next=local_path(next, "/"), held=write_roles(page.principal.roles))


@router.post("/preferences", dependencies=[ANYBODY])
async def prefer(page: Viewed, form: Posted) -> Response:
    response = page.redirect(local_path(form.one("next"), "/"))
    for cookie, choices in (("language", LANGUAGES), ("theme", (*THEMES, "auto"))):
        if form.one(cookie) in choices:
            page.remember(response, cookie, form.one(cookie))
    return response
