"""parse_mode HTML, as the Bot API server reads it: stricter than a browser and kinder than XML."""

import re
from dataclasses import dataclass

from broadcast_telegram.formatting.entities import Span, Written, in_order, unparsable
from broadcast_telegram.formatting.links import LONGEST_LINK_TEXT, emoji_number, link_span, lower

_TYPES = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "span": "spoiler",
    "tg-emoji": "custom_emoji",
    "a": "text_link",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
}
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}

_PLAIN = re.compile(r"[^<&]+")
_REFERENCE = re.compile(r"&(?:#x([0-9a-fA-F]*)|#([0-9]*)|([a-zA-Z]*));?")
_REFERENCES = re.compile(r"&[^&]*")
_SURROGATE = re.compile("[\ud800-\udfff]")
_TAG_NAME = re.compile(r"[^ \t\r\n\v\0>]*")
_SPACES = re.compile(r"[ \t\r\n\v]*")
_ATTRIBUTE_NAME = re.compile(r"[^ \t\r\n\v\0=>/\"']*")
_TOKEN = re.compile(r"[a-zA-Z0-9.\-]*")
_QUOTED = {'"': re.compile(r'[^"\0]*'), "'": re.compile(r"[^'\0]*")}


@dataclass(slots=True)
class _Open:
    tag: str
    argument: str
    start: int
    mark: tuple[int, int]


