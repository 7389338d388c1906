"""A second person approves exactly what they saw, and never their own."""

from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

import pytest

from broadcast_api.domain.approval import Subject, subject
from broadcast_api.domain.audience import Audience
from broadcast_api.domain.broadcast import Broadcast
from broadcast_api.domain.call import SYSTEM, Actor, Call
from broadcast_api.domain.draft import Draft
from broadcast_api.domain.errors import ApprovalOfAnother, NotAPerson, NotApproved, NotCreated, OwnApproval
from broadcast_contracts import File, FileKind, ParseMode

ANNA, BORIS, VERA = (Call(Actor(name, id=f"local:{name}")) for name in ("anna", "boris", "vera"))
FILES = [
    File(sha256=letter * 64, name=f"{letter}.pdf", kind=FileKind.DOCUMENT, media_type="application/pdf", size=9)
    for letter in "abc"
]


class Case:
    """Anna's broadcast with two files, to an audience of Vera's."""

    def __init__(self) -> None:
        everyone = {"kind": "everyone"}
        self.audience = Audience.create(uuid4(), bot="main", name="Все", definition=everyone, members=[], call=VERA)
        draft = Draft("Собрание", "Завтра", self.audience.id, files=tuple(FILES[:2]))
        self.broadcast = Broadcast.create(uuid4(), bot="main", draft=draft, call=ANNA)

    def subject(self) -> Subject:
        return subject(self.broadcast.draft, [self.audience], self.broadcast.writers, self.broadcast.written_at)

    def approve(self, by: Call = BORIS, seen: str = "") -> None:
        self.broadcast.approve(seen or self.subject().digest, self.subject(), by)

    @property
    def approved(self) -> bool:
        given = self.broadcast.approval
        return given is not None and given.digest == self.subject().digest

    def edit(self, **changes: object) -> None:
        self.broadcast.edit(replace(self.broadcast.draft, **changes), ANNA)  # type: ignore[arg-type]

    def define(self, definition: dict[str, object], members: list[int] | None = None, by: Call = VERA) -> None:
        self.audience.edit(name=self.audience.name, definition=definition, members=members, call=by)


def test_a_second_person_approves_once() -> None:
    case = Case()
    case.approve()
    case.approve(VERA)
    assert case.approved
    assert case.broadcast.approval is not None
    assert case.broadcast.approval.by["id"] == "local:boris"
    assert case.broadcast.version == 2


CHANGES: dict[str, Callable[[Case], object]] = {
    "name": lambda case: case.edit(name="Другое"),
    "text": lambda case: case.edit(text="Сегодня"),
    "formatting": lambda case: case.edit(parse_mode=ParseMode.HTML),
    "sound": lambda case: case.edit(silent=True),
    "link preview": lambda case: case.edit(link_preview=False),
    "pictures": lambda case: case.edit(pictures_as_files=True),
    "another audience": lambda case: case.edit(audience_id=uuid4()),
    "file attached": lambda case: case.broadcast.attach(FILES[2], 10, ANNA),
    "file renamed": lambda case: case.broadcast.rename_file(FILES[0].sha256, "x.pdf", ANNA),
    "file moved": lambda case: case.broadcast.order_files([FILES[1].sha256, FILES[0].sha256], ANNA),
    "file removed": lambda case: case.broadcast.remove_file(FILES[0].sha256, ANNA),
    "rule": lambda case: case.define({"kind": "attributes", "where": {"department": ["IT"]}}),
    "list": lambda case: case.define({"kind": "list"}, [1, 2]),
    "list again": lambda case: case.define(case.audience.definition, []),
    "withdrawal": lambda case: case.broadcast.withdraw_approval(VERA),
    "recall": lambda case: recalled(case.broadcast),
}


def recalled(broadcast: Broadcast) -> None:
    broadcast.send("Все", ANNA)
    broadcast.record_sent(1, 1, {})
    broadcast.recall(ANNA)
    broadcast.record_recalled(1, {})


@pytest.mark.parametrize("what", CHANGES)
def test_an_approval_is_void_after_a_change_of(what: str) -> None:
    case = Case()
    case.approve()
    CHANGES[what](case)
    assert not case.approved


def test_an_approval_survives_what_changes_nothing() -> None:
    case = Case()
    case.approve()
    case.edit()
    case.broadcast.request_test(5, ANNA)
    case.audience.edit(name="Весь завод", definition=case.audience.definition, members=None, call=VERA)
    assert case.approved


def test_what_was_undone_has_to_be_approved_again() -> None:
    case = Case()
    case.approve()
    case.edit(text="Сегодня")
    case.edit(text="Завтра")
    assert not case.approved


def test_nobody_approves_what_they_drew_up_or_changed() -> None:
    case = Case()
    case.broadcast.attach(FILES[2], 10, VERA)
    case.edit(text="Сегодня")
    for by in (ANNA, VERA):
        with pytest.raises(OwnApproval):
            case.approve(by)
    case.approve(BORIS)


def test_who_changes_the_audience_afterwards_changes_the_broadcast() -> None:
    case = Case()
    case.define({"kind": "attributes", "where": {"department": ["IT"]}}, by=BORIS)
    with pytest.raises(OwnApproval):
        case.approve(BORIS)
    case.approve(VERA)
    case.edit(text="Сегодня")
    case.approve(BORIS)


@pytest.mark.parametrize("id", ["", "key:0123456789abcdef", "client:payroll"])
def test_only_a_person_approves(id: str) -> None:
    for by in (SYSTEM, Call(Actor("Расчёт зарплаты", id=id))):
        with pytest.raises(NotAPerson):
            Case().approve(by)


def test_nobody_approves_what_they_did_not_see() -> None:
    case = Case()
    seen = case.subject().digest
    case.edit(text="Сегодня")
    with pytest.raises(ApprovalOfAnother):
        case.approve(BORIS, seen)
    assert case.broadcast.approval is None


def test_an_approval_is_given_and_withdrawn_before_sending() -> None:
    case = Case()
    with pytest.raises(NotApproved):
        case.broadcast.withdraw_approval(BORIS)
    case.approve()
    case.broadcast.send("Все", ANNA)
    with pytest.raises(NotCreated):
        case.approve()
    with pytest.raises(NotCreated):
        case.broadcast.withdraw_approval(BORIS)
    assert case.approved
