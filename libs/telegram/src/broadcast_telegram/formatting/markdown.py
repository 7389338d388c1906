"""parse_mode MarkdownV2, as the Bot API server reads it: one pass, a stack of open entities, no backtracking."""

import re
from dataclasses import dataclass

from broadcast_telegram.formatting.entities import Span, Written, in_order, unparsable
from broadcast_telegram.formatting.links import LONGEST_LINK_TEXT, SPACE, custom_emoji_id, link_span

_PLAIN = re.compile(r"[^\\_*\[\]()~`>#+\-=|{}.!\n]+")
_PLAIN_CODE = re.compile(r"[^\\`]+")
_LANGUAGE = re.compile(rf"[^`{SPACE}]+(?=[{SPACE}])")
_FIRST_LINE_BREAK = re.compile(r"\n\r|\r\n|\n|\r")
_URL = re.compile(r"(?:\\[\x01-\x7e]|[^)])*")
_ESCAPE = re.compile(r"\\([\x01-\x7e])")

_MARKS = {
    "__": "Underline",
    "_": "Italic",
    "*": "Bold",
    "~": "Strikethrough",
    "||": "Spoiler",
    "![": "CustomEmoji",
    "[": "TextUrl",
    "```": "Pre",
    "`": "Code",
}
"""What opens an entity, by the name that the server gives it in its errors."""

_CLOSING = {"CustomEmoji": "]", "TextUrl": "]"} | {
    kind: mark for mark, kind in _MARKS.items() if kind not in ("CustomEmoji", "TextUrl")
}
_TYPES = {
    "Underline": "underline",
    "Italic": "italic",
    "Bold": "bold",
    "Strikethrough": "strikethrough",
    "Spoiler": "spoiler",
    "Pre": "pre",
    "PreCode": "pre",
    "Code": "code",
    "BlockQuote": "blockquote",
    "ExpandableBlockQuote": "expandable_blockquote",
}
_VERBATIM = ("Code", "Pre", "PreCode")


@dataclass(slots=True)
class _Open:
    kind: str
    at: int
    start: int
    mark: tuple[int, int]
    language: str = ""


