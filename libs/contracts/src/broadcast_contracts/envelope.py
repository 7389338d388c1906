"""CloudEvents 1.0 in binary mode on NATS: the attributes are `ce-*` headers, the body is the JSON of the message."""

from datetime import UTC, datetime
from typing import ClassVar, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, ValidationError


class Message(BaseModel):
    """Whatever crosses NATS. Unknown fields are ignored, so that a newer writer may add optional ones."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: ClassVar[str]
    """The CloudEvents type with its version, for instance `broadcasts.event.stopped.v1`."""

    compact: ClassVar[bool] = False
    """Leave out fields that hold their default: for ledgers and jobs, which are many and private."""


M = TypeVar("M", bound=Message)


class Malformed(ValueError):
    """A body that is not what its subject promises: park it, never retry it."""


def encode(message: Message) -> bytes:
    """The JSON body."""
    return message.model_dump_json(exclude_defaults=message.compact).encode()


def decode(kind: type[M], body: bytes) -> M:
    """Read a body; raises `Malformed` with one line that says what is wrong."""
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        raise Malformed(f"{kind.type}: {one_line(error)}") from error


def one_line(error: ValidationError) -> str:
    """The first three faults of a validation, each with its place."""
    faults = [f"{'.'.join(str(part) for part in fault['loc']) or 'body'}: {fault['msg']}" for fault in error.errors()]
    return "; ".join(faults[:3])


def headers(
    message: Message,
    *,
    message_id: str,
    source: str,
    subject: str | None = None,
    time: datetime | None = None,
    traceparent: str | None = None,
) -> dict[str, str]:
    """The NATS headers of a message.

    `message_id` is deterministic: it names the content, so that the stream drops a repeat within its duplicate window.
    `source` is the service, as a URI reference; `subject` the broadcast's id. Every attribute has the prefix `ce-`
    and is percent-encoded (CloudEvents NATS binding, 3.1.3), since NATS headers are ASCII.
    """
    result = {
        "Nats-Msg-Id": message_id,
        "ce-specversion": "1.0",
        "ce-id": quote(message_id, safe=":/-._~"),
        "ce-type": message.type,
        "ce-source": quote(source, safe=":/-._~"),
        "ce-time": (time or datetime.now(UTC)).isoformat(),
        "ce-datacontenttype": "application/json",
    }
    if subject:
        result["ce-subject"] = quote(subject, safe=":/-._~")
    if traceparent:
        result["traceparent"] = traceparent
    return result
