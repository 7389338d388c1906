"""What a batch's log says, written into the rows of its recipients, its counts and its run: one transaction."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, case, func, or_, select, update

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.erasure import NOBODY
from broadcast_api.adapters.schema import batches, deliveries
from broadcast_api.adapters.timeline import kept
from broadcast_api.duties.counting import lock_run, recount
from broadcast_api.duties.reachability import learn
from broadcast_contracts import BatchKey, Outcome, Result
from broadcast_delivery.fold import Fold, Purpose

RECALLING = ("recalling", "recalled")
"""The run states in which rows may have a recall outcome."""


@dataclass(frozen=True, slots=True)
class Place:
    """A batch as SQL has it. `version` is that of the projected log; `state` and `leg` are the run's.

    `ledger_since` is which ledger has the log of the sending; None where any may.
    """

    key: BatchKey
    run_id: int
    batch_size: int
    size: int
    version: int
    state: str
    leg: int
    ledger_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Advance:
    """A newer state of a batch, and the recipients whose rows it may change."""

    place: Place
    state: Fold
    changed: set[int]


_new_outcome = bindparam("new_outcome", type_=deliveries.c.outcome.type)
_new_message_ids = bindparam("new_message_ids", type_=deliveries.c.message_ids.type)
_the_same: ColumnElement[bool] = deliveries.c.message_ids.is_not_distinct_from(_new_message_ids)
"""A recall was of what was known when its job was made: it is repeated for a message that became known since."""
_something_else: ColumnElement[bool] = or_(
    and_(_new_message_ids.is_not(None), ~_the_same),
    and_(_new_message_ids.is_(None), _new_outcome.is_distinct_from(Outcome.DELIVERED.value)),
)
"""A recall outcome is about what was known: not about a message that became known since, nor about nothing at all."""

_SEND = (
    update(deliveries)
    .where(deliveries.c.run_id == bindparam("of_run"), deliveries.c.position == bindparam("at"))
    .values(
        outcome=_new_outcome,
        reason=bindparam("new_reason"),
        message_ids=_new_message_ids,
        sent_at=bindparam("new_sent_at"),
        answer=bindparam("new_answer"),
        chat_id=case(
            (deliveries.c.recipient_id == NOBODY, deliveries.c.chat_id),
            else_=func.coalesce(bindparam("new_chat", type_=deliveries.c.chat_id.type), deliveries.c.chat_id),
        ),
        recall_outcome=case((_something_else, None), else_=deliveries.c.recall_outcome),
        recall_reason=case((_something_else, None), else_=deliveries.c.recall_reason),
    )
)
_RECALL = (
    update(deliveries)
    .where(deliveries.c.run_id == bindparam("of_run"), deliveries.c.position == bindparam("at"))
    .values(
        recall_outcome=case((_the_same, _new_outcome)),
        recall_reason=case((_the_same, bindparam("new_reason", type_=deliveries.c.recall_reason.type))),
    )
)


def write(database: Database, purpose: Purpose, advances: Sequence[Advance]) -> None:
    """Bring the rows forward; a batch that SQL already has at that version, or a later one, is left alone."""
    with database.write() as connection:
        write_in(connection, purpose, advances)


def write_in(connection: Connection, purpose: Purpose, advances: Sequence[Advance]) -> None:
    """`write`, in a transaction of the caller's."""
    advances = sorted(advances, key=lambda advance: (advance.place.run_id, advance.place.key.batch))
    run_ids = sorted({advance.place.run_id for advance in advances})
    for run_id in run_ids:
        lock_run(connection, run_id)
    taken = [advance for advance in advances if _take(connection, purpose, advance)]
    rows = [row for advance in taken for row in _rows(purpose, advance)]
    if rows:
        connection.execute(_SEND if purpose == "send" else _RECALL, rows)
    if purpose == "send":
        learn(connection, rows)
    for advance in taken:
        if purpose == "recall" or advance.place.state in RECALLING:
            recount_recall(connection, advance.place.run_id, advance.place.key.batch, advance.place.batch_size)
    for run_id in run_ids:
        recount(connection, run_id)


