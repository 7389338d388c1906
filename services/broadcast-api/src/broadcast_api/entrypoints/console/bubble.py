"""A text as a chat shows it: Telegram's entities as HTML of our own, every character of the text escaped."""

from collections.abc import Sequence

from markupsafe import Markup, escape

from broadcast_telegram.formatting import Entity, FormattedText

_TAGS = {
    "bold": "b",
    "italic": "i",
    "underline": "u",
    "strikethrough": "s",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "expandable_blockquote": "blockquote",
}
_SCHEMES = ("http://", "https://", "tg://", "mailto:")


def bubble(message: FormattedText) -> Markup:
    """Offsets are UTF-16 units, as the Bot API counts them."""
    units = message.text.encode("utf-16-le")
    return _rendered(units, 0, len(units) // 2, message.entities)


def _rendered(units: bytes, start: int, end: int, entities: Sequence[Entity]) -> Markup:
    """The stretch from `start` to `end`; each entity is put around those that lie inside it."""
    parts: list[Markup] = []
    at = start
    rest = list(entities)
    while rest:
        entity = rest.pop(0)
        opens, closes = max(entity.offset, at), min(entity.offset + entity.length, end)
        inside = [other for other in rest if other.offset < closes]
        rest = rest[len(inside) :]
        if closes > opens:
            parts += [_plain(units, at, opens), _wrapped(entity, _rendered(units, opens, closes, inside))]
            at = closes
    return Markup("").join([*parts, _plain(units, at, end)])


def _wrapped(entity: Entity, inner: Markup) -> Markup:
    if tag := _TAGS.get(entity.type):
        return Markup("<{0}>{1}</{0}>").format(Markup(tag), inner)  # a tag of ours  # nosec B704
    if entity.type == "spoiler":
        return Markup('<span class="spoiler" tabindex="0">{}</span>').format(inner)
    if entity.type == "text_link" and (entity.url or "").startswith(_SCHEMES):
        link = '<a href="{}" rel="noopener noreferrer nofollow" target="_blank">{}</a>'
        return Markup(link).format(entity.url, inner)  # escapes the address  # nosec B704
    return Markup('<span class="mention">{}</span>').format(inner)


def _plain(units: bytes, start: int, end: int) -> Markup:
    return escape(units[start * 2 : end * 2].decode("utf-16-le", "replace"))
