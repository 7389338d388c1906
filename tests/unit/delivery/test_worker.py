"""The worker's promises, on the ledger in memory."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from broadcast_contracts import BatchKey, Cause, CloseV1, Outcome, ProgressV1, ReopenV1, ResolveV1, Result
from broadcast_delivery import Batch, End, Fold, Hold, Lease, Slots, Verdict, Worker, fold
from broadcast_delivery.memory import MemoryLedger

LEASE = Lease(seconds=0.3, grace=0.1, attempt_timeout=0.1)
EVERYONE = range(20)


class FreePace:
    """A pace that never makes anybody wait, except for a pause."""

    def __init__(self) -> None:
        self.until = 0.0

    async def reserve(self, want: int) -> Slots:
        await asyncio.sleep(max(0.0, self.until - asyncio.get_running_loop().time()))
        return Slots(asyncio.get_running_loop().time(), 0.0, want)

    async def turn(self, slots: Slots, k: int) -> None:
        await asyncio.sleep(0)

    async def pause(self, seconds: float) -> None:
        self.until = asyncio.get_running_loop().time() + seconds

    @property
    def paused(self) -> bool:
        return asyncio.get_running_loop().time() < self.until


class Telegram:
    """Remembers whom it was asked to send to; answers by script, else `delivered`."""

    def __init__(self) -> None:
        self.sent: Counter[int] = Counter()
        self.script: dict[int, list[Verdict]] = {}
        self.hang: set[int] = set()

    async def attempt(self, i: int, hold: Hold) -> Verdict:
        await asyncio.sleep(0.001)
        if answers := self.script.get(i):
            return answers.pop(0)
        self.sent[i] += 1
        if i in self.hang:
            await asyncio.sleep(3600)
        return Verdict(Outcome.DELIVERED, messages=(1000 + i,))


class World:
    """One batch of twenty, its ledger, its Telegram and as many workers as a test wants."""

    def __init__(self) -> None:
        self.ledger, self.telegram, self.pace = MemoryLedger(), Telegram(), FreePace()
        self.key = BatchKey(uuid4(), 1, 0)
        self.batch = Batch(self.key, "send", EVERYONE)
        self.stop_hint = False

    def worker(self, window: int = 5) -> Worker:
        return Worker(self.ledger, owner="w", lease=LEASE, window=window, stopped=lambda key, leg: self.stop_hint)

    async def work(self, worker: Worker | None = None) -> End:
        return await (worker or self.worker()).work(self.batch, self.pace, self.telegram.attempt)

    async def state(self) -> Fold:
        return fold(await self.ledger.read(self.key), "send")

    async def outcomes(self) -> Counter[Outcome]:
        return Counter(result.outcome for result in (await self.state()).results.values())


@pytest.fixture
def world() -> World:
    return World()


async def test_everyone_is_attempted_once_and_the_batch_is_sealed(world: World) -> None:
    assert await world.work() is End.SEALED
    assert world.telegram.sent == Counter(EVERYONE)
    state = await world.state()
    assert state.sealed
    assert [state.results[i].messages for i in EVERYONE] == [[1000 + i] for i in EVERYONE]
    assert len(await world.ledger.read(world.key)) == 1, "the seal replaces the records before it"


async def test_a_sealed_batch_is_never_attempted_again(world: World) -> None:
    await world.work()
    assert await world.work() is End.SEALED
    assert world.telegram.sent == Counter(EVERYONE)


async def test_two_workers_on_one_batch_send_nobody_twice(world: World) -> None:
    await asyncio.gather(world.work(), world.work(), world.work())
    await world.work()
    assert world.telegram.sent == Counter(EVERYONE)


async def test_a_killed_workers_open_attempts_become_unconfirmed_and_are_not_sent_again(world: World) -> None:
    world.telegram.hang = {2, 3}
    dead = asyncio.create_task(world.work(world.worker(window=5)))
    await asyncio.sleep(0.1)
    dead.cancel()
    await asyncio.gather(dead, return_exceptions=True)

    assert await world.work() is End.SEALED
    assert world.telegram.sent == Counter(EVERYONE)
    outcomes = await world.outcomes()
    assert outcomes[Outcome.UNCONFIRMED] <= 5
    assert {2, 3} <= {i for i, r in (await world.state()).results.items() if r.outcome is Outcome.UNCONFIRMED}
    assert outcomes.total() == 20


async def test_a_silent_owner_is_given_its_whole_lease_and_grace(world: World) -> None:
    await world.ledger.append(world.key, 0, ProgressV1(nonce="n", owner="gone", opened=[0]))
    loop = asyncio.get_running_loop()
    started = loop.time()
    assert await world.work() is End.SEALED
    assert loop.time() - started >= LEASE.seconds + LEASE.grace


async def test_a_living_owner_keeps_its_batch(world: World) -> None:
    version = await world.ledger.append(world.key, 0, ProgressV1(nonce="n", owner="alive", opened=[0, 1]))
    late = asyncio.create_task(world.work())
    await asyncio.sleep(0.15)
    fact = Result(i=0, window=version, outcome=Outcome.DELIVERED)
    await world.ledger.append(world.key, version, ProgressV1(nonce="m", owner="alive", results=[fact]))
    assert await late is End.TAKEN
    assert not world.telegram.sent


async def test_a_late_fact_turns_unconfirmed_into_delivered_even_after_the_seal(world: World) -> None:
    window = await world.ledger.append(world.key, 0, ProgressV1(nonce="n", owner="paused", opened=[0]))
    await world.work()
    assert (await world.state()).results[0].outcome is Outcome.UNCONFIRMED

    version = (await world.state()).version
    fact = Result(i=0, window=window, outcome=Outcome.DELIVERED, messages=[7])
    await world.ledger.append(world.key, version, ProgressV1(nonce="m", owner="paused", results=[fact]))
    assert (await world.state()).results[0].messages == [7]


async def test_an_attempt_that_was_never_made_is_skipped_once_the_batch_is_sealed(world: World) -> None:
    window = await world.ledger.append(world.key, 0, ProgressV1(nonce="n", owner="paused", opened=[0]))
    await world.work()
    version = (await world.state()).version
    fact = Result(i=0, window=window, outcome=Outcome.UNATTEMPTED)
    await world.ledger.append(world.key, version, ProgressV1(nonce="m", owner="paused", results=[fact]))
    assert (await world.state()).results[0].outcome is Outcome.SKIPPED


async def test_a_closed_batch_is_left_alone_until_it_is_reopened(world: World) -> None:
    version = await world.ledger.append(world.key, 0, CloseV1(nonce="c", leg=1))
    assert await world.work() is End.CLOSED
    assert not world.telegram.sent
    await world.ledger.append(world.key, version, ReopenV1(nonce="r", leg=2))
    assert await world.work() is End.SEALED
    assert world.telegram.sent == Counter(EVERYONE)


async def test_a_reopen_of_an_old_leg_does_not_undo_a_later_close(world: World) -> None:
    version = await world.ledger.append(world.key, 0, CloseV1(nonce="c", leg=2))
    await world.ledger.append(world.key, version, ReopenV1(nonce="r", leg=2))
    assert await world.work() is End.CLOSED


async def test_a_stop_hint_ends_the_work_with_nothing_in_flight(world: World) -> None:
    working = asyncio.create_task(world.work(world.worker(window=2)))
    while world.telegram.sent.total() < 4:
        await asyncio.sleep(0.001)
    world.stop_hint = True
    assert await working is End.CLOSED
    state = await world.state()
    assert not state.in_flight
    assert 0 < len(state.results) < 20
    assert set(state.results) == set(world.telegram.sent)

    world.stop_hint = False
    assert await world.work() is End.SEALED
    assert world.telegram.sent == Counter(EVERYONE)


async def test_a_pause_is_no_outcome(world: World) -> None:
    world.telegram.script = {3: [Verdict(Outcome.UNATTEMPTED, pause=0.2)]}
    assert await world.work() is End.SEALED
    assert await world.outcomes() == {Outcome.DELIVERED: 20}


async def test_refused_content_closes_the_batch_with_the_cause_and_fails_nobody(world: World) -> None:
    refusal = Verdict(Outcome.UNATTEMPTED, reason="can't parse entities", halt=Cause.CONTENT_REFUSED)
    world.telegram.script = {i: [refusal] * 3 for i in EVERYONE}
    assert await world.work() is End.CLOSED
    state = await world.state()
    assert (state.cause, state.detail) == (Cause.CONTENT_REFUSED, "can't parse entities")
    assert not state.results
    assert not state.in_flight


async def test_an_unreachable_network_is_retried_until_it_is_back(world: World) -> None:
    world.telegram.script = {0: [Verdict(Outcome.UNATTEMPTED, reason="connection refused")]}
    assert await world.work() is End.SEALED
    assert world.telegram.sent == Counter(EVERYONE)


async def test_a_draining_worker_records_what_is_in_the_air_and_hands_the_rest_back(world: World) -> None:
    worker = world.worker(window=2)
    working = asyncio.create_task(world.work(worker))
    while not world.telegram.sent:
        await asyncio.sleep(0.001)
    worker.drain()
    assert await working is End.HANDED_BACK
    state = await world.state()
    assert not state.in_flight
    assert set(state.results) == set(world.telegram.sent)


async def test_a_silent_revokers_deletes_are_simply_repeated(world: World) -> None:
    await world.ledger.append(world.key, 0, ProgressV1(nonce="n", owner="gone", opened=[0]))
    attempted: Counter[int] = Counter()

    async def delete(i: int, hold: Hold) -> Verdict:
        attempted[i] += 1
        return Verdict(Outcome.RECALLED)

    batch = Batch(world.key, "recall", EVERYONE)
    assert await world.worker().work(batch, world.pace, delete) is End.SEALED
    assert attempted == Counter(EVERYONE)


async def test_what_was_sent_before_a_stop_is_recalled_whole(world: World) -> None:
    world.stop_hint = True

    async def delete(i: int, hold: Hold) -> Verdict:
        assert hold.wanted
        return Verdict(Outcome.RECALLED)

    assert await world.worker().work(Batch(world.key, "recall", EVERYONE), world.pace, delete) is End.SEALED


async def test_a_worker_that_finds_a_batch_sealed_tells_how_it_stands(world: World) -> None:
    """Whoever sealed it may have been killed before telling."""
    await world.work()
    told: list[bool] = []
    late = Worker(
        world.ledger, owner="late", lease=LEASE, window=5, on_step=lambda batch, state: told.append(state.sealed)
    )
    assert await world.work(late) is End.SEALED
    assert told == [True]


async def test_a_long_attempt_keeps_its_lease_as_long_as_its_owner_lives(world: World) -> None:
    async def send(i: int, hold: Hold) -> Verdict:
        for _ in range(15):  # far longer than the lease
            await asyncio.sleep(LEASE.seconds / 10)
            assert hold.covers(LEASE.attempt_timeout)
        return Verdict(Outcome.DELIVERED, messages=(1000 + i,))

    working = asyncio.create_task(world.worker().work(Batch(world.key, "send", [0]), world.pace, send))
    await asyncio.sleep(0.05)
    assert await world.work() is End.TAKEN
    assert await working is End.SEALED
    assert (await world.state()).results[0].outcome is Outcome.DELIVERED


async def test_nothing_is_covered_once_others_gave_the_attempt_up(world: World) -> None:
    covered: list[bool] = []

    async def send(i: int, hold: Hold) -> Verdict:
        covered.append(hold.covers(LEASE.attempt_timeout))
        state = await world.state()
        await world.ledger.append(world.key, state.version, ResolveV1(nonce="r"))
        await asyncio.sleep(2 * LEASE.beat)
        covered.append(hold.covers(LEASE.attempt_timeout))
        return Verdict(Outcome.PARTLY, messages=(7,))

    assert await world.worker().work(Batch(world.key, "send", [0]), world.pace, send) is End.SEALED
    assert covered == [True, False]
    assert (await world.state()).results[0].outcome is Outcome.PARTLY, "what was done is a fact all the same"


async def test_somebody_who_got_a_part_before_the_content_was_refused_is_settled(world: World) -> None:
    refused = Verdict(Outcome.PARTLY, messages=(7,), halt=Cause.CONTENT_REFUSED, reason="wrong file")
    world.telegram.script = {0: [refused]}
    assert await world.work(world.worker(window=1)) is End.CLOSED
    state = await world.state()
    assert (state.results[0].outcome, state.results[0].messages) == (Outcome.PARTLY, [7])
    assert (state.cause, state.detail) == (Cause.CONTENT_REFUSED, "wrong file")


async def test_a_worker_leaves_a_batch_whose_log_was_lost_under_its_hands(world: World) -> None:
    lost = MemoryLedger()

    async def send(i: int, hold: Hold) -> Verdict:
        if i == 7:
            world.ledger.__dict__.update(lost.__dict__)
        return await world.telegram.attempt(i, hold)

    assert await world.worker().work(world.batch, world.pace, send) is End.LOST
    assert max(world.telegram.sent.values()) == 1
    assert len(world.telegram.sent) < len(EVERYONE)


async def test_nobody_begins_a_batch_that_was_issued_for_a_ledger_now_lost(world: World) -> None:
    before = replace(world.batch, kept_since=await world.ledger.kept_since() - timedelta(seconds=1))
    assert await world.worker().work(before, world.pace, world.telegram.attempt) is End.LOST
    assert not world.telegram.sent
    now = replace(world.batch, key=BatchKey(uuid4(), 1, 0), kept_since=await world.ledger.kept_since())
    assert await world.worker().work(now, world.pace, world.telegram.attempt) is End.SEALED
    assert len(world.telegram.sent) == len(EVERYONE)
