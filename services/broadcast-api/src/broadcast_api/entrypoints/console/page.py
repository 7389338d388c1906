"""What every page knows: who looks at it, in which language, theme and time zone; and how it is rendered."""

import hashlib
import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import uuid4
from zoneinfo import ZoneInfo

from fastapi import Depends, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from broadcast_api.adapters.queries import utc
from broadcast_api.domain.call import Actor, Call
from broadcast_api.domain.identity import NOTHING, Principal, Role
from broadcast_api.entrypoints.console.access import is_secure
from broadcast_api.entrypoints.console.assets import address
from broadcast_api.entrypoints.console.forms import CSRF_COOKIE, Form, new_token
from broadcast_api.entrypoints.console.wording import (
    ATTRIBUTES,
    CAUSES,
    FILE_KINDS,
    FLASHES,
    OUTCOMES,
    ROLES,
    STATUSES,
    VALUES,
    WHAT_HAPPENED,
)
from broadcast_api.entrypoints.console.words import LANGUAGES, Words, catalogue
from broadcast_api.entrypoints.http.catalogue import Language, language_of
from broadcast_api.entrypoints.http.context import Services, actor_of, call_of

YEAR_SECONDS = 365 * 86_400
FLASH_SECONDS = 60
THEMES = ("light", "dark")
UTC_ZONE = ZoneInfo("UTC")


@cache
def environment(language: Language) -> Environment:
    """The templates, speaking one language."""
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
    )
    templates.install_gettext_translations(catalogue(language), newstyle=True)  # type: ignore[attr-defined]
    templates.globals.update(
        asset=address,
        utc=utc,
        OUTCOMES=OUTCOMES,
        STATUSES=STATUSES,
        WHAT_HAPPENED=WHAT_HAPPENED,
        ATTRIBUTES=ATTRIBUTES,
        VALUES=VALUES,
        CAUSES=CAUSES,
        FLASHES=FLASHES,
        FILE_KINDS=FILE_KINDS,
        ROLES=ROLES,
    )
    return templates


@dataclass(frozen=True, slots=True)
class Page:
    """One request for a page."""

    request: Request
    door: Services
    words: Words
    theme: str
    csrf: str
    principal: Principal | None
    flash: str

    @property
    def official(self) -> Actor | None:
        """Who is signed in, as events name them."""
        return actor_of(self.principal) if self.principal else None

    def may(self, role: str, bot: str = "") -> bool:
        """Whether who is signed in holds the role on this bot; on any bot unless one is named."""
        bots = [bot] if bot else self.door.bots
        return self.principal is not None and bool(self.principal.bots(Role(role), bots))

    def bots(self, role: str) -> list[str]:
        """On which of those in sight who is signed in holds the role."""
        return [bot for bot in self.door.bots if self.may(role, bot)]

    def call(self, form: Form) -> Call:
        """Who asks. The `key` of the form makes a double click one command."""
        key, call = form.one("key"), call_of(self.request)
        if not re.fullmatch(r"[\x20-\x7e]{1,200}", key):
            return call
        asked = repr((self.request.url.path, form.fields)).encode("utf-8", "replace")
        return replace(call, key=key, digest=hashlib.sha256(asked).hexdigest()[:32])

    def text(self, template: str, **values: Any) -> str:
        """A template with what all of them may use."""
        return (
            environment(self.words.language)
            .get_template(template)
            .render(
                page=self,
                words=self.words,
                num=self.words.number,
                new_key=lambda: f"console-{uuid4().hex}",
                **values,
            )
        )

    def render(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """A whole page, or a part of one."""
        response = HTMLResponse(self.text(template, **values), status)
        if self.request.cookies.get(CSRF_COOKIE) != self.csrf:
            self.remember(response, CSRF_COOKIE, self.csrf)
        if self.flash:
            response.delete_cookie("flash")
        return response

    def redirect(self, path: str, flash: str = "") -> RedirectResponse:
        """To another page of ours, which says `flash`."""
        response = RedirectResponse(path, 303)
        if flash:
            self.remember(response, "flash", flash, FLASH_SECONDS)
        return response

    def remember(self, response: Response, name: str, value: str, age: int = YEAR_SECONDS) -> None:
        """Set a cookie that scripts cannot read."""
        secure = is_secure(self.request)
        response.set_cookie(name, value, max_age=age, httponly=True, samesite="lax", secure=secure)

    @staticmethod
    def address(path: str, **query: str) -> str:
        """A path with a query."""
        return f"{path}?{urlencode(query)}"

    def here(self, **changes: str | None) -> str:
        """The address of this page with some of its parameters changed; None takes one away."""
        query = {**dict(self.request.query_params), **changes}
        given = urlencode({name: value for name, value in query.items() if value})
        return self.request.url.path + (f"?{given}" if given else "")

    @property
    def back(self) -> str:
        """Where a form that belongs to no page leads back to: here, unless here is no place to come to."""
        return self.here() if self.request.method == "GET" else self.request.url.path

    @property
    def is_part(self) -> bool:
        """Whether a script asks for it, to put it into a dialog."""
        return self.request.headers.get("x-part") == "1"


def make_page(request: Request) -> Page:
    """From the cookies and headers of a request."""
    services = request.app.state.services
    assert isinstance(services, Services)
    cookies = request.cookies
    spoken = language_of(request.headers.get("accept-language"))
    language = next((known for known in LANGUAGES if known == cookies.get("language")), spoken)
    flash, theme = cookies.get("flash", ""), cookies.get("theme", "")
    return Page(
        request=request,
        door=services.within(getattr(request.state, "scope", NOTHING)),
        words=Words(language, _zone(cookies.get("zone", ""))),
        theme=theme if theme in THEMES else "",
        csrf=cookies.get(CSRF_COOKIE) or new_token(),
        principal=getattr(request.state, "principal", None),
        flash=flash if flash in FLASHES else "",
    )


Viewed = Annotated[Page, Depends(make_page)]


def local_path(path: str, otherwise: str) -> str:
    """A path that leads to no other site, whatever a browser makes of it."""
    return path if re.fullmatch(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*", path) else otherwise


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name) if re.fullmatch(r"[A-Za-z0-9_+\-/]{1,64}", name) else UTC_ZONE
    except (KeyError, ValueError, OSError):
        return UTC_ZONE
