"""People who come to a bot, leave it and come back: each update of Telegram takes effect once."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, and_, delete, func, select, update

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.entering import link_invited, search_words
from broadcast_api.adapters.schema import recipients, telegram_updates

REMEMBERED = 100_000
"""Update ids kept for each bot: Telegram repeats an unanswered one for a day at most."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Somebody pressed /start; `invitation` is the external id of the link they followed."""

    chat_id: int
    first_name: str = ""
    last_name: str = ""
    username: str | None = None
    language: str | None = None
    invitation: str | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """Somebody blocked the bot, or took it back."""

    chat_id: int
    blocked: bool


@dataclass(frozen=True, slots=True)
class News:
    """One update; `at` is Telegram's time in unix seconds. `said` is None for what does not concern us."""

    update_id: int
    at: int
    said: Arrival | Turn | None


class Arrivals:
    """Synchronous: call it from a thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, bot: str, news: Iterable[News]) -> list[News]:
        """Apply what was not seen before, in one transaction; answers that, in order."""
        taken = []
        with self._database.write() as connection:
            for one in news:
                if one.said is not None and self._is_new(connection, bot, one.update_id):
                    self._apply(connection, bot, one)
                    taken.append(one)
            if taken:
                old = telegram_updates.c.update_id < max(one.update_id for one in taken) - REMEMBERED
                connection.execute(delete(telegram_updates).where(telegram_updates.c.bot == bot, old))
        return taken

    def _is_new(self, connection: Connection, bot: str, update_id: int) -> bool:
        statement = self._database.upsert(telegram_updates).values(bot=bot, update_id=update_id)
        once = statement.on_conflict_do_nothing().execution_options(preserve_rowcount=True)
        return connection.execute(once).rowcount == 1

    def _apply(self, connection: Connection, bot: str, news: News) -> None:
        match news.said:
            case Arrival() as arrival:
                if arrival.invitation:
                    link_invited(connection, bot, {arrival.invitation: arrival.chat_id})
                self._arrive(connection, bot, arrival, news.at)
            case Turn(chat_id, blocked):
                status = "blocked" if blocked else "active"
                newer = recipients.c.status_at <= news.at
                of_chat = and_(recipients.c.bot == bot, recipients.c.chat_id == chat_id)
                values = {"status": status, "status_at": news.at}
                connection.execute(update(recipients).where(of_chat, newer).values(values))

    def _arrive(self, connection: Connection, bot: str, arrival: Arrival, at: int) -> None:
        """Whoever is known keeps the name that the organisation gave them."""
        now = datetime.now(UTC)
        told: dict[str, Any] = {
            "chat_id": arrival.chat_id,
            "first_name": arrival.first_name,
            "last_name": arrival.last_name,
            "username": arrival.username,
            "language": arrival.language,
        }
        statement = self._database.upsert(recipients).values(
            bot=bot, status="active", status_at=at, joined_at=now, created_at=now, updated_at=now, **told
        )
        known = {
            "username": statement.excluded.username,
            "language": func.coalesce(recipients.c.language, statement.excluded.language),
            "status": "active",
            "status_at": at,
            "updated_at": now,
        }
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["bot", "chat_id"], set_=known, where=recipients.c.status_at <= at
            )
        )
        of_chat = and_(recipients.c.bot == bot, recipients.c.chat_id == arrival.chat_id)
        row = connection.execute(select(recipients).where(of_chat)).one()
        connection.execute(update(recipients).where(of_chat).values(search=search_words(row)))
