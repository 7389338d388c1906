"""Chats as one bot knows them, and believable people made from a seed."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any

from .errors import BotApiError, bad_request, forbidden
from .names import ENGLISH, ENGLISH_SURNAMES, MEN, SURNAMES, WOMEN, latin


class Status(StrEnum):
    ACTIVE = "active"
    BLOCKED = "blocked"
    DEACTIVATED = "deactivated"
    NOT_STARTED = "not_started"
    KICKED = "kicked"
    MIGRATED = "migrated"


@dataclass(slots=True)
class Chat:
    """A private chat, group or supergroup; `next_send_at` (monotonic seconds) is when one more message is allowed."""

    id: int
    kind: str = "private"
    first_name: str = ""
    last_name: str = ""
    username: str = ""
    language_code: str = "ru"
    title: str = ""
    status: Status = Status.ACTIVE
    migrated_to: int = 0
    next_send_at: float = 0.0

    @property
    def is_group(self) -> bool:
        return self.kind != "private"

    @property
    def name(self) -> str:
        return self.title or f"{self.first_name} {self.last_name}".strip() or str(self.id)

    def as_chat(self) -> dict[str, Any]:
        """The Bot API `Chat` object."""
        if self.is_group:
            return {"id": self.id, "type": self.kind, "title": self.title}
        chat: dict[str, Any] = {"id": self.id, "type": "private", "first_name": self.first_name}
        if self.last_name:
            chat["last_name"] = self.last_name
        if self.username:
            chat["username"] = self.username
        return chat

    def as_user(self) -> dict[str, Any]:
        """The Bot API `User` object of the person behind a private chat."""
        user = self.as_chat()
        del user["type"]
        return {**user, "is_bot": False, "language_code": self.language_code}

    def refusal(self) -> BotApiError | None:
        """Why nothing can be sent here, or None."""
        match self.status:
            case Status.ACTIVE:
                return None
            case Status.BLOCKED:
                return forbidden("bot was blocked by the user")
            case Status.DEACTIVATED:
                return forbidden("user is deactivated")
            case Status.NOT_STARTED:
                return forbidden("bot can't initiate conversation with a user")
            case Status.KICKED:
                return forbidden(f"bot was kicked from the {self.kind} chat")
            case Status.MIGRATED:
                return bad_request("group chat was upgraded to a supergroup chat", migrate_to_chat_id=self.migrated_to)


FIRST_CHAT_ID = 5_200_000_017  # above 32 bits, as real ones now are


def strangers(seed: int) -> Iterator[Chat]:
    """An endless row of people, the same for the same seed."""
    random = Random(seed)
    chat_id = FIRST_CHAT_ID
    while True:
        chat_id += random.randrange(1, 9_000)
        if random.random() < 0.2:
            first, last, language = random.choice(ENGLISH), random.choice(ENGLISH_SURNAMES), "en"
        else:
            woman = random.random() < 0.5
            first, last = random.choice(WOMEN if woman else MEN), random.choice(SURNAMES)
            last, language = last + "а" * woman, "ru"
        username = ""
        if random.random() < 0.7:
            username = f"{latin(first[0])}_{latin(last)}{random.randrange(10, 100)}_{chat_id % 1000}"
        if random.random() < 0.1:
            last = ""
        yield Chat(chat_id, first_name=first, last_name=last, username=username, language_code=language)
