"""What the api tells Prometheus: its requests, its event loop and, from the leading replica, how far behind all is."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from broadcast_api.duties.standing import Standing
from broadcast_delivery.loop_lag import LoopLag

BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Seconds until the first byte of an answer."""


class Observed(Protocol):
    """The duties, as they are seen from here."""

    @property
    def standing(self) -> Standing | None: ...

    @property
    def reissues(self) -> int: ...


class Metrics(Collector):
    """Of one process."""

    def __init__(self, duties: Observed | None) -> None:
        self.lag = LoopLag()
        self._duties = duties
        self._registry = CollectorRegistry()
        self._registry.register(self)
        labels = ("route", "method")
        self._requests = Counter("http_requests", "Requests answered", (*labels, "status"), registry=self._registry)
        self._seconds = Histogram(
            "http_request_duration_seconds",
            "Until the first byte of the answer",
            labels,
            buckets=BUCKETS,
            registry=self._registry,
        )

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request got its first byte; `route` is the template of its path, never the path."""
        self._requests.labels(route, method, status).inc()
        self._seconds.labels(route, method).observe(seconds)

    @contextmanager
    def served(self, host: str, port: int) -> Iterator[None]:
        """`/metrics`, on a port of its own: who reaches the console does not reach it. From a thread of its own: it
        answers while the event loop is held up. Nowhere where the port is 0. Raises OSError where it is taken."""
        if not port:
            yield
            return
        server, _ = start_http_server(port, host, self._registry)
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()

    def collect(self) -> Iterable[Metric]:
        """The rest: read when it is asked for."""
        standing = self._duties.standing if self._duties else None
        yield GaugeMetricFamily("broadcasts_event_loop_lag_seconds", "How late the process wakes", self.lag.seconds)
        yield GaugeMetricFamily("broadcasts_leader", "1 in the replica that leads", float(standing is not None))
        reissues = self._duties.reissues if self._duties else 0
        yield CounterMetricFamily("broadcasts_sweeper_reissues", "Jobs issued again because they were lost", reissues)
        if standing is not None:
            yield from _standing(standing)


def _standing(seen: Standing) -> Iterable[Metric]:
    jobs = GaugeMetricFamily("broadcasts_job_lag", "Jobs waiting or being worked on", labels=["bot", "lane"])
    for (bot, lane), count in seen.jobs.items():
        jobs.add_metric([bot, lane], count)
    doubts = GaugeMetricFamily("broadcasts_unconfirmed", "Recipients in doubt, undecided", labels=["bot"])
    for bot in {bot for bot, _ in seen.jobs}:
        doubts.add_metric([bot], seen.unconfirmed.get(bot, 0))
    used = GaugeMetricFamily("broadcasts_ledger_bytes", "Bytes of a ledger stream", labels=["stream"])
    limit = GaugeMetricFamily("broadcasts_ledger_limit_bytes", "Bytes at which it refuses", labels=["stream"])
    for stream, (held, most) in seen.ledgers.items():
        used.add_metric([stream], held)
        limit.add_metric([stream], most)
    relay = GaugeMetricFamily("broadcasts_relay_lag_events", "Events not published", seen.unpublished)
    projection = GaugeMetricFamily("broadcasts_projection_lag_records", "Records not projected", seen.unprojected)
    ledger = GaugeMetricFamily(
        "broadcasts_ledger_lag_seconds", "Age of the oldest of these records", seen.ledger_seconds
    )
    return jobs, doubts, used, limit, relay, projection, ledger


class Observing:
    """Around every request: which route it was, how it ended, how long it took."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        began = time.perf_counter()

        async def timed(message: Message) -> None:
            if message["type"] == "http.response.start":
                # FastAPI names the route in the scope; what matches none is one label, however many paths are tried.
                route = getattr(scope.get("route"), "path", "none")
                self._metrics.answered(route, scope["method"], message["status"], time.perf_counter() - began)
            await send(message)

        return await self._app(scope, receive, timed)
