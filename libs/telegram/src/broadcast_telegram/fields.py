"""What the sending methods of the Bot API are given, and what their replies say."""

from collections.abc import Iterator
from typing import Any

from broadcast_contracts import Content, File, FileKind, ParseMode
from broadcast_telegram.files import Hand
from broadcast_telegram.plan import Call, Method


def text_fields(content: Content) -> dict[str, Any]:
    """What sendMessage needs beside the chat; what is left to Telegram's defaults is left out."""
    fields: dict[str, Any] = {"text": content.text, **_style(content)}
    if not content.link_preview:
        fields["link_preview_options"] = {"is_disabled": True}
    if content.silent:
        fields["disable_notification"] = True
    return fields


def fields_of(call: Call, content: Content, hand: Hand) -> dict[str, Any]:
    """The same of any call of a plan; its files are in this hand."""
    if call.method is Method.MESSAGE:
        return text_fields(content)
    fields: dict[str, Any] = {"disable_notification": True} if content.silent else {}
    caption = {"caption": call.text, **_style(content)} if call.text else {}
    if call.method is not Method.ALBUM:
        (file,) = call.files
        return {file.kind.value: hand.reference(file), **caption, **fields}
    album = [{"type": file.kind.value, "media": hand.reference(file)} for file in call.files]
    album[0] |= caption
    return {"media": album, **fields}


def ids_in(call: Call, reply: Any) -> tuple[int, ...]:
    """The ids of the messages that a call left in the chat; raises ValueError when the reply does not say."""
    messages = reply if call.method is Method.ALBUM else [reply]
    if not isinstance(messages, list) or len(messages) != call.messages:
        raise ValueError("the reply is not about every file")
    return tuple(map(id_of, messages))


def file_ids_in(call: Call, reply: Any) -> Iterator[tuple[File, str]]:
    """By which file_id Telegram knows each file of the call from now on; one sent as another kind is left out."""
    messages = reply if call.method is Method.ALBUM else [reply]
    for file, message in zip(call.files, messages, strict=True):
        shown = message.get(file.kind.value)
        if file.kind is FileKind.PHOTO and isinstance(shown, list) and shown:
            shown = shown[-1]  # sizes from the smallest to the largest
        if isinstance(shown, dict) and isinstance(id := shown.get("file_id"), str):
            yield file, id


def id_of(message: Any) -> int:
    """Raises ValueError for what is no message: whether it arrived, nobody knows."""
    if isinstance(message, dict) and isinstance(id := message.get("message_id"), int):
        return id
    raise ValueError("the reply holds no message id")


def _style(content: Content) -> dict[str, str]:
    return {} if content.parse_mode is ParseMode.NONE else {"parse_mode": content.parse_mode.value}
