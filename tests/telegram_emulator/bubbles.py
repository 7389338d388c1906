"""One conversation as HTML: days, bubbles, albums, files, keyboards, and what was deleted or edited."""

import itertools
from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape
from pathlib import Path

import orjson

from .content import Content, File
from .people import Chat
from .rich_text import rich_text
from .world import BotAccount

SHOWN = 200  # the latest messages of a chat


def conversation(bot: BotAccount, chat: Chat) -> str:
    history = bot.history
    ids = list(history.of_chat(chat.id))[-SHOWN:]
    if not ids:
        return '<p class="empty">No messages here yet</p>'
    parts: list[str] = []
    for day, of_day in itertools.groupby(ids, key=lambda each: _time(history.date(each)).date()):
        parts.append(f'<p class="day"><span>{day:%-d %B %Y}</span></p>')
        for _, together in itertools.groupby(of_day, key=lambda each: history.albums[each - 1] or -each):
            parts.append(_bubble(bot, list(together)))
    return "".join(parts)


def snippet(content: Content) -> str:
    """A message in one short line of plain text."""
    text = content.text.replace("\n", " ")[:90]
    return ", ".join(part for part in (content.file.kind.title() if content.file else "", text) if part)


def _bubble(bot: BotAccount, ids: list[int]) -> str:
    history = bot.history
    contents = [history.current(each) for each in ids]
    first = contents[0]
    deleted_at = max(history.deleted_at[each - 1] for each in ids)
    gone = all(history.deleted_at[each - 1] for each in ids)
    side = "theirs" if first.outgoing else "own"
    shelf = bot.shelf
    files = "".join(
        _file(content.file, shelf, gone=bool(history.deleted_at[each - 1]))
        for each, content in zip(ids, contents, strict=True)
        if content.file
    )
    texts = "".join(_text(content) for content in contents if content.text)
    notes = [f"#{ids[0]}" + (f"–{ids[-1]}" if len(ids) > 1 else "")]
    if any(each in history.edits for each in ids):
        notes.append("edited")
    if gone:
        notes.append(f"<em>deleted {_time(deleted_at):%H:%M}</em>")
    notes.append(f"<time>{_time(history.date(ids[0])):%H:%M}</time>")
    grid = f'<div class="files n{min(len(ids), 4)}">{files}</div>' if files else ""
    wordings = "".join(_wordings(bot, each) for each in ids if each in history.edits)
    return (
        f'<article class="bubble {side}{" deleted" if gone else ""}">{grid}{texts}{wordings}'
        f"<footer>{' · '.join(notes)}</footer></article>{_keyboard(first)}"
    )


def _text(content: Content) -> str:
    return f'<div class="text">{rich_text(content.text, orjson.loads(content.entities or "[]"))}</div>'


def _wordings(bot: BotAccount, message_id: int) -> str:
    """What the message said before it was edited."""
    edits = [edit.content for edit in bot.history.edits[message_id]]
    earlier: Iterable[Content] = [bot.history.contents[message_id - 1], *edits[:-1]]
    rows = "".join(f"<li>{escape(snippet(content))}</li>" for content in earlier)
    return f"<details><summary>before the edit</summary><ul>{rows}</ul></details>"


def _file(file: File, shelf: dict[str, bytes], *, gone: bool) -> str:
    mark = " gone" if gone else ""
    if file.unique_id in shelf:
        return f'<img class="photo{mark}" src="/photos/{escape(file.unique_id)}" alt="{escape(file.name)}">'
    return (
        f'<div class="file{mark}"><span class="icon">{escape(_extension(file))}</span><span><b>{escape(file.name)}</b>'
        f"<small>{_size(file.size)}</small></span></div>"
    )


def _keyboard(content: Content) -> str:
    if not content.has_inline_keyboard:
        return ""
    rows = orjson.loads(content.markup)["inline_keyboard"]
    buttons = "".join(f"<div>{''.join(map(_button, row))}</div>" for row in rows)
    return f'<div class="keyboard">{buttons}</div>'


def _button(button: dict[str, str]) -> str:
    return f"<span>{escape(button['text'])}</span>"


def _extension(file: File) -> str:
    return Path(file.name).suffix[1:5].upper() or file.kind[:3].upper()


def _size(size: int) -> str:
    return f"{size / 1024 / 1024:.1f} MB" if size >= 1024 * 1024 else f"{max(1, size // 1024)} KB"


def _time(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
