"""`/v1/broadcasts/{id}/approve`: a second person says yes to a broadcast for many, or takes it back."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import StringConstraints

from broadcast_api.entrypoints.http.broadcasts import current_state_when_stale, show
from broadcast_api.entrypoints.http.context import Caller, Door, IfMatch, InLanguage
from broadcast_api.entrypoints.http.models import BroadcastOut, Request
from broadcast_api.entrypoints.http.policy import APPROVER
from broadcast_api.entrypoints.http.problems import documented

router = APIRouter(prefix="/v1/broadcasts/{id}", tags=["broadcasts"])


class Seen(Request):
    """`approval.digest` of the broadcast as it was looked at: nobody approves what they did not see."""

    digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


@router.post(
    "/approve",
    dependencies=[APPROVER],
    summary="Approve it as a second person",
    responses=documented(400, 404, 409, 412, 413),
)
def approve(
    id: UUID, body: Seen, version: IfMatch, door: Door, call: Caller, language: InLanguage, response: Response
) -> BroadcastOut:
    """By somebody who neither drew it up nor changed it, and no API key: with a JWT of a person, or in the console."""
    with current_state_when_stale(door, id, language):
        door.broadcasts.approve(id, body.digest, call, version)
    return show(door, id, language, response)


@router.delete(
    "/approval",
    dependencies=[APPROVER],
    summary="Withdraw the approval before it is sent",
    responses=documented(404, 409, 412),
)
def withdraw(
    id: UUID, version: IfMatch, door: Door, call: Caller, language: InLanguage, response: Response
) -> BroadcastOut:
    """Whoever gave it."""
    with current_state_when_stale(door, id, language):
        door.broadcasts.withdraw_approval(id, call, version)
    return show(door, id, language, response)
