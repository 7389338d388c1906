"""The read models as the event log alone makes them, in a database that is thrown away."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.event_store import EventStore
from broadcast_api.adapters.views import Views


class Scratch:
    """`catch_up` applies what was stored meanwhile."""

    def __init__(self, database: Database, views: Views) -> None:
        self.database, self._views = database, views

    def catch_up(self) -> None:
        self._views.catch_up()


@contextmanager
def scratch(store: EventStore, batch_size: int) -> Iterator[Scratch]:
    """On disk, so that memory stays flat. It has no directory: what comes from there must not be compared."""
    with tempfile.TemporaryDirectory(prefix="broadcasts-") as folder:
        database = Database(f"sqlite:///{folder}/scratch.db")
        try:
            database.create_schema()
            made = Scratch(database, Views(database, store, batch_size))
            made.catch_up()
            yield made
        finally:
            database.close()
