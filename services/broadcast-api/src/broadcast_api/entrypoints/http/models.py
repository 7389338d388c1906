"""Broadcasts in JSON, and the kinds of strings that requests may hold."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from broadcast_api.adapters.queries import COUNTS, utc
from broadcast_api.application.approval import Standing
from broadcast_api.domain.broadcast import Status
from broadcast_api.domain.draft import Draft
from broadcast_api.entrypoints.http.catalogue import STATUS_LABELS, Language
from broadcast_contracts import Actor, Cause, Counts, File, FileKind, ParseMode
from broadcast_telegram.plan import Call, Method, plan


def storable(text: str) -> str:
    """The text; raises ValueError where a database could not hold it."""
    if "\0" in text:
        raise ValueError("NUL characters cannot be stored")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("half of a surrogate pair is no character") from error
    return text


def _written_out(moment: Any) -> Any:
    if isinstance(moment, datetime):  # a cell of a file was read already
        return moment
    if not isinstance(moment, str) or not re.match(r"\d{4}-\d\d-\d\d", moment):
        raise ValueError("a moment is written as 2026-11-25T09:30:00+03:00")  # pydantic would take 2026 for seconds
    return moment


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("there is no such moment in UTC") from error


Words = Annotated[str, AfterValidator(storable)]
"""Text that every database can hold."""

Moment = Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_in_utc)]
"""RFC 3339 with a time zone, kept in UTC."""

RowId = Annotated[int, Field(ge=1, lt=2**63)]


class Request(BaseModel):
    """A misspelt field is an error."""

    model_config = ConfigDict(extra="forbid")


class NewBroadcast(Request):
    """What is to be drawn up."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "bot": "main",
                "name": "Канцелярия закрыта в понедельник",
                "text": "<b>Внимание!</b> В понедельник канцелярия не работает.",
                "parse_mode": "HTML",
                "audience_id": "0b0f3b52-6c8e-4a0e-b7a2-6d1f0b4b7f10",
            }
        }
    )

    bot: Words = Field(max_length=32)
    name: Words = Field(description="1–200 characters, trimmed")
    text: Words = Field(
        "",
        description="1–4096 characters after Telegram has read the markup; left out where files alone will be attached",
    )
    audience_id: UUID
    parse_mode: ParseMode = ParseMode.NONE
    link_preview: bool = True
    silent: bool = Field(False, description="without a sound")
    pictures_as_files: bool = Field(False, description="pictures go as they are, not shrunk, as documents")


class BroadcastChanges(Request):
    """Only what is given changes."""

    name: Words = ""
    text: Words = ""
    audience_id: UUID = UUID(int=0)
    parse_mode: ParseMode = ParseMode.NONE
    link_preview: bool = True
    silent: bool = False
    pictures_as_files: bool = False

    def given(self) -> dict[str, Any]:
        """The fields that the request named."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class AudienceName(BaseModel):
    """Who it goes to, by name."""

    id: UUID
    name: str


class AttachmentOut(BaseModel):
    """`id` is the SHA-256 of the bytes: what is changed under it keeps it."""

    id: str
    name: str
    kind: FileKind = Field(description="as what Telegram shows it")
    media_type: str = Field(description="found from the content")
    size: int = Field(description="bytes")
    url: str


class CallOut(BaseModel):
    """One request to Telegram for each recipient."""

    method: Method
    files: list[str] = Field(description="ids of attachments")
    messages: int = Field(description="that it leaves in the chat")
    text: bool = Field(description="whether it carries the text, as a message or as a caption")


class Approved(BaseModel):
    """Who approved it, and when."""

    by: Actor
    at: datetime


class ApprovalOut(BaseModel):
    """The approval of a second person, which an edit of the broadcast or of its audience's definition voids."""

    digest: str = Field(description="of the content, the options, the files and the audience: what is approved")
    needed: bool = Field(description="more people would get it than `above`: Send is refused until it is `given`")
    above: int | None = Field(description="so many reachable people need no approval; null: any number")
    given: Approved | None


class BroadcastOut(BaseModel):
    """`counts` are those of the latest run; total = delivered + failed + unconfirmed + skipped + pending."""

    id: UUID
    bot: str
    name: str
    text: str
    parse_mode: ParseMode
    link_preview: bool
    silent: bool
    pictures_as_files: bool
    attachments: list[AttachmentOut] = Field(description="in the order in which they are shown")
    plan: list[CallOut] = Field(description="the requests that one recipient's copy takes, in their order")
    messages: int = Field(description="how many messages a recipient gets")
    audience: AudienceName
    status: Status
    status_label: str = Field(description="by Accept-Language, Russian or English")
    stopping: bool = Field(description="a stop was asked for; messages may still leave until the status is stopped")
    stop_cause: Cause | None = Field(description="null unless the system stopped it")
    stop_detail: str | None
    created_by: Actor
    created_at: datetime
    sent_at: datetime | None = Field(description="when the latest run started")
    run: int = Field(description="0 before the first Send")
    counts: Counts
    audience_frozen: bool = Field(description="false while the people of the latest run are still being written down")
    version: int = Field(description="also the ETag")
    approval: ApprovalOut | None = Field(None, description="null in lists")


def attachment_out(id: UUID, file: File) -> AttachmentOut:
    """A file of the broadcast `id`, as it is sent."""
    url = f"/v1/broadcasts/{id}/attachments/{file.sha256}"
    return AttachmentOut(id=file.sha256, url=url, **file.model_dump(exclude={"sha256"}))


def calls_out(calls: Sequence[Call]) -> list[CallOut]:
    """A plan of `broadcast_telegram`."""
    return [
        CallOut(
            method=call.method,
            files=[file.sha256 for file in call.files],
            messages=call.messages,
            text=bool(call.text),
        )
        for call in calls
    ]


def approval_out(standing: Standing) -> ApprovalOut:
    """How the approval of a broadcast stands."""
    given = standing.given
    return ApprovalOut(
        digest=standing.subject.digest,
        needed=standing.needed,
        above=standing.above,
        given=None if given is None else Approved(by=Actor(**given.by), at=given.at),
    )


def broadcast_out(row: Any, language: Language, standing: Standing | None = None) -> BroadcastOut:
    """Show a row of `Queries.broadcast`."""
    counts = {name: getattr(row, name) for name in COUNTS}
    counts["pending"] = max(0, row.total - row.delivered - row.failed - row.unconfirmed - row.skipped)
    draft = Draft.read(row._asdict())
    calls = () if draft.is_empty else plan(draft.content())
    by_system = row.stop_cause not in (None, Cause.OPERATOR)
    return BroadcastOut(
        id=row.id,
        bot=row.bot,
        name=row.name,
        text=row.text,
        parse_mode=row.parse_mode,
        link_preview=row.link_preview,
        silent=row.silent,
        pictures_as_files=row.pictures_as_files,
        attachments=[attachment_out(row.id, file) for file in draft.shown_files],
        plan=calls_out(calls),
        messages=sum(call.messages for call in calls),
        audience=AudienceName(id=row.audience_id, name=row.audience_name or ""),
        status=row.status,
        status_label=STATUS_LABELS[language][row.status],
        stopping=row.stopping,
        stop_cause=row.stop_cause if by_system else None,
        stop_detail=row.stop_detail if by_system else None,
        created_by=Actor(name=row.created_by_name, position=row.created_by_position),
        created_at=utc(row.created_at),
        sent_at=utc(row.sent_at) if row.sent_at else None,
        run=row.run,
        counts=Counts(**counts),
        audience_frozen=bool(row.frozen),
        version=row.version,
        approval=None if standing is None else approval_out(standing),
    )
