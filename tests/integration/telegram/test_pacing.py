"""The shared budget on a real NATS: replicas are paces with connections of their own."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from statistics import median

import nats
import pytest
from nats.aio.client import Client

from broadcast_contracts import PacingV1, decode
from broadcast_contracts.topology import PACING
from broadcast_telegram.gcra import AFTER_PAUSE_SECONDS
from broadcast_telegram.pacing import KvPace
from tests.support.nats import NatsServer, nats_server  # noqa: F401

RATE = 30
Replica = Callable[..., Awaitable[KvPace]]


@pytest.fixture
async def replica(nats_server: NatsServer) -> AsyncIterator[Replica]:  # noqa: F811
    """Makes paces, ready to grant, each on its own connection."""
    async with AsyncExitStack() as stack:

        async def make(bot: str = "main", rate: float = RATE, *, ready: bool = True) -> KvPace:
            client = await connected(nats_server)
            stack.push_async_callback(client.close)
            pace = KvPace(client, bot, rate)
            stack.push_async_callback(pace.close)
            while ready and (pace.paused or not await key(client, bot)):
                await asyncio.sleep(0.02)
            return pace

        yield make


async def connected(server: NatsServer) -> Client:
    return await nats.connect(server.url, max_reconnect_attempts=-1, reconnect_time_wait=0.1)


async def key(client: Client, bot: str) -> PacingV1 | None:
    try:
        bucket = await client.jetstream().key_value(PACING.name)
        return decode(PacingV1, (await bucket.get(bot)).value or b"")
    except nats.js.errors.NotFoundError:
        return None


async def send(pace: KvPace, until: float, want: int = 10) -> list[float]:
    """Use slots as a worker does, a few batches ahead; answers when each was used, on the loop's clock."""
    loop, used = asyncio.get_running_loop(), list[float]()

    async def one(slots: object, k: int) -> None:
        await pace.turn(slots, k)  # type: ignore[arg-type]
        if not pace.paused:
            used.append(loop.time())

    async def batch() -> None:
        while loop.time() < until:
            slots = await pace.reserve(want)
            await asyncio.gather(*(one(slots, k) for k in range(slots.count)))

    batches = [asyncio.create_task(batch()) for _ in range(3)]
    await asyncio.wait(batches, timeout=max(0.0, until - loop.time()))
    for task in batches:
        task.cancel()
    await asyncio.gather(*batches, return_exceptions=True)
    return used


async def send_together(paces: list[KvPace], seconds: float) -> list[float]:
    until = asyncio.get_running_loop().time() + seconds
    return sorted(time for used in await asyncio.gather(*(send(pace, until) for pace in paces)) for time in used)


def most_in_a_second(times: list[float]) -> int:
    return max((sum(1 for other in times if start <= other < start + 1.0) for start in times), default=0)


@pytest.mark.parametrize("replicas", [1, 4])
async def test_replicas_share_one_rate_and_use_all_of_it(replica: Replica, replicas: int) -> None:
    paces = [await replica() for _ in range(replicas)]
    shares = []
    for _ in range(3):  # on a busy machine a run may lose slots; none may gain any
        times = await send_together(paces, 4.0)
        assert most_in_a_second(times) <= RATE
        shares.append((len(times) - 1) / (times[-1] - times[0]) / RATE)
        if shares[-1] >= 0.97:
            break
    assert max(shares) >= 0.97


async def test_a_thousand_a_second_are_held_too(replica: Replica) -> None:
    paces = [await replica(rate=1000) for _ in range(2)]
    times = await send_together(paces, 2.0)
    counts = [0] * 4
    for time_used in times:
        counts[min(3, int((time_used - times[0]) * 2))] += 1
    assert max(counts) <= 510
    assert len(times) > 500


async def test_a_pause_silences_every_replica_at_once(replica: Replica) -> None:
    delays = []
    for attempt in range(5):
        paces = [await replica(f"bot-{attempt}") for _ in range(3)]
        began = time.monotonic()
        await paces[0].pause(5)
        async with asyncio.timeout(5):
            while not all(pace.paused for pace in paces):
                await asyncio.sleep(0.001)
        delays.append(time.monotonic() - began)
    assert median(delays) < 0.1


