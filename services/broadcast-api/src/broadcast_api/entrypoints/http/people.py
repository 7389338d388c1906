"""People in JSON: what may be said of somebody, and how somebody in the directory is shown."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from broadcast_api.adapters.entering import Person
from broadcast_api.adapters.queries import utc
from broadcast_api.entrypoints.http.context import Services
from broadcast_api.entrypoints.http.models import Moment, Request, Words

UPSERT_MAX = 10_000
CHAT_ID_END = 2**52  # "at most 52 significant bits", Bot API, Chat.id
TAGS_MAX = 50
GROUP = "a negative chat id is a group or channel: a broadcast goes to people only"
EXAMPLE: JsonDict = {
    "bot": "main",
    "recipients": [
        {"chat_id": 123456789, "first_name": "Анна", "department": "Кадры", "language": "ru", "tags": ["профком"]}
    ],
}

Reachability = Literal["active", "blocked", "deactivated", "not_started"]
Kind = Literal["employee", "contractor"]
Attribute = Annotated[Words, Field(max_length=256)]
Name = Annotated[Words, Field(max_length=256)]
Tag = Annotated[Words, Field(min_length=1, max_length=64, pattern=r"\S")]
Tags = Annotated[list[Tag], Field(max_length=TAGS_MAX)]


def _chat(chat_id: int) -> int:
    if chat_id == 0:
        raise ValueError("0 is no chat id")
    if abs(chat_id) >= CHAT_ID_END:
        raise ValueError("a chat id has at most 52 bits")
    return chat_id


class PersonIn(Request):
    """Somebody connected to a bot, or somebody invited: known by `external_id` alone until they press /start.

    Without `status`, `kind`, `joined_at` or `tags` a known person keeps theirs; a new one is an active employee who
    joined now.
    """

    chat_id: Annotated[int, AfterValidator(_chat)] | None = None
    status: Reachability | None = None
    username: Words | None = Field(None, max_length=64)
    first_name: Name = ""
    last_name: Name = ""
    language: Words | None = Field(None, max_length=16)
    kind: Kind | None = None
    department: Attribute | None = None
    position: Attribute | None = None
    external_id: Annotated[Attribute, Field(min_length=1)] | None = None
    joined_at: Moment | None = None
    tags: Tags | None = None

    @model_validator(mode="after")
    def _identified(self) -> "PersonIn":
        if self.chat_id is None and not self.external_id:
            raise ValueError("a person is known by chat_id or, before the first /start, by external_id")
        if self.chat_id is None and self.status not in (None, "not_started"):
            raise ValueError("without chat_id somebody can only be not_started")
        return self

    def person(self) -> Person:
        """For the directory."""
        return Person(**dict(self))


class People(Request):
    """Up to 10,000 people of one bot; the last one counts where two are the same."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE})

    bot: Words = Field(max_length=32)
    recipients: list[PersonIn] = Field(min_length=1, max_length=UPSERT_MAX)


class PersonChanges(Request):
    """Only what is given changes; `tags` are replaced as a whole."""

    status: Reachability = "active"
    username: Words | None = Field(None, max_length=64)
    first_name: Name = ""
    last_name: Name = ""
    language: Words | None = Field(None, max_length=16)
    kind: Kind = "employee"
    department: Attribute | None = None
    position: Attribute | None = None
    external_id: Annotated[Attribute, Field(min_length=1)] | None = None
    joined_at: Moment = datetime(1970, 1, 1, tzinfo=UTC)
    tags: Tags = Field(default_factory=list)

    def given(self) -> dict[str, Any]:
        """The fields that the request named."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class RecipientOut(BaseModel):
    """Somebody in the directory; `chat_id` is null for who was invited and has not pressed /start."""

    id: int
    bot: str
    chat_id: int | None
    status: Reachability
    username: str | None
    first_name: str
    last_name: str
    language: str | None
    kind: str
    department: str | None
    position: str | None
    external_id: str | None
    tags: list[str]
    joined_at: datetime
    created_at: datetime
    updated_at: datetime


def recipient_out(row: Any, tags: Sequence[str] = ()) -> RecipientOut:
    """Show a row of the directory."""
    fields = {name: getattr(row, name) for name in RecipientOut.model_fields if name != "tags"}
    times = {name: utc(fields[name]) for name in ("joined_at", "created_at", "updated_at")}
    return RecipientOut(**{**fields, **times, "tags": list(tags)})


def shown(door: Services, rows: Sequence[Any]) -> list[RecipientOut]:
    """Show some rows with their tags."""
    tags = door.directory.tags([row.id for row in rows])
    return [recipient_out(row, tags.get(row.id, ())) for row in rows]


def refuse_groups(people: Sequence[PersonIn]) -> None:
    """Raises what a wrong field raises, for every negative chat id."""
    faults = [
        {"type": "value_error", "loc": ("body", "recipients", n, "chat_id"), "msg": f"Value error, {GROUP}"}
        for n, person in enumerate(people)
        if person.chat_id is not None and person.chat_id < 0
    ]
    if faults:
        raise RequestValidationError(faults)
