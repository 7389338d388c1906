"""The AsyncAPI 3 document of the public streams, BROADCASTS and COUNTS."""

from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any
from uuid import UUID

from broadcast_contracts import (
    PUBLIC_MESSAGES,
    BatchKey,
    BroadcastEvent,
    Message,
    RecallCountsV1,
    SendCountsV1,
    headers,
)
from broadcast_contracts.topology import BROADCASTS, COUNTS, DAY, Stream, counts_subject, event_subject
from deploy.contract.schemas import components, example

DESCRIPTION = """What other services may know about broadcasts, on NATS JetStream.

Messages are CloudEvents 1.0 in binary mode: the attributes are `ce-*` headers, the body is JSON. Ignore fields and
types that you do not know: new ones come without notice. Whatever stands here stays as it is within a type; a new
meaning is a new type with the next version."""

PARAMETERS = {
    "broadcast_id": "The broadcast, a UUID.",
    "run": "One sending of the broadcast: 1, 2, 3…; 0 holds its test messages.",
    "batch": "A portion of the run's recipients: 0, 1, 2…",
}

_BROADCAST = UUID("6f1c2a52-5a0e-4a5e-9c7f-0a4f4e0f7a11")
_KEY = BatchKey(_BROADCAST, 1, 0)
_EVENT_ID = "5d1e0c7a:17:0a1b2c3d"
_SOURCES: dict[type[Message], str] = {SendCountsV1: "dispatcher", RecallCountsV1: "revoker"}


def subject(kind: type[Message]) -> str:
    """The subject of a public message, with its parameters in braces."""
    if issubclass(kind, BroadcastEvent):
        return event_subject(kind.name, _BROADCAST).replace(str(_BROADCAST), "{broadcast_id}")
    leg: Any = "send" if kind is SendCountsV1 else "recall"
    return counts_subject(leg, _KEY).replace(str(_KEY), "{broadcast_id}.{run}.{batch}")


def stream_of(kind: type[Message]) -> Stream:
    """Where a public message is kept."""
    return BROADCASTS if issubclass(kind, BroadcastEvent) else COUNTS


def asyncapi() -> dict[str, Any]:
    """The document, as JSON."""
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Broadcasts", "version": version("broadcast-contracts"), "description": DESCRIPTION},
        "defaultContentType": "application/json",
        "servers": {
            "nats": {
                "host": "nats.example.org:4222",
                "protocol": "nats",
                "description": "The organisation's NATS with JetStream: ask its operators for the address.",
            }
        },
        "channels": {kind.__name__: _channel(kind) for kind in PUBLIC_MESSAGES},
        "operations": {f"publish{kind.__name__}": _operation(kind) for kind in PUBLIC_MESSAGES},
        "components": {
            "messages": {kind.__name__: _message(kind) for kind in PUBLIC_MESSAGES},
            "schemas": {**components(PUBLIC_MESSAGES), "CloudEventHeaders": _headers_schema()},
        },
    }


def _channel(kind: type[Message]) -> dict[str, Any]:
    stream, address = stream_of(kind), subject(kind)
    newest = "the newest message of each batch" if stream is COUNTS else "every message"
    return {
        "address": address,
        "description": f"Stream {stream.name}: {newest}, for {stream.max_age // DAY} days.",
        "parameters": {name: {"description": text} for name, text in PARAMETERS.items() if f"{{{name}}}" in address},
        "messages": {kind.__name__: {"$ref": f"#/components/messages/{kind.__name__}"}},
    }


def _operation(kind: type[Message]) -> dict[str, Any]:
    channel = f"#/channels/{kind.__name__}"
    return {
        "action": "send",
        "channel": {"$ref": channel},
        "summary": _summary(kind),
        "messages": [{"$ref": f"{channel}/messages/{kind.__name__}"}],
    }


def _message(kind: type[Message]) -> dict[str, Any]:
    payload = example(kind)
    given = headers(
        kind.model_validate(payload),
        message_id=f"{subject(kind)}:{{version}}".format(**payload) if stream_of(kind) is COUNTS else _EVENT_ID,
        source=_SOURCES.get(kind, "/broadcast-api"),
        subject=payload["broadcast_id"],
        time=datetime(2026, 11, 24, 9, 30, tzinfo=UTC),
    )
    return {
        "name": kind.type,
        "title": kind.__name__,
        "summary": _summary(kind),
        "contentType": "application/json",
        "headers": {
            "allOf": [
                {"$ref": "#/components/schemas/CloudEventHeaders"},
                {"type": "object", "properties": {"ce-type": {"const": kind.type}}},
            ]
        },
        "payload": {"$ref": f"#/components/schemas/{kind.__name__}"},
        "examples": [{"name": "golden", "headers": given, "payload": payload}],
    }


def _headers_schema() -> dict[str, Any]:
    texts = {
        "Nats-Msg-Id": "The same as ce-id, before percent-encoding.",
        "ce-specversion": "1.0",
        "ce-id": "Names the content: the same id is the same message, come again.",
        "ce-type": "What happened, with the version of its schema.",
        "ce-source": "The service that published it.",
        "ce-time": "When it was published; when it happened is in the body.",
        "ce-subject": "The id of the broadcast.",
        "ce-datacontenttype": "application/json",
        "traceparent": "W3C trace context, where there is a trace.",
    }
    properties: dict[str, Any] = {name: {"type": "string", "description": text} for name, text in texts.items()}
    properties["ce-time"]["format"] = "date-time"
    return {
        "type": "object",
        "description": "CloudEvents 1.0, binary mode. Values are percent-encoded, as over HTTP.",
        "required": ["Nats-Msg-Id", "ce-specversion", "ce-id", "ce-type", "ce-source", "ce-time", "ce-datacontenttype"],
        "properties": properties,
    }


def _summary(kind: type[Message]) -> str:
    return (kind.__doc__ or "").strip().partition("\n")[0]