async def test_after_a_pause_slots_start_at_its_end(replica: Replica) -> None:
    one, other = await replica(), await replica()
    loop = asyncio.get_running_loop()
    ends = loop.time() + 0.8
    await one.pause(0.8)
    slots = await asyncio.gather(one.reserve(5), other.reserve(5))
    assert min(slot.first for slot in slots) >= ends + AFTER_PAUSE_SECONDS - 0.02
    assert not one.paused
    assert not other.paused


async def test_slots_held_when_a_pause_begins_are_given_back_at_once(replica: Replica) -> None:
    pace = await replica(rate=5)
    slots = await pace.reserve(1)
    await pace.pause(5)
    began = time.monotonic()
    await pace.turn(slots, 0)
    assert time.monotonic() - began < 0.3
    assert pace.paused


async def test_a_pause_of_one_bot_leaves_the_others_alone(replica: Replica) -> None:
    paused, free = await replica("paused"), await replica("free")
    await paused.pause(5)
    assert paused.paused
    assert (await asyncio.wait_for(free.reserve(1), 1)).count == 1
    assert not free.paused


async def test_a_shorter_pause_does_not_end_a_longer_one(replica: Replica, nats_server: NatsServer) -> None:  # noqa: F811
    pace = await replica()
    await pace.pause(30)
    await pace.pause(1)
    client = await connected(nats_server)
    kept = await key(client, "main")
    await client.close()
    assert kept is not None
    assert kept.paused_until > time.time() + 20


async def test_senders_that_come_late_do_not_bunch_up(replica: Replica) -> None:
    pace = await replica()
    loop = asyncio.get_running_loop()
    sending = asyncio.create_task(send(pace, loop.time() + 3.0))
    for _ in range(3):
        await asyncio.sleep(0.6)
        time.sleep(0.25)  # noqa: ASYNC251 - the whole process hangs, as under a heavy load
    assert most_in_a_second(await sending) <= RATE


async def test_one_message_does_not_wait_behind_a_crowd_of_batches(replica: Replica) -> None:
    pace = await replica()
    crowd = [asyncio.create_task(pace.reserve(10)) for _ in range(16)]
    await asyncio.sleep(0)
    began = time.monotonic()
    await pace.reserve(1)
    assert time.monotonic() - began < 16 * 7 / RATE * 0.7  # sixteen whole chunks would take 3.7 s
    await asyncio.gather(*crowd)


async def test_no_limit_needs_no_nats_but_heeds_pauses(replica: Replica, nats_server: NatsServer) -> None:  # noqa: F811
    pace, other = await replica(rate=0), await replica(rate=0)
    await other.pause(0.6)
    while not pace.paused:
        await asyncio.sleep(0.001)
    began = time.monotonic()
    await pace.reserve(1)
    assert time.monotonic() - began > 0.3
    nats_server.stop()
    slots = await asyncio.wait_for(pace.reserve(500), 0.5)
    await pace.turn(slots, 499)
    assert (slots.count, slots.interval) == (500, 0)


async def test_without_nats_nothing_is_granted_and_afterwards_all_goes_on(
    replica: Replica,
    nats_server: NatsServer,  # noqa: F811
) -> None:
    pace = await replica()
    nats_server.stop()
    reserving = asyncio.create_task(pace.reserve(1))
    await asyncio.sleep(1.0)
    assert not reserving.done()
    nats_server.start()
    assert (await asyncio.wait_for(reserving, 20)).count == 1


async def test_a_lost_bucket_is_made_anew_with_a_pause(replica: Replica, nats_server: NatsServer) -> None:  # noqa: F811
    one, other = await replica(), await replica()
    client = await connected(nats_server)
    await client.jetstream().delete_key_value(PACING.name)
    lost = time.monotonic()
    await asyncio.wait_for(asyncio.gather(one.reserve(1), other.reserve(1)), 10)
    assert time.monotonic() - lost > 0.9
    await one.pause(5)
    while not other.paused:  # the new key is watched again
        assert time.monotonic() - lost < 15
        await asyncio.sleep(0.01)
    await client.close()
