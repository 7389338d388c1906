"""Text and entities of a message, with the limits and the words of the Bot API server."""

from functools import lru_cache

import orjson

from broadcast_telegram.formatting import FormattingError, parse

from .arguments import Arguments
from .errors import bad_request

TEXT_LIMIT, CAPTION_LIMIT = 4096, 1024  # code points, after entities are parsed


def read_text(arguments: Arguments) -> tuple[str, str]:
    """The text of a message and its entities as JSON; raises 400."""
    text, entities = read_formatted(arguments.text("text"), arguments.text("parse_mode"), arguments.text("entities"))
    if not text:
        raise bad_request("message text is empty")
    return text, entities


def read_caption(caption: str, parse_mode: str, entities: str) -> tuple[str, str]:
    """The caption of a file, which may be empty, and its entities as JSON; raises 400."""
    text, entities = read_formatted(caption, parse_mode, entities)
    if len(text) > CAPTION_LIMIT:
        raise bad_request("message caption is too long")
    return text, entities


def check_length(text: str) -> None:
    """Kept apart from `read_text`: the server looks for the chat in between."""
    if len(text) > TEXT_LIMIT:
        raise bad_request("message is too long")


def read_formatted(text: str, parse_mode: str, entities: str) -> tuple[str, str]:
    mode = parse_mode.strip()
    if mode.lower() in {"", "none"} and entities:
        return text, _canonical(entities)
    return _parsed(text, mode)


@lru_cache(4096)
def _parsed(text: str, parse_mode: str) -> tuple[str, str]:
    try:
        formatted = parse(text, parse_mode)
    except FormattingError as error:
        raise bad_request(str(error)) from None
    if not formatted.entities:
        return formatted.text, ""
    return formatted.text, orjson.dumps([entity.as_dict() for entity in formatted.entities]).decode()


@lru_cache(4096)
def _canonical(entities: str) -> str:
    try:
        given = orjson.loads(entities)
        assert isinstance(given, list)
        assert all({"type", "offset", "length"} <= each.keys() for each in given)
    except (orjson.JSONDecodeError, AssertionError, AttributeError):
        raise bad_request("can't parse entities: Can't parse entities JSON object") from None
    return orjson.dumps(given).decode() if given else ""
