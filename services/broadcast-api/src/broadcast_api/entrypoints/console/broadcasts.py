"""Broadcasts: the list, and the page of one broadcast."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import Response
from markupsafe import Markup
from pydantic import BeforeValidator

from broadcast_api.adapters.listing import Sort
from broadcast_api.adapters.queries import Queries
from broadcast_api.application.approval import Standing
from broadcast_api.domain.broadcast import Status
from broadcast_api.entrypoints.console.access import VIEWER
from broadcast_api.entrypoints.console.bubble import bubble
from broadcast_api.entrypoints.console.chart import chart
from broadcast_api.entrypoints.console.explain import Explanation
from broadcast_api.entrypoints.console.page import Page, Viewed
from broadcast_api.entrypoints.console.reasons import plainly
from broadcast_api.entrypoints.console.route import pages
from broadcast_api.entrypoints.console.wording import SORTS
from broadcast_api.entrypoints.http import deliveries as http_deliveries
from broadcast_api.entrypoints.http.broadcasts import row_and_standing
from broadcast_api.entrypoints.http.deliveries import Wanted
from broadcast_api.entrypoints.http.history import HistoryEntry, history
from broadcast_api.entrypoints.http.models import BroadcastOut, broadcast_out
from broadcast_api.entrypoints.http.paging import Cursor, SearchText, broadcast_end, end_of
from broadcast_api.entrypoints.http.paging import page as paged
from broadcast_telegram.formatting import FormattingError, parse

ROWS = 25
RECIPIENTS = 25
RECALLABLE = timedelta(hours=48)  # Telegram deletes a bot's message only within 48 hours of sending

Chosen = Annotated[Wanted, BeforeValidator(lambda outcome: outcome or None)]
"""A form says "all" by an empty word."""

router = pages()


@dataclass(frozen=True, slots=True)
class Shown:
    """A broadcast and what a page says about it beyond HTTP v1.

    `done` of `of` are delivered or, in and after a recall, dealt with. `own` is it of whoever had a hand in it.
    """

    b: BroadcastOut
    state: str
    recall: bool
    done: int
    of: int
    recallable_until: datetime | None
    own: bool = False

    @property
    def waits(self) -> bool:
        """Whether it cannot be sent before a second person has approved it."""
        return self.b.approval is not None and self.b.approval.needed and self.b.approval.given is None

    @property
    def recallable_for(self) -> timedelta | None:
        """None where there is nothing to recall; zero once Telegram no longer deletes the first message."""
        if self.recallable_until is None:
            return None
        return max(timedelta(0), self.recallable_until - datetime.now(UTC))

    @property
    def shares(self) -> list[tuple[str, int]]:
        """The parts of a bar, left to right; their sum is the total of the run."""
        counts = self.b.counts
        gone = min(counts.recalled, counts.delivered)
        kept = counts.delivered - gone
        parts = {"delivered": kept, "recalled": gone, "failed": counts.failed, "unconfirmed": counts.unconfirmed}
        return [(name, n) for name, n in {**parts, "skipped": counts.skipped, "pending": counts.pending}.items() if n]


def looked_at(page: Page, id: UUID) -> Shown:
    """One broadcast with how its approval stands; raises `NotFound`."""
    row, standing = row_and_standing(page.door, id)
    return shown(row, page, standing)


def shown(row: Any, page: Page, standing: Standing | None = None) -> Shown:
    """From a row of the queries."""
    b = broadcast_out(row, page.words.language, standing)
    counts = b.counts
    recall = b.status is Status.RECALLING or (b.status is Status.CREATED and counts.recalled + counts.unrecalled > 0)
    at_rest = b.status in (Status.STOPPED, Status.SENT) and counts.delivered
    return Shown(
        b=b,
        state="stopping" if b.stopping else b.status.value,
        recall=recall,
        done=counts.recalled + counts.unrecalled if recall else counts.delivered,
        of=counts.delivered if recall else counts.total,
        recallable_until=b.sent_at + RECALLABLE if b.sent_at and at_rest else None,
        own=bool(standing and page.principal and page.principal.id in standing.subject.hands),
    )


@router.get("/broadcasts", dependencies=[VIEWER])
def list_broadcasts(
    page: Viewed, status: str = "", text: SearchText = "", sort: str = "", cursor: Cursor = None
) -> Response:
    wanted = Status(status) if status in set(Status) else None
    order = Sort(sort) if sort in set(Sort) else Sort.NEWEST
    after = broadcast_end(cursor, order)
    rows = page.door.queries.broadcasts(status=wanted, text=text, after=after, limit=ROWS + 1, sort=order)
    found = paged(rows, ROWS, lambda row: broadcast_out(row, page.words.language), lambda row: end_of(row, order))
    return page.render(
        "broadcasts.html",
        rows=[shown(row, page) for row in rows[:ROWS]],
        next=found.next,
        wanted=wanted,
        text=text,
        sort=order,
        sorts=SORTS,
        first=cursor is None,
        newest=newest_of(page.door.queries),
        asks_approval=page.door.broadcasts.asks_approval,
        statuses=list(Status),
    )


def newest_of(queries: Queries) -> UUID | None:
    """The broadcast that was created last; None where there is none."""
    rows = queries.broadcasts(status=None, text="", after=None, limit=1)
    return rows[0].id if rows else None


@router.get("/broadcasts/{id}", dependencies=[VIEWER])
def read(id: UUID, page: Viewed, outcome: Chosen = None, text: SearchText = "", cursor: Cursor = None) -> Response:
    return broadcast_page(page, id, outcome=outcome, text=text.strip(), cursor=cursor)


def broadcast_page(
    page: Page,
    id: UUID,
    status: int = 200,
    alert: Explanation | None = None,
    outcome: Any = None,
    text: str = "",
    cursor: str | None = None,
) -> Response:
    """Everything about one broadcast; `alert` is a refusal that the reader is told above it."""
    row, standing = row_and_standing(page.door, id)
    run_id = page.door.queries.run_id(id, row.run) if row.run else None
    people: Any = None
    if run_id is not None:
        people = http_deliveries.deliveries(
            id, page.door, outcome=outcome, text=text, cursor=cursor, limit=RECIPIENTS, accept="application/json"
        )
    it = shown(row, page, standing)
    return page.render(
        "broadcast.html",
        status,
        it=it,
        pace=None,
        chart=chart(page.door.queries.timeline(run_id), it.b.counts) if run_id else None,
        plainly=plainly,
        message=message_of(row.text, row.parse_mode),
        reasons=page.door.queries.reasons(run_id) if run_id else [],
        kept=page.door.queries.recall_reasons(run_id) if run_id and row.unrecalled else [],
        people=people,
        outcome=outcome,
        outcomes=_FILTERS,
        text=text,
        cursor=cursor,
        history=_history(page, id),
        alert=alert,
    )


_FILTERS = [
    "pending",
    "delivered",
    "blocked",
    "deactivated",
    "not_started",
    "refused",
    "partly",
    "unconfirmed",
    "skipped",
]


def _history(page: Page, id: UUID) -> list[HistoryEntry]:
    return list(reversed(history(id, page.door).items))


def message_of(text: str, parse_mode: str) -> Markup:
    """What the chat will show; the bare source where Telegram would refuse it."""
    try:
        return bubble(parse(text, parse_mode))
    except FormattingError:
        return Markup("{}").format(text)


@router.get("/broadcasts/{id}/approval", dependencies=[VIEWER])
def approval(id: UUID, page: Viewed) -> Response:
    """The word for the list, which comes after the page: people have to be counted for it."""
    return page.render("part_approval.html", it=looked_at(page, id))


@router.get("/broadcasts/{id}/recipients.csv", dependencies=[VIEWER])
def export(id: UUID, page: Viewed, outcome: Chosen = None, text: SearchText = "") -> Response:
    """The same CSV as HTTP v1, for a link: a link cannot say Accept."""
    answer = http_deliveries.deliveries(id, page.door, outcome=outcome, text=text, accept=http_deliveries.CSV)
    assert isinstance(answer, Response)
    return answer
