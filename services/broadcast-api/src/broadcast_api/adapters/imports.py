"""Files of people, read in the background: a transaction for each batch, with how far it came and what was refused."""

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, insert, select, update
from sqlalchemy.exc import OperationalError

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.entering import Person, enter
from broadcast_api.adapters.schema import import_errors, imports
from broadcast_api.domain.errors import ImportUnderWay

log = logging.getLogger(__name__)

BATCH = 1_000
ERRORS_KEPT = 1_000
SILENCE = timedelta(seconds=60)
"""A running import that wrote nothing for so long was interrupted: a batch takes less than a second."""

ATTEMPTS = 5
CLOSE_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a row was refused. `column` is empty where the whole row is meant; `code` is for machines."""

    column: str
    code: str


Read = tuple[int, Person | list[Fault]]


class Imports:
    """Synchronous, but for `begin`, which goes on in a thread of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []

    def refuse_second(self, bot: str) -> None:
        """Raises `ImportUnderWay` where a file of this bot is being read."""
        query = select(imports).where(imports.c.bot == bot, imports.c.state == "running")
        with self._database.read() as connection:
            for row in connection.execute(query):
                if state_of(row) == "running":
                    raise ImportUnderWay(import_id=str(row.id))

    def begin(
        self,
        id: UUID,
        bot: str,
        file_name: str,
        columns: Collection[str],
        rows: Callable[[], Iterator[Read]],
        done: Callable[[], None],
        total: int,
    ) -> UUID:
        """Read `rows()`, about `total` of them, in the background as the import `id`, then call `done`; answers `id`.

        May raise `ImportUnderWay`.
        """
        self.refuse_second(bot)
        now = datetime.now(UTC)
        with self._database.write() as connection:
            values = {"id": id, "bot": bot, "file_name": file_name, "state": "running", "total": total}
            connection.execute(insert(imports).values(**values, started_at=now, beat_at=now))

        def work() -> None:
            try:
                self._read(id, bot, columns, rows())
            except Exception as error:
                log.exception("import_failed", extra={"import_id": str(id)})
                self._try_to_end(id, "failed", type(error).__name__)
            finally:
                done()

        thread = threading.Thread(target=work, name=f"import-{id}", daemon=True)
        self._threads = [*(other for other in self._threads if other.is_alive()), thread]
        thread.start()
        return id

    def close(self) -> None:
        """Interrupt what is being read, after its present batch."""
        self._closing.set()
        for thread in self._threads:
            thread.join(CLOSE_SECONDS)

    def get(self, id: UUID, bots: Collection[str] | None = None) -> Row[Any] | None:
        """One import, where it is of these bots; None stands for all."""
        with self._database.read() as connection:
            return connection.execute(select(imports).where(imports.c.id == id, *_of(bots))).one_or_none()

    def by_id(self, ids: Collection[UUID]) -> dict[UUID, Row[Any]]:
        """Those of the ids that exist."""
        with self._database.read() as connection:
            return {row.id: row for row in connection.execute(select(imports).where(imports.c.id.in_(ids)))}

    def page(self, limit: int, bots: Collection[str] | None = None) -> Sequence[Row[Any]]:
        """The latest ones."""
        query = (
            select(imports).where(*_of(bots)).order_by(imports.c.started_at.desc(), imports.c.id.desc()).limit(limit)
        )
        with self._database.read() as connection:
            return connection.execute(query).all()

    def errors(self, id: UUID) -> Sequence[Row[Any]]:
        """Why rows were refused: about the first 1,000, by row."""
        query = select(import_errors).where(import_errors.c.import_id == id)
        with self._database.read() as connection:
            return connection.execute(query.order_by(import_errors.c.row, import_errors.c.column)).all()

    def _read(self, id: UUID, bot: str, columns: Collection[str], rows: Iterator[Read]) -> None:
        kept = 0
        while batch := list(islice(rows, BATCH)):
            kept += self._batch_again(id, bot, columns, batch, ERRORS_KEPT - kept)
            if self._closing.is_set():
                self._end(id, "interrupted", "the service was stopped")
                return
        self._end(id, "finished", None)

    def _batch_again(self, id: UUID, bot: str, columns: Collection[str], batch: list[Read], room: int) -> int:
        """Who writes the same people at the same time may win a lock: then the whole batch is tried again."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._batch(id, bot, columns, batch, room)
            except OperationalError as error:
                if attempt == ATTEMPTS:
                    raise
                log.warning("import_batch_again", extra={"import_id": str(id), "error": str(error.orig)})
                self._closing.wait(attempt)
        raise AssertionError("unreachable")

    def _batch(self, id: UUID, bot: str, columns: Collection[str], batch: list[Read], room: int) -> int:
        """One transaction; answers how many errors it noted."""
        people = [found for _, found in batch if isinstance(found, Person)]
        noted = list(islice(_notes(id, batch), max(0, room)))
        with self._database.write() as connection:
            created = enter(connection, self._database, bot, people, columns).created
            if noted:
                connection.execute(insert(import_errors), noted)
            connection.execute(
                update(imports)
                .where(imports.c.id == id)
                .values(
                    read=imports.c.read + len(batch),
                    created=imports.c.created + created,
                    updated=imports.c.updated + len(people) - created,
                    refused=imports.c.refused + len(batch) - len(people),
                    beat_at=datetime.now(UTC),
                )
            )
        return len(noted)

    def _end(self, id: UUID, state: str, reason: str | None) -> None:
        with self._database.write() as connection:
            values = {"state": state, "reason": reason, "beat_at": datetime.now(UTC)}
            connection.execute(update(imports).where(imports.c.id == id).values(values))

    def _try_to_end(self, id: UUID, state: str, reason: str) -> None:
        try:
            self._end(id, state, reason)
        except Exception:
            log.exception("import_end_unrecorded", extra={"import_id": str(id)})


def _of(bots: Collection[str] | None) -> list[ColumnElement[bool]]:
    return [] if bots is None else [imports.c.bot.in_(sorted(bots))]


def state_of(row: Any) -> str:
    """running, finished, failed or interrupted: whoever was killed could not say so."""
    beat_at: datetime = row.beat_at if row.beat_at.tzinfo else row.beat_at.replace(tzinfo=UTC)
    silent = datetime.now(UTC) - beat_at > SILENCE
    return "interrupted" if row.state == "running" and silent else str(row.state)


def _notes(id: UUID, batch: Iterable[Read]) -> Iterator[dict[str, Any]]:
    for number, found in batch:
        if isinstance(found, Person):
            continue
        for column, fault in {fault.column: fault for fault in found}.items():
            yield {"import_id": id, "row": number, "column": column, "code": fault.code}
