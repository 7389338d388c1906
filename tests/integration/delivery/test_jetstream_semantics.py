"""What JetStream itself does with expectations, ids, rollups and acknowledgements."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import nats.errors
import pytest
from nats.js import JetStreamContext, api
from nats.js.errors import APIError, KeyWrongLastSequenceError
from nats.js.kv import KeyValue

from broadcast_delivery.jetstream import WRONG_LAST_SEQUENCE

EXPECTED, ID, ROLLUP = "Nats-Expected-Last-Subject-Sequence", "Nats-Msg-Id", "Nats-Rollup"
ONE_SERVER, MANY = 1, 20


@pytest.fixture
async def log(js: JetStreamContext, replicas: int) -> AsyncIterator[str]:
    """A stream of a subject of its own, which forgets ids after half a second; answers both's name."""
    name = f"log-{uuid4().hex}"
    config = api.StreamConfig(
        name, subjects=[name], num_replicas=replicas, duplicate_window=0.5, allow_rollup_hdrs=True, max_age=0
    )
    await js.add_stream(config)
    yield name
    await js.delete_stream(name)


@pytest.fixture
async def bucket(js: JetStreamContext, replicas: int) -> AsyncIterator[KeyValue]:
    name = f"bucket-{uuid4().hex}"
    yield await js.create_key_value(api.KeyValueConfig(name, replicas=replicas))
    await js.delete_key_value(name)


async def append(js: JetStreamContext, log: str, expected: int, body: bytes = b"", **headers: str) -> api.PubAck:
    return await js.publish(log, body, headers={EXPECTED: str(expected), **headers})


async def bodies(js: JetStreamContext, log: str) -> list[bytes]:
    state = (await js.stream_info(log)).state
    kept = [await js.get_msg(log, seq=seq) for seq in range(state.first_seq, state.last_seq + 1)]
    return [message.data or b"" for message in kept]


async def test_an_append_at_a_version_that_is_over_is_refused(js: JetStreamContext, log: str) -> None:
    await append(js, log, 0)
    with pytest.raises(APIError) as refused:
        await append(js, log, 0)
    assert refused.value.err_code == 10071


async def test_those_who_lose_a_race_hear_one_of_the_two_codes_that_we_know(js: JetStreamContext, log: str) -> None:
    answers = await asyncio.gather(*(append(js, log, 0) for _ in range(MANY)), return_exceptions=True)
    losers = [answer for answer in answers if isinstance(answer, APIError)]
    assert len(losers) == MANY - 1
    assert {loser.err_code for loser in losers} <= WRONG_LAST_SEQUENCE


async def test_a_repeated_append_is_stored_once_whatever_the_answer_is(
    js: JetStreamContext, log: str, replicas: int
) -> None:
    first = await append(js, log, 0, b"mine", **{ID: "nonce"})
    if replicas == ONE_SERVER:
        with pytest.raises(APIError) as refused:
            await append(js, log, 0, b"mine", **{ID: "nonce"})
        assert refused.value.err_code in WRONG_LAST_SEQUENCE
    else:
        again = await append(js, log, 0, b"mine", **{ID: "nonce"})
        assert (again.duplicate, again.seq) == (True, first.seq)
    assert await bodies(js, log) == [b"mine"]


async def test_an_id_that_was_used_swallows_another_message_until_it_is_forgotten(
    js: JetStreamContext, log: str
) -> None:
    await js.publish(log, b"first", headers={ID: "id"})
    assert (await js.publish(log, b"other", headers={ID: "id"})).duplicate
    assert await bodies(js, log) == [b"first"]
    await asyncio.sleep(1)
    assert not (await js.publish(log, b"other", headers={ID: "id"})).duplicate
    assert await bodies(js, log) == [b"first", b"other"]


async def test_the_fence_outlives_the_memory_for_ids(js: JetStreamContext, log: str) -> None:
    await append(js, log, 0, b"mine", **{ID: "nonce"})
    await asyncio.sleep(1)
    with pytest.raises(APIError):
        await append(js, log, 0, b"mine", **{ID: "nonce"})
    assert await bodies(js, log) == [b"mine"]


