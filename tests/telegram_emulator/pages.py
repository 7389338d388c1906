"""The pages for people: the chats of a bot at the left, one conversation at the right."""

from datetime import UTC, datetime
from html import escape
from pathlib import Path
from urllib.parse import urlencode

from aiohttp import web

from .bubbles import conversation, snippet
from .emulation import Emulation
from .people import Chat, Status
from .world import BotAccount

STATIC = Path(__file__).parent / "static"
TYPES = {".css": "text/css", ".js": "text/javascript"}
LISTED = 100
LOOKED_BACK = 5_000  # messages searched for the latest chats
SAFE = {"Content-Security-Policy": "default-src 'self'", "Cache-Control": "no-store"}


class Pages:
    """`/`, `/chat/<id>`, `/static/<file>`, `/photos/<unique id>`; `?bot=`, `?q=` choose the bot and search."""

    def __init__(self, emulation: Emulation) -> None:
        self._emulation = emulation

    def answer(self, request: web.BaseRequest, path: str) -> web.StreamResponse:
        match path.strip("/").split("/"):
            case [""]:
                return self._page(request, None)
            case ["chat", chat_id]:
                return self._page(request, chat_id)
            case ["static", name] if (STATIC / name).suffix in TYPES and (STATIC / name).is_file():
                body = (STATIC / name).read_bytes()
                return web.Response(body=body, content_type=TYPES[(STATIC / name).suffix], charset="utf-8")
            case ["photos", unique_id]:
                return self._photo(unique_id)
        return web.Response(status=404, text="404: Not Found")

    def _photo(self, unique_id: str) -> web.Response:
        for bot in self._emulation.world.bots.values():
            if (data := bot.shelf.get(unique_id)) is not None:
                return web.Response(body=data, content_type="image/png", headers=SAFE)
        return web.Response(status=404)

    def _page(self, request: web.BaseRequest, chat_id: str | None) -> web.Response:
        wanted, search = request.query.get("bot"), request.query.get("q", "")
        bot = next(self._emulation.world.named(wanted), None)
        if bot is None:
            return web.Response(status=404, text="no such bot")
        chat = bot.chats.get(int(chat_id)) if chat_id and chat_id.lstrip("-").isdigit() else None
        if chat_id and chat is None:
            return web.Response(status=404, text="no such chat")
        query = urlencode({name: value for name, value in (("bot", wanted), ("q", search)) if value})
        html = _shell(
            title=chat.name if chat else "Telegram emulator",
            header=_header(self._emulation, bot),
            chats=_chat_list(bot, search, chat, query),
            search=search,
            bot=wanted or "",
            chat=_open_chat(bot, chat) if chat else '<p class="empty">Choose a chat</p>',
        )
        return web.Response(text=html, content_type="text/html", headers=SAFE)


