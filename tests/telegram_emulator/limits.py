"""Telegram's request limits over a sliding second, as strict as anybody has ever seen them."""

import math
from collections import deque
from dataclasses import dataclass, field, fields, replace
from typing import Any

from .errors import too_many_requests
from .people import Chat

UPLOAD_GUARDED_FROM = 100_000  # bytes of files in one request
UPLOAD_BURST_SECONDS = 1.0
UPLOAD_BACKLOG_SECONDS = 5.0


@dataclass(slots=True, frozen=True)
class Limits:
    """What one bot may do; a zero lifts a limit, and `rate` 0 lifts all of them.

    A message refused for the sake of its chat still counts against the bot's rate.

    rate, paid_rate, delete_rate: requests in any one second (delete_rate None = the same as rate);
    per_chat: messages a second to one chat; per_group_minute: messages a minute to one group;
    retry_after: seconds of the pause after too many; whoever asks during the pause starts it anew;
    album_counts_items: an album of n takes n of the rate (else one); upload_guard: paces repeated big uploads.
    """

    rate: int = 30
    paid_rate: int = 1000
    delete_rate: int | None = None
    per_chat: float = 1.0
    per_group_minute: int = 20
    retry_after: int = 3
    album_counts_items: bool = True
    upload_guard: bool = True

    def changed(self, values: dict[str, Any]) -> "Limits":
        known = {each.name for each in fields(self)}
        if unknown := values.keys() - known:
            raise ValueError(f"unknown limits: {', '.join(sorted(unknown))}; known: {', '.join(sorted(known))}")
        return replace(self, **values)


@dataclass(slots=True)
class Gate:
    """The arrivals of the last second and, after too many, the pause."""

    arrivals: deque[float] = field(default_factory=deque)
    paused_until: float = 0.0

    def admit(self, now: float, rate: int, weight: int, pause: int) -> None:
        """Count `weight` requests at `now`, or raise 429."""
        arrivals = self.arrivals
        while arrivals and now - arrivals[0] >= 1.0:
            arrivals.popleft()
        if now < self.paused_until or len(arrivals) + weight > max(rate, weight * (not arrivals)):
            self.paused_until = now + pause
            raise too_many_requests(pause)
        if weight == 1:
            arrivals.append(now)
        else:
            arrivals.extend([now] * weight)


class Limiter:
    """The gates of one bot. Times are monotonic seconds of arrival and never go back."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.refused = 0
        self._sends = Gate()
        self._deletes = Gate()
        self._groups: dict[int, deque[float]] = {}
        self._uploads: dict[int, float] = {}
        self._now = 0.0

    def send(self, now: float, chat: Chat | None, *, weight: int = 1, paid: bool = False, edit: bool = False) -> None:
        """Admit a message (`weight` of them for an album) or an edit; raises 429."""
        limits = self.limits
        if not limits.rate:
            return
        now = self._now = max(now, self._now)
        if not limits.album_counts_items:
            weight = 1
        self._sends.admit(now, limits.paid_rate if paid else limits.rate, weight, limits.retry_after)
        if chat is None:
            return
        if limits.per_chat and not edit:
            early = now < chat.next_send_at
            chat.next_send_at = now + 1 / limits.per_chat
            if early:
                raise too_many_requests(math.ceil(1 / limits.per_chat))
        if limits.per_group_minute and chat.is_group:
            self._admit_to_group(now, chat.id, weight)

    def delete(self, now: float) -> None:
        limits = self.limits
        rate = limits.rate if limits.delete_rate is None else limits.delete_rate
        if rate:
            now = self._now = max(now, self._now)
            self._deletes.admit(now, rate, 1, limits.retry_after)

    def upload(self, now: float, size: int) -> float:
        """Seconds by which this upload is slowed down, as the public server paces uploads of one total size."""
        if size <= UPLOAD_GUARDED_FROM or not self.limits.upload_guard or not self.limits.rate:
            return 0.0
        backlog = max(self._uploads.get(size, 0.0) - now, 0.0)
        if backlog - UPLOAD_BURST_SECONDS > UPLOAD_BACKLOG_SECONDS:
            raise too_many_requests(60, answer_after=3.0)
        self._uploads[size] = now + backlog + min(max(size * 1e-7, 0.2), 0.9)
        return max(backlog - UPLOAD_BURST_SECONDS, 0.0)

    def pause(self, now: float, seconds: float) -> None:
        """Refuse every send for so long, as after a flood."""
        self._sends.paused_until = max(self._sends.paused_until, now + seconds)

    def _admit_to_group(self, now: float, chat_id: int, weight: int) -> None:
        limit = self.limits.per_group_minute
        sends = self._groups.setdefault(chat_id, deque(maxlen=limit))
        over = min(len(sends) + weight - limit, len(sends))
        full = over > 0 and now - sends[over - 1] < 60.0
        sends.extend([now] * weight)  # a refused message counts too: whoever keeps sending keeps waiting
        if full:
            raise too_many_requests(max(1, math.ceil(60.0 - (now - sends[0]))))