class _Reader:
    """One pass over a source; `at` is where it reads, in code points."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0
        self.out = Written()
        self.spans: list[Span] = []
        self.open: list[_Open] = []
        self.has_surrogates = False

    def error(self, words: str, at: int, tail: str = "") -> Exception:
        offset = len(self.source[:at].encode())
        return unparsable(f"{words} at byte offset {offset}{tail}", offset)

    @property
    def here(self) -> str:
        """The character to read; NUL at the end, as in the server's strings."""
        return self.source[self.at] if self.at < len(self.source) else "\0"

    def take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.source, self.at)
        if match is None:
            return ""
        self.at = match.end()
        return match[0]

    def read(self) -> None:
        while self.at < len(self.source):
            if self.source[self.at] == "&":
                self.reference()
            elif self.source[self.at] != "<":
                self.out.add(self.take(_PLAIN))
            elif self.source.startswith("</", self.at):
                self.end_tag()
            else:
                self.start_tag()
        if self.open:
            raise unparsable(f'Can\'t find end tag corresponding to start tag "{self.open[-1].tag}"')
        if self.has_surrogates:
            raise unparsable(
                "Text contains invalid Unicode characters after decoding HTML entities, "
                "check for unmatched surrogate code units"
            )

    def reference(self) -> None:
        character, self.at = _decoded(self.source, self.at)
        self.has_surrogates = self.has_surrogates or "\ud800" <= character <= "\udfff"
        self.out.add(character)

    def start_tag(self) -> None:
        begin = self.at
        self.at += 1
        tag = lower(self.take(_TAG_NAME))
        if self.here == "\0":
            raise self.error("Unclosed start tag", begin)
        if tag not in _TYPES:
            raise self.error(f'Unsupported start tag "{tag}"', begin)
        argument = ""
        while True:
            self.take(_SPACES)
            if self.here == ">":
                break
            meaning = self.attribute(tag, begin)
            argument = argument if meaning is None else meaning
        self.at += 1
        if tag == "span" and argument != "spoiler":
            raise self.error('Tag "span" must have class "tg-spoiler"', begin)
        self.open.append(_Open(tag, argument, self.out.length, self.out.mark))

    def attribute(self, tag: str, begin: int) -> str | None:
        """Read one attribute; answer what it means to the tag, if anything."""
        name = self.take(_ATTRIBUTE_NAME)
        if not name:
            raise self.error(f'Empty attribute name in the tag "{tag}"', begin)
        self.take(_SPACES)
        value = ""
        if self.here == "=":
            self.at += 1
            self.take(_SPACES)
            value = self.attribute_value(tag, begin)
        elif self.here == "\0":
            raise self.error(f'Unclosed start tag "{tag}"', begin)
        match tag, name:
            case ("a", "href") | ("tg-emoji", "emoji-id"):
                return value
            case ("code", "class") if value.startswith("language-"):
                return value[9:]
            case ("span", "class") if value.startswith("tg-"):
                return value[3:]
            case ("blockquote", "expandable"):
                return "1"
        return None

    def attribute_value(self, tag: str, begin: int) -> str:
        quote = self.here
        if quote == "\0":
            raise self.error(f'Unclosed start tag "{tag}"', begin)
        if quote not in _QUOTED:
            token_begin = self.at
            value = lower(self.take(_TOKEN))
            if self.here not in " \t\r\n\v\0>":
                raise self.error("Unexpected end of name token", token_begin)
        else:
            self.at += 1
            value = _SURROGATE.sub("\ufffd", _REFERENCES.sub(_all_decoded, self.take(_QUOTED[quote])))
            if self.here == quote:
                self.at += 1
        if self.here == "\0":
            raise self.error("Unclosed start tag", begin)
        return value

    def end_tag(self) -> None:
        begin = self.at
        if not self.open:
            raise self.error("Unexpected end tag", begin)
        self.at += 2
        tag = lower(self.take(_TAG_NAME))
        self.take(_SPACES)
        if self.here != ">":
            raise self.error("Unclosed end tag", begin)
        opened = self.open.pop()
        if tag and tag != opened.tag:
            raise self.error("Unmatched end tag", begin, f', expected "</{opened.tag}>", found "</{tag}>"')
        self.at += 1
        if self.out.length > opened.start and (span := self.span(opened)):
            self.spans.append(span)

    def span(self, opened: _Open) -> Span | None:
        start, end = opened.start, self.out.length
        match opened.tag:
            case "a":
                link = opened.argument or self.out.since(opened.mark, LONGEST_LINK_TEXT)
                return link_span(link, start, end)
            case "tg-emoji":
                return Span("custom_emoji", start, end, emoji_number(opened.argument))
            case "blockquote" if opened.argument:
                return Span("expandable_blockquote", start, end)
            case "pre" | "code" as tag:
                return self.preformatted(tag, opened.argument, start, end)
        return Span(_TYPES[opened.tag], start, end)

    def preformatted(self, tag: str, language: str, start: int, end: int) -> Span:
        """`pre` and `code class="language-x"` around the same text, either way round, are one block with a language."""
        inner = self.spans[-1] if self.spans else None
        if inner and (inner.start, inner.end) == (start, end):
            if tag == "pre" and inner.type == "code" and inner.value:
                return Span("pre", start, end, self.spans.pop().value)
            if tag == "code" and inner.type == "pre" and not inner.value and language:
                self.spans.pop()
                return Span("pre", start, end, language)
        return Span(tag, start, end, language if tag == "code" else "")


def _decoded(source: str, at: int) -> tuple[str, int]:
    """The character that a reference stands for and the place after it; an unknown reference is a plain `&`."""
    match = _REFERENCE.match(source, at)
    assert match is not None  # there is an `&` at this place
    hexadecimal, decimal, name = match.groups()
    if name is not None:
        return (_NAMED[name], match.end()) if name in _NAMED else ("&", at + 1)
    digits = hexadecimal if decimal is None else decimal
    length = len(digits) + (3 if decimal is None else 2)
    code = int(digits, 16 if decimal is None else 10) if digits and length < 10 else 0
    return (chr(code), match.end()) if 0 < code < 0x10FFFF else ("&", at + 1)


def _all_decoded(match: re.Match[str]) -> str:
    """One reference and the plain text up to the next."""
    character, end = _decoded(match[0], 0)
    return character + match[0][end:]


def parse_html(source: str) -> tuple[str, list[Span]]:
    """The text and its spans in order; raises FormattingError."""
    reader = _Reader(source)
    reader.read()
    for span in reader.spans:
        if span.type == "code":
            span.value = ""
    return str(reader.out), in_order(reader.spans)