def _shell(*, title: str, header: str, chats: str, search: str, bot: str, chat: str) -> str:
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title><link rel="stylesheet" href="/static/emulator.css">
<script src="/static/emulator.js" defer></script></head>
<body>
<header id="totals">{header}</header>
<main>
<nav>
<form role="search" action="/"><input type="search" name="q" value="{escape(search)}" placeholder="Search people"
aria-label="Search people" autocomplete="off">{f'<input type="hidden" name="bot" value="{escape(bot)}">' if bot else ""}
</form>
<ul id="chats">{chats}</ul>
</nav>
<section id="chat">{chat}</section>
</main>
</body></html>"""


def _header(emulation: Emulation, bot: BotAccount) -> str:
    history = bot.history
    figures = [
        ("chats", len(bot.chats)),
        ("sent", history.sent),
        ("deleted", history.deleted),
        ("duplicates", history.duplicates),
        ("429", bot.refused_429),
        ("faults", len(list(emulation.faults))),
    ]
    shown = "".join(f"<span><b>{value:,}</b> {name}</span>" for name, value in figures)
    others = "".join(
        f'<a href="/?bot={each.id}"{" aria-current=page" * (each is bot)}>@{escape(each.user["username"])}</a>'
        for each in emulation.world.bots.values()
    )
    now = datetime.fromtimestamp(emulation.clock.now(), UTC)
    ahead = emulation.clock.advanced
    moved = f" <em>+{ahead / 3600:g} h</em>" if ahead else ""
    buttons = "".join(f'<button data-advance="{hours * 3600}">+{hours} h</button>' for hours in (1, 24, 48))
    return f"<strong>{others}</strong><p>{shown}</p><div><time>{now:%-d %b %H:%M} UTC</time>{moved} {buttons}</div>"


def _chat_list(bot: BotAccount, search: str, open_chat: Chat | None, query: str) -> str:
    rows = [_chat_row(bot, chat, chat is open_chat, query) for chat in _found(bot, search.strip().lower())]
    return "".join(rows) or '<li class="empty">Nobody</li>'


def _found(bot: BotAccount, search: str) -> list[Chat]:
    """The chats with the latest messages first, then the others."""
    history = bot.history
    newest = history.chat_ids[-LOOKED_BACK:]
    newest.reverse()
    chats: dict[int, Chat] = {}
    for chat_id in (*newest, *bot.chats):
        chat = bot.chats.get(chat_id)
        if chat is None or (search and search not in f"{chat.name} {chat.username} {chat.id}".lower()):
            continue
        chats[chat_id] = chat
        if len(chats) == LISTED:
            break
    return list(chats.values())


def _chat_row(bot: BotAccount, chat: Chat, is_open: bool, query: str) -> str:
    ids = bot.history.by_chat.get(chat.id)
    last, when = "", ""
    if ids:
        message_id = ids[-1]
        gone = bool(bot.history.deleted_at[message_id - 1])
        words = escape(snippet(bot.history.current(message_id)))
        last = f"<s>{words}</s>" if gone else words
        when = f"{datetime.fromtimestamp(bot.history.date(message_id), UTC):%H:%M}"
    status = "" if chat.status is Status.ACTIVE else f'<i class="status {chat.status}">{_said(chat.status)}</i>'
    href = f"/chat/{chat.id}" + (f"?{query}" if query else "")
    return (
        f'<li><a href="{escape(href)}"{" aria-current=page" * is_open}>{_avatar(chat)}'
        f"<span class=name><b>{escape(chat.name)}</b>{status}</span><time>{when}</time>"
        f"<span class=last>{last}</span></a></li>"
    )


def _open_chat(bot: BotAccount, chat: Chat) -> str:
    about = " · ".join(
        escape(part) for part in (f"@{chat.username}" * bool(chat.username), str(chat.id), _said(chat.status)) if part
    )
    actions = ["block", "migrate"] if chat.is_group else ["start", "block", "deactivate"]
    if chat.status in {Status.BLOCKED, Status.KICKED}:
        actions = ["unblock" if action == "block" else action for action in actions]
    labels = {"start": "/start", "migrate": "to supergroup"}
    target = f'data-chat="{chat.id}" data-bot="{bot.id}"'
    buttons = "".join(
        f'<button {target} data-action="{action}">{labels.get(action, action)}</button>' for action in actions
    )
    return (
        f'<div class="top" id="top">{_avatar(chat)}<h1>{escape(chat.name)}<small>{about}</small></h1>{buttons}'
        f'</div><label class="toggle"><input type="checkbox" id="show-deleted">show deleted</label>'
        f'<div id="messages">{conversation(bot, chat)}</div>'
    )


def _avatar(chat: Chat) -> str:
    initials = "".join(word[0] for word in chat.name.split()[:2]).upper()
    return f'<span class="avatar c{abs(chat.id) % 7}">{escape(initials)}</span>'


def _said(status: Status) -> str:
    return status.value.replace("_", " ")
