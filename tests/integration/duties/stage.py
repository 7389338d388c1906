"""The api's inside without its HTTP: commands by hand, rows to look at, people by the thousand."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Row, func, insert, select

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.doubts import Doubts
from broadcast_api.adapters.event_store import EventStore
from broadcast_api.adapters.schema import batches, deliveries, recipients, runs
from broadcast_api.adapters.views import Views
from broadcast_api.application.ports import Conflict
from broadcast_api.application.runs import Runs
from broadcast_api.domain.audience import Audience
from broadcast_api.domain.broadcast import Broadcast, Status
from broadcast_api.domain.call import SYSTEM
from broadcast_api.domain.draft import Draft
from broadcast_api.duties.counting import counts_of
from broadcast_contracts import Answer, BatchKey, Counts

BATCH = 10


class Stage:
    """One replica's stores, with their tables; `again()` is what another replica (or a restart) sees of them."""

    def __init__(self, database_url: str, store_url: str, batch_size: int = BATCH) -> None:
        self.urls, self.batch_size = (database_url, store_url), batch_size
        self.database = Database(database_url)
        self.store = EventStore(store_url)
        self.views = Views(self.database, self.store, batch_size)
        self.runs = Runs(self.store, self.views)
        self.doubts = Doubts(self.database)

    def again(self) -> "Stage":
        return Stage(*self.urls, self.batch_size)

    def close(self) -> None:
        self.store.close()
        self.database.close()

    # -- commands

    def people(self, count: int, status: str = "active", **more: Any) -> list[int]:
        """New people of the bot `main`; their directory ids."""
        now = datetime.now(UTC)
        with self.database.write() as connection:
            last = connection.scalar(select(func.coalesce(func.max(recipients.c.id), 0))) or 0
            more = {"bot": "main", "status": status, "created_at": now, "updated_at": now, **more}
            connection.execute(insert(recipients), [{"chat_id": 1000 + last + n, **more} for n in range(1, count + 1)])
            return list(connection.scalars(select(recipients.c.id).where(recipients.c.id > last)))

    def audience(self, definition: dict[str, Any] | None = None, members: list[int] | None = None) -> UUID:
        definition = definition or {"kind": "everyone"}
        audience = Audience.create(
            uuid4(), bot="main", name="all", definition=definition, members=members or [], call=SYSTEM
        )
        return self._stored(audience)

    def broadcast(self, audience_id: UUID | None = None, text: str = "hello") -> UUID:
        draft = Draft("news", text, audience_id or self.audience())
        return self._stored(Broadcast.create(uuid4(), bot="main", draft=draft, call=SYSTEM))

    def sending(self, audience_id: UUID | None = None) -> UUID:
        """A broadcast whose run 1 has begun."""
        id = self.broadcast(audience_id)
        self.press("send", id)
        return id

    def press(self, command: str, id: UUID) -> None:
        """Again when a duty was faster, as the use case does."""
        while True:
            try:
                return self._press(command, id)
            except Conflict:
                continue

    def _press(self, command: str, id: UUID) -> None:
        broadcast = self.store.broadcast(id)
        match command:
            case "send":
                broadcast.send("all", SYSTEM)
            case "stop":
                broadcast.stop("operator", "", SYSTEM)
            case "resume":
                broadcast.resume(SYSTEM)
            case "recall":
                broadcast.recall(SYSTEM)
            case "delete":
                broadcast.delete(SYSTEM)
        self._stored(broadcast)

    def answer(self, id: UUID, answer: Answer, recipients: list[int] | None) -> None:
        broadcast = self.store.broadcast(id)
        people = self.doubts.unanswered(id, broadcast.run) if recipients is None else len(recipients)
        broadcast.answer(answer, recipients, people, SYSTEM)
        self._stored(broadcast)

    def resend(self, id: UUID) -> None:
        broadcast = self.store.broadcast(id)
        broadcast.resend(self.doubts.reachable_again(id, broadcast.run), SYSTEM)
        self._stored(broadcast)

    def test(self, id: UUID, recipient_id: int) -> int:
        broadcast = self.store.broadcast(id)
        number = broadcast.request_test(recipient_id, SYSTEM)
        self._stored(broadcast)
        return number

    def _stored(self, aggregate: Audience | Broadcast) -> UUID:
        self.store.append(aggregate)
        self.views.catch_up()
        return aggregate.id

    # -- what came of it

    def status(self, id: UUID) -> Status:
        return self.store.broadcast(id).status

    def events(self, id: UUID) -> list[str]:
        return [type(event).__name__ for event in self.store.history(id)]

    def run(self, id: UUID, run: int = 1) -> Row[Any]:
        with self.database.read() as connection:
            return connection.execute(select(runs).where(runs.c.broadcast_id == id, runs.c.run == run)).one()

    def counts(self, id: UUID, run: int = 1) -> Counts:
        return counts_of(self.run(id, run))

    def batches(self, id: UUID, run: int = 1) -> list[Row[Any]]:
        """Without the batch of those known to be unreachable."""
        query = select(batches).where(batches.c.run_id == self.run(id, run).id, batches.c.batch >= 0)
        with self.database.read() as connection:
            return list(connection.execute(query.order_by(batches.c.batch)))

    def deliveries(self, id: UUID, run: int = 1) -> list[Row[Any]]:
        query = select(deliveries).where(deliveries.c.run_id == self.run(id, run).id)
        with self.database.read() as connection:
            return list(connection.execute(query.order_by(deliveries.c.position)))

    def outcomes(self, id: UUID, run: int = 1) -> list[str | None]:
        return [row.outcome for row in self.deliveries(id, run)]

    def key(self, id: UUID, batch: int = 0, run: int = 1) -> BatchKey:
        return BatchKey(id, run, batch)
