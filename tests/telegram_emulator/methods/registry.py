"""How a method of the Bot API is written down: a function of a call, and the limit that it falls under."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

import aiohttp

from ..arguments import Arguments
from ..people import Chat
from ..world import BotAccount


@dataclass(slots=True, frozen=True)
class Call:
    """One request of one bot; `arrived` is its monotonic second, `session` is for webhooks."""

    bot: BotAccount
    arguments: Arguments
    arrived: float
    session: aiohttp.ClientSession

    def chat(self) -> Chat:
        """The chat of `chat_id`; raises 400."""
        return self.bot.chat(self.arguments.text("chat_id"))

    def open_chat(self) -> Chat:
        """The chat of `chat_id`, if the bot may write there; raises 400 or 403."""
        chat = self.chat()
        if refusal := chat.refusal():
            raise refusal
        return chat


Result = dict[str, Any] | list[Any] | bool
Run = Callable[[Call], Result | Awaitable[Result]]
Bucket = Literal["send", "edit", "delete", "free"]


@dataclass(slots=True, frozen=True)
class Method:
    """`weight` tells how many messages a call is for the rate."""

    name: str
    run: Run
    bucket: Bucket
    weight: Callable[[Arguments], int] | None


METHODS: dict[str, Method] = {}


def method(
    name: str, bucket: Bucket = "free", weight: Callable[[Arguments], int] | None = None
) -> Callable[[Run], Run]:
    """Register a method under its name, which clients may write in any case."""

    def register(run: Run) -> Run:
        METHODS[name.lower()] = Method(name, run, bucket, weight)
        return run

    return register
