"""The ledger on real servers: what a worker may take for granted whatever NATS goes through."""

import asyncio

import pytest
from nats.js import JetStreamContext

from broadcast_contracts import BatchKey, CloseV1, Outcome, ProgressV1, Result, SealV1
from broadcast_contracts.topology import LEDGER, STREAMS, consumers, ledger_subject
from broadcast_delivery import Conflict, Entry
from broadcast_delivery.jetstream import JetStreamLedger
from broadcast_delivery.topology import ensure
from tests.support.nats import NatsServer
from tests.support.nats_cluster import connected


def named(key: BatchKey, name: str) -> str:
    """A nonce of this log: the stream remembers those of all its logs."""
    return f"{key.broadcast_id.hex[:8]}-{name}"


async def test_what_was_appended_is_read_back_in_order(ledger: JetStreamLedger, key: BatchKey) -> None:
    assert await ledger.read(key) == []
    first = await ledger.append(key, 0, ProgressV1(nonce=named(key, "a"), owner="w", opened=[0, 1]))
    await ledger.append(BatchKey(key.broadcast_id, 1, 1), 0, CloseV1(nonce=named(key, "x"), leg=1))
    second = await ledger.append(key, first, CloseV1(nonce=named(key, "b"), leg=1))
    versions = [(entry.version, entry.record and entry.record.nonce) for entry in await ledger.read(key)]
    assert versions == [(first, named(key, "a")), (second, named(key, "b"))]


async def test_a_record_that_cannot_be_read_moves_the_version_and_nothing_else(
    ledger: JetStreamLedger, js: JetStreamContext, key: BatchKey
) -> None:
    poison = await js.publish(ledger_subject(LEDGER, key), b"not json")
    assert await ledger.read(key) == [Entry(poison.seq, None)]
    with pytest.raises(Conflict):
        await ledger.append(key, 0, CloseV1(nonce=named(key, "a"), leg=1))
    assert await ledger.append(key, poison.seq, CloseV1(nonce=named(key, "a"), leg=1)) > poison.seq


async def test_of_many_appends_at_one_version_exactly_one_wins(ledger: JetStreamLedger, key: BatchKey) -> None:
    appends = (ledger.append(key, 0, CloseV1(nonce=named(key, str(n)), leg=1)) for n in range(20))
    results = await asyncio.gather(*appends, return_exceptions=True)
    assert sum(isinstance(result, int) for result in results) == 1
    assert sum(isinstance(result, Conflict) for result in results) == 19


async def test_an_append_whose_acknowledgement_was_lost_is_found_by_its_nonce(
    ledger: JetStreamLedger, key: BatchKey
) -> None:
    stored = await ledger.append(key, 0, CloseV1(nonce=named(key, "mine"), leg=1))
    assert await ledger.append(key, 0, CloseV1(nonce=named(key, "mine"), leg=1)) == stored
    assert len(await ledger.read(key)) == 1


async def test_a_seal_replaces_the_log_in_one_step_and_a_stale_seal_does_not(
    ledger: JetStreamLedger, key: BatchKey
) -> None:
    first = await ledger.append(key, 0, ProgressV1(nonce=named(key, "a"), owner="w", opened=[0]))
    seal = SealV1(nonce=named(key, "s"), results=[Result(i=0, outcome=Outcome.DELIVERED, messages=[5])])
    with pytest.raises(Conflict):
        await ledger.append(key, first - 1, seal, rollup=True)
    sealed = await ledger.append(key, first, seal, rollup=True)
    assert [entry.version for entry in await ledger.read(key)] == [sealed]


async def test_a_seal_and_a_late_fact_at_the_same_version_do_not_both_win(
    ledger: JetStreamLedger, key: BatchKey
) -> None:
    first = await ledger.append(key, 0, ProgressV1(nonce=named(key, "a"), owner="w", opened=[0]))
    fact = ProgressV1(nonce=named(key, "f"), owner="w", results=[Result(i=0, window=first, outcome=Outcome.DELIVERED)])
    both = (
        ledger.append(key, first, fact),
        ledger.append(key, first, SealV1(nonce=named(key, "s"), results=[]), rollup=True),
    )
    answers = await asyncio.gather(*both, return_exceptions=True)
    (won,) = [answer for answer in answers if isinstance(answer, int)]
    assert [type(answer) for answer in answers].count(Conflict) == 1
    assert (await ledger.read(key))[-1].version == won


async def test_an_append_waits_for_a_server_that_is_away(nats_server: NatsServer, key: BatchKey) -> None:
    client = await connected([nats_server.url])
    await ensure(client.jetstream(), ("main",))
    ledger = JetStreamLedger(client.jetstream(), LEDGER)
    await asyncio.to_thread(nats_server.stop)
    append = asyncio.create_task(ledger.append(key, 0, CloseV1(nonce=named(key, "a"), leg=1)))
    await asyncio.sleep(0.5)
    assert not append.done()
    await asyncio.to_thread(nats_server.start)
    version = await asyncio.wait_for(append, 30)
    assert [entry.version for entry in await ledger.read(key)] == [version]
    await client.close()


async def test_ensure_can_be_repeated_and_makes_everything_that_is_listed(js: JetStreamContext, replicas: int) -> None:
    await ensure(js, ("main", "other"), replicas=replicas)
    await ensure(js, ("main", "other"), replicas=replicas)
    assert {stream.name for stream in STREAMS} <= {info.config.name for info in await js.streams_info()}
    for consumer in consumers(("main", "other")):
        info = await js.consumer_info(consumer.stream, consumer.durable)
        assert info.config.ack_wait == consumer.ack_wait
