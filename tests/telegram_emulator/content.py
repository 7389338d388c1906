"""What a message says: text or a file with a caption; equal contents are one shared object."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True, frozen=True)
class File:
    """A file as one bot knows it. `variants` are the sizes of a photo, smallest first."""

    file_id: str
    unique_id: str
    kind: str
    name: str
    mime_type: str
    size: int
    width: int = 0
    height: int = 0
    variants: tuple["File", ...] = ()

    def as_dict(self) -> Any:
        """The Bot API object under the key `kind`: an array of sizes for a photo."""
        if self.kind == "photo":
            return [
                {
                    "file_id": size.file_id,
                    "file_unique_id": size.unique_id,
                    "width": size.width,
                    "height": size.height,
                    "file_size": size.size,
                }
                for size in self.variants
            ]
        described: dict[str, Any] = {"file_id": self.file_id, "file_unique_id": self.unique_id, "file_size": self.size}
        described |= {"file_name": self.name, "mime_type": self.mime_type}
        if self.kind == "video":
            described |= {"width": self.width or 640, "height": self.height or 360, "duration": 0}
        if self.kind == "audio":
            described |= {"duration": 0}
        return described


@dataclass(slots=True, unsafe_hash=True)
class Content:
    """A content compares by what a reader sees; `entities` and `markup` are JSON.

    `first_reader` and `other_readers` serve the count of duplicates.
    """

    kind: str
    text: str
    entities: str = ""
    file: File | None = None
    markup: str = ""
    protected: bool = False
    outgoing: bool = True
    first_reader: int = field(default=0, compare=False)
    other_readers: set[int] | None = field(default=None, compare=False)

    @property
    def identity(self) -> tuple[object, ...]:
        """What Telegram compares to say that a message is not modified."""
        return self.kind, self.text, self.entities, self.file and self.file.unique_id, self.markup

    @property
    def has_inline_keyboard(self) -> bool:
        return self.markup.startswith('{"inline_keyboard"')

    def read_by(self, chat_id: int) -> bool:
        """Note a reader; True when this chat has received the same content before."""
        if not self.first_reader:
            self.first_reader = chat_id
            return False
        if self.first_reader == chat_id:
            return True
        if self.other_readers is None:
            self.other_readers = set()
        if chat_id in self.other_readers:
            return True
        self.other_readers.add(chat_id)
        return False
