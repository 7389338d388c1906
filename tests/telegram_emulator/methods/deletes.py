"""Deleting, with the 48 hours that a bot has for it."""

from ..errors import BotApiError, bad_request, forbidden
from ..people import Chat, Status
from .registry import Call, Result, method

DELETABLE_SECONDS = 2 * 86_400
MOST_IDS = 100


@method("deleteMessage", "delete")
def delete_message(call: Call) -> Result:
    chat = _chat_to_clean(call)
    message_id = call.arguments.integer("message_id")
    if message_id <= 0:
        raise bad_request("message identifier is not specified")
    if not call.bot.history.in_chat(chat.id, message_id):
        raise bad_request("message to delete not found")
    _delete(call, chat, [message_id])
    return True


@method("deleteMessages", "delete")
def delete_messages(call: Call) -> Result:
    """Missing ids are passed over; one id too old fails them all."""
    given = call.arguments.parsed("message_ids")
    if not isinstance(given, list) or not given:
        raise bad_request("message identifiers are not specified")
    if len(given) > MOST_IDS:
        raise bad_request("too many message identifiers specified")
    try:
        wanted = dict.fromkeys(int(each) for each in given)
    except (TypeError, ValueError):
        raise bad_request("invalid message identifier specified") from None
    chat = _chat_to_clean(call)
    _delete(call, chat, [each for each in wanted if call.bot.history.in_chat(chat.id, each)])
    return True


def _chat_to_clean(call: Call) -> Chat:
    """A person who blocked the bot still lets it delete; a deleted account does not."""
    chat = call.chat()
    if chat.status is Status.DEACTIVATED:
        raise forbidden("user is deactivated")
    if chat.status in {Status.KICKED, Status.MIGRATED} and (refusal := chat.refusal()):
        raise refusal
    return chat


def _delete(call: Call, chat: Chat, message_ids: list[int]) -> None:
    now = call.bot.clock.now()
    history = call.bot.history
    if any(now - int(history.date(each)) > DELETABLE_SECONDS for each in message_ids):
        raise _too_old(chat)
    for each in message_ids:
        history.delete(each, at=now)


def _too_old(chat: Chat) -> BotApiError:
    if chat.kind == "supergroup":
        return bad_request("message can't be deleted")
    return bad_request("message can't be deleted for everyone")
