"""What happens to work that is under way when the process stops."""

import asyncio
import time
from pathlib import Path

import pytest

from broadcast_api.adapters.views import Views
from broadcast_api.app import build
from broadcast_api.settings import Settings
from tests.support.postgres import with_tables


async def test_nothing_is_closed_under_a_thread_that_is_still_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = list[bool]()

    def catch_up(self: Views) -> None:
        time.sleep(0.5)
        ended.append(self._store.max_notification_id() is not None)

    monkeypatch.setattr(Views, "catch_up", catch_up)
    url = with_tables(f"sqlite:///{tmp_path}/b.db")
    app = build(Settings(database_url=url, event_store=f"sqlite:///{tmp_path}/e.db"))
    async with app.router.lifespan_context(app):
        await asyncio.sleep(0.1)
    assert ended == [True]
