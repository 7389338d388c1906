"""Compare runs with their batches, batches with their recipients, and all of them with the logs."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Row, case, func, select

from broadcast_api.adapters.schema import batches, deliveries
from broadcast_api.adapters.timeline import kept
from broadcast_api.duties.counting import COLUMNS
from broadcast_api.duties.freeze import UNREACHABLE_BATCH
from broadcast_api.duties.outcome_rows import RECALLING
from broadcast_api.repair.logs import Logs, Stored, expired, recall_columns, received_something, send_columns
from broadcast_contracts import Outcome


def batch_of(batch_size: int) -> Any:
    """The batch of a position, in SQL."""
    return case((deliveries.c.position < 0, UNREACHABLE_BATCH), else_=deliveries.c.position // batch_size)


def sizes_of(connection: Connection, run: Row[Any]) -> dict[int, int]:
    """How many recipients each batch of a run has."""
    batch = batch_of(run.batch_size).label("batch")
    query = select(batch, func.count()).where(deliveries.c.run_id == run.id).group_by(batch).order_by(batch)
    return {row[0]: row[1] for row in connection.execute(query)}


def counts_of_people(stored: Stored) -> dict[str, Any]:
    """The send counts of a batch, and its timeline, as its recipients have them."""
    outcomes = Counter(Outcome(person.outcome) for person in stored.people.values() if person.outcome)
    return {
        "posted": sum(received_something(person) for person in stored.people.values()),
        "delivered": outcomes[Outcome.DELIVERED],
        "failed": sum(count for outcome, count in outcomes.items() if outcome.failed),
        "blocked": outcomes[Outcome.BLOCKED],
        "unconfirmed": outcomes[Outcome.UNCONFIRMED],
        "skipped": outcomes[Outcome.SKIPPED],
        "timeline": kept((Outcome(p.outcome), p.sent_at) for p in stored.people.values() if p.outcome),
    }


def recall_counts_of_people(stored: Stored) -> dict[str, int]:
    """The recall counts of a batch as its recipients have them."""
    outcomes = Counter(Outcome(person.recall_outcome) for person in stored.people.values() if person.recall_outcome)
    gone = outcomes[Outcome.RECALLED] + outcomes[Outcome.ALREADY_GONE]
    return {"recalled": gone, "unrecalled": outcomes.total() - gone}


def run_differences(connection: Connection, run: Row[Any], announced: int | None) -> Iterator[str]:
    """A run and its batches; `announced` is how many people the log said it has. One moment, for SQL alone."""
    sums = [func.coalesce(func.sum(batches.c[name]), 0).label(name) for name in COLUMNS]
    summed = connection.execute(select(*sums).where(batches.c.run_id == run.id)).one()
    for name in COLUMNS:
        if getattr(run, name) != getattr(summed, name):
            yield f"{name} {getattr(run, name)}, its batches {getattr(summed, name)}"
    sizes = sizes_of(connection, run)
    query = select(batches.c.batch, batches.c.size).where(batches.c.run_id == run.id, batches.c.size > 0)
    said = {row.batch: row.size for row in connection.execute(query)}
    for batch in sorted(sizes.keys() | said.keys()):
        if sizes.get(batch, 0) != said.get(batch, 0):
            yield f"batch {batch}: {said.get(batch, 0)} people, {sizes.get(batch, 0)} rows"
    if run.run == 0:
        return
    total = sum(sizes.values())
    size = total - sizes.get(UNREACHABLE_BATCH, 0)
    for name, expected in (("total", total), ("size", size)):
        if getattr(run, name) != expected:
            yield f"{name} {getattr(run, name)}, {expected} rows"
    if announced is not None and announced != total:
        yield f"{announced} people were announced, {total} rows are there"
    if announced is not None and not run.frozen:
        yield "the audience was announced, but is not marked frozen"


def batch_differences(run: Row[Any], stored: Stored, logs: Logs) -> Iterator[str]:
    """A batch, its recipients and its logs. A log that has expired is left out."""
    if stored.row is None:
        yield "has recipients, but no row"
        return
    yield from _counts(run, stored)
    if stored.row.batch == UNREACHABLE_BATCH:
        return
    if not expired(logs.send, stored):
        yield from _send(run, stored, logs)
    if run.state not in RECALLING:
        strays = [i for i, person in stored.people.items() if person.recall_outcome is not None]
        if strays:
            yield f"recipients {strays[:5]} have a recall outcome, but nothing was recalled"
    elif not expired(logs.recall, stored):
        yield from _recall(stored, logs)


def _counts(run: Row[Any], stored: Stored) -> Iterator[str]:
    counted = counts_of_people(stored) | recall_counts_of_people(stored)
    if run.run == 0 and stored.version("version") == 0:
        return  # a test that was refused before it got a log
    for name, count in counted.items():
        if getattr(stored.row, name) != count:
            yield f"{name} {getattr(stored.row, name)}, its recipients {count}"


def _send(run: Row[Any], stored: Stored, logs: Logs) -> Iterator[str]:
    row, state = stored.row, logs.send
    assert row is not None
    if state.version == 0 and run.run == 0:
        return
    if row.version != state.version:
        yield f"version {row.version}, the ledger {state.version}"
    expected = {"sealed": state.sealed, "closed_leg": state.closed_leg, "in_flight": len(state.in_flight)}
    for name, value in expected.items():
        if getattr(row, name) != value:
            yield f"{name} {getattr(row, name)}, the ledger {value}"
    if extra := state.results.keys() - stored.people.keys():
        yield f"the ledger has results of recipients {sorted(extra)[:5]}, who have no row"
    for i, person in stored.people.items():
        yield from _columns(i, person, send_columns(person, state.results.get(i), state.kept.get(i)))


def _recall(stored: Stored, logs: Logs) -> Iterator[str]:
    row, state = stored.row, logs.recall
    assert row is not None
    if row.recall_version != state.version:
        yield f"recall version {row.recall_version}, the recall ledger {state.version}"
    if state.version and row.recall_sealed != state.sealed:
        yield f"recall sealed {row.recall_sealed}, the recall ledger {state.sealed}"
    for i, person in stored.people.items():
        yield from _columns(i, person, recall_columns(person, state.results.get(i)))


def _columns(i: int, person: Row[Any], expected: dict[str, Any]) -> Iterator[str]:
    for name, value in expected.items():
        if getattr(person, name) != value:
            yield f"recipient {i}: {name} {getattr(person, name)!r}, the ledger {value!r}"
