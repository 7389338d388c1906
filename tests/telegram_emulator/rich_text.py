"""Telegram entities as safe HTML: every character of the text is escaped, only our own tags come out."""

from collections.abc import Sequence
from html import escape
from typing import Any

TAGS = {
    "bold": "b",
    "italic": "i",
    "underline": "u",
    "strikethrough": "s",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "expandable_blockquote": "blockquote",
}
LINK_SCHEMES = "http://", "https://", "tg://", "mailto:"


def rich_text(text: str, entities: Sequence[dict[str, Any]]) -> str:
    """Offsets are in UTF-16 units, as the Bot API counts them."""
    units = text.encode("utf-16-le")
    ordered = sorted(entities, key=lambda each: (each["offset"], -each["length"]))
    return _render(units, 0, len(units) // 2, ordered)


def _render(units: bytes, start: int, end: int, entities: Sequence[dict[str, Any]]) -> str:
    """The text from `start` to `end`; an entity is rendered around those that lie inside it."""
    parts: list[str] = []
    at = start
    index = 0
    while index < len(entities):
        entity = entities[index]
        index += 1
        opens = max(entity["offset"], at)
        closes = min(entity["offset"] + entity["length"], end)
        inside = []
        while index < len(entities) and entities[index]["offset"] < closes:
            inside.append(entities[index])
            index += 1
        if closes <= opens:
            continue
        parts.append(_plain(units, at, opens))
        parts.append(_wrapped(entity, _render(units, opens, closes, inside)))
        at = closes
    parts.append(_plain(units, at, end))
    return "".join(parts)


def _wrapped(entity: dict[str, Any], inner: str) -> str:
    kind = entity["type"]
    if tag := TAGS.get(kind):
        return f"<{tag}>{inner}</{tag}>"
    if kind == "spoiler":
        return f'<span class="spoiler" tabindex="0">{inner}</span>'
    url = str(entity.get("url", ""))
    if kind == "text_link" and url.startswith(LINK_SCHEMES):
        return f'<a href="{escape(url)}" rel="noopener noreferrer" target="_blank">{inner}</a>'
    if kind == "custom_emoji":
        return inner
    return f'<span class="link">{inner}</span>'


def _plain(units: bytes, start: int, end: int) -> str:
    return escape(units[start * 2 : end * 2].decode("utf-16-le", "replace"))
