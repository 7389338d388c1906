"""What a send found out about people goes back into the directory, so that the next broadcast does not try in vain.

Only what is newer than what the directory knows counts: a log that is read again changes nobody.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, case, exists, func, select, update

from broadcast_api.adapters.schema import deliveries, recipients
from broadcast_contracts import Outcome

TELLING = (Outcome.DELIVERED, Outcome.BLOCKED, Outcome.DEACTIVATED, Outcome.NOT_STARTED)
"""Outcomes that say whether somebody can be reached; their words are those of the directory, but for the first."""

SPAN = 1_000
"""Positions that one statement may range over: a planner without statistics of a new run must find a range in it, or it
reads the whole run for a few positions."""

_status = case((deliveries.c.outcome == Outcome.DELIVERED, "active"), else_=deliveries.c.outcome)
_learned_at = func.coalesce(deliveries.c.sent_at, 0)

_twin = recipients.alias()
_MOVED = (
    update(recipients)
    .where(
        recipients.c.id
        == select(deliveries.c.recipient_id)
        .where(deliveries.c.run_id == bindparam("of_run"), deliveries.c.position == bindparam("at"))
        .scalar_subquery(),
        ~exists().where(_twin.c.bot == recipients.c.bot, _twin.c.chat_id == bindparam("new_chat")),
    )
    .values(chat_id=bindparam("new_chat", type_=recipients.c.chat_id.type))
)


def learn(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """`rows` were just written to `deliveries`: of_run, at, new_outcome, new_chat."""
    moved = [row for row in rows if row["new_chat"] is not None]
    if moved:
        connection.execute(_MOVED, [{name: row[name] for name in ("of_run", "at", "new_chat")} for row in moved])
    spans: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for row in rows:
        if row["new_outcome"] in TELLING:
            spans[row["of_run"], row["at"] // SPAN].append(row["at"])
    for (run_id, _), positions in spans.items():
        connection.execute(
            update(recipients)
            .where(
                deliveries.c.run_id == run_id,
                deliveries.c.position.between(min(positions), max(positions)),
                deliveries.c.position.in_(positions),
                recipients.c.id == deliveries.c.recipient_id,
                recipients.c.chat_id == deliveries.c.chat_id,
                recipients.c.status != _status,
                recipients.c.status_at <= _learned_at,
            )
            .values(status=_status, status_at=_learned_at)
        )
