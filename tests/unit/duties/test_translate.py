"""Every stored event of a broadcast has a public face; an audience has none."""

from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import pytest
from eventsourcing.domain import AggregateEvent

from broadcast_api.domain.approval import subject
from broadcast_api.domain.audience import Audience
from broadcast_api.domain.broadcast import Broadcast
from broadcast_api.domain.call import SYSTEM, Actor, Call
from broadcast_api.domain.draft import Draft
from broadcast_api.duties.translate import translate
from broadcast_contracts import (
    PUBLIC_EVENTS,
    Answer,
    BroadcastEditedV1,
    BroadcastEvent,
    Cause,
    Counts,
    File,
    FileKind,
    ParseMode,
    StopRequestedV1,
)
from broadcast_contracts import Actor as PublicActor

COUNTS = {"total": 3, "delivered": 2, "pending": 1}
BY = Call(by=Actor("Анна", "press office"))
SECOND = Call(by=Actor("Олег", id="local:oleg"))


PICTURE = File(sha256="0a" * 32, name="a.png", kind=FileKind.PHOTO, media_type="image/png", size=9)


def new() -> Broadcast:
    draft = Draft("news", "<b>hi</b>", uuid4(), ParseMode.HTML, link_preview=False, silent=True, pictures_as_files=True)
    return Broadcast.create(uuid4(), bot="main", draft=draft, call=BY)


def a_life() -> list[AggregateEvent]:
    """All that can happen to a broadcast, in two lives."""
    deleted = new()
    deleted.delete(BY)
    broadcast = new()
    broadcast.edit(replace(broadcast.draft, name="new name"), BY)
    broadcast.attach(PICTURE, 10, BY)
    broadcast.request_test(7, BY)
    now = subject(broadcast.draft, [], broadcast.writers, broadcast.written_at)
    broadcast.approve(now.digest, now, SECOND)
    broadcast.withdraw_approval(BY)
    broadcast.send("all", BY)
    broadcast.record_frozen(1, 3, 1)
    broadcast.stop("content_refused", "can't parse", SYSTEM)
    broadcast.record_stopped(1, 1, COUNTS)
    broadcast.resume(BY)
    broadcast.record_sent(1, 2, COUNTS)
    broadcast.answer(Answer.RESEND, [7], 1, BY)
    broadcast.record_sent(1, 3, COUNTS)
    broadcast.resend(2, BY)
    broadcast.record_sent(1, 4, COUNTS)
    broadcast.recall(BY)
    broadcast.record_recalled(1, COUNTS)
    return [*deleted.collect_events(), *broadcast.collect_events()]  # type: ignore[list-item]


def public() -> Iterator[BroadcastEvent]:
    for event in a_life():
        translated = translate(event)
        assert translated is not None
        yield translated


def test_every_public_event_is_told_by_some_stored_one() -> None:
    assert {type(event) for event in public()} == set(PUBLIC_EVENTS)


def test_versions_are_those_of_the_aggregate() -> None:
    assert [event.version for event in public()] == [1, 2, *range(1, 19)][: len(a_life())]


def test_an_event_says_who_did_it_or_that_it_was_the_system() -> None:
    told = {type(event).name: event.by for event in public()}
    assert told["sending_started"] == PublicActor(name="Анна", position="press office")
    assert told["audience_frozen"] is told["stop_requested"] is None


def test_reasons_and_counts_are_told() -> None:
    told = list(public())
    requested = next(event for event in told if isinstance(event, StopRequestedV1))
    assert (requested.cause, requested.detail) == (Cause.CONTENT_REFUSED, "can't parse")
    assert {event.counts for event in told if hasattr(event, "counts")} == {Counts(**COUNTS)}


def test_a_file_that_was_attached_is_told_with_the_whole_broadcast_as_recipients_get_it() -> None:
    *_, told = (event for event in public() if isinstance(event, BroadcastEditedV1))
    assert (told.title, told.text) == ("new name", "<b>hi</b>")
    assert told.attachments == (PICTURE.model_copy(update={"kind": FileKind.DOCUMENT}),)


def test_an_audience_stays_inside() -> None:
    audience = Audience.create(uuid4(), bot="main", name="a", definition={"kind": "everyone"}, members=[], call=SYSTEM)
    audience.edit(name="b", definition={"kind": "everyone"}, members=None, call=SYSTEM)
    audience.archive(SYSTEM)
    assert [translate(event) for event in audience.collect_events()] == [None] * 3  # type: ignore[arg-type]


def test_an_event_that_nobody_told_the_translator_about_is_not_passed_over() -> None:
    with pytest.raises(ValueError, match="no public event"):
        translate(object())  # type: ignore[arg-type]
