"""Whom an operator may decide about: the unconfirmed of a run, and those it failed to reach who can be reached now."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.schema import deliveries, exceptional, recipients, runs
from broadcast_contracts import Outcome

unconfirmed: ColumnElement[bool] = and_(exceptional, deliveries.c.outcome == Outcome.UNCONFIRMED.value)
unanswered: ColumnElement[bool] = and_(unconfirmed, deliveries.c.answer.is_(None))

reachable_again: ColumnElement[bool] = and_(
    exceptional,
    deliveries.c.outcome.in_([outcome.value for outcome in Outcome if outcome.failed]),
    recipients.c.id == deliveries.c.recipient_id,
    recipients.c.status == "active",
    recipients.c.chat_id.is_not(None),
    or_(
        deliveries.c.position < 0,
        deliveries.c.outcome == Outcome.REFUSED.value,
        recipients.c.status_at >= func.coalesce(deliveries.c.sent_at, 0),
    ),
)
"""Failed and active now. Whoever had blocked the bot counts only if the directory has learned of it since: a status
older than Telegram's refusal is what the refusal has disproved. Use it in a join of `deliveries` and `recipients`."""


class Doubts:
    """Synchronous: call it from a thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def unanswered(self, broadcast_id: UUID, run: int) -> int:
        """How many recipients of the run are unconfirmed and open."""
        return self._count(select(func.count()).select_from(deliveries).where(unanswered), broadcast_id, run)

    def others(self, broadcast_id: UUID, run: int, ids: Sequence[int]) -> list[int]:
        """Those of the directory ids who are not unconfirmed in the run."""
        query = select(deliveries.c.recipient_id).where(unconfirmed, _of_run(broadcast_id, run))
        with self._database.read() as connection:
            found = set(connection.scalars(query))
        return [id for id in ids if id not in found]

    def reachable_again(self, broadcast_id: UUID, run: int) -> int:
        """How many of those the run failed to reach can be reached now."""
        query = select(func.count()).select_from(deliveries).join(recipients, reachable_again)
        return self._count(query, broadcast_id, run)

    def _count(self, query: object, broadcast_id: UUID, run: int) -> int:
        with self._database.read() as connection:
            return connection.scalar(query.where(_of_run(broadcast_id, run))) or 0  # type: ignore[attr-defined]


def _of_run(broadcast_id: UUID, run: int) -> ColumnElement[bool]:
    of_run = select(runs.c.id).where(runs.c.broadcast_id == broadcast_id, runs.c.run == run)
    return deliveries.c.run_id == of_run.scalar_subquery()