async def test_a_chain_of_one_writer_is_held_by_the_last_sequence_of_the_stream(js: JetStreamContext, log: str) -> None:
    last = (await js.publish(log, b"1", headers={"Nats-Expected-Last-Sequence": "0"})).seq
    with pytest.raises(APIError) as refused:
        await js.publish(log, b"other relay", headers={"Nats-Expected-Last-Sequence": "0"})
    assert refused.value.err_code in WRONG_LAST_SEQUENCE
    await js.publish(log, b"2", headers={"Nats-Expected-Last-Sequence": str(last)})
    assert await bodies(js, log) == [b"1", b"2"]


async def test_a_rollup_obeys_the_fence_and_takes_everything_before_it_away(js: JetStreamContext, log: str) -> None:
    first = await append(js, log, 0, b"opened")
    with pytest.raises(APIError):
        await append(js, log, first.seq + 5, b"stale seal", **{ROLLUP: "sub"})
    assert await bodies(js, log) == [b"opened"]
    sealed = await append(js, log, first.seq, b"seal", **{ROLLUP: "sub"})
    assert await bodies(js, log) == [b"seal"]
    with pytest.raises(APIError):
        await append(js, log, first.seq, b"fact")
    await append(js, log, sealed.seq, b"fact")


async def test_where_a_record_has_aged_out_create_if_absent_succeeds_again(js: JetStreamContext, log: str) -> None:
    await append(js, log, 0, b"old")
    config = (await js.stream_info(log)).config
    config.max_age = 1
    await js.update_stream(config)
    async with asyncio.timeout(15):
        while (await js.stream_info(log)).state.messages:
            await asyncio.sleep(0.1)
    await append(js, log, 0, b"new")
    assert await bodies(js, log) == [b"new"]


async def test_of_many_who_create_a_key_one_does(bucket: KeyValue) -> None:
    creates = (bucket.create("key", str(n).encode()) for n in range(MANY))
    answers = await asyncio.gather(*creates, return_exceptions=True)
    (winner,) = [n for n, answer in enumerate(answers) if isinstance(answer, int)]
    assert sum(isinstance(answer, KeyWrongLastSequenceError) for answer in answers) == MANY - 1
    assert (await bucket.get("key")).value == str(winner).encode()


async def test_an_update_of_a_key_needs_its_newest_revision(bucket: KeyValue) -> None:
    first = await bucket.create("key", b"1")
    second = await bucket.update("key", b"2", last=first)
    with pytest.raises(KeyWrongLastSequenceError):
        await bucket.update("key", b"stale", last=first)
    await bucket.put("other", b"moves the bucket, not the key")
    await bucket.update("key", b"3", last=second)
    assert (await bucket.get("key")).value == b"3"


async def test_counters_by_compare_and_set_lose_no_step(bucket: KeyValue) -> None:
    await bucket.create("key", b"0")

    async def step() -> None:
        while True:
            entry = await bucket.get("key")
            try:
                await bucket.update("key", str(int(entry.value or b"0") + 1).encode(), last=entry.revision)
            except KeyWrongLastSequenceError:
                continue
            return

    await asyncio.gather(*(step() for _ in range(MANY)))
    assert (await bucket.get("key")).value == str(MANY).encode()


async def test_an_acknowledgement_after_the_redelivery_takes_the_job_away_from_its_new_owner(
    js: JetStreamContext, replicas: int
) -> None:
    name = f"work-{uuid4().hex}"
    retention = api.RetentionPolicy.WORK_QUEUE
    await js.add_stream(api.StreamConfig(name, subjects=[name], retention=retention, num_replicas=replicas))
    await js.add_consumer(name, api.ConsumerConfig("d", ack_policy=api.AckPolicy.EXPLICIT, ack_wait=0.5))
    await js.publish(name, b"job")
    one, other = [await js.pull_subscribe_bind("d", name) for _ in range(2)]
    (mine,) = await one.fetch(1, timeout=5)
    (theirs,) = await other.fetch(1, timeout=10)
    assert mine.metadata.sequence.stream == theirs.metadata.sequence.stream
    await mine.ack_sync()
    async with asyncio.timeout(5):
        while (await js.stream_info(name)).state.messages:  # a cluster acknowledges first and removes a moment later
            await asyncio.sleep(0.05)
    with pytest.raises(nats.errors.TimeoutError):
        await other.fetch(1, timeout=1)
    await js.delete_stream(name)
