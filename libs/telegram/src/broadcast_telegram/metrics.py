"""What a worker tells Prometheus. Counting costs a message little; the rest is read when it is asked for."""

import time
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from broadcast_contracts import BatchKey, Outcome
from broadcast_delivery import Attempt, Batch, Fold, Hold, Verdict
from broadcast_delivery.loop_lag import LoopLag
from broadcast_telegram.pacing import KvPace

ALLOWANCE_SECONDS = 10
"""The use of the allowance is that of the last so many whole seconds."""

BUCKETS = (0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32)
"""Seconds; a window at 30 messages a second takes under one, a lease is 20."""


@dataclass(slots=True)
class _Bot:
    rate: float
    pace: KvPace
    outcomes: Counter[Outcome]
    seconds: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=ALLOWANCE_SECONDS + 1))

    def count(self, verdict: Verdict) -> None:
        if verdict.outcome is Outcome.UNATTEMPTED:
            return
        self.outcomes[verdict.outcome] += 1
        second = int(time.monotonic())
        last, count = self.seconds[-1] if self.seconds else (0, 0)
        if last == second:
            self.seconds[-1] = (second, count + 1)
        else:
            self.seconds.append((second, 1))

    def used(self) -> float:
        """This process's part of the rate; 0 where the rate is lifted."""
        now = int(time.monotonic())
        sent = sum(count for second, count in self.seconds if now - ALLOWANCE_SECONDS <= second < now)
        return sent / ALLOWANCE_SECONDS / self.rate if self.rate else 0.0


class WorkerMetrics(Collector):
    """Of one process. `page` is what `/metrics` answers.

    Every one of the `outcomes` is there from the start, with nobody: Prometheus sees a series grow only from where it
    saw it first, so the first messages after a start, and whoever they failed, would be missing in every rate.
    """

    def __init__(self, outcomes: Iterable[Outcome]) -> None:
        self._outcomes = tuple(outcomes)
        self.lag = LoopLag()
        self._bots: dict[str, _Bot] = {}
        self._windows: dict[tuple[BatchKey, int], float] = {}
        self._registry = CollectorRegistry()
        self._registry.register(self)
        self._seconds = Histogram(
            "broadcasts_window_seconds",
            "From opening a window of attempts until all are recorded",
            buckets=BUCKETS,
            registry=self._registry,
        )

    def know(self, bot: str, rate: float, pace: KvPace) -> None:
        """`rate` in messages a second; 0 is unlimited."""
        self._bots[bot] = _Bot(rate, pace, Counter(dict.fromkeys(self._outcomes, 0)))

    def counting(self, bot: str, attempt: Attempt) -> Attempt:
        """The same attempt, with its outcome counted."""
        known = self._bots[bot]

        async def counted(i: int, hold: Hold) -> Verdict:
            verdict = await attempt(i, hold)
            known.count(verdict)
            return verdict

        return counted

    def note(self, batch: Batch, state: Fold) -> None:
        """A step of a worker: windows that began, and windows of which everybody is recorded."""
        now = time.monotonic()
        open_now = {(batch.key, attempt.window) for attempt in state.in_flight.values()}
        for window in [window for window in self._windows if window[0] == batch.key and window not in open_now]:
            self._seconds.observe(now - self._windows.pop(window))
        for window in open_now:
            self._windows.setdefault(window, now)

    def leave(self, key: BatchKey) -> None:
        """This process works on the batch no longer: what is open there is another's to close."""
        for window in [window for window in self._windows if window[0] == key]:
            del self._windows[window]

    def page(self) -> bytes:
        """The text format of Prometheus."""
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        """Everything that is not a histogram."""
        messages = CounterMetricFamily("broadcasts_messages", "Attempts settled", labels=["bot", "outcome"])
        limits = CounterMetricFamily("broadcasts_telegram_429", "Answers 'too many requests'", labels=["bot"])
        used = GaugeMetricFamily("broadcasts_allowance_used_ratio", "Part of the bot's rate in use", labels=["bot"])
        pause = GaugeMetricFamily("broadcasts_pause_seconds", "How long Telegram has the bot wait", labels=["bot"])
        for name, bot in self._bots.items():
            for outcome, count in bot.outcomes.items():
                messages.add_metric([name, outcome.value], count)
            limits.add_metric([name], bot.pace.refused)
            used.add_metric([name], bot.used())
            pause.add_metric([name], bot.pace.paused_for)
        lag = GaugeMetricFamily("broadcasts_event_loop_lag_seconds", "How late the process wakes", self.lag.seconds)
        return messages, limits, used, pause, lag
