"""What a form says, and the proof that it came from our own page."""

import hmac
import secrets
from collections.abc import Mapping, Sequence
from typing import Annotated
from urllib.parse import parse_qsl, urlsplit

from fastapi import Depends, Request

from broadcast_api.domain.audience import MEMBERS_MAX

CSRF_COOKIE = "csrf"
FIELDS_MAX = MEMBERS_MAX + 100


class Forged(Exception):
    """The form did not come from a page of ours, or from one that has grown old."""


class Form:
    """The fields of a urlencoded body, in order, with the line breaks that the text had before HTTP.

    NUL characters, which nobody can type and no database takes, are left out.
    """

    def __init__(self, fields: Sequence[tuple[str, str]]) -> None:
        self.fields = [(name, value.replace("\r\n", "\n").replace("\0", "")) for name, value in fields]

    def one(self, name: str, default: str = "") -> str:
        """The first value of a field."""
        return next((value for field, value in self.fields if field == name), default)

    def all(self, name: str) -> list[str]:
        """All values of a field, none twice."""
        return list(dict.fromkeys(value for field, value in self.fields if field == name))

    @property
    def version(self) -> int | None:
        """What the reader saw of the thing; None when the form does not say."""
        given = self.one("version")
        return int(given) if given.isdecimal() and len(given) < 10 else None

    def __contains__(self, name: str) -> bool:
        return any(field == name for field, _ in self.fields)


async def _form(request: Request) -> Form:
    """Raises `Forged`."""
    body = (await request.body()).decode("utf-8", "replace")
    try:
        form = Form(parse_qsl(body, keep_blank_values=True, max_num_fields=FIELDS_MAX))
    except ValueError as error:
        raise Forged from error
    posted_by_our_page(request, form)
    return form


def posted_by_our_page(request: Request, form: Form) -> None:
    """Raises `Forged`."""
    expected = request.cookies.get(CSRF_COOKIE, "")
    if not from_our_page(request.headers) or not expected or not _equal(form.one("csrf"), expected):
        raise Forged


Posted = Annotated[Form, Depends(_form)]


def from_our_page(headers: Mapping[str, str]) -> bool:
    """What the browser itself says of where a request comes from; over plain HTTP it may say less."""
    if (site := headers.get("sec-fetch-site")) and site not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")


def new_token() -> str:
    """For the cookie and, the same, for every form: another site can read neither."""
    return secrets.token_urlsafe(32)


def _equal(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())
