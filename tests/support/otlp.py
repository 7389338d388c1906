"""An OTLP receiver: what a collector of traces would get, decoded."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Collector:
    """`bodies` are the requests as they came; `spans` those of all of them, each with the service that sent it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.bodies: list[bytes] = []

    @property
    def spans(self) -> list[tuple[str, Span]]:
        found = []
        for body in list(self.bodies):
            for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                resource = {it.key: it.value.string_value for it in of_resource.resource.attributes}
                spans = [span for scope in of_resource.scope_spans for span in scope.spans]
                found += [(resource["service.name"], span) for span in spans]
        return found

    def traces_with(self, name: str) -> set[bytes]:
        """The ids of the traces that have a span of this name."""
        return {span.trace_id for _, span in self.spans if span.name == name}

    def settings(self) -> dict[str, str]:
        """The environment of a service that sends here, at once."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.url, "OTEL_BSP_SCHEDULE_DELAY": "200"}


@contextmanager
def collecting() -> Iterator[Collector]:
    """Listens until the end."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector = Collector(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()


def attributes(span: Span) -> dict[str, str | int]:
    """Texts and whole numbers."""
    return {it.key: it.value.string_value or it.value.int_value for it in span.attributes}
