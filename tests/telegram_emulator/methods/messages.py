"""Text messages."""

import orjson

from ..arguments import Arguments
from ..content import Content
from ..errors import bad_request
from ..formatted import check_length, read_text
from .registry import Call, Result, method

CALLBACK_DATA_BYTES = 64


@method("sendMessage", "send")
def send_message(call: Call) -> Result:
    text, entities = read_text(call.arguments)
    markup = read_markup(call.arguments)
    chat = call.chat()
    check_length(text)
    if refusal := chat.refusal():
        raise refusal
    content = Content("text", text, entities, markup=markup, protected=call.arguments.flag("protect_content"))
    return call.bot.message(chat, call.bot.deliver(chat, content, arrived=call.arrived))


def read_markup(arguments: Arguments) -> str:
    """The keyboard in canonical JSON, empty when there is none; raises 400."""
    given = arguments.parsed("reply_markup")
    if not given:
        return ""
    if not isinstance(given, dict):
        raise bad_request("object expected as reply markup")
    for row in given.get("inline_keyboard", ()):
        for button in row:
            if not button.get("text"):
                raise bad_request(
                    "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard"
                )
            if len(button.get("callback_data", "").encode()) > CALLBACK_DATA_BYTES:
                raise bad_request("BUTTON_DATA_INVALID")
    return orjson.dumps(given).decode()
