"""In how many messages a content arrives: the calls to the Bot API that one recipient's copy takes."""

from dataclasses import dataclass
from enum import StrEnum

from broadcast_contracts import Content, File, FileKind
from broadcast_telegram.formatting import FormattingError, parse

CAPTION_LIMIT = 1024
"""Code points of a caption after its entities were parsed (sendPhoto in the Bot API)."""


class Method(StrEnum):
    """The methods of the Bot API that carry a content."""

    MESSAGE = "sendMessage"
    PHOTO = "sendPhoto"
    VIDEO = "sendVideo"
    AUDIO = "sendAudio"
    DOCUMENT = "sendDocument"
    ALBUM = "sendMediaGroup"


@dataclass(frozen=True, slots=True)
class Call:
    """One request: a text, a file, or an album of 2–10. `text` is the message, or the caption of the first file."""

    method: Method
    files: tuple[File, ...] = ()
    text: str = ""

    @property
    def messages(self) -> int:
        """How many messages it leaves in the chat: every file of an album is one."""
        return max(1, len(self.files))


def plan(content: Content) -> tuple[Call, ...]:
    """The fewest calls that Telegram allows, in the order they are made; never empty.

    Photos and videos share an album, documents and audio stay among their own kind (sendMediaGroup in the Bot API).
    The groups come in the order of their first files, and within each the files keep theirs. The text is the caption
    of the first file; longer than a caption may be, it goes ahead as a message. A text that cannot be read stays where
    it is, for Telegram to refuse.
    """
    if not content.files:
        return (Call(Method.MESSAGE, text=content.text),)
    groups: dict[str, list[File]] = {}
    for file in content.files:
        groups.setdefault(_company(file.kind), []).append(file)
    # A content has no more files than an album takes, so a group is one call.
    calls = [Call(_method(group), tuple(group)) for group in groups.values()]
    if _fits_caption(content):
        first = calls[0]
        return (Call(first.method, first.files, content.text), *calls[1:])
    return (Call(Method.MESSAGE, text=content.text), *calls)


def _company(kind: FileKind) -> str:
    """Files of one company may share an album."""
    return "pictures" if kind in (FileKind.PHOTO, FileKind.VIDEO) else kind.value


def _method(group: list[File]) -> Method:
    return Method.ALBUM if len(group) > 1 else Method[group[0].kind.name]


def _fits_caption(content: Content) -> bool:
    try:
        return parse(content.text, content.parse_mode).length <= CAPTION_LIMIT
    except FormattingError:
        return True
