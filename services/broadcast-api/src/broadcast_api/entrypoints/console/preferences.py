"""Who one is, language and theme: cookies, until there is a sign-in."""

from fastapi import Response
from fastapi.responses import RedirectResponse

from broadcast_api.entrypoints.console.forms import Posted
from broadcast_api.entrypoints.console.page import THEMES, Viewed, local_path, official_cookie
from broadcast_api.entrypoints.console.route import pages
from broadcast_api.entrypoints.console.words import LANGUAGES

NAME_MAX = 200

router = pages()


@router.get("/")
async def root() -> RedirectResponse:
    return RedirectResponse("/broadcasts", 303)


@router.get("/you")
async def you(page: Viewed, next: str = "/") -> Response:
    return page.render("you.html", next=local_path(next, "/"), fault="")


@router.post("/you")
async def introduce(page: Viewed, form: Posted) -> Response:
    name, position = form.one("name").strip(), form.one("position").strip()
    next = local_path(form.one("next"), "/")
    if not name or max(len(name), len(position)) > NAME_MAX:
        fault = page.words.gettext("Say your name, in up to 200 characters.")
        return page.render("you.html", 422, next=next, fault=fault)
    response = page.redirect(next)
    page.remember(response, "official", official_cookie(name, position))
    return response


@router.post("/preferences")
async def prefer(page: Viewed, form: Posted) -> Response:
    response = page.redirect(local_path(form.one("next"), "/"))
    for cookie, choices in (("language", LANGUAGES), ("theme", (*THEMES, "auto"))):
        if form.one(cookie) in choices:
            page.remember(response, cookie, form.one(cookie))
    return response
