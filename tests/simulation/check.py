"""What must hold at the end of every history, whatever happened in it."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from broadcast_api.adapters.queries import utc
from broadcast_api.adapters.schema import batches, deliveries, runs
from broadcast_api.domain.broadcast import Broadcast, Status
from broadcast_contracts import BatchKey, Outcome, ProgressV1, Result, decode_record
from broadcast_contracts.topology import BROADCASTS, LEDGER, batch_of
from broadcast_delivery import Entry, Fold, fold
from tests.simulation.world import BATCH_SIZE, LEDGER_PREFIX, PEOPLE, WINDOW, World

WITHOUT_A_LETTER = {Outcome.BLOCKED, Outcome.REFUSED, Outcome.SKIPPED, Outcome.NOT_STARTED, Outcome.DEACTIVATED}
BATCHES = PEOPLE // BATCH_SIZE


@dataclass(frozen=True)
class Report:
    """The violations of a history, and how eventful it was."""

    violations: tuple[str, ...]
    crashes: int
    freezes: int
    doubtful: int
    unconfirmed: int
    delivered: int
    recalled: int


def check(world: World, broadcast: Broadcast) -> Report:
    """Compare Telegram's truth, the ledgers, the SQL rows, the counts and the public events."""
    found = list(world.violations)
    rows, counts = read_models(world)
    states = ledgers(world) | lost(world, rows)
    found += (
        rest(broadcast)
        + duplicates(world)
        + truth(world, states, broadcast.status is Status.SENT)
        + projection(states, rows, counts)
    )
    found += published(world, broadcast)
    if broadcast.status is Status.CREATED and broadcast.run:
        found += recalled(world, states)
    outcomes = Counter(result.outcome for state in states.values() for result in state.results.values())
    bound = (world.crashes + world.freezes) * WINDOW * BATCHES + hung(world) + world.telegram.doubtful
    if world.loses_at is None and outcomes[Outcome.UNCONFIRMED] > bound:
        found.append(f"{outcomes[Outcome.UNCONFIRMED]} unconfirmed, above the bound of {bound}")
    return Report(
        tuple(found),
        world.crashes,
        world.freezes,
        world.telegram.doubtful,
        outcomes[Outcome.UNCONFIRMED],
        outcomes[Outcome.DELIVERED],
        sum(letter.deleted for letter in world.telegram.letters.values()),
    )


def hung(world: World) -> int:
    """How many attempts their owner opened without learning of it in time: by then it had been silent for a lease."""
    bodies = [body for subject, body in world.server.unanswered if subject.startswith(LEDGER_PREFIX)]
    records = [decode_record(body) for body in bodies]
    return sum(len(record.opened) for record in records if isinstance(record, ProgressV1))


def rest(broadcast: Broadcast) -> list[str]:
    """It came to rest."""
    rested = broadcast.status is Status.SENT or (broadcast.status is Status.CREATED and broadcast.run > 0)
    return [] if rested else [f"never came to rest: {broadcast.status}, stopping {broadcast.stopping}"]


def duplicates(world: World) -> list[str]:
    """Nobody got the same content twice, but for the copies that an official accepted."""
    received = Counter((letter.text, letter.chat) for letter in world.telegram.letters.values())
    return [
        f"{chat} received {text!r} {n} times"
        for (text, chat), n in received.items()
        if n > 1 + world.copies_accepted[chat]
    ]


def truth(world: World, states: dict[BatchKey, Fold], everybody: bool) -> list[str]:
    """The ledger says delivered only with a message that exists, and not delivered only where none exists.

    After a recall out of `stopped` some were never attempted; else `everybody` must have an outcome.
    """
    found = []
    requests = max(1, len(world.files))
    letters = defaultdict(set)
    for letter in world.telegram.letters.values():
        letters[letter.chat].add(letter.id)
    for key, state in states.items():
        for i in range(BATCH_SIZE):
            chat, result = 1000 + key.batch * BATCH_SIZE + i, state.results.get(i)
            told = result or state.kept.get(i)
            unknown = letters[chat] - set(told.messages if told else ())
            if result is None and (unknown or everybody):
                found.append(f"{chat} has no outcome and {len(letters[chat])} messages")
            elif result is None:
                continue
            elif result.outcome is Outcome.DELIVERED and len(result.messages) < requests and not result.answer:
                found.append(f"{chat} delivered without a message, and nobody said so")
            elif result.outcome is Outcome.DELIVERED and not set(result.messages) <= letters[chat]:
                found.append(f"{chat} delivered by the ledger, but not by Telegram")
            elif result.outcome is Outcome.PARTLY and not result.messages:
                found.append(f"{chat} received a part, but nobody knows which")
            elif result.outcome in WITHOUT_A_LETTER and unknown:
                found.append(f"{chat} received a message, but the ledger says {result.outcome}")
    if everybody and len(states) != BATCHES:
        found.append(f"{len(states)} ledgers for {BATCHES} batches")
    return found


