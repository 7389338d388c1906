"""The rules of a broadcast, told as sequences of commands."""

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from broadcast_api.domain.approval import subject
from broadcast_api.domain.broadcast import Broadcast, Status
from broadcast_api.domain.call import Actor, Call
from broadcast_api.domain.draft import Draft
from broadcast_api.domain.errors import (
    AlreadyAttached,
    AlreadyStopping,
    KeyReused,
    NobodyToResendTo,
    NobodyUnconfirmed,
    NotApproved,
    NotAtRest,
    NotCreated,
    NotFound,
    NothingToSend,
    NotRecallable,
    NotSending,
    NotSent,
    NotStopped,
    OtherFiles,
    Refused,
    TooManyFiles,
)
from broadcast_contracts import Answer, File, FileKind

AUDIENCE = UUID(int=7)
CALL = Call(Actor("Petrova", "HR"), "req-1")
SECOND = Call(Actor("Belov", id="local:belov"))
COUNTS = {"total": 3}


FILE = File(sha256="a" * 64, name="a.pdf", kind=FileKind.DOCUMENT, media_type="application/pdf", size=9)
PICTURE = File(sha256="b" * 64, name="b.png", kind=FileKind.PHOTO, media_type="image/png", size=9)
VIDEO = File(sha256="c" * 64, name="c.mp4", kind=FileKind.VIDEO, media_type="video/mp4", size=9)


def created() -> Broadcast:
    return Broadcast.create(uuid4(), bot="main", draft=Draft("Собрание", "Завтра", AUDIENCE), call=CALL)


def edit(broadcast: Broadcast, name: str = "Новое") -> None:
    broadcast.edit(replace(broadcast.draft, name=name), CALL)


def approve(broadcast: Broadcast) -> None:
    now = subject(broadcast.draft, [], broadcast.writers, broadcast.written_at)
    broadcast.approve(now.digest, now, SECOND)


COMMANDS: dict[str, Callable[[Broadcast], object]] = {
    "edit": edit,
    "attach": lambda broadcast: broadcast.attach(FILE, 10, CALL),
    "approve": approve,
    "withdraw": lambda broadcast: broadcast.withdraw_approval(CALL),
    "delete": lambda broadcast: broadcast.delete(CALL),
    "test": lambda broadcast: broadcast.request_test(5, CALL),
    "send": lambda broadcast: broadcast.send("Все", CALL),
    "stop": lambda broadcast: broadcast.stop("operator", "", CALL),
    "resume": lambda broadcast: broadcast.resume(CALL),
    "answer": lambda broadcast: broadcast.answer(Answer.LEAVE, None, 2, CALL),
    "resend": lambda broadcast: broadcast.resend(2, CALL),
    "recall": lambda broadcast: broadcast.recall(CALL),
}
RECORDS: dict[str, Callable[[Broadcast], object]] = {
    "frozen": lambda broadcast: broadcast.record_frozen(broadcast.run, 3, 1),
    "stopped": lambda broadcast: broadcast.record_stopped(broadcast.run, broadcast.leg, COUNTS),
    "sent": lambda broadcast: broadcast.record_sent(broadcast.run, broadcast.leg, COUNTS),
    "recalled": lambda broadcast: broadcast.record_recalled(broadcast.run, COUNTS),
}
PATHS = {
    "created": [],
    "sending": ["send"],
    "stopping": ["send", "stop"],
    "stopped": ["send", "stop", "stopped"],
    "resumed": ["send", "stop", "stopped", "resume"],
    "sent": ["send", "sent"],
    "recalling": ["send", "sent", "recall"],
    "created again": ["send", "sent", "recall", "recalled"],
    "deleted": ["delete"],
}
ALLOWED: dict[str, set[str]] = {
    "created": {"edit", "attach", "approve", "delete", "test", "send"},
    "sending": {"stop"},
    "stopping": set(),
    "stopped": {"resume", "recall", "answer"},
    "resumed": {"stop"},
    "sent": {"recall", "answer", "resend"},
    "recalling": set(),
    "created again": {"edit", "attach", "approve", "delete", "test", "send"},
    "deleted": set(),
}
REFUSALS: dict[str, type[Refused]] = {
    "edit": NotCreated,
    "attach": NotCreated,
    "approve": NotCreated,
    "withdraw": NotCreated,
    "delete": NotCreated,
    "test": NotCreated,
    "send": NotCreated,
    "stop": NotSending,
    "resume": NotStopped,
    "answer": NotAtRest,
    "resend": NotSent,
    "recall": NotRecallable,
}


