"""How Telegram reads a text: the same text, entities, length and errors as the Bot API server (TDLib, October 2024).

Not done, because it changes neither length nor errors: finding mentions, hashtags and bare links, and checking that
mentioned users and custom emoji exist.
"""

from broadcast_contracts import ParseMode
from broadcast_telegram.formatting.entities import Entity, FormattedText, FormattingError, public
from broadcast_telegram.formatting.html import parse_html
from broadcast_telegram.formatting.markdown import parse_markdown
from broadcast_telegram.formatting.tidy import tidy

TEXT_LIMIT = 4096
"""Code points of a message after its entities were parsed."""


def parse(text: str, parse_mode: str) -> FormattedText:
    """Read `text` as `HTML`, `MarkdownV2` or plain (`none` or empty); raises FormattingError.

    The result may be empty: Telegram refuses that later, see `check`.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise FormattingError("strings must be encoded in UTF-8") from error
    match parse_mode.lower():
        case "html":
            plain, spans = parse_html(text)
        case "markdownv2":
            plain, spans = parse_markdown(text)
        case "none" | "":
            plain, spans = text, []
        case _:
            raise FormattingError("unsupported parse_mode")
    plain, spans = tidy(plain, spans)
    return FormattedText(plain, public(plain, spans))


def check(text: str, parse_mode: ParseMode, limit: int = TEXT_LIMIT) -> FormattedText:
    """Read a text that is to be sent; raises FormattingError with what Telegram would answer."""
    parsed = parse(text, parse_mode)
    if not parsed.text:
        raise FormattingError("message text is empty")
    if parsed.length > limit:
        raise FormattingError("message is too long")
    return parsed


__all__ = ["TEXT_LIMIT", "Entity", "FormattedText", "FormattingError", "check", "parse"]
