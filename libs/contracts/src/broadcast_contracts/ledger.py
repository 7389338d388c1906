"""Private: the fenced log of a batch, one NATS subject per batch, appended by compare-and-set on its last sequence.

Attempts are fenced, facts are not: `opened` needs the newest version, `results` are appended at whatever version.
The version of a record is its stream sequence. `libs/delivery` says what a log means (`fold`).
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    SerializerFunctionWrapHandler,
    TypeAdapter,
    ValidationError,
    model_serializer,
)

from broadcast_contracts.envelope import Malformed, Message, one_line
from broadcast_contracts.events import Cause
from broadcast_contracts.outcomes import Answer, Outcome


@dataclass(frozen=True, slots=True, order=True)
class BatchKey:
    """A batch of a run: what one ledger is about."""

    broadcast_id: UUID
    run: int
    batch: int

    def __str__(self) -> str:
        return f"{self.broadcast_id}.{self.run}.{self.batch}"


class Result(BaseModel):
    """What became of recipient `i` of the batch. Short names: there is one for every recipient.

    The lists come from factories: pydantic makes a deep copy of any other default, for every recipient.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    i: NonNegativeInt
    window: NonNegativeInt = Field(0, description="version of the record that opened this attempt; 0 in a seal")
    outcome: Outcome
    at: int = Field(0, description="unix seconds of the attempt")
    messages: list[int] = Field(
        default_factory=list, description="ids of the messages that arrived; in a recall, that it is about"
    )
    chat: int | None = Field(None, description="the chat that received it, where it had migrated")
    reason: str = Field("", description="Telegram's description of a refusal")
    answer: Answer | None = Field(None, description="an operator's, where nobody else knows")
    earlier: list[NonNegativeInt] = Field(
        default_factory=list, description="in a seal: windows of attempts before a resend, still in doubt"
    )


class _Record(Message):
    """Every record has a nonce: after a lost acknowledgement the writer reads the log back and looks for it."""

    compact: ClassVar[bool] = True

    kind: str
    nonce: str

    @model_serializer(mode="wrap")
    def _with_kind(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """`kind` is a default, yet the reader needs it."""
        return {"kind": self.kind, **handler(self)}


class ProgressV1(_Record):
    """A worker's step: whom it is about to attempt, and what happened to those it opened before."""

    type: ClassVar[str] = "broadcasts.ledger.progress.v1"
    kind: Literal["progress"] = "progress"

    owner: str
    opened: list[NonNegativeInt] = Field(default_factory=list)
    results: list[Result] = Field(default_factory=list)


class ResolveV1(_Record):
    """The owner of the open attempts has been silent past its lease: unconfirmed (send) or pending (recall)."""

    type: ClassVar[str] = "broadcasts.ledger.resolve.v1"
    kind: Literal["resolve"] = "resolve"


class CloseV1(_Record):
    """Nobody may open an attempt until a `reopen` of a later leg."""

    type: ClassVar[str] = "broadcasts.ledger.close.v1"
    kind: Literal["close"] = "close"

    leg: PositiveInt
    cause: Cause = Cause.OPERATOR
    detail: str = ""


class ReopenV1(_Record):
    """Sending goes on in this leg."""

    type: ClassVar[str] = "broadcasts.ledger.reopen.v1"
    kind: Literal["reopen"] = "reopen"

    leg: PositiveInt


class AnswerV1(_Record):
    """An operator's decision about these recipients. One not above the last `decision` of the log is a repeat.

    `delivered` and `leave` are about the unconfirmed. `resend` makes the unconfirmed and the failed (in a recall:
    anybody) pending again, also after a seal.
    """

    type: ClassVar[str] = "broadcasts.ledger.answer.v1"
    kind: Literal["answer"] = "answer"

    decision: PositiveInt = Field(
        description="version of the event that recorded it: decisions are carried out in order"
    )
    answer: Answer
    recipients: list[NonNegativeInt]


class SealV1(_Record):
    """The batch is finished: the outcome of everyone, replacing the records before it (rollup)."""

    type: ClassVar[str] = "broadcasts.ledger.seal.v1"
    kind: Literal["seal"] = "seal"

    results: list[Result]
    answered: NonNegativeInt = Field(0, description="the last decision that was carried out")


LedgerRecord = ProgressV1 | ResolveV1 | CloseV1 | ReopenV1 | AnswerV1 | SealV1

_RECORD: TypeAdapter[LedgerRecord] = TypeAdapter(Annotated[LedgerRecord, Field(discriminator="kind")])


def decode_record(body: bytes) -> LedgerRecord:
    """Read a record; raises `Malformed`."""
    try:
        return _RECORD.validate_json(body)
    except ValidationError as error:
        raise Malformed(f"ledger record: {one_line(error)}") from error
