"""The broadcast API as its users speak to it; what the background duties would find out is said by hand."""

from typing import Any
from uuid import UUID, uuid4

import httpx
from fastapi import FastAPI

from broadcast_api.adapters.database import Database
from broadcast_api.adapters.event_store import EventStore
from broadcast_api.adapters.views import Views
from broadcast_api.application.runs import Runs
from broadcast_contracts import Counts

Json = dict[str, Any]


class Api:
    """`http` for what is under test, the methods for getting there."""

    def __init__(self, http: httpx.AsyncClient, app: FastAPI) -> None:
        self.http, self.app = http, app
        services = app.state.services
        self.database: Database = services.queries._database
        self.store: EventStore = services.broadcasts._store
        self.views: Views = services.broadcasts._views
        self.runs = Runs(self.store, self.views)

    async def people(self, *chat_ids: int, bot: str = "main", **more: Any) -> list[int]:
        """Enter people; answers their directory ids."""
        recipients = [{"chat_id": chat_id, "first_name": f"N{chat_id}", **more} for chat_id in chat_ids]
        answer = await self.http.put("/v1/recipients", json={"bot": bot, "recipients": recipients})
        assert answer.status_code == 200, answer.text
        listed = (await self.http.get("/v1/recipients", params={"bot": bot, "limit": 500})).json()["items"]
        by_chat = {person["chat_id"]: person["id"] for person in listed}
        return [by_chat[chat_id] for chat_id in chat_ids]

    async def audience(self, definition: Json | None = None, bot: str = "main", name: str = "Все") -> Json:
        body = {"bot": bot, "name": name, "definition": definition or {"kind": "everyone"}}
        answer = await self.http.post("/v1/audiences", json=body)
        assert answer.status_code == 201, answer.text
        created: Json = answer.json()
        return created

    async def draft(self, **more: Any) -> Json:
        """The body of a new broadcast for an audience of its own."""
        audience = more.pop("audience_id", None) or (await self.audience())["id"]
        return {"bot": "main", "name": "Собрание", "text": "Завтра в 9:00", "audience_id": audience, **more}

    async def broadcast(self, **more: Any) -> Json:
        answer = await self.http.post("/v1/broadcasts", json=await self.draft(**more))
        assert answer.status_code == 201, answer.text
        created: Json = answer.json()
        return created

    async def get(self, id: str) -> Json:
        answer = await self.http.get(f"/v1/broadcasts/{id}")
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    async def press(self, button: str, id: str, **headers: str) -> httpx.Response:
        return await self.http.post(f"/v1/broadcasts/{id}/{button}", headers=headers)

    async def in_state(self, status: str) -> str:
        """The id of a broadcast in this state; `stopping` is one more."""
        await self.people(1001)
        id: str = (await self.broadcast())["id"]
        if status == "created":
            return id
        await self.press("send", id)
        self.runs.record_frozen(UUID(id), 1, 1, 0)
        if status in ("stopping", "stopped"):
            await self.press("stop", id)
        if status == "stopped":
            self.runs.record_stopped(UUID(id), 1, 1, Counts(total=1, pending=1))
        if status in ("sent", "recalling"):
            self.runs.record_sent(UUID(id), 1, 1, Counts(total=1, delivered=1))
        if status == "recalling":
            await self.press("recall", id)
        return id


def key() -> dict[str, str]:
    """A fresh Idempotency-Key."""
    return {"Idempotency-Key": uuid4().hex}
