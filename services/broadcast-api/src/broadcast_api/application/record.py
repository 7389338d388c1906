"""Put on record what is about to be done to people, imports, accounts and keys."""

from typing import Any

from broadcast_api.application.ports import ReadModels, Store
from broadcast_api.domain.act import Act
from broadcast_api.domain.call import Call


class Record:
    """Comes first: where the process dies in between, the record says what was asked, and nothing was done unseen."""

    def __init__(self, store: Store, views: ReadModels) -> None:
        self._store, self._views = store, views

    def about_to(
        self, what: str, call: Call, *, subject: object = "", bot: str = "", title: str = "", **details: Any
    ) -> None:
        """`what` is done next, by whoever calls. See `Act.Created` for the rest."""
        self._store.append(Act.record(what, call, subject=str(subject), bot=bot, title=title, details=details))
        self._views.catch_up()