def recount_recall(connection: Connection, run_id: int, batch: int, batch_size: int) -> None:
    """Count a batch's recall from its rows: some were refused without ever reaching the recall ledger."""
    first = batch * batch_size
    within = deliveries.c.position.between(first, first + batch_size - 1)
    by_outcome = (
        select(deliveries.c.recall_outcome, func.count())
        .where(deliveries.c.run_id == run_id, within, deliveries.c.recall_outcome.is_not(None))
        .group_by(deliveries.c.recall_outcome)
    )
    counted = {row[0]: row[1] for row in connection.execute(by_outcome)}
    gone = counted.get(Outcome.RECALLED, 0) + counted.get(Outcome.ALREADY_GONE, 0)
    connection.execute(
        update(batches)
        .where(batches.c.run_id == run_id, batches.c.batch == batch)
        .values(recalled=gone, unrecalled=sum(counted.values()) - gone)
    )


def finish_test(state: Fold) -> set[int]:
    """A test whose content or bot was refused ends there: its log is closed, and nobody will resume it."""
    if not state.closed or state.in_flight or state.sealed:
        return set()
    state.sealed = True
    if 0 not in state.results:
        reason = state.detail or state.cause.value
        state.results[0] = Result(i=0, outcome=Outcome.REFUSED, reason=reason)
    return {0}


def _take(connection: Connection, purpose: Purpose, advance: Advance) -> bool:
    place, state = advance.place, advance.state
    version = batches.c.version if purpose == "send" else batches.c.recall_version
    values = _send_values(state) if purpose == "send" else _recall_values(state)
    taken = connection.execute(
        update(batches)
        .where(batches.c.run_id == place.run_id, batches.c.batch == place.key.batch, version < state.version)
        .values(values)
    )
    return bool(taken.rowcount)


def _send_values(state: Fold) -> dict[str, Any]:
    counted = Counter(result.outcome for result in state.results.values())
    return {
        "version": state.version,
        "closed_leg": state.closed_leg,
        "in_flight": len(state.in_flight),
        "sealed": state.sealed,
        "posted": len(state.kept) + sum(map(_received_something, state.results.values())),
        "delivered": counted[Outcome.DELIVERED],
        "failed": sum(count for outcome, count in counted.items() if outcome.failed),
        "blocked": counted[Outcome.BLOCKED],
        "unconfirmed": counted[Outcome.UNCONFIRMED],
        "skipped": counted[Outcome.SKIPPED],
        "timeline": kept((result.outcome, result.at) for result in state.results.values()),
    }


def _received_something(result: Result) -> bool:
    return result.outcome is Outcome.DELIVERED or bool(result.messages)


def _recall_values(state: Fold) -> dict[str, Any]:
    return {"recall_version": state.version, "recall_sealed": state.sealed}


def as_column(messages: Sequence[int]) -> str | None:
    """Message ids as `deliveries.message_ids` has them."""
    return ",".join(map(str, messages)) or None


def _rows(purpose: Purpose, advance: Advance) -> list[dict[str, Any]]:
    first = advance.place.key.batch * advance.place.batch_size
    rows = []
    for i in sorted(advance.changed):
        result = advance.state.results.get(i)
        known = result or advance.state.kept.get(i)
        row = {
            "of_run": advance.place.run_id,
            "at": first + i,
            "new_outcome": result.outcome.value if result else None,
            "new_reason": (result.reason or None) if result else None,
            "new_message_ids": as_column(known.messages) if known else None,
        }
        if purpose == "send":
            row["new_sent_at"] = known.at or None if known else None
            row["new_chat"] = known.chat if known else None
            row["new_answer"] = result.answer.value if result and result.answer else None
        rows.append(row)
    return rows
