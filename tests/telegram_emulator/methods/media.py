"""Files and albums of files."""

from collections.abc import Callable
from typing import Any

import orjson

from ..arguments import Arguments
from ..content import Content
from ..errors import bad_request
from ..files import take_argument, take_file
from ..formatted import read_caption
from .messages import read_markup
from .registry import Call, Result, method

ALBUM_LEAST, ALBUM_MOST = 2, 10
ALBUM_KINDS = {"photo", "video", "document", "audio"}
NEVER_IN_ALBUMS = {"animation", "voice", "video_note", "sticker"}
SECLUDED = "document", "audio"  # each only among its own


def _sender(kind: str) -> Callable[[Call], Result]:
    def send(call: Call) -> Result:
        arguments = call.arguments
        caption, entities = read_caption(
            arguments.text("caption"), arguments.text("parse_mode"), arguments.text("caption_entities")
        )
        markup = read_markup(arguments)
        file = take_argument(call.bot, arguments, kind)
        chat = call.open_chat()
        protected = arguments.flag("protect_content")
        content = Content(kind, caption, entities, file, markup=markup, protected=protected)
        return call.bot.message(chat, call.bot.deliver(chat, content, arrived=call.arrived))

    return send


for _kind in ("photo", "document", "video", "audio"):
    method(f"send{_kind.title()}", "send")(_sender(_kind))


def _album_size(arguments: Arguments) -> int:
    return arguments.text("media").count('"media"') or 1


@method("sendMediaGroup", "send", weight=_album_size)
def send_media_group(call: Call) -> Result:
    """All or nothing; each item becomes a message of its own under one media_group_id."""
    items = call.arguments.parsed("media")
    if not isinstance(items, list):
        raise bad_request("can't parse media JSON object")
    _check_album(items)
    protected = call.arguments.flag("protect_content")
    contents = [read_media(call, item, protected=protected) for item in items]
    chat = call.open_chat()
    album = call.bot.new_album()
    ids = [call.bot.deliver(chat, content, arrived=call.arrived, album=album) for content in contents]
    return [call.bot.message(chat, each) for each in ids]


def read_media(call: Call, item: dict[str, Any], *, protected: bool = False, markup: str = "") -> Content:
    """One `InputMedia`: its file, uploaded or known, and its caption."""
    kind, reference = item.get("type"), item.get("media")
    if kind not in ALBUM_KINDS:
        raise bad_request("can't parse InputMedia: Type is unsupported")
    if not isinstance(reference, str) or not reference:
        raise bad_request("can't parse InputMedia: media not found")
    given = Arguments({name: value for name, value in item.items() if isinstance(value, str)})
    entities_given = item.get("caption_entities")
    caption, entities = read_caption(
        given.text("caption"),
        given.text("parse_mode"),
        orjson.dumps(entities_given).decode() if entities_given else "",
    )
    file = take_file(call.bot, call.arguments, kind, reference)
    return Content(kind, caption, entities, file, markup=markup, protected=protected)


def _check_album(items: list[Any]) -> None:
    if not items:
        raise bad_request("there are no messages to send")
    if not all(isinstance(item, dict) for item in items):
        raise bad_request("can't parse InputMedia: expected an Object")
    if len(items) > ALBUM_MOST:
        raise bad_request("too many messages to send as an album")
    kinds = {item.get("type") for item in items}
    if kinds & NEVER_IN_ALBUMS:
        raise bad_request("invalid message content type")
    for kind in SECLUDED:
        if kind in kinds and len(kinds) > 1:
            raise bad_request(f"{kind} can't be mixed with other media types")
    if len({bool(item.get("show_caption_above_media")) for item in items}) > 1:
        raise bad_request("parameter show_caption_above_media must be the same for all messages")
    if len(items) < ALBUM_LEAST:
        raise bad_request("group send failed")
