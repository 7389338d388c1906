"""People: who is connected to the bot."""

from typing import Any

from fastapi import Response

from broadcast_api.entrypoints.console.access import VIEWER
from broadcast_api.entrypoints.console.page import Viewed
from broadcast_api.entrypoints.console.route import pages
from broadcast_api.entrypoints.http.paging import Cursor, SearchText, number
from broadcast_api.entrypoints.http.paging import page as paged

ROWS = 50
STATUSES = ("active", "blocked", "deactivated", "not_started")

router = pages()


@router.get("/people", dependencies=[VIEWER])
def people(page: Viewed, status: str = "", text: SearchText = "", cursor: Cursor = None) -> Response:
    wanted = status if status in STATUSES else None
    after = number(cursor) or 0
    rows: Any = page.door.directory.page(status=wanted, text=text.strip(), after=after, limit=ROWS + 1)
    next = paged(rows, ROWS, lambda row: str(row.id), lambda row: [row.id]).next
    return page.render(
        "people.html", people=rows[:ROWS], next=next, wanted=wanted, statuses=STATUSES, text=text, first=not cursor
    )
