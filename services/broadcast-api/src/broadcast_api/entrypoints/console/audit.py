"""Audit: who did what, when, to what. For administrators."""

from datetime import datetime, timedelta
from typing import Any

from fastapi import Response

from broadcast_api.adapters.audit import Filter
from broadcast_api.entrypoints.console.access import ADMIN
from broadcast_api.entrypoints.console.page import Page, Viewed
from broadcast_api.entrypoints.console.route import pages
from broadcast_api.entrypoints.console.wording import ACTS
from broadcast_api.entrypoints.http import audit as http
from broadcast_api.entrypoints.http.paging import Cursor, SearchText, number
from broadcast_api.entrypoints.http.paging import page as paged

ROWS = 50
ADDRESSES = {"broadcast": "/broadcasts/", "audience": "/audiences/", "import": "/people/imports/"}

router = pages()


@router.get("/audit", dependencies=[ADMIN])
def audit(
    page: Viewed,
    person: SearchText = "",
    subject: SearchText = "",
    since: str = "",
    until: str = "",
    cursor: Cursor = None,
) -> Response:
    first, last = _day(page, since), _day(page, until)
    after_last = last + timedelta(days=1) if last else None
    wanted = Filter(page.door.scope.allowed, person.strip(), subject.strip(), first, after_last)
    rows = page.door.audit.page(wanted, number(cursor), ROWS + 1)
    found: Any = paged(rows, ROWS, http.entry_out, lambda row: [row.number])
    return page.render(
        "audit.html",
        entries=found.items,
        next=found.next,
        first=cursor is None,
        person=person,
        subject=subject,
        since=since if first else "",
        until=until if last else "",
        said=said,
        address=address,
    )


@router.get("/audit/export", dependencies=[ADMIN])
def export(page: Viewed) -> Response:
    """The same file as HTTP v1, for a link."""
    return http.export_audit(page.door)


def said(what: str) -> str:
    """The words for what was done, before translation."""
    return ACTS.get(what, what)


def address(entry: http.AuditEntry) -> str:
    """Where what it was done to is shown; empty where it is not, or not any more."""
    kind = entry.what.partition(".")[0]
    return f"{ADDRESSES[kind]}{entry.subject}" if kind in ADDRESSES else ""


def _day(page: Page, given: str) -> datetime | None:
    """The beginning of a day of the reader; None for what is no day."""
    try:
        return datetime.strptime(given, "%Y-%m-%d").replace(tzinfo=page.words.zone)
    except ValueError:
        return None
