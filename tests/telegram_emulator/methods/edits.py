"""Editing what the bot sent; there is no time limit on that."""

from ..content import Content
from ..errors import bad_request
from ..formatted import check_length, read_caption, read_text
from ..people import Chat
from .media import read_media
from .messages import read_markup
from .registry import Call, Result, method

NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same as a current content"
    " and reply markup of the message"
)


@method("editMessageText", "edit")
def edit_text(call: Call) -> Result:
    text, entities = read_text(call.arguments)
    chat, message_id, current = _editable(call)
    check_length(text)
    if current.kind != "text":
        raise bad_request("there is no text in the message to edit")
    return _edit(call, chat, message_id, Content("text", text, entities, markup=read_markup(call.arguments)))


@method("editMessageCaption", "edit")
def edit_caption(call: Call) -> Result:
    arguments = call.arguments
    caption, entities = read_caption(
        arguments.text("caption"), arguments.text("parse_mode"), arguments.text("caption_entities")
    )
    chat, message_id, current = _editable(call)
    if current.file is None:
        raise bad_request("there is no caption in the message to edit")
    edited = Content(current.kind, caption, entities, current.file, markup=read_markup(arguments))
    return _edit(call, chat, message_id, edited)


@method("editMessageMedia", "edit")
def edit_media(call: Call) -> Result:
    """Another file and caption; inside an album only of the same class."""
    item = call.arguments.parsed("media")
    if not isinstance(item, dict):
        raise bad_request("can't parse InputMedia: expected an Object")
    chat, message_id, current = _editable(call)
    edited = read_media(call, item, markup=read_markup(call.arguments))
    if call.bot.history.albums[message_id - 1] and _album_class(edited.kind) != _album_class(current.kind):
        raise bad_request("can't use the media of the specified type in the album")
    return _edit(call, chat, message_id, edited)


def _editable(call: Call) -> tuple[Chat, int, Content]:
    chat = call.open_chat()
    message_id = call.arguments.integer("message_id")
    if not call.bot.history.in_chat(chat.id, message_id):
        raise bad_request("message to edit not found")
    current = call.bot.history.current(message_id)
    if not current.outgoing or (current.markup and not current.has_inline_keyboard):
        raise bad_request("message can't be edited")
    return chat, message_id, current


def _edit(call: Call, chat: Chat, message_id: int, edited: Content) -> Result:
    current = call.bot.history.current(message_id)
    if edited.identity == current.identity:
        raise bad_request(NOT_MODIFIED)
    edited.protected = current.protected
    call.bot.history.edit(message_id, edited, at=call.bot.clock.now())
    return call.bot.message(chat, message_id)


def _album_class(kind: str) -> str:
    return kind if kind in {"audio", "document"} else "visual"
