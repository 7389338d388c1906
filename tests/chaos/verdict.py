"""The check after every scenario: the api, its rows, the public streams and the chats tell one story."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import orjson
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from broadcast_contracts import Outcome
from tests.chaos.run import Run
from tests.support.system import Json, assert_adds_up

SETTLING_SECONDS = 15
"""Late facts, counts and events may still be on their way when a run comes to rest."""

SEND_PARTS = ("delivered", "failed", "blocked", "unconfirmed", "skipped")

T = TypeVar("T")


@dataclass(frozen=True)
class Account:
    """What a scenario cost: `duplicates` and `lost` must be none, `unconfirmed` at most `bound`."""

    recipients: int
    duplicates: int
    lost: int
    unconfirmed: int
    bound: int
    recovery: float


async def account(run: Run, js: JetStreamContext, bound: int, *, public_counts: bool = True) -> Account:
    """Check a run at rest; raises AssertionError with what does not agree.

    Without `public_counts` the COUNTS stream may lag: a worker writes it, and there was none since the last change.
    """
    recovery = run.recovery()
    chats = await run.chats()
    duplicates = sum(chat["received"] - 1 for chat in chats.values())
    rows, state = await eventually(lambda: _agreed(run, js, chats, public_counts))
    lost = len(_silent_losses(rows, set(chats)))
    unconfirmed = state["counts"]["unconfirmed"]
    assert duplicates == 0
    assert lost == 0
    assert unconfirmed <= bound
    assert state["counts"]["total"] == run.people
    return Account(run.people, duplicates, lost, unconfirmed, bound, recovery)


async def _agreed(
    run: Run, js: JetStreamContext, chats: dict[int, Json], public_counts: bool
) -> tuple[list[Json], Json]:
    state, rows = await run.state(), await run.rows()
    counts = state["counts"]
    assert_adds_up(counts)
    assert counts == counts_of(rows), "the counters are those of the rows"
    assert not _silent_losses(rows, set(chats)), "the rows are true"
    if counts["recalled"] or counts["unrecalled"]:
        _assert_recall_is_true(rows, chats)
    await _assert_events_are_contiguous(js, run.id, state["version"])
    if public_counts:
        await _assert_public_counts(js, run.id, state)
    return rows, state


def counts_of(rows: list[Json]) -> Json:
    """The counters, counted from the recipients' rows."""
    ends = Counter(Outcome(row["outcome"]) for row in rows if row["outcome"])
    gone = Counter(Outcome(row["recall_outcome"]) for row in rows if row["recall_outcome"])
    recalled = gone[Outcome.RECALLED] + gone[Outcome.ALREADY_GONE]
    return {
        "total": len(rows),
        "delivered": ends[Outcome.DELIVERED],
        "failed": sum(n for outcome, n in ends.items() if outcome.failed),
        "blocked": ends[Outcome.BLOCKED],
        "unconfirmed": ends[Outcome.UNCONFIRMED],
        "skipped": ends[Outcome.SKIPPED],
        "pending": len(rows) - ends.total(),
        "recalled": recalled,
        "unrecalled": gone.total() - recalled,
    }


def _silent_losses(rows: list[Json], received: set[int]) -> set[int]:
    """Chats of which the api says the untruth: delivered though nothing came, or anything but delivered or unconfirmed
    though it did."""
    delivered = {row["chat_id"] for row in rows if row["outcome"] == Outcome.DELIVERED}
    unconfirmed = {row["chat_id"] for row in rows if row["outcome"] == Outcome.UNCONFIRMED}
    return (delivered - received) | (received - delivered - unconfirmed)


def _assert_recall_is_true(rows: list[Json], chats: dict[int, Json]) -> None:
    for row in rows:
        match row["recall_outcome"]:
            case None:
                assert row["outcome"] != Outcome.DELIVERED, "a recall leaves no delivered message out"
            case Outcome.RECALLED | Outcome.ALREADY_GONE:
                assert chats[row["chat_id"]]["present"] == 0
            case _:
                assert chats[row["chat_id"]]["present"] == 1


async def _assert_events_are_contiguous(js: JetStreamContext, broadcast: str, version: int) -> None:
    events = await stored(js, "BROADCASTS", f"broadcasts.event.*.{broadcast}")
    assert [event["version"] for event in events] == list(range(1, version + 1))


async def _assert_public_counts(js: JetStreamContext, broadcast: str, state: Json) -> None:
    """The latest message of each batch, summed; who is in no batch that was issued is pending."""
    sends = await stored(js, "COUNTS", f"broadcasts.counts.send.{broadcast}.{state['run']}.*")
    for part in SEND_PARTS:
        assert sum(batch[part] for batch in sends) == state["counts"][part], f"COUNTS: {part}"
    recalls = await stored(js, "COUNTS", f"broadcasts.counts.recall.{broadcast}.{state['run']}.*")
    gone = sum(batch["recalled"] + batch["already_gone"] for batch in recalls)
    stays = sum(batch["too_late"] + batch["refused"] for batch in recalls)
    assert (gone, stays) == (state["counts"]["recalled"], state["counts"]["unrecalled"]), "COUNTS: recall"


async def stored(js: JetStreamContext, stream: str, subject: str) -> list[Json]:
    """The bodies of all messages of a subject (wildcards allowed), in order."""
    bodies: list[Json] = []
    sequence = 1
    while True:
        try:
            message = await js.get_msg(stream, seq=sequence, subject=subject, next=True)
        except NotFoundError:
            return bodies
        assert message.seq is not None
        bodies.append(orjson.loads(message.data or b"{}"))
        sequence = message.seq + 1


async def eventually(check: Callable[[], Awaitable[T]], seconds: float = SETTLING_SECONDS) -> T:
    """The answer of a check that must hold within a while."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return await check()
        except AssertionError:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.2)
