"""What `tracing` records with: the OpenTelemetry SDK, imported only where there is somewhere to send spans to."""

import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Thread

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from broadcast_delivery.tracing import Attributes, Kind, Note

STOP_SECONDS = 5.0
"""A collector that is away must not hold up the end of a process for longer."""

HIDDEN = "url.query"
"""What was searched for, or the code that a sign-in came back with."""

_PROPAGATOR = TraceContextTextMapPropagator()


class Recorder:
    """Of one process: also the global provider, so that FastAPI's spans of requests go the same way.

    Sampler, limits, headers and whatever else the standard variables `OTEL_*` say is the SDK's to read.
    """

    def __init__(self, service: str) -> None:
        said = os.environ.get("OTEL_SERVICE_NAME") or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
        who = {"service.instance.id": f"{socket.gethostname()}:{os.getpid()}"}
        resource = Resource.create(who if said else {"service.name": service, **who})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(_Discreet())
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        trace.set_tracer_provider(self._provider)
        self._tracer = self._provider.get_tracer("broadcasts")

    @contextmanager
    def span(self, name: str, parent: str, attributes: Attributes, kind: Kind, links: Sequence[str]) -> Iterator[Note]:
        with self._tracer.start_as_current_span(
            name,
            _context(parent),
            SpanKind[kind],
            attributes,
            [Link(trace.get_current_span(_context(link)).get_span_context()) for link in links],
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield span.set_attribute
            except Exception as error:
                _fail(span, type(error).__name__)
                raise

    def past(self, name: str, since: int, attributes: Attributes, kind: Kind, error: str) -> None:
        span = self._tracer.start_span(name, kind=SpanKind[kind], attributes=attributes, start_time=since)
        if error:
            _fail(span, error)
        span.end(time.time_ns())

    def is_recording(self) -> bool:
        return trace.get_current_span().is_recording()

    def traceparent(self) -> str:
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier)
        return carrier.get("traceparent", "")

    def stop(self) -> None:
        """Send what is left."""
        sending = Thread(target=self._provider.shutdown, daemon=True)
        sending.start()
        sending.join(STOP_SECONDS)


class _Discreet(SpanProcessor):
    """Takes out of the spans that others make what belongs in no trace."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        if span.attributes and HIDDEN in span.attributes:
            span.set_attribute(HIDDEN, "hidden")

    def on_end(self, span: ReadableSpan) -> None:
        """Sent as it is."""


def _context(traceparent: str) -> Context:
    """Empty where the text is none: the span begins a trace of its own."""
    return _PROPAGATOR.extract({"traceparent": traceparent}, Context())


def _fail(span: trace.Span, error: str) -> None:
    span.set_attribute("error.type", error)
    span.set_status(StatusCode.ERROR)
