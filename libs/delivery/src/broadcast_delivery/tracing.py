"""Traces by OpenTelemetry. Without an OTLP endpoint in the environment nothing is imported, recorded or sent.

Between processes a trace is a W3C `traceparent` text: in a stored event, in the row of its run, in NATS headers. What
came without one is not traced: `continued` does nothing then. A span says which broadcast, run and batch it is about
and how it ended; never a text, a name, a chat, an address of Telegram (it holds the token) or an error's own words.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Literal

from broadcast_contracts import BatchKey

if TYPE_CHECKING:
    from broadcast_delivery.otlp import Recorder

Attributes = Mapping[str, str | int]
Note = Callable[[str, str | int], None]
"""Adds an attribute to the span that it came from."""

Kind = Literal["INTERNAL", "PRODUCER", "CONSUMER", "CLIENT"]

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")

FIRST_BATCHES = 100
"""Of a run these are traced, and every hundredth after them: a trace of a million people can still be opened."""

_recorder: "Recorder | None" = None


def start(service: str) -> None:
    """Trace from now on, where an endpoint is configured. Raises ValueError with one line where it cannot be used."""
    global _recorder
    endpoint = next((value for name in ENDPOINTS if (value := os.environ.get(name))), "")
    if not endpoint or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return
    if not endpoint.startswith(("http://", "https://")):
        raise ValueError(f"{ENDPOINTS[1]}: {endpoint!r} is no http:// or https:// address")
    protocol = next((value for name in PROTOCOLS if (value := os.environ.get(name))), "http/protobuf")
    if protocol != "http/protobuf":
        raise ValueError(f"{PROTOCOLS[1]}: {protocol!r} is not spoken here; use http/protobuf (port 4318 as a rule)")
    from broadcast_delivery.otlp import Recorder

    _recorder = Recorder(service)


def stop() -> None:
    """Send what is left, for a few seconds at most. Blocks: call it from a thread."""
    global _recorder
    recorder, _recorder = _recorder, None
    if recorder is not None:
        recorder.stop()


def continued(
    name: str,
    parent: str | None,
    attributes: Attributes,
    *,
    kind: Kind = "INTERNAL",
    links: Sequence[str | None] = (),
) -> AbstractContextManager[Note]:
    """A span within the trace of `parent` (a traceparent), current until the end. `links` are other traces."""
    if _recorder is None or not parent:
        return _NOTHING
    return _recorder.span(name, parent, attributes, kind, [link for link in links if link and link != parent])


def happened(name: str, since: int, attributes: Attributes, *, kind: Kind = "INTERNAL", error: str = "") -> None:
    """A span within the current one that began at `since` (unix nanoseconds) and ends now; `error` names a class."""
    if _recorder is not None:
        _recorder.past(name, since, attributes, kind, error)


def current() -> str:
    """The current span as a traceparent; empty where there is none."""
    return _recorder.traceparent() if _recorder is not None else ""


def is_recording() -> bool:
    """Whether what happens now is within a span that will be sent."""
    return _recorder is not None and _recorder.is_recording()


def trace_id() -> str:
    """Of the current span, 32 hex digits; empty where there is none."""
    return current()[3:35]


def of_batch(key: BatchKey, bot: str) -> dict[str, str | int]:
    """The attributes that name a batch."""
    return {
        "broadcast.id": str(key.broadcast_id),
        "broadcast.run": key.run,
        "broadcast.batch": key.batch,
        "broadcast.bot": bot,
    }


def is_traced(batch: int) -> bool:
    """Whether a batch of a run has spans of its own."""
    return batch < FIRST_BATCHES or batch % FIRST_BATCHES == 0


def _ignore(name: str, value: str | int) -> None:
    """Nothing is recorded."""


_NOTHING: AbstractContextManager[Note] = nullcontext(_ignore)
