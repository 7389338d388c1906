"""`/v1/broadcasts/{id}/test`: a message to one person before everybody gets it."""

import asyncio
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from broadcast_api.domain.errors import NotFound
from broadcast_api.entrypoints.http.context import Caller, Door, Services
from broadcast_api.entrypoints.http.models import Request, RowId
from broadcast_api.entrypoints.http.policy import AUTHOR, VIEWER
from broadcast_api.entrypoints.http.problems import documented
from broadcast_contracts import Outcome

POLL_SECONDS = 0.1

router = APIRouter(prefix="/v1/broadcasts/{id}/test", tags=["broadcasts"])


class NewTrial(Request):
    """To whom, by directory id."""

    recipient_id: RowId


class TrialOut(BaseModel):
    """`outcome` is null while the message is on its way."""

    test: int
    outcome: Outcome | None
    reason: str | None = None
    message_ids: list[int] = Field(default_factory=list)


@router.post(
    "",
    dependencies=[AUTHOR],
    summary="Send a test message to one person",
    responses={202: {"model": TrialOut}, **documented(400, 404, 409, 413)},
)
async def try_out(id: UUID, body: NewTrial, door: Door, call: Caller, response: Response) -> TrialOut:
    """Waits a while for the outcome (200). After that answers 202 with its address in Location."""
    test = await asyncio.to_thread(door.broadcasts.request_test, id, body.recipient_id, call)
    deadline = asyncio.get_running_loop().time() + door.test_wait_seconds
    while (found := await asyncio.to_thread(_outcome, door, id, test)).outcome is None:
        if asyncio.get_running_loop().time() >= deadline:
            response.status_code = 202
            response.headers["Location"] = f"/v1/broadcasts/{id}/test/{test}"
            break
        await asyncio.sleep(POLL_SECONDS)
    return found


@router.get("/{test}", dependencies=[VIEWER], summary="What became of a test message", responses=documented(404))
def read(id: UUID, test: RowId, door: Door) -> TrialOut:
    return _outcome(door, id, test)


def _outcome(door: Services, id: UUID, test: int) -> TrialOut:
    row: Any = door.queries.test(id, test)
    if row is None:
        raise NotFound("test", test)
    return TrialOut(test=test, outcome=row.outcome, reason=row.reason, message_ids=message_ids(row.message_ids))


def message_ids(stored: str | None) -> list[int]:
    """Telegram's ids of the messages, as `deliveries` keeps them."""
    return [int(part) for part in stored.split(",")] if stored else []
