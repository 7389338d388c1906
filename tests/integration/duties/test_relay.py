"""The stream is the log: in order, without a gap, nothing twice."""

import asyncio
import contextlib
import random
from uuid import UUID, uuid4

import pytest
from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg
from sqlalchemy import delete, text

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.schema import positions
from broadcast_api.duties import relay as relay_module
from broadcast_api.duties.relay import Regressed
from broadcast_api.duties.translate import translate
from broadcast_contracts import PUBLIC_EVENTS, decode
from broadcast_contracts.topology import BROADCASTS, event_subject
from tests.integration.duties.parts import drained, relay_of, remake
from tests.integration.duties.stage import Stage


async def published(js: JetStreamContext) -> list[RawStreamMsg]:
    state = (await js.stream_info(BROADCASTS.name)).state
    return [await js.get_msg(BROADCASTS.name, n) for n in range(state.first_seq, state.last_seq + 1)]


def notification_ids(messages: list[RawStreamMsg]) -> list[int]:
    return [int((message.headers or {})["ce-id"].split(":")[1]) for message in messages]


def public_ids(stage: Stage) -> list[int]:
    return [one.id for one in stage.store.notifications(0, 10_000) if translate(one.event)]


def make_history(stage: Stage, broadcasts: int) -> list[UUID]:
    audience = stage.audience()
    ids = [stage.broadcast(audience) for _ in range(broadcasts)]
    for id in ids[::2]:
        stage.press("delete", id)
    return ids


async def test_every_broadcast_event_is_published_in_order_and_audiences_stay_inside(
    stage: Stage, js: JetStreamContext
) -> None:
    make_history(stage, 4)
    await drained(relay_of(stage, js))
    messages = await published(js)
    assert notification_ids(messages) == public_ids(stage)
    assert len(messages) == 6
    first = next(kind for kind in PUBLIC_EVENTS if kind.type == (messages[0].headers or {})["ce-type"])
    event = decode(first, messages[0].data or b"")
    assert messages[0].subject == event_subject("created", event.broadcast_id)
    assert event.version == 1


async def test_relays_that_race_and_are_killed_publish_nothing_twice_and_nothing_out_of_order(
    stage: Stage, js: JetStreamContext
) -> None:
    chance = random.Random(7)

    async def killed_again_and_again() -> None:
        while len(public_ids(stage)) > (await js.stream_info(BROADCASTS.name)).state.last_seq:
            task = asyncio.create_task(drained(relay_of(stage, js)))
            await asyncio.wait({task}, timeout=chance.uniform(0.001, 0.03))
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    make_history(stage, 60)
    racing = asyncio.gather(*(killed_again_and_again() for _ in range(3)))
    await asyncio.to_thread(make_history, stage, 20)
    await asyncio.wait_for(racing, 60)
    await drained(relay_of(stage, js))
    assert notification_ids(await published(js)) == public_ids(stage)


async def test_a_relay_that_overslept_the_duplicate_window_publishes_nothing_again(
    stage: Stage, js: JetStreamContext
) -> None:
    config = (await js.stream_info(BROADCASTS.name)).config
    await js.update_stream(config.evolve(duplicate_window=0.1))
    make_history(stage, 2)
    sleeper, other = relay_of(stage, js), relay_of(stage, js)
    await drained(sleeper)
    make_history(stage, 2)
    await drained(other)
    await asyncio.sleep(0.3)
    await drained(sleeper)
    assert notification_ids(await published(js)) == public_ids(stage)


async def test_a_stream_that_was_lost_is_published_again(stage: Stage, js: JetStreamContext) -> None:
    make_history(stage, 4)
    await drained(relay_of(stage, js))
    await remake(js, BROADCASTS)
    await drained(relay_of(stage, js))
    assert notification_ids(await published(js)) == public_ids(stage)


async def test_a_stream_that_was_lost_while_nothing_happened_is_published_again(
    stage: Stage, js: JetStreamContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "LOOK_SECONDS", 0)
    make_history(stage, 4)
    relay = relay_of(stage, js)
    await drained(relay)
    await remake(js, BROADCASTS)
    await drained(relay)
    assert notification_ids(await published(js)) == public_ids(stage)


async def test_a_stream_that_lost_its_tail_gets_the_tail_again(stage: Stage, js: JetStreamContext) -> None:
    make_history(stage, 4)
    relay = relay_of(stage, js)
    await drained(relay)
    messages = await published(js)
    await remake(js, BROADCASTS)
    for message in messages[:3]:  # an older copy of the stream came back
        await js.publish(message.subject or "", message.data or b"", headers=dict(message.headers or {}))
    await drained(relay_of(stage, js))
    assert notification_ids(await published(js)) == public_ids(stage)


async def test_what_has_aged_out_of_the_stream_is_not_published_again(stage: Stage, js: JetStreamContext) -> None:
    make_history(stage, 2)
    await drained(relay_of(stage, js))
    await js.purge_stream(BROADCASTS.name)
    new = stage.broadcast()
    await drained(relay_of(stage, js))
    messages = await published(js)
    assert [decode(PUBLIC_EVENTS[0], message.data or b"").broadcast_id for message in messages] == [new]


async def test_an_event_store_that_lost_what_was_published_stops_the_relay(stage: Stage, js: JetStreamContext) -> None:
    make_history(stage, 4)
    await drained(relay_of(stage, js))
    with stage.database.write() as connection:
        connection.execute(delete(positions).where(positions.c.reader == relay_module.READER))
    lost = stage.store.max_notification_id()
    table = stage.store.recorder.events_table_name  # type: ignore[attr-defined]
    column = "rowid" if stage.database.is_sqlite else "notification_id"
    with (Database(stage.urls[1]) if stage.database.is_sqlite else stage.database).write() as connection:
        connection.execute(text(f"DELETE FROM {table} WHERE {column} = {lost}"))
    stage.broadcast()  # takes the place of the lost event
    before = len(await published(js))
    with pytest.raises(Regressed, match="lost"):
        await relay_of(stage, js).step()
    assert len(await published(js)) == before


async def test_the_stream_of_another_event_store_stops_the_relay(stage: Stage, js: JetStreamContext) -> None:
    make_history(stage, 1)
    subject = event_subject("created", uuid4())
    await js.publish(subject, b"{}", headers={"Nats-Msg-Id": "0123456789abcdef:7:01234567"})
    with pytest.raises(Regressed, match="another event store"):
        await relay_of(stage, js).step()
