"""A broadcast: what may be done with it in which state. Rules stand in the commands; events only assign."""

from enum import StrEnum
from uuid import UUID

from eventsourcing.domain import Aggregate

from broadcast_api.domain.call import SYSTEM, Call, Obeyed, already_obeyed
from broadcast_api.domain.errors import (
    AlreadyStopping,
    NobodyToResendTo,
    NobodyUnconfirmed,
    NotAtRest,
    NotCreated,
    NotFound,
    NotRecallable,
    NotSending,
    NotSent,
    NotStopped,
    WrongState,
)
from broadcast_contracts import Answer


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

    class Edited(Event):
        """The whole new state of what can be edited."""

        TOPIC = "broadcast.edited"
        name: str
        text: str
        parse_mode: str
        link_preview: bool
        silent: bool
        audience_id: str

        def assign(self, aggregate: "Broadcast") -> None:
            aggregate.name, aggregate.text, aggregate.parse_mode = self.name, self.text, self.parse_mode
            aggregate.link_preview, aggregate.silent = self.link_preview, self.silent
            aggregate.audience_id = UUID(self.audience_id)

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
            aggregate.status = Status.CREATED

    def __init__(
        self, bot: str, name: str, text: str, parse_mode: str, link_preview: bool, silent: bool, audience_id: str
    ) -> None:
        self.bot, self.name, self.text, self.parse_mode = bot, name, text, parse_mode
        self.link_preview, self.silent = link_preview, silent
        self.audience_id = UUID(audience_id)
        self.status = Status.CREATED
        self.stopping = self.deleted = False
        self.run = self.leg = self.tests = self.frozen_run = 0
        self.handled: dict[str, str] = {}
        self.test_of_key: dict[str, int] = {}

    @classmethod
    def create(
        cls,
        id: UUID,
        *,
        bot: str,
        name: str,
        text: str,
        parse_mode: str,
        link_preview: bool,
        silent: bool,
        audience_id: UUID,
        call: Call,
    ) -> "Broadcast":
        """A new broadcast. The text must have been checked: what Telegram makes of it is no rule of this class."""
        return cls._create(
            cls.Created,
            id=id,
            bot=bot,
            name=name,
            text=text,
            parse_mode=parse_mode,
            link_preview=link_preview,
            silent=silent,
            audience_id=str(audience_id),
            **call.fields(),
        )

    def obeyed(self, call: Call) -> bool:
        """Whether this very request was obeyed before."""
        return already_obeyed(self.handled, call)

    def edit(
        self,
        *,
        name: str,
        text: str,
        parse_mode: str,
        link_preview: bool,
        silent: bool,
        audience_id: UUID,
        call: Call,
    ) -> None:
        """Change what will be sent, and to whom. Changes nothing when nothing differs."""
        self._require(Status.CREATED, NotCreated)
        new = (name, text, parse_mode, link_preview, silent, audience_id)
        if new == (self.name, self.text, self.parse_mode, self.link_preview, self.silent, self.audience_id):
            return
        self.trigger_event(
            self.Edited,
            name=name,
            text=text,
            parse_mode=parse_mode,
            link_preview=link_preview,
            silent=silent,
            audience_id=str(audience_id),
            **call.fields(),
        )

    def delete(self, call: Call) -> None:
        """Throw it away."""
        self._require(Status.CREATED, NotCreated)
        self.trigger_event(self.Deleted, **call.fields())

    def request_test(self, recipient_id: int, call: Call) -> int:
        """Send it to one person, outside any run; answers the number of the test (1, 2, 3…)."""
        self._require(Status.CREATED, NotCreated)
        self.trigger_event(self.TestRequested, test=self.tests + 1, recipient_id=recipient_id, **call.fields())
        return self.tests

    def send(self, audience_name: str, call: Call) -> None:
        """Open a new run."""
        self._require(Status.CREATED, NotCreated)
        audience = {"audience_id": str(self.audience_id), "audience_name": audience_name}
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
            self.trigger_event(self.AudienceFrozen, run=run, total=total, unreachable=unreachable, **SYSTEM.fields())

    def record_stopped(self, run: int, leg: int, counts: dict[str, int]) -> None:
        """No message of this run leaves until it is resumed."""
        if (run, leg) == (self.run, self.leg) and self.status is Status.SENDING and self.stopping:
            self.trigger_event(self.Stopped, run=run, counts=counts, **SYSTEM.fields())

    def record_sent(self, run: int, leg: int, counts: dict[str, int]) -> None:
        """Every recipient is accounted for, be it before a stop took effect."""
        if (run, leg) == (self.run, self.leg) and self.status is Status.SENDING:
            self.trigger_event(self.Sent, run=run, counts=counts, **SYSTEM.fields())

    def record_recalled(self, run: int, counts: dict[str, int]) -> None:
        """Every delivered message is gone or known to stay."""
        if run == self.run and self.status is Status.RECALLING:
            self.trigger_event(self.Recalled, run=run, counts=counts, **SYSTEM.fields())

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
