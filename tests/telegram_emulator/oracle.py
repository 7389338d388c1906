"""Questions about what really happened, answered from the history alone."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import orjson

from .people import Chat
from .world import BotAccount


def totals(bot: BotAccount) -> dict[str, Any]:
    """Counts of one bot. `duplicates`: contents that a chat received again, each repeat counted once."""
    history = bot.history
    return {
        "bot": bot.id,
        "chats": len(bot.chats),
        "sent": history.sent,
        "deleted": history.deleted,
        "present": history.sent - history.deleted,
        "duplicates": history.duplicates,
        "edited": history.edited,
        "http_429": bot.refused_429,
        "calls": bot.calls,
        "uploads": bot.uploads,
        "uploaded_bytes": bot.uploaded_bytes,
        "first_sent_at": history.first_sent_at or None,
        "last_sent_at": history.last_sent_at or None,
        "pending_updates": len(bot.updates.pending),
    }


def deliveries(bot: BotAccount, text_contains: str) -> Iterator[bytes]:
    """Per chat, in NDJSON: how many messages with such a text it received, and how many of them it still has.

    The text is the one received first, whatever it was edited into.
    """
    history = bot.history
    received: Counter[int] = Counter()
    deleted: Counter[int] = Counter()
    matching: dict[int, bool] = {}
    for chat_id, content, gone in zip(history.chat_ids, history.contents, history.deleted_at, strict=True):
        key = id(content)
        matches = matching.get(key)
        if matches is None:
            matches = matching[key] = content.outgoing and text_contains in content.text
        if matches:
            received[chat_id] += 1
            if gone:
                deleted[chat_id] += 1
    for chat_id, count in received.items():
        row = {"chat_id": chat_id, "received": count, "deleted": deleted[chat_id], "present": count - deleted[chat_id]}
        yield orjson.dumps(row) + b"\n"


def send_times(bot: BotAccount, text_contains: str, after: float) -> dict[str, list[Any]]:
    """Accepted sends in order, in columns. `monotonic` is when the request arrived; `wall` is Telegram's clock."""
    history = bot.history
    rows = [
        row
        for row, (content, arrived) in enumerate(zip(history.contents, history.arrivals, strict=True))
        if content.outgoing and arrived > after and text_contains in content.text
    ]
    return {
        "monotonic": [history.arrivals[row] for row in rows],
        "wall": [history.dates[row] for row in rows],
        "chat_id": [history.chat_ids[row] for row in rows],
        "message_id": [row + 1 for row in rows],
    }


def chat_summary(bot: BotAccount, chat: Chat) -> dict[str, Any]:
    history = bot.history
    ids = history.by_chat.get(chat.id, ())
    return {
        "chat_id": chat.id,
        "bot": bot.id,
        "kind": chat.kind,
        "name": chat.name,
        "first_name": chat.first_name,
        "last_name": chat.last_name,
        "username": chat.username,
        "language_code": chat.language_code,
        "status": chat.status,
        "messages": len(ids),
        "last_message_id": ids[-1] if ids else None,
        **({"migrated_to": chat.migrated_to} if chat.migrated_to else {}),
    }


def chat_messages(bot: BotAccount, chat: Chat) -> list[dict[str, Any]]:
    """Every message the chat ever had, deleted ones and earlier wordings too."""
    return [_told(bot, chat, message_id) for message_id in bot.history.of_chat(chat.id)]


def _told(bot: BotAccount, chat: Chat, message_id: int) -> dict[str, Any]:
    history = bot.history
    deleted_at = history.deleted_at[message_id - 1]
    received = history.contents[message_id - 1]
    return {
        **bot.message(chat, message_id),
        "outgoing": received.outgoing,
        "received_text": received.text,
        "sent_at": history.date(message_id),
        "arrived_monotonic": history.arrivals[message_id - 1],
        "deleted": bool(deleted_at),
        "deleted_at": deleted_at or None,
        "edits": [{"at": edit.at, "text": edit.content.text} for edit in history.edits.get(message_id, ())],
        **({"file_name": received.file.name, "file_size": received.file.size} if received.file else {}),
    }
