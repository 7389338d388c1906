"""A broadcast: what may be done with it in which state. Rules stand in the commands; events only assign."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any
from uuid import UUID

from eventsourcing.domain import Aggregate

from broadcast_api.domain.approval import Approval, Subject
from broadcast_api.domain.call import SYSTEM, Call, Obeyed, already_obeyed
from broadcast_api.domain.draft import FIELDS, Draft
from broadcast_api.domain.errors import (
    AlreadyStopping,
    ApprovalOfAnother,
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
    WrongState,
)
from broadcast_contracts import Answer, File

Stated = Sequence[dict[str, Any]]
"""Files as events keep them."""


class Status(StrEnum):
    """Stop is asked for while `sending`; the status changes when the last open attempt has settled."""

    CREATED = "created"
    SENDING = "sending"
    STOPPED = "stopped"
    RECALLING = "recalling"
    SENT = "sent"


class Broadcast(Aggregate):
    """Each `send` opens a new run (1, 2, 3…); each `resume` and each resend a new leg of that run."""

    TOPIC = "broadcast"

    class Event(Obeyed, Aggregate.Event):
        """Who did it and under which request; `timestamp` says when."""

    class Created(Event, Aggregate.Created):
        TOPIC = "broadcast.created"
        bot: str
        name: str
        text: str
        parse_mode: str
        link_preview: bool
        silent: bool
        audience_id: str
        pictures_as_files: bool = False
        files: Stated = ()

        def assign(self, aggregate: "Broadcast") -> None:
            aggregate.written(self)

    class Edited(Event):
        """The whole new state of what can be edited."""

        TOPIC = "broadcast.edited"
        name: str
        text: str
        parse_mode: str
        link_preview: bool
        silent: bool
        audience_id: str
        pictures_as_files: bool = False
        files: Stated = ()

        def assign(self, aggregate: "Broadcast") -> None:
            aggregate.draft, aggregate.approval = draft_of(self), None
            aggregate.written(self)

    class FilesChanged(Edited):
        """A file was attached, renamed, moved or taken away; of the whole state only `files` differs."""

        TOPIC = "broadcast.files_changed"

    class Approved(Event):
        """By a second person; `digest` is that of a `Subject`. An edit voids it, and so does a recall."""

        TOPIC = "broadcast.approved"
        digest: str

        def assign(self, aggregate: "Broadcast") -> None:
            aggregate.approval = Approval(self.digest, self.by or {}, self.timestamp)

    class ApprovalWithdrawn(Event):
        TOPIC = "broadcast.approval_withdrawn"

        def assign(self, aggregate: "Broadcast") -> None:
            aggregate.approval = None

    class Deleted(Event):
        TOPIC = "broadcast.deleted"

        def assign(self, aggregate: "Broadcast") -> None:
            aggregate.deleted = True

    class TestRequested(Event):
        TOPIC = "broadcast.test_requested"
        test: int
        recipient_id: int

        def assign(self, aggregate: "Broadcast") -> None:
            aggregate.tests = self.test
            if key := self.request.get("key"):
                aggregate.test_of_key[key] = self.test

    class SendingStarted(Event):
        TOPIC = "broadcast.sending_started"
        run: int
        audience_id: str
        audience_name: str

        def assign(self, aggregate: "Broadcast") -> None:
            aggregate.status, aggregate.run, aggregate.leg = Status.SENDING, self.run, 1

    class AudienceFrozen(Event):
        TOPIC = "broadcast.audience_frozen"
        run: int
        total: int
        unreachable: int

        def assign(self, aggregate: "Broadcast") -> None:
            aggregate.frozen_run = self.run

    class StopRequested(Event):
        TOPIC = "broadcast.stop_requested"
        run: int
        cause: str
        detail: str

        def assign(self, aggregate: "Broadcast") -> None:
            aggregate.stopping = True

    class Stopped(Event):
        TOPIC = "broadcast.stopped"
        run: int
        counts: dict[str, int]

        def assign(self, aggregate: "Broadcast") -> None:
            aggregate.status, aggregate.stopping = Status.STOPPED, False

    class Resumed(Event):
        TOPIC = "broadcast.resumed"
        run: int
        leg: int

        def assign(self, aggregate: "Broadcast") -> None:
            aggregate.status, aggregate.leg = Status.SENDING, self.leg

    class UnconfirmedAnswered(Event):
        """`recipients` are directory ids or "all"; `people` is how many that was. A resend opens the leg `leg`."""

        TOPIC = "broadcast.unconfirmed_answered"
        run: int
        leg: int
        answer: str
        recipients: list[int] | str
        people: int

        def assign(self, aggregate: "Broadcast") -> None:
            if self.answer == Answer.RESEND:
                aggregate.status, aggregate.leg = Status.SENDING, self.leg

    class ResendRequested(Event):
        """`people` is how many could be reached when it was asked for."""

        TOPIC = "broadcast.resend_requested"
        run: int
        leg: int
        people: int

        def assign(self, aggregate: "Broadcast") -> None:
            aggregate.status, aggregate.leg = Status.SENDING, self.leg

    class Sent(Event):
        TOPIC = "broadcast.sent"
        run: int
        counts: dict[str, int]

        def assign(self, aggregate: "Broadcast") -> None:
            aggregate.status, aggregate.stopping = Status.SENT, False

    class RecallRequested(Event):
        TOPIC = "broadcast.recall_requested"
        run: int

        def assign(self, aggregate: "Broadcast") -> None:
            aggregate.status = Status.RECALLING

    class Recalled(Event):
        TOPIC = "broadcast.recalled"
        run: int
        counts: dict[str, int]

        def assign(self, aggregate: "Broadcast") -> None:
            aggregate.status, aggregate.approval = Status.CREATED, None

    def __init__(
        self,
        bot: str,
        name: str,
        text: str,
        parse_mode: str,
        link_preview: bool,
        silent: bool,
        audience_id: str,
        pictures_as_files: bool = False,
        files: Stated = (),
    ) -> None:
        self.bot = bot
        self.draft = Draft.read(locals())
        self.status = Status.CREATED
        self.stopping = self.deleted = False
        self.run = self.leg = self.tests = self.frozen_run = 0
        self.handled: dict[str, str] = {}
        self.trace = ""
        self.test_of_key: dict[str, int] = {}
        self.approval: Approval | None = None
        self.writers: frozenset[str] = frozenset()
        self.written_at = self.created_on

    def written(self, event: "Broadcast.Event | Broadcast.Created") -> None:
        """Remember who drew it up or changed it: none of them is a second person."""
        self.writers |= {(event.by or {}).get("id", "")}
        self.written_at = event.timestamp

    @classmethod
    def create(cls, id: UUID, *, bot: str, draft: Draft, call: Call) -> "Broadcast":
        """A new broadcast. The text must have been checked: what Telegram makes of it is no rule of this class."""
        return cls._create(cls.Created, id=id, bot=bot, **draft.stated(), **call.fields())

    def obeyed(self, call: Call) -> bool:
        """Whether this very request was obeyed before."""
        return already_obeyed(self.handled, call)

    def edit(self, draft: Draft, call: Call) -> None:
        """Change what will be sent, and to whom. Changes nothing when nothing differs."""
        self._require(Status.CREATED, NotCreated)
        if draft != self.draft:
            self.trigger_event(self.Edited, **draft.stated(), **call.fields())

    def attach(self, file: File, most: int, call: Call) -> None:
        """Put a file behind the others, `most` files altogether; the same bytes once."""
        self._change_files(lambda draft: draft.with_file(file, most), call)

    def file(self, sha256: str) -> File:
        """An attached file that may be changed; raises `NotFound`."""
        self._require(Status.CREATED, NotCreated)
        return self.draft.file(sha256)

    def room_for_file(self, most: int) -> None:
        """Raises what `attach` would raise whatever the file is."""
        self._require(Status.CREATED, NotCreated)
        self.draft.room_for_file(most)

    def rename_file(self, sha256: str, name: str, call: Call) -> None:
        """What recipients see."""
        self._change_files(lambda draft: draft.with_file_named(sha256, name), call)

    def remove_file(self, sha256: str, call: Call) -> None:
        """Take a file away."""
        self._change_files(lambda draft: draft.without_file(sha256), call)

    def order_files(self, order: list[str], call: Call) -> None:
        """Show the files in this order, which must name each of them once."""
        self._change_files(lambda draft: draft.with_files_in_order(order), call)

    def approve(self, seen: str, subject: Subject, call: Call) -> None:
        """As a second person, what was seen (a digest): it must be what there is. Once is enough."""
        self._require(Status.CREATED, NotCreated)
        self._require_something()
        subject.require_second(call.by)
        if seen != subject.digest:
            raise ApprovalOfAnother
        if self.approval is None or self.approval.digest != seen:
            self.trigger_event(self.Approved, digest=seen, **call.fields())

    def withdraw_approval(self, call: Call) -> None:
        """Whoever gave it."""
        self._require(Status.CREATED, NotCreated)
        if self.approval is None:
            raise NotApproved
        self.trigger_event(self.ApprovalWithdrawn, **call.fields())

    def delete(self, call: Call) -> None:
        """Throw it away."""
        self._require(Status.CREATED, NotCreated)
        self.trigger_event(self.Deleted, **call.fields())

    def request_test(self, recipient_id: int, call: Call) -> int:
        """Send it to one person, outside any run; answers the number of the test (1, 2, 3…)."""
        self._require(Status.CREATED, NotCreated)
        self._require_something()
        self.trigger_event(self.TestRequested, test=self.tests + 1, recipient_id=recipient_id, **call.fields())
        return self.tests

    def send(self, audience_name: str, call: Call) -> None:
        """Open a new run."""
        self._require(Status.CREATED, NotCreated)
        self._require_something()
        audience = {"audience_id": str(self.draft.audience_id), "audience_name": audience_name}
        self.trigger_event(self.SendingStarted, run=self.run + 1, **audience, **call.fields())

    def stop(self, cause: str, detail: str, call: Call) -> None:
        """Ask for a stop: the status changes when the last open attempt has settled."""
        self._require(Status.SENDING, NotSending)
        if self.stopping:
            raise AlreadyStopping(self.status, stopping=True)
        self.trigger_event(self.StopRequested, run=self.run, cause=cause, detail=detail, **call.fields())

    def resume(self, call: Call) -> None:
        """Go on with exactly those not yet attempted."""
        self._require(Status.STOPPED, NotStopped)
        self.trigger_event(self.Resumed, run=self.run, leg=self.leg + 1, **call.fields())

    def answer(self, answer: Answer, recipients: list[int] | None, people: int, call: Call) -> None:
        """Decide about unconfirmed recipients of the latest run: these (directory ids), or all who are open (None).

        `people` is how many that is. A resend goes on with sending: with them, and with whoever is pending.
        """
        self._require_rest(NotAtRest)
        if not people:
            raise NobodyUnconfirmed
        leg = self.leg + (answer is Answer.RESEND)
        whom = {"recipients": "all" if recipients is None else recipients, "people": people}
        self.trigger_event(
            self.UnconfirmedAnswered, run=self.run, leg=leg, answer=answer.value, **whom, **call.fields()
        )

    def resend(self, people: int, call: Call) -> None:
        """Go on with those of the latest run who could not be reached then and can be now: `people` of them."""
        self._require(Status.SENT, NotSent)
        if not people:
            raise NobodyToResendTo
        self.trigger_event(self.ResendRequested, run=self.run, leg=self.leg + 1, people=people, **call.fields())

    def recall(self, call: Call) -> None:
        """Delete what the latest run delivered."""
        self._require_rest(NotRecallable)
        self.trigger_event(self.RecallRequested, run=self.run, **call.fields())

    # What the system found out. It may say so twice or too late: then nothing happens.

    def record_frozen(self, run: int, total: int, unreachable: int) -> None:
        """Everyone of the run is known."""
        if run == self.run > self.frozen_run and self.status in (Status.SENDING, Status.STOPPED):
            self.trigger_event(self.AudienceFrozen, run=run, total=total, unreachable=unreachable, **self._found_out())

    def record_stopped(self, run: int, leg: int, counts: dict[str, int]) -> None:
        """No message of this run leaves until it is resumed."""
        if (run, leg) == (self.run, self.leg) and self.status is Status.SENDING and self.stopping:
            self.trigger_event(self.Stopped, run=run, counts=counts, **self._found_out())

    def record_sent(self, run: int, leg: int, counts: dict[str, int]) -> None:
        """Every recipient is accounted for, be it before a stop took effect."""
        if (run, leg) == (self.run, self.leg) and self.status is Status.SENDING:
            self.trigger_event(self.Sent, run=run, counts=counts, **self._found_out())

    def record_recalled(self, run: int, counts: dict[str, int]) -> None:
        """Every delivered message is gone or known to stay."""
        if run == self.run and self.status is Status.RECALLING:
            self.trigger_event(self.Recalled, run=run, counts=counts, **self._found_out())

    def _change_files(self, change: Callable[[Draft], Draft], call: Call) -> None:
        self._require(Status.CREATED, NotCreated)
        if (draft := change(self.draft)) != self.draft:
            self.trigger_event(self.FilesChanged, **draft.stated(), **call.fields())

    def _found_out(self) -> dict[str, Any]:
        """What the system finds out belongs to the trace of the last command."""
        return SYSTEM.within(self.trace).fields()

    def _require_something(self) -> None:
        if self.draft.is_empty:
            raise NothingToSend

    def _require(self, status: Status, refusal: type[WrongState]) -> None:
        self._exists()
        if self.status is not status:
            raise refusal(self.status, stopping=self.stopping)

    def _require_rest(self, refusal: type[WrongState]) -> None:
        self._exists()
        if self.status not in (Status.STOPPED, Status.SENT):
            raise refusal(self.status, stopping=self.stopping)

    def _exists(self) -> None:
        if self.deleted:
            raise NotFound("broadcast", self.id)


def draft_of(event: Broadcast.Created | Broadcast.Edited) -> Draft:
    """What the broadcast says from this event on."""
    return Draft.read({name: getattr(event, name) for name in FIELDS})
