"""What Telegram does to every text before it counts it: cleans characters, sorts entities out, trims the ends."""

import re
from bisect import bisect_left

from broadcast_telegram.formatting.entities import Span, in_order

_SPLITTABLE = ("bold", "italic", "underline", "strikethrough", "spoiler")
_QUOTES = ("blockquote", "expandable_blockquote")
_VERBATIM = ("code", "pre")

_CONTROLS = {code: " " for code in range(33) if chr(code) not in "\n\r"}
_REMOVED = re.compile("[\r\u2028-\u202e\u0333\u033f\u030a]")
_DIRECTION_MARKS = re.compile("[\u200e\u200f]{2,}")
_INVISIBLE = re.compile(
    "[ \t\r\n\v\0\u1680\u180e\u2000-\u200f\u202e\u202f\u205f\u2800\u3000\ufffc\ufeff\xa0\U000e0000-\U000e007f]*"
)
_TRIMMED = " \n"


def tidy(text: str, spans: list[Span]) -> tuple[str, list[Span]]:
    """The text and entities that a chat would show; an empty text when there is nothing to show."""
    spans = _untangled([span for span in spans if span.end > span.start])
    text, spans = _cleaned(text, spans)
    spans = _untangled([span for span in spans if span.end > span.start])
    text, spans = _trimmed(text, spans)
    return ("", []) if _INVISIBLE.fullmatch(text) else (text, spans)


def _cleaned(text: str, spans: list[Span]) -> tuple[str, list[Span]]:
    if gone := [match.start() for match in _REMOVED.finditer(text)]:
        for span in spans:
            span.start -= bisect_left(gone, span.start)
            span.end -= bisect_left(gone, span.end)
        text = _REMOVED.sub("", text)
    text = text.translate(_CONTROLS)
    return _DIRECTION_MARKS.sub(lambda run: "\u200c" * (len(run[0]) - 1) + run[0][-1], text), spans


def _trimmed(text: str, spans: list[Span]) -> tuple[str, list[Span]]:
    """No spaces at the end; none at the beginning but those that an entity begins with."""
    text = text.rstrip(_TRIMMED)
    for span in spans:
        span.end = min(span.end, len(text))
    spans = in_order(span for span in spans if span.end > span.start)
    begin = len(text) - len(text.lstrip(_TRIMMED))
    if spans:
        begin = min(begin, spans[0].start)
    for span in spans:
        span.start -= begin
        span.end -= begin
    return text[begin:], spans


def _untangled(spans: list[Span]) -> list[Span]:
    """Links, code and quotes never cross or repeat each other; styles are merged, and cut where those begin or end."""
    spans = in_order(spans)
    styles = [span for span in spans if span.type in _SPLITTABLE]
    quotes = _apart([span for span in spans if span.type in _QUOTES])
    others = _apart([span for span in spans if span.type not in _SPLITTABLE + _QUOTES])
    blocks = in_order([*_within_or_without(others, quotes), *quotes])
    return in_order([*blocks, *_cut(styles, blocks)])


def _apart(spans: list[Span]) -> list[Span]:
    """Of those that overlap, the first."""
    result: list[Span] = []
    for span in spans:
        if not result or span.start >= result[-1].end:
            result.append(span)
    return result


def _within_or_without(spans: list[Span], quotes: list[Span]) -> list[Span]:
    """Those that lie wholly inside a quote or wholly outside."""
    result: list[Span] = []
    following = 0
    for span in spans:
        while following < len(quotes) and quotes[following].end <= span.start:
            following += 1
        if following < len(quotes):
            quote = quotes[following]
            if quote.end < span.end or span.start < quote.start < span.end:
                continue
        result.append(span)
    return result


def _cut(styles: list[Span], blocks: list[Span]) -> list[Span]:
    """Merge styles that touch, cut them at the borders of blocks and drop them inside code."""
    result: list[Span] = []
    running: dict[str, Span] = {}
    following = 0

    def flush(at: int) -> None:
        for type in _SPLITTABLE:
            span = running.get(type)
            if span is None or span.start >= at:
                continue
            if span.end <= at:
                result.append(running.pop(type))
            else:
                result.append(Span(type, span.start, at))
                span.start = at

    def advance(to: int) -> None:
        nonlocal following
        while following < len(styles) and styles[following].start < to:
            style = styles[following]
            following += 1
            if (span := running.get(style.type)) and style.start <= span.end:
                span.end = max(span.end, style.end)
            else:
                flush(style.start)
                running[style.type] = Span(style.type, style.start, style.end)
        flush(to)

    inside: list[Span] = []

    def move(to: int) -> None:
        while inside and inside[-1].end <= to:
            kept = len(result)
            advance(inside[-1].end)
            if inside.pop().type in _VERBATIM:
                del result[kept:]
        advance(to)

    for block in blocks:
        move(block.start)
        inside.append(block)
    move(1 << 60)
    return result