def projection(states: dict[BatchKey, Fold], rows: dict[int, Any], counts: Any) -> list[str]:
    """SQL says what the ledgers say; the counts are those of the rows and add up."""
    found = []
    for key, state in states.items():
        for i in range(BATCH_SIZE):
            row, result = rows.get(key.batch * BATCH_SIZE + i), state.results.get(i)
            if row is None or row.outcome != (result and result.outcome.value):
                found.append(
                    f"row {key.batch}/{i}: {row and row.outcome} in SQL, {result and result.outcome} in the ledger"
                )
    outcomes = Counter(row.outcome for row in rows.values())
    failed = sum(n for outcome, n in outcomes.items() if outcome and Outcome(outcome).failed)
    said = (counts.total, counts.delivered, counts.failed, counts.unconfirmed, counts.skipped)
    true = (PEOPLE, outcomes["delivered"], failed, outcomes["unconfirmed"], outcomes["skipped"])
    if said != true:
        found.append(f"counts {said}, rows {true}")
    return found


def recalled(world: World, states: dict[BatchKey, Fold]) -> list[str]:
    """After a recall every message that the ledger knows is gone."""
    told = [result for state in states.values() for result in (*state.results.values(), *state.kept.values())]
    known = {id for result in told for id in result.messages}
    return [f"message {id} was not recalled" for id in sorted(known) if not world.telegram.letters[id].deleted]


def published(world: World, broadcast: Broadcast) -> list[str]:
    """The stream has every event of the broadcast, once, in order."""
    stream = world.server.streams[BROADCASTS.name]
    bodies = [stream.messages[seq].data for seq in sorted(stream.messages)]
    versions = [int(body.partition(b'"version":')[2].partition(b",")[0]) for body in bodies]
    return [] if versions == list(range(1, broadcast.version + 1)) else [f"published {versions} of {broadcast.version}"]


def ledgers(world: World) -> dict[BatchKey, Fold]:
    """The meaning of each batch's log as the server has it."""
    stream = world.server.streams[LEDGER.name]
    logs = defaultdict[BatchKey, list[Entry]](list)
    for seq in sorted(stream.messages):
        stored = stream.messages[seq]
        logs[batch_of(stored.subject)].append(Entry(seq, decode_record(stored.data)))
    return {key: fold(log, "send") for key, log in logs.items()}


def lost(world: World, rows: dict[int, Any]) -> dict[BatchKey, Fold]:
    """The logs that went with their stream and that nobody has needed since, as SQL remembers them."""
    found = {}
    with world.database.read() as connection:
        for batch in connection.execute(select(batches).where(batches.c.ledger_since.is_not(None))):
            if utc(batch.ledger_since) != world.server.streams[LEDGER.name].created:
                state = found[BatchKey(world.id, 1, batch.batch)] = Fold("send")
                positions = range(batch.batch * BATCH_SIZE, (batch.batch + 1) * BATCH_SIZE)
                state.results = {i: _result(i, rows[at]) for i, at in enumerate(positions) if rows[at].outcome}
    return found


def _result(i: int, row: Any) -> Result:
    messages = [int(id) for id in (row.message_ids or "").split(",") if id]
    return Result(i=i, outcome=Outcome(row.outcome), messages=messages, answer=row.answer)


def read_models(world: World) -> tuple[dict[int, Any], Any]:
    """The delivery rows by position, and the run's row."""
    with world.database.read() as connection:
        rows = {row.position: row for row in connection.execute(select(deliveries))}
        return rows, connection.execute(select(runs).where(runs.c.run == 1)).one()
