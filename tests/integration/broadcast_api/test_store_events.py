"""The event store on both engines: order, conflicts, a lost reply to COMMIT, stable topics."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from eventsourcing.persistence import IntegrityError, StoredEvent

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.event_store import EventStore
from broadcast_api.adapters.views import Views
from broadcast_api.application.obey import obey
from broadcast_api.application.ports import Conflict
from broadcast_api.domain.audience import Audience
from broadcast_api.domain.broadcast import Broadcast
from broadcast_api.domain.call import Actor, Call
from broadcast_api.domain.draft import Draft
from broadcast_api.domain.errors import NotFound

CALL = Call(Actor("Petrova", "HR"), "req-1", "key-1", "digest-1")


@pytest.fixture
def store(event_store_url: str) -> Iterator[EventStore]:
    opened = EventStore(event_store_url)
    yield opened
    opened.close()


def audience() -> Audience:
    return Audience.create(uuid4(), bot="main", name="Все", definition={"kind": "everyone"}, members=[], call=CALL)


def broadcast() -> Broadcast:
    return Broadcast.create(uuid4(), bot="main", draft=Draft("Собрание", "Завтра", uuid4()), call=CALL)


def test_an_aggregate_comes_back_as_it_was_stored(store: EventStore) -> None:
    drawn_up = broadcast()
    drawn_up.send("Все", CALL)
    drawn_up.stop("operator", "", CALL)
    store.append(drawn_up)
    assert store.broadcast(drawn_up.id) == drawn_up


def test_an_audience_is_no_broadcast(store: EventStore) -> None:
    made = audience()
    store.append(made)
    assert store.audience(made.id) == made
    with pytest.raises(NotFound):
        store.broadcast(made.id)
    with pytest.raises(NotFound):
        store.audience(uuid4())


def test_of_two_who_decide_at_once_the_second_meets_a_conflict(store: EventStore) -> None:
    drawn_up = broadcast()
    store.append(drawn_up)
    first, second = store.broadcast(drawn_up.id), store.broadcast(drawn_up.id)
    first.send("Все", Call())
    second.delete(Call())
    store.append(first)
    with pytest.raises(Conflict):
        store.append(second)
    assert store.broadcast(drawn_up.id) == first


def test_a_lost_reply_to_commit_is_no_conflict(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    insert = store.recorder.insert_events

    def stores_and_says_it_did_not(events: list[StoredEvent], **more: Any) -> None:
        insert(events, **more)
        raise IntegrityError("the retry met our own event")

    drawn_up = broadcast()
    with monkeypatch.context() as patch:
        patch.setattr(store.recorder, "insert_events", stores_and_says_it_did_not)
        store.append(drawn_up)
    assert store.broadcast(drawn_up.id).version == 1


def test_parallel_commands_all_happen_in_some_order(store: EventStore) -> None:
    drawn_up = broadcast()
    store.append(drawn_up)

    def rename(n: int) -> None:
        def decide(found: Broadcast) -> None:
            found.request_test(n, Call(request_id=f"r{n}"))

        obey(store, lambda: store.broadcast(drawn_up.id), decide, Call(request_id=f"r{n}"))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(rename, range(1, 7)))
    assert store.broadcast(drawn_up.id).tests == 6
    numbers = [event.test for event in store.history(drawn_up.id) if isinstance(event, Broadcast.TestRequested)]
    assert numbers == [1, 2, 3, 4, 5, 6]


def test_notifications_follow_the_order_of_the_log_without_the_cap_of_the_library(store: EventStore) -> None:
    ids = []
    for _ in range(25):
        made = audience()
        store.append(made)
        ids.append(made.id)
    found = store.notifications(0, 100)
    assert [notification.originator_id for notification in found] == ids
    assert store.notifications(found[9].id, 3) == found[10:13]
    assert store.max_notification_id() == found[-1].id
    assert store.notifications(found[-1].id, 10) == []
    assert {len(notification.digest) for notification in found} == {16}
    assert len({notification.digest for notification in found}) == 25


def test_an_empty_store_has_neither_notifications_nor_an_epoch(store: EventStore) -> None:
    assert (store.notifications(0, 10), store.max_notification_id(), store.epoch) == ([], 0, "")


def test_the_epoch_survives_a_restart_and_tells_stores_apart(event_store_url: str) -> None:
    with EventStore(event_store_url) as store:
        store.append(audience())
        epoch = store.epoch
    with EventStore(event_store_url) as store:
        store.append(audience())
        assert store.epoch == epoch
    assert len(epoch) == 16


STORED: dict[str, dict[str, Any]] = {
    "broadcast.created": {
        "timestamp": {"_type_": "datetime_iso", "_data_": "2026-01-01T00:00:00+00:00"},
        "originator_topic": "broadcast",
        "by": {"name": "A", "position": ""},
        "request": {"id": "r"},
        "bot": "main",
        "name": "Собрание",
        "text": "Завтра",
        "parse_mode": "none",
        "link_preview": True,
        "silent": False,
        "audience_id": "7d444840-9dc0-11d1-b245-5ffdce74fad2",
    },
    "broadcast.sending_started": {
        "run": 1,
        "audience_id": "7d444840-9dc0-11d1-b245-5ffdce74fad2",
        "audience_name": "x",
    },
    "broadcast.audience_frozen": {"run": 1, "total": 2, "unreachable": 0},
    "broadcast.stop_requested": {"run": 1, "cause": "operator", "detail": ""},
    "broadcast.stopped": {"run": 1, "counts": {"total": 2}},
    "broadcast.resumed": {"run": 1, "leg": 2},
    "broadcast.sent": {"run": 1, "counts": {"total": 2}},
    "broadcast.unconfirmed_answered": {"run": 1, "leg": 3, "answer": "resend", "recipients": [5], "people": 1},
    "broadcast.resend_requested": {"run": 1, "leg": 4, "people": 2},
    "broadcast.recall_requested": {"run": 1},
    "broadcast.recalled": {"run": 1, "counts": {"total": 2}},
    "broadcast.edited": {
        "name": "Новое",
        "text": "t",
        "parse_mode": "HTML",
        "link_preview": False,
        "silent": True,
        "audience_id": "7d444840-9dc0-11d1-b245-5ffdce74fad2",
    },
    "broadcast.files_changed": {
        "name": "Новое",
        "text": "t",
        "parse_mode": "HTML",
        "link_preview": False,
        "silent": True,
        "audience_id": "7d444840-9dc0-11d1-b245-5ffdce74fad2",
        "pictures_as_files": True,
        "files": [
            {"sha256": "0a" * 32, "name": "План.pdf", "kind": "document", "media_type": "application/pdf", "size": 9}
        ],
    },
    "broadcast.test_requested": {"test": 1, "recipient_id": 5},
    "broadcast.approved": {"digest": "0a" * 32},
    "broadcast.approval_withdrawn": {},
    "broadcast.deleted": {},
}
"""Events as they lie in stores out there: their topics and fields may never change."""


def test_events_stored_by_an_earlier_version_still_load(store: EventStore) -> None:
    id = uuid4()
    envelope = {"timestamp": STORED["broadcast.created"]["timestamp"], "by": None, "request": {}}
    rows = [
        StoredEvent(
            originator_id=id, originator_version=n, topic=topic, state=json.dumps({**envelope, **state}).encode()
        )
        for n, (topic, state) in enumerate(STORED.items(), 1)
    ]
    store.recorder.insert_events(rows)
    found = store.broadcast(id)
    assert (found.version, found.deleted, found.run, found.leg, found.tests) == (len(STORED), True, 1, 4, 1)
    assert (found.draft.name, [file.name for file in found.draft.files]) == ("Новое", ["План.pdf"])
    topics = {event.TOPIC for event in vars(Broadcast).values() if isinstance(event, type) and hasattr(event, "TOPIC")}
    assert topics == set(STORED)


def test_views_can_be_rebuilt_from_nothing(store: EventStore, database_url: str) -> None:
    made = audience()
    store.append(made)
    drawn_up = broadcast()
    store.append(drawn_up)
    database = Database(database_url)
    assert Views(database, store, 250).catch_up() == 2
    assert Views(database, store, 250).catch_up() == 0
    database.close()


def test_many_threads_catching_up_apply_every_event_once(store: EventStore, database_url: str) -> None:
    database = Database(database_url)
    views = Views(database, store, 250)
    for _ in range(60):
        store.append(audience())
    with ThreadPoolExecutor(8) as pool:
        applied = list(pool.map(lambda _: views.catch_up(), range(16)))
    assert sum(applied) == 60
    database.close()
