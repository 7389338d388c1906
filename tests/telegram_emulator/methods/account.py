"""Who the bot is, what it knows of a chat or a file."""

from ..errors import bad_request
from ..people import Status
from .registry import Call, Result, method

DOWNLOAD_LIMIT = 20 * 1024 * 1024


@method("getMe")
def get_me(call: Call) -> Result:
    abilities = {"can_join_groups": True, "can_read_all_group_messages": False, "supports_inline_queries": False}
    return {**call.bot.user, **abilities}


@method("getChat")
def get_chat(call: Call) -> Result:
    chat = call.chat()
    if chat.status in {Status.KICKED, Status.MIGRATED} and (refusal := chat.refusal()):
        raise refusal
    return {**chat.as_chat(), "accent_color_id": chat.id % 7, "max_reaction_count": 11, "accepted_gift_types": NO_GIFTS}


NO_GIFTS = {
    "unlimited_gifts": False,
    "limited_gifts": False,
    "unique_gifts": False,
    "premium_subscription": False,
    "gifts_from_channels": False,
}


@method("getFile")
def get_file(call: Call) -> Result:
    file = call.bot.files.get(call.arguments.text("file_id"))
    if file is None:
        raise bad_request("invalid file_id")
    if file.size > DOWNLOAD_LIMIT:
        raise bad_request("file is too big")
    return {
        "file_id": file.file_id,
        "file_unique_id": file.unique_id,
        "file_size": file.size,
        "file_path": f"{file.kind}s/{file.name}",
    }