def at(state: str) -> Broadcast:
    broadcast = created()
    for step in PATHS[state]:
        (COMMANDS | RECORDS)[step](broadcast)
    return broadcast


@pytest.mark.parametrize("state", PATHS)
def test_a_command_does_exactly_one_thing_or_is_refused(state: str) -> None:
    for name, command in COMMANDS.items():
        broadcast = at(state)
        version = broadcast.version
        if name in ALLOWED[state]:
            command(broadcast)
            assert broadcast.version == version + 1, name
            continue
        expected: dict[str, type[Refused]] = {
            "deleted": NotFound,
            "stopping": AlreadyStopping if name == "stop" else REFUSALS[name],
            **({"created": NotApproved, "created again": NotApproved} if name == "withdraw" else {}),
        }
        with pytest.raises(expected.get(state, REFUSALS[name])):
            command(broadcast)
        assert broadcast.version == version, name


@pytest.mark.parametrize(
    ("record", "states"),
    [
        ("frozen", {"sending", "stopping", "stopped", "resumed"}),
        ("stopped", {"stopping"}),
        ("sent", {"sending", "stopping", "resumed"}),
        ("recalled", {"recalling"}),
    ],
)
def test_a_fact_counts_once_and_only_where_it_can_be_true(record: str, states: set[str]) -> None:
    for state in PATHS:
        broadcast = at(state)
        version = broadcast.version
        RECORDS[record](broadcast)
        RECORDS[record](broadcast)
        assert broadcast.version == version + (state in states), state


def test_a_fact_about_another_run_is_ignored() -> None:
    broadcast = at("stopping")
    version = broadcast.version
    for run, leg in ((0, 1), (2, 1), (1, 2)):
        broadcast.record_frozen(0, 3, 0)
        broadcast.record_stopped(run, leg, COUNTS)
        broadcast.record_sent(run, leg, COUNTS)
    assert broadcast.version == version


def test_a_settler_that_slept_cannot_end_the_leg_of_a_resend() -> None:
    broadcast = at("sent")
    broadcast.resend(1, CALL)
    statuses = []
    for leg in (1, 2):
        broadcast.record_sent(1, leg, COUNTS)
        statuses.append(broadcast.status)
    assert statuses == [Status.SENDING, Status.SENT]


@pytest.mark.parametrize("state", ["stopped", "sent"])
def test_of_the_answers_only_a_resend_goes_on_with_sending(state: str) -> None:
    for answer in Answer:
        broadcast = at(state)
        before = broadcast.status
        broadcast.answer(answer, [7], 1, CALL)
        again = answer is Answer.RESEND
        assert broadcast.status is (Status.SENDING if again else before)
        assert (broadcast.run, broadcast.leg) == (1, 2 if again else 1)


def test_an_answer_about_nobody_and_a_resend_to_nobody_are_refused() -> None:
    broadcast = at("sent")
    with pytest.raises(NobodyUnconfirmed):
        broadcast.answer(Answer.LEAVE, None, 0, CALL)
    with pytest.raises(NobodyToResendTo):
        broadcast.resend(0, CALL)
    assert broadcast.version == at("sent").version


def test_runs_and_legs_are_counted() -> None:
    broadcast = at("resumed")
    assert (broadcast.run, broadcast.leg) == (1, 2)
    broadcast = at("created again")
    broadcast.send("Все", CALL)
    assert (broadcast.run, broadcast.leg, broadcast.status) == (2, 1, Status.SENDING)
    broadcast.record_frozen(2, 3, 0)
    assert broadcast.frozen_run == 2


def test_tests_are_numbered_and_change_no_status() -> None:
    broadcast = created()
    assert [broadcast.request_test(5, CALL), broadcast.request_test(5, CALL)] == [1, 2]
    assert (broadcast.status, broadcast.run) == (Status.CREATED, 0)


