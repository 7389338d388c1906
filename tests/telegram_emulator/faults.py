"""Scripted faults: what goes wrong, for which calls, how often; the history still tells the truth."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from random import Random
from typing import Any, Literal, get_args

from .errors import BotApiError, bad_request, forbidden, too_many_requests, unauthorized

Kind = Literal[
    "rate_limited", "forbidden_blocked", "forbidden_deactivated", "forbidden_not_started", "chat_not_found",
    "content_error", "server_error_before", "server_error_after", "bad_gateway_html", "timeout_before",
    "timeout_after", "reset_before", "reset_after", "slow", "unauthorized", "restart", "hidden_429", "file_id_rejected",
]  # fmt: skip


@dataclass(slots=True)
class Fault:
    """One rule. `next` counts down to nothing; else `probability` decides each call; `delay` comes before the fault.

    `skip` calls that the rule is about pass first: so the second message to a chat can be made to fail.

    `pause` makes a `rate_limited` fault a real one: until retry_after is over every send of the bot is refused.
    For the two timeouts `delay` is how long the connection hangs before it is cut (60 s unless told).
    """

    id: int
    kind: Kind
    method: str = "*"
    bot: int | None = None
    chat_id: int | None = None
    probability: float = 1.0
    next: int | None = None
    skip: int = 0
    delay: float = 0.0
    retry_after: int = 3
    pause: bool = False
    hits: int = 0

    @property
    def refusal(self) -> BotApiError | None:
        """The answer given instead of doing the work, for the kinds that answer in the Bot API's own words."""
        match self.kind:
            case "rate_limited":
                return too_many_requests(self.retry_after)
            case "forbidden_blocked":
                return forbidden("bot was blocked by the user")
            case "forbidden_deactivated":
                return forbidden("user is deactivated")
            case "forbidden_not_started":
                return forbidden("bot can't initiate conversation with a user")
            case "chat_not_found":
                return bad_request("chat not found")
            case "content_error":
                return bad_request('can\'t parse entities: Unsupported start tag "x" at byte offset 0')
            case "server_error_before":
                return BotApiError(500, "Internal Server Error")
            case "unauthorized":
                return unauthorized()
            case "restart":
                return BotApiError(500, "Internal Server Error: restart")
            case "file_id_rejected":
                return bad_request("wrong file identifier/HTTP URL specified")
            case "hidden_429":
                return bad_request(
                    f'failed to send message #1 with the error message "Too Many Requests: retry after'
                    f' {self.retry_after}"'
                )
            case _:
                return None


class Faults:
    """The rules in force, tried in the order they were added; the first that strikes wins."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._rules: list[Fault] = []
        self._added = 0

    def __iter__(self) -> Iterator[Fault]:
        return iter(self._rules)

    def __bool__(self) -> bool:
        return bool(self._rules)

    def add(self, values: dict[str, Any]) -> Fault:
        """Raises ValueError for an unknown field or kind."""
        known = {each.name for each in fields(Fault)} - {"id", "hits"}
        if unknown := values.keys() - known:
            raise ValueError(f"unknown fields: {', '.join(sorted(unknown))}; known: {', '.join(sorted(known))}")
        if values.get("kind") not in get_args(Kind):
            raise ValueError(f"kind must be one of {', '.join(get_args(Kind))}")
        if values["kind"] == "hidden_429":
            values = {"retry_after": 8, **values}
        self._added += 1
        fault = Fault(id=self._added, **values)
        self._rules.append(fault)
        return fault

    def clear(self) -> None:
        self._rules.clear()

    def strike(self, bot: int, method: str, chat_id: int | None) -> Fault | None:
        """The fault for this call, if any; `method` in lower case."""
        for rule in self._rules:
            if rule.method != "*" and rule.method.lower() != method:
                continue
            if rule.bot is not None and rule.bot != bot:
                continue
            if rule.chat_id is not None and rule.chat_id != chat_id:
                continue
            if rule.next == 0 or (rule.probability < 1 and self._random.random() >= rule.probability):
                continue
            if rule.skip:
                rule.skip -= 1
                continue
            if rule.next is not None:
                rule.next -= 1
            rule.hits += 1
            return rule
        return None

    def as_list(self) -> list[dict[str, Any]]:
        return [asdict(rule) for rule in self._rules]
