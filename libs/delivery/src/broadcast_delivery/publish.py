"""Publish a contract message to JetStream with its CloudEvents headers, and park what cannot be understood."""

import base64
from collections.abc import Mapping
from uuid import uuid4

from nats.js import JetStreamContext

from broadcast_contracts import Message, ParkedV1, encode, headers
from broadcast_contracts.topology import dead_subject
from broadcast_delivery import tracing

PUBLISH_TIMEOUT_SECONDS = 5


async def publish(
    js: JetStreamContext,
    subject: str,
    message: Message,
    *,
    message_id: str,
    source: str,
    about: str | None = None,
    extra: Mapping[str, str] | None = None,
) -> int:
    """Store a message and answer its stream sequence; `extra` adds JetStream's own headers. Raises nats-py's errors.

    It carries the current span, where there is one.
    """
    attributes = headers(
        message, message_id=message_id, source=source, subject=about, traceparent=tracing.current() or None
    )
    ack = await js.publish(
        subject, encode(message), timeout=PUBLISH_TIMEOUT_SECONDS, headers={**attributes, **(extra or {})}
    )
    return ack.seq


async def park(
    js: JetStreamContext,
    service: str,
    subject: str,
    body: bytes,
    reason: str,
    message_headers: Mapping[str, str] | None,
) -> None:
    """Keep a message that cannot be understood, whole, where an operator finds it."""
    parked = ParkedV1(
        service=service,
        subject=subject,
        reason=reason,
        headers=dict(message_headers or {}),
        body_base64=base64.b64encode(body).decode(),
    )
    await publish(js, dead_subject(service), parked, message_id=uuid4().hex, source=service)
