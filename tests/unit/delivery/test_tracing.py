"""Tracing that is off costs nothing, and a setting that cannot work says so."""

import subprocess
import sys
import time

import pytest

from broadcast_delivery import tracing

LOADED = "import sys, dispatcher.app; from broadcast_delivery import tracing; tracing.start('x'); print(*sys.modules)"


def test_without_an_endpoint_a_worker_imports_no_sdk() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "dispatcher.app" in loaded
    assert not {"opentelemetry.sdk", "opentelemetry.trace", "google.protobuf", "requests"} & set(loaded)


def test_without_an_endpoint_there_is_no_span() -> None:
    parent = f"00-{'a' * 32}-{'b' * 16}-01"
    with tracing.continued("step", parent, {"broadcast.run": 1}) as note:
        note("broadcast.end", "sealed")
        assert tracing.current() == tracing.trace_id() == ""
        assert not tracing.is_recording()


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "is no http:// or https:// address"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "use http/protobuf"),
    ],
)
def test_a_setting_that_cannot_work_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, why: str
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=why):
        tracing.start("x")


def test_a_collector_that_is_away_holds_up_the_end_of_a_process_for_seconds_only() -> None:
    script = (
        "from broadcast_delivery import tracing\n"
        "tracing.start('x')\n"
        "with tracing.continued('step', f\"00-{'a' * 32}-{'b' * 16}-01\", {}): assert tracing.is_recording()\n"
        "tracing.stop()\n"
    )
    began = time.monotonic()
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True, capture_output=True, timeout=60)
    assert time.monotonic() - began < 20
