"""One bot and everything that is true about it: its chats, messages, files, limits and updates."""

import time
from collections.abc import Iterator
from typing import Any

import orjson

from .clock import Clock
from .content import Content, File
from .errors import bad_request
from .history import History
from .limits import Limiter, Limits
from .people import Chat, Status
from .updates import Updates


class BotAccount:
    """The world as one token sees it; nothing is shared with other bots but the clock."""

    def __init__(self, token: str, clock: Clock, limits: Limits) -> None:
        self.token = token
        self.id = int(token.partition(":")[0])
        username = f"news_{self.id % 10_000}_bot"
        self.user: dict[str, Any] = {"id": self.id, "is_bot": True, "first_name": "Вести", "username": username}
        self.clock = clock
        self.limiter = Limiter(limits)
        self.updates = Updates()
        self.chats: dict[int, Chat] = {}
        self.calls: dict[str, int] = {}
        self.files: dict[str, File] = {}
        self.shelf: dict[str, bytes] = {}
        self.forget_messages()

    def forget_messages(self) -> None:
        self.history = History()
        self.uploaded_bytes = 0
        self.uploads = 0
        self.refused_429 = 0
        self.calls.clear()
        self._albums = 0

    def chat(self, chat_id: str) -> Chat:
        """The chat an argument names; raises 400 when this bot has never heard of it."""
        if not chat_id:
            raise bad_request("chat_id is empty")
        try:
            found = self.chats.get(int(chat_id))
        except ValueError:
            found = None
        if found is None:
            raise bad_request("chat not found")
        return found

    def deliver(self, chat: Chat, content: Content, *, arrived: float, album: int = 0) -> int:
        """Write a message into the chat; its id."""
        return self.history.append(chat.id, content, date=self.clock.now(), arrived=arrived, album=album)

    def new_album(self) -> int:
        self._albums += 1
        return 13_000_000_000_000_000 + self._albums

    def message(self, chat: Chat, message_id: int) -> dict[str, Any]:
        """The Bot API `Message` as it is now."""
        history = self.history
        content = history.current(message_id)
        message: dict[str, Any] = {
            "message_id": message_id,
            "from": self.user if content.outgoing else chat.as_user(),
            "chat": chat.as_chat(),
            "date": int(history.date(message_id)),
        }
        if edits := history.edits.get(message_id):
            message["edit_date"] = int(edits[-1].at)
        if album := history.albums[message_id - 1]:
            message["media_group_id"] = str(album)
        if content.file is None:
            message["text"] = content.text
            if content.entities:
                message["entities"] = orjson.Fragment(content.entities)
        else:
            message[content.kind] = content.file.as_dict()
            if content.text:
                message["caption"] = content.text
            if content.entities:
                message["caption_entities"] = orjson.Fragment(content.entities)
        if content.protected:
            message["has_protected_content"] = True
        if content.has_inline_keyboard:
            message["reply_markup"] = orjson.Fragment(content.markup)
        return message

    def press_start(self, chat: Chat, payload: str = "") -> None:
        """The person opens the bot and presses Start; a blocked bot is unblocked by that."""
        if chat.status is Status.BLOCKED:
            self.change_status(chat, Status.ACTIVE)
        chat.status = Status.ACTIVE
        text = f"/start {payload}".strip()
        said = Content("text", text, '[{"type":"bot_command","offset":0,"length":6}]', outgoing=False)
        message_id = self.deliver(chat, said, arrived=time.monotonic())
        self.updates.emit("message", self.message(chat, message_id))

    def change_status(self, chat: Chat, status: Status) -> None:
        """Block, unblock, kick or take back the bot; says so in a my_chat_member update when it is news."""
        if chat.status is status:
            return
        members = {Status.ACTIVE: "member", Status.BLOCKED: "kicked", Status.KICKED: "kicked"}
        before, after = members.get(chat.status, "member"), members[status]
        chat.status = status
        if before == after:
            return
        person = chat.as_user() if not chat.is_group else {"id": 777000, "is_bot": False, "first_name": "Telegram"}
        self.updates.emit(
            "my_chat_member",
            {
                "chat": chat.as_chat(),
                "from": person,
                "date": int(self.clock.now()),
                "old_chat_member": self._member(before),
                "new_chat_member": self._member(after),
            },
        )

    def migrate(self, chat: Chat) -> Chat:
        """The group becomes a supergroup with a new id."""
        if chat.kind != "group":
            raise ValueError("only a group can become a supergroup")
        upgraded = Chat(-1_001_000_000_000 + chat.id, kind="supergroup", title=chat.title)
        chat.status, chat.migrated_to = Status.MIGRATED, upgraded.id
        self.chats[upgraded.id] = upgraded
        self.updates.emit(
            "message",
            {
                "message_id": 1_000_000_000 + len(self.chats),
                "chat": chat.as_chat(),
                "date": int(self.clock.now()),
                "migrate_to_chat_id": upgraded.id,
            },
        )
        return upgraded

    def _member(self, status: str) -> dict[str, Any]:
        member: dict[str, Any] = {"user": self.user, "status": status}
        return {**member, "until_date": 0} if status == "kicked" else member


class World:
    """Every bot of one emulator."""

    def __init__(self, clock: Clock, limits: Limits) -> None:
        self.clock = clock
        self.limits = limits
        self.bots: dict[str, BotAccount] = {}

    def add_bot(self, token: str) -> BotAccount:
        """Raises ValueError for a token that is not `<digits>:<secret>`."""
        number, _, secret = token.partition(":")
        if not number.isdigit() or not secret:
            raise ValueError(f"a bot token looks like 123456:secret, not {token!r}")
        return self.bots.setdefault(token, BotAccount(token, self.clock, self.limits))

    def named(self, name: str | None) -> Iterator[BotAccount]:
        """The bot with this token or id, or every bot when no name is given."""
        for token, bot in self.bots.items():
            if not name or name in (token, str(bot.id)):
                yield bot
