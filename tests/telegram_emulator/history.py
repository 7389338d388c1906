"""Every message of one bot, in columns: about fifty bytes each beside the shared content."""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass

from .content import Content


@dataclass(slots=True, frozen=True)
class Edit:
    """When (Telegram's clock) and into what a message was edited."""

    at: float
    content: Content


class History:
    """Message `n` is row `n - 1`: ids grow by one over all chats of the bot, as for private chats in Telegram."""

    def __init__(self) -> None:
        self.chat_ids = array("q")
        self.contents: list[Content] = []
        self.dates = array("d")
        self.arrivals = array("d")
        self.deleted_at = array("d")
        self.albums = array("q")
        self.edits: dict[int, list[Edit]] = {}
        self.by_chat: dict[int, array[int]] = {}
        self.sent = self.deleted = self.duplicates = self.edited = 0
        self.first_sent_at = self.last_sent_at = 0.0
        self._contents: dict[Content, Content] = {}

    def append(self, chat_id: int, content: Content, *, date: float, arrived: float, album: int = 0) -> int:
        """Write one message; `arrived` is the monotonic second of its request. Returns the message id."""
        content = self._contents.setdefault(content, content)
        self.chat_ids.append(chat_id)
        self.contents.append(content)
        self.dates.append(date)
        self.arrivals.append(arrived)
        self.deleted_at.append(0.0)
        self.albums.append(album)
        message_id = len(self.contents)
        ids = self.by_chat.get(chat_id)
        if ids is None:
            ids = self.by_chat[chat_id] = array("q")
        ids.append(message_id)
        if content.outgoing:
            self.sent += 1
            self.duplicates += content.read_by(chat_id)
            self.last_sent_at = date
            self.first_sent_at = self.first_sent_at or date
        return message_id

    def in_chat(self, chat_id: int, message_id: int) -> bool:
        """Whether the message is still there for the chat to see."""
        row = message_id - 1
        return 0 <= row < len(self.contents) and self.chat_ids[row] == chat_id and not self.deleted_at[row]

    def delete(self, message_id: int, *, at: float) -> None:
        self.deleted_at[message_id - 1] = at
        self.deleted += self.contents[message_id - 1].outgoing

    def edit(self, message_id: int, content: Content, *, at: float) -> None:
        """The content first received stays on record."""
        content = self._contents.setdefault(content, content)
        self.edits.setdefault(message_id, []).append(Edit(at, content))
        self.edited += 1

    def current(self, message_id: int) -> Content:
        """The content as the chat sees it now."""
        edits = self.edits.get(message_id)
        return edits[-1].content if edits else self.contents[message_id - 1]

    def date(self, message_id: int) -> float:
        return self.dates[message_id - 1]

    def of_chat(self, chat_id: int) -> Iterable[int]:
        """Message ids of a chat, oldest first, deleted ones too."""
        return self.by_chat.get(chat_id, ())
