"""The whole emulated Telegram: bots, people, clock and faults, without any HTTP."""

from typing import Any

from .clock import Clock
from .faults import Faults
from .limits import Limits
from .people import Chat, Status, strangers
from .world import BotAccount, World


class Emulation:
    """People are the same for every bot, but each bot has its own relation to them."""

    def __init__(self, tokens: list[str], *, people: int, limits: Limits, seed: int) -> None:
        self.clock = Clock()
        self.faults = Faults(seed)
        self.world = World(self.clock, limits)
        self._limits = limits
        self._seed = seed
        self._strangers = strangers(seed)
        self._people: list[Chat] = []
        for token in tokens:
            self.add_bot(token)
        self.add_people(people)

    def add_bot(self, token: str) -> BotAccount:
        """A new bot knows everybody the others know. Raises ValueError for a malformed token."""
        bot = self.world.add_bot(token)
        for chat in self._people:
            bot.chats.setdefault(chat.id, _copy(chat))
        return bot

    def add_people(self, count: int, status: str = "active", bot: str | None = None) -> list[Chat]:
        """`count` strangers, all of one status; "group" makes groups. Raises ValueError for an unknown status."""
        return [self._settle(_with_status(next(self._strangers), status), bot) for _ in range(count)]

    def add_person(self, given: dict[str, Any], bot: str | None = None) -> Chat:
        """One explicit chat; what is not given is made up. Raises ValueError for an unknown status."""
        chat = _with_status(next(self._strangers), str(given.get("status", "active")))
        if "chat_id" in given:
            chat.id = int(given["chat_id"])
        for name in given.keys() - {"chat_id", "status"}:
            setattr(chat, name, str(given[name]))
        return self._settle(chat, bot)

    def reset(self, *, people: bool = False) -> None:
        """As freshly started, but who blocked whom stays, and files keep their ids; without people if asked."""
        self.clock.advanced = 0.0
        self.faults = Faults(self._seed)
        for bot in self.world.bots.values():
            bot.forget_messages()
            bot.limiter.limits = self._limits
            bot.updates.pending.clear()
            if people:
                bot.chats.clear()
        if people:
            self._people.clear()
            self._strangers = strangers(self._seed)

    def _settle(self, chat: Chat, bot: str | None) -> Chat:
        if bot is None:
            self._people.append(chat)
        for account in self.world.named(bot):
            account.chats[chat.id] = _copy(chat)
        return chat


def _copy(chat: Chat) -> Chat:
    return Chat(**{name: getattr(chat, name) for name in Chat.__slots__})


def _with_status(chat: Chat, status: str) -> Chat:
    if status == "group":
        return Chat(-(chat.id - 5_000_000_000), kind="group", title=f"Отдел {chat.last_name or chat.first_name}")
    chat.status = Status(status)
    return chat
