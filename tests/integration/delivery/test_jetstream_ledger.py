"""The compare-and-set behaviours that the protocol stands on, on a real server."""

import asyncio
from uuid import uuid4

import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext

from broadcast_contracts import BatchKey, CloseV1, Outcome, ProgressV1, Result, SealV1
from broadcast_contracts.topology import LEDGER, STREAMS, consumers, ledger_subject
from broadcast_delivery import Conflict, Entry
from broadcast_delivery.jetstream import JetStreamLedger
from broadcast_delivery.topology import ensure
from tests.support.nats import NatsServer

KEY = BatchKey(uuid4(), 1, 0)


@pytest.fixture
async def js(nats_client: Client) -> JetStreamContext:
    js = nats_client.jetstream()
    await ensure(js, ("main",))
    return js


@pytest.fixture
def ledger(js: JetStreamContext) -> JetStreamLedger:
    return JetStreamLedger(js, LEDGER)


async def test_what_was_appended_is_read_back_in_order(ledger: JetStreamLedger) -> None:
    assert await ledger.read(KEY) == []
    first = await ledger.append(KEY, 0, ProgressV1(nonce="a", owner="w", opened=[0, 1]))
    await ledger.append(BatchKey(KEY.broadcast_id, 1, 1), 0, CloseV1(nonce="x", leg=1))
    second = await ledger.append(KEY, first, CloseV1(nonce="b", leg=1))
    versions = [(entry.version, entry.record and entry.record.nonce) for entry in await ledger.read(KEY)]
    assert versions == [(first, "a"), (second, "b")]


async def test_a_record_that_cannot_be_read_moves_the_version_and_nothing_else(
    ledger: JetStreamLedger, js: JetStreamContext
) -> None:
    poison = await js.publish(ledger_subject(LEDGER, KEY), b"not json")
    assert await ledger.read(KEY) == [Entry(poison.seq, None)]
    with pytest.raises(Conflict):
        await ledger.append(KEY, 0, CloseV1(nonce="a", leg=1))
    assert await ledger.append(KEY, poison.seq, CloseV1(nonce="a", leg=1)) > poison.seq


async def test_of_many_appends_at_one_version_exactly_one_wins(ledger: JetStreamLedger) -> None:
    appends = (ledger.append(KEY, 0, CloseV1(nonce=f"n{n}", leg=1)) for n in range(20))
    results = await asyncio.gather(*appends, return_exceptions=True)
    assert sum(isinstance(result, int) for result in results) == 1
    assert sum(isinstance(result, Conflict) for result in results) == 19


async def test_an_append_whose_acknowledgement_was_lost_is_found_by_its_nonce(ledger: JetStreamLedger) -> None:
    stored = await ledger.append(KEY, 0, CloseV1(nonce="mine", leg=1))
    assert await ledger.append(KEY, 0, CloseV1(nonce="mine", leg=1)) == stored
    assert len(await ledger.read(KEY)) == 1


async def test_a_seal_replaces_the_log_in_one_step_and_a_stale_seal_does_not(ledger: JetStreamLedger) -> None:
    first = await ledger.append(KEY, 0, ProgressV1(nonce="a", owner="w", opened=[0]))
    seal = SealV1(nonce="s", results=[Result(i=0, outcome=Outcome.DELIVERED, messages=[5])])
    with pytest.raises(Conflict):
        await ledger.append(KEY, first - 1, seal, rollup=True)
    sealed = await ledger.append(KEY, first, seal, rollup=True)
    assert [entry.version for entry in await ledger.read(KEY)] == [sealed]


async def test_an_append_waits_for_a_server_that_is_away(ledger: JetStreamLedger, nats_server: NatsServer) -> None:
    await asyncio.to_thread(nats_server.stop)
    append = asyncio.create_task(ledger.append(KEY, 0, CloseV1(nonce="a", leg=1)))
    await asyncio.sleep(0.5)
    assert not append.done()
    await asyncio.to_thread(nats_server.start)
    version = await asyncio.wait_for(append, 30)
    assert [entry.version for entry in await ledger.read(KEY)] == [version]


async def test_ensure_can_be_repeated_and_makes_everything_that_is_listed(js: JetStreamContext) -> None:
    await ensure(js, ("main", "other"))
    await ensure(js, ("main", "other"))
    assert {stream.name for stream in STREAMS} <= {info.config.name for info in await js.streams_info()}
    for consumer in consumers(("main", "other")):
        info = await js.consumer_info(consumer.stream, consumer.durable)
        assert info.config.ack_wait == consumer.ack_wait
