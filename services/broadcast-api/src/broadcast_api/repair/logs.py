"""What a batch's logs say about its rows, and whether the stream still has them whole."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from broadcast_api.adapters.erasure import NOBODY
from broadcast_api.adapters.queries import utc
from broadcast_api.adapters.schema import batches, deliveries
from broadcast_api.duties.freeze import UNREACHABLE_BATCH
from broadcast_api.duties.outcome_rows import as_column, finish_test
from broadcast_api.duties.recall import NO_MESSAGE_ID
from broadcast_contracts import BatchKey, Outcome, Result
from broadcast_delivery.fold import Fold, fold
from broadcast_delivery.ports import Ledger


@dataclass(frozen=True, slots=True)
class Logs:
    """Both logs of a batch, as they are now; `kept_since` is the ledger's of the sending."""

    send: Fold
    recall: Fold
    kept_since: datetime


@dataclass(frozen=True, slots=True)
class Stored:
    """A batch in SQL at one moment: its row, if it has one, and its recipients by their number in the batch."""

    row: Row[Any] | None
    people: Mapping[int, Row[Any]]

    @property
    def size(self) -> int:
        return len(self.people)

    def version(self, name: str) -> int:
        """`version` or `recall_version`: how far the projection had come."""
        return 0 if self.row is None else int(getattr(self.row, name))

    @property
    def since(self) -> datetime | None:
        """Which ledger has the log."""
        return None if self.row is None else self.row.ledger_since


async def read_logs(ledger: Ledger, recall_ledger: Ledger, run: Row[Any], batch: int, since: datetime | None) -> Logs:
    """Folds both; a test whose log is closed has ended there. `since` is the row's `ledger_since`.

    What stands in another ledger than that one was begun by somebody who did not know that the log is lost.
    """
    key = BatchKey(run.broadcast_id, run.run, batch)
    kept_since = await ledger.kept_since()
    ours = since is None or utc(since) == kept_since
    send = fold(await ledger.read(key) if ours else [], "send")
    if run.state == "test":
        finish_test(send)
    return Logs(send, fold(await recall_ledger.read(key), "recall"), kept_since)


def read_batch(connection: Connection, run: Row[Any], batch: int) -> Stored:
    """In a transaction that sees one moment."""
    first = batch * run.batch_size
    last = first + run.batch_size - 1
    unreachable = batch == UNREACHABLE_BATCH
    within = deliveries.c.position < 0 if unreachable else deliveries.c.position.between(first, last)
    of_run = deliveries.c.run_id == run.id
    row = connection.execute(select(batches).where(batches.c.run_id == run.id, batches.c.batch == batch)).one_or_none()
    people = connection.execute(select(deliveries).where(of_run, within).order_by(deliveries.c.position)).all()
    return Stored(row, {person.position - first: person for person in people})


def expired(state: Fold, stored: Stored) -> bool:
    """Whether SQL knows what the log does not: the stream has lost it, by age or by accident."""
    if state.purpose == "send":
        known = {i for i, person in stored.people.items() if person.outcome is not None}
        version = stored.version("version")
    else:
        known = {i for i, person in stored.people.items() if by_revoker(person)}
        version = stored.version("recall_version")
    if state.version == 0:
        return version > 0
    return version > state.version and not known <= state.results.keys() | state.in_flight.keys()


def by_revoker(person: Row[Any]) -> bool:
    """A message without an id is refused by the planner, without a word in the log."""
    return person.recall_outcome is not None and person.recall_reason != NO_MESSAGE_ID


def received_something(person: Row[Any]) -> bool:
    """Whether a recall is about them."""
    return person.outcome == Outcome.DELIVERED or person.message_ids is not None


def send_columns(person: Row[Any], result: Result | None, kept: Result | None) -> dict[str, Any]:
    """The columns of a recipient as the log has them; somebody pending may have messages that were `kept`."""
    known = result or kept
    said: dict[str, Any] = {
        "outcome": result.outcome.value if result else None,
        "reason": (result.reason or None) if result else None,
        "message_ids": as_column(known.messages) if known else None,
        "sent_at": known.at or None if known else None,
        "answer": result.answer.value if result and result.answer else None,
    }
    if known and known.chat is not None and person.recipient_id != NOBODY:
        said["chat_id"] = known.chat
    return said


def recall_columns(person: Row[Any], result: Result | None) -> dict[str, Any]:
    """The same of the recall."""
    if result is not None and as_column(result.messages) == person.message_ids:
        return {"recall_outcome": result.outcome.value, "recall_reason": result.reason or None}
    unnamed = person.recall_reason == NO_MESSAGE_ID and person.outcome == Outcome.DELIVERED
    return {
        "recall_outcome": Outcome.RECALL_REFUSED.value if unnamed else None,
        "recall_reason": NO_MESSAGE_ID if unnamed else None,
    }
