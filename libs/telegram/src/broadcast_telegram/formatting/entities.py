"""What a parsed text is: the text that people read and the entities that format it."""

import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


class FormattingError(ValueError):
    """Telegram would refuse the text; `str(error)` is its description, `byte_offset` a place in the UTF-8 source."""

    def __init__(self, description: str, byte_offset: int | None = None) -> None:
        super().__init__(description)
        self.byte_offset = byte_offset


def unparsable(description: str, byte_offset: int | None = None) -> FormattingError:
    """An error of the markup itself, in the words of the Bot API."""
    return FormattingError(f"can't parse entities: {description}", byte_offset)


@dataclass(frozen=True, slots=True)
class Entity:
    """A MessageEntity of the Bot API: `offset` and `length` count UTF-16 code units."""

    type: str
    offset: int
    length: int
    url: str | None = None
    language: str | None = None
    user_id: int | None = None
    custom_emoji_id: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The JSON of the Bot API."""
        result: dict[str, Any] = {"type": self.type, "offset": self.offset, "length": self.length}
        for name in ("url", "language", "custom_emoji_id"):
            if (value := getattr(self, name)) is not None:
                result[name] = value
        if self.user_id is not None:
            result["user"] = {"id": self.user_id, "is_bot": False, "first_name": ""}
        return result


@dataclass(frozen=True, slots=True)
class FormattedText:
    """A text after its entities were parsed and its ends trimmed."""

    text: str
    entities: tuple[Entity, ...] = ()

    @property
    def length(self) -> int:
        """Unicode code points: what Telegram's limit of 4096 counts."""
        return len(self.text)


@dataclass(slots=True)
class Span:
    """An entity on its way: `start` and `end` are code points of the parsed text, `value` is what its type needs."""

    type: str
    start: int
    end: int
    value: str = ""


_PRIORITY = {
    "blockquote": 0,
    "expandable_blockquote": 0,
    "pre": 11,
    "code": 20,
    "text_link": 49,
    "text_mention": 49,
    "bold": 90,
    "italic": 91,
    "underline": 92,
    "strikethrough": 93,
    "spoiler": 94,
    "custom_emoji": 99,
}


def in_order(spans: Iterable[Span]) -> list[Span]:
    """The order of the Bot API: where they begin, then the longer first, then by type."""
    return sorted(spans, key=lambda span: (span.start, -span.end, _PRIORITY[span.type]))


class Written:
    """The text that a parser has written so far."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self.length = 0

    def add(self, piece: str) -> None:
        """Append a piece, which may be empty."""
        self._pieces.append(piece)
        self.length += len(piece)

    @property
    def mark(self) -> tuple[int, int]:
        """A place to read from later: the number of pieces and of code points."""
        return len(self._pieces), self.length

    def since(self, mark: tuple[int, int], at_most: int) -> str:
        """What was written after the mark; empty when it is longer than `at_most`, so that nesting stays cheap."""
        pieces, length = mark
        return "".join(self._pieces[pieces:]) if self.length - length <= at_most else ""

    def __str__(self) -> str:
        return "".join(self._pieces)


def public(text: str, spans: Iterable[Span]) -> tuple[Entity, ...]:
    """The spans as entities of the Bot API, with places counted in UTF-16."""
    astral = [match.start() for match in re.finditer("[\U00010000-\U0010ffff]", text)]

    def entity(span: Span) -> Entity:
        offset = span.start + bisect_left(astral, span.start)
        length = span.end + bisect_left(astral, span.end) - offset
        return Entity(
            span.type,
            offset,
            length,
            url=span.value if span.type == "text_link" else None,
            language=(span.value or None) if span.type == "pre" else None,
            user_id=int(span.value) if span.type == "text_mention" else None,
            custom_emoji_id=span.value if span.type == "custom_emoji" else None,
        )

    return tuple(map(entity, spans))