def test_a_request_that_comes_again_is_recognised_by_its_key() -> None:
    broadcast, call = created(), Call(Actor("A"), "r", "key", "digest")
    assert not broadcast.obeyed(call)
    broadcast.send("Все", call)
    assert broadcast.obeyed(call)
    with pytest.raises(KeyReused):
        broadcast.obeyed(Call(Actor("A"), "r", "key", "another digest"))
    assert not broadcast.obeyed(Call(Actor("A"), "r"))


def test_an_edit_that_changes_nothing_is_no_event() -> None:
    broadcast = created()
    edit(broadcast, "Собрание")
    assert broadcast.version == 1


def with_files(*files: File) -> Broadcast:
    broadcast = created()
    for file in files:
        broadcast.attach(file, 10, CALL)
    return broadcast


def test_files_are_attached_in_turn_renamed_moved_and_taken_away() -> None:
    broadcast = with_files(FILE, PICTURE, VIDEO)
    broadcast.order_files([VIDEO.sha256, FILE.sha256, PICTURE.sha256], CALL)
    broadcast.rename_file(FILE.sha256, "План.pdf", CALL)
    broadcast.remove_file(PICTURE.sha256, CALL)
    assert [file.name for file in broadcast.draft.files] == ["c.mp4", "План.pdf"]


def test_the_same_bytes_are_attached_once_and_so_many_files_at_most() -> None:
    broadcast = with_files(FILE)
    with pytest.raises(AlreadyAttached):
        broadcast.attach(FILE.model_copy(update={"name": "copy.pdf"}), 10, CALL)
    with pytest.raises(TooManyFiles):
        broadcast.attach(PICTURE, 1, CALL)
    assert broadcast.draft.files == (FILE,)


def test_an_order_names_every_file_once() -> None:
    broadcast = with_files(FILE, PICTURE)
    for order in ([], [FILE.sha256], [FILE.sha256] * 2, [FILE.sha256, PICTURE.sha256, VIDEO.sha256]):
        with pytest.raises(OtherFiles):
            broadcast.order_files(order, CALL)
    assert broadcast.draft.files == (FILE, PICTURE)


def test_a_file_that_is_not_there_can_be_neither_renamed_nor_removed() -> None:
    broadcast = with_files(FILE)
    with pytest.raises(NotFound):
        broadcast.rename_file(VIDEO.sha256, "x", CALL)
    with pytest.raises(NotFound):
        broadcast.remove_file(VIDEO.sha256, CALL)


def test_an_edit_leaves_the_files_alone() -> None:
    broadcast = with_files(FILE)
    edit(broadcast)
    assert broadcast.draft.files == (FILE,)


def test_pictures_can_be_sent_as_files() -> None:
    draft = replace(with_files(PICTURE, VIDEO).draft, pictures_as_files=True)
    assert [file.kind for file in draft.content().files] == [FileKind.DOCUMENT, FileKind.VIDEO]
    assert [file.kind for file in draft.files] == [FileKind.PHOTO, FileKind.VIDEO]


def test_what_says_nothing_is_neither_sent_nor_tried_out() -> None:
    broadcast = Broadcast.create(uuid4(), bot="main", draft=Draft("Плакат", "", AUDIENCE), call=CALL)
    for press in (lambda: broadcast.send("Все", CALL), lambda: broadcast.request_test(5, CALL)):
        with pytest.raises(NothingToSend):
            press()
    broadcast.attach(PICTURE, 10, CALL)
    broadcast.send("Все", CALL)
    assert broadcast.status is Status.SENDING


def test_every_event_says_who_and_under_which_request() -> None:
    broadcast = created()
    broadcast.send("Все", CALL)
    broadcast.record_sent(1, 1, COUNTS)
    _, sent, done = broadcast.collect_events()
    assert isinstance(sent, Broadcast.SendingStarted)
    assert (sent.by, sent.request) == ({"name": "Petrova", "position": "HR"}, {"id": "req-1"})
    assert isinstance(done, Broadcast.Sent)
    assert (done.by, done.request) == (None, {})
