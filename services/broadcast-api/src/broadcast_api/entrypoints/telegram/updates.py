"""Telegram's updates, read: only what a person says to the bot in private counts, everything else is nothing to us."""

import re
from typing import Any

from broadcast_api.adapters.arrivals import Arrival, News, Turn

NAME_MAX, USERNAME_MAX, LANGUAGE_MAX = 256, 64, 16
INVITATION = re.compile(r"(?:id-)?([A-Za-z0-9_-]{1,61})")
"""What may follow /start: Telegram allows 64 of these characters."""

STATUSES = {"member": False, "kicked": True}


def read(update: Any) -> News | None:
    """None for what is no update at all."""
    match update:
        case {"update_id": int(number), "message": {"date": int(at), "chat": dict(chat), "text": str(text), **message}}:
            return News(number, at, _arrival(chat, message.get("from"), text))
        case {
            "update_id": int(number),
            "my_chat_member": {
                "date": int(at),
                "chat": {"type": "private", "id": int(chat_id)},
                "new_chat_member": {"status": str(status)},
            },
        } if status in STATUSES:
            return News(number, at, Turn(chat_id, STATUSES[status]))
        case {"update_id": int(number)}:
            return News(number, 0, None)
    return None


def language_of(update: Any) -> str:
    """Of the person who wrote, as Telegram names it; empty when it does not."""
    match update:
        case {"message": {"from": {"language_code": str(code)}}}:
            return code
    return ""


def _arrival(chat: dict[str, Any], sender: Any, text: str) -> Arrival | None:
    match chat, text.split(maxsplit=1):
        case {"type": "private", "id": int(id)}, [command, *payload] if command.split("@")[0] == "/start":
            person = sender if isinstance(sender, dict) else {}
            invitation = INVITATION.fullmatch(payload[0].strip()) if payload else None
            return Arrival(
                chat_id=id,
                first_name=_words(person.get("first_name"), NAME_MAX) or "",
                last_name=_words(person.get("last_name"), NAME_MAX) or "",
                username=_words(person.get("username"), USERNAME_MAX),
                language=_words(person.get("language_code"), LANGUAGE_MAX),
                invitation=invitation[1] if invitation else None,
            )
    return None


def _words(value: Any, longest: int) -> str | None:
    """What every database can hold."""
    if not isinstance(value, str):
        return None
    return value.replace("\0", "").encode(errors="ignore").decode()[:longest] or None