class _Reader:
    """One pass over a source; `at` is where it reads, in code points."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0
        self.out = Written()
        self.spans: list[Span] = []
        self.open: list[_Open] = []
        self.quoting = False
        self.line_begins = True

    def error(self, words: str, at: int) -> Exception:
        offset = len(self.source[:at].encode())
        return unparsable(f"{words} at byte offset {offset}", offset)

    def never_ends(self) -> Exception:
        return self.error(f"Can't find end of {self.open[-1].kind} entity", self.open[-1].at)

    def ahead(self, mark: str) -> bool:
        return self.source.startswith(mark, self.at)

    def read(self) -> None:
        while self.at < len(self.source):
            verbatim = bool(self.open) and self.open[-1].kind in _VERBATIM
            if match := _ESCAPE.match(self.source, self.at):
                self.write(match[1], match.end())
                self.line_begins = self.line_begins if match[1] == "\r" else match[1] == "\n"
            elif match := (_PLAIN_CODE if verbatim else _PLAIN).match(self.source, self.at):
                self.write(match[0], match.end())
                self.line_begins = self.line_begins and not match[0].strip("\r")
            elif self.ahead("\\"):
                self.write("\\", self.at + 1)
                self.line_begins = False
            elif self.quoting and self.ahead("\n") and not self.ahead("\n>"):
                self.end_quote()
            elif self.ends():
                self.end()
            else:
                self.begin()
        self.end_of_text()

    def write(self, text: str, then: int) -> None:
        self.out.add(text)
        self.at = then

    def ends(self) -> bool:
        """Whether the innermost entity is closed here; `__` never closes an italic."""
        if not self.open or self.open[-1].kind == "BlockQuote":
            return False
        kind = self.open[-1].kind
        if kind == "Italic" and self.ahead("__"):
            return False
        return self.ahead(_CLOSING["Pre" if kind == "PreCode" else kind])

    def begin(self) -> None:
        begin = self.at
        if self.ahead("\n"):
            self.write("\n", begin + 1)
            self.line_begins = True
        elif self.ahead(">") and self.line_begins:
            self.at += 1
            if not self.quoting:
                self.quoting = True
                self.push("BlockQuote", begin)
        elif mark := next((mark for mark in (self.source[begin : begin + n] for n in (3, 2, 1)) if mark in _MARKS), ""):
            self.at += len(mark)
            language = self.language() if mark == "```" else ""
            self.push("PreCode" if language else _MARKS[mark], begin, language)
        else:
            raise unparsable(
                f"Character '{self.source[begin]}' is reserved and must be escaped with the preceding '\\'",
                len(self.source[:begin].encode()),
            )

    def push(self, kind: str, begin: int, language: str = "") -> None:
        self.open.append(_Open(kind, begin, self.out.length, self.out.mark, language))

    def language(self) -> str:
        """The word right after the backticks, if anything but a backtick follows it; skips one line break."""
        language = ""
        if match := _LANGUAGE.match(self.source, self.at):
            language, self.at = match[0], match.end()
        if match := _FIRST_LINE_BREAK.match(self.source, self.at):
            self.at = match.end()
        return language

    def end(self) -> None:
        opened = self.open[-1]
        self.at += 3 if opened.kind == "PreCode" else len(_CLOSING[opened.kind])
        start, end = opened.start, self.out.length
        span: Span | None
        if opened.kind == "TextUrl":
            link = self.url("a URL") if self.ahead("(") else self.out.since(opened.mark, LONGEST_LINK_TEXT)
            span = link_span(link, start, end)
        elif opened.kind == "CustomEmoji":
            if not self.ahead("("):
                raise unparsable("Custom emoji entity must contain a tg://emoji URL")
            span = Span("custom_emoji", start, end, custom_emoji_id(self.url("a custom emoji URL")))
        else:
            span = Span(_TYPES[opened.kind], start, end, opened.language)
        if span and start != end:
            self.spans.append(span)
        self.open.pop()

    def url(self, name: str) -> str:
        """What stands between round brackets."""
        begin = self.at + 1
        match = _URL.match(self.source, begin)
        end = match.end() if match else begin
        if not self.source.startswith(")", end):
            raise self.error(f"Can't find end of {name}", begin)
        self.at = end + 1
        return _ESCAPE.sub(r"\1", self.source[begin:end])

    def end_quote(self) -> None:
        """A line that does not go on quoting; a lone `||` at the end of the last line made the quote expandable."""
        kind = "BlockQuote"
        if self.open[-1].kind == "Spoiler":
            distance = self.at - self.open[-1].at
            if distance != 2 and not (distance == 3 and self.source[self.at - 1] == "\r"):
                raise self.never_ends()
            self.open.pop()
            kind = "ExpandableBlockQuote"
        if self.open[-1].kind != "BlockQuote":
            raise self.never_ends()
        self.write("\n", self.at + 1)
        self.line_begins = True
        self.close_quote(kind)

    def close_quote(self, kind: str) -> None:
        opened = self.open.pop()
        self.quoting = False
        if self.out.length > opened.start:
            self.spans.append(Span(_TYPES[kind], opened.start, self.out.length))

    def end_of_text(self) -> None:
        if self.quoting:
            kind = "BlockQuote"
            if self.open[-1].kind == "Spoiler" and self.open[-1].at == len(self.source) - 2:
                self.open.pop()
                kind = "ExpandableBlockQuote"
            if self.open[-1].kind == "BlockQuote":
                self.close_quote(kind)
        if self.open:
            raise self.never_ends()


def parse_markdown(source: str) -> tuple[str, list[Span]]:
    """The text and its spans in order; raises FormattingError."""
    reader = _Reader(source)
    reader.read()
    return str(reader.out), in_order(reader.spans)
