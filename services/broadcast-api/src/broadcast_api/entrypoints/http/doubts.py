"""`/v1/broadcasts/{id}/unconfirmed`: what an operator decides about those of whom nobody knows whether they got it."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import Field

from broadcast_api.domain.audience import MEMBERS_MAX
from broadcast_api.entrypoints.http.broadcasts import current_state_when_stale, show
from broadcast_api.entrypoints.http.context import Caller, Door, IfMatch, InLanguage
from broadcast_api.entrypoints.http.models import BroadcastOut, Request, RowId
from broadcast_api.entrypoints.http.policy import SENDER
from broadcast_api.entrypoints.http.problems import documented
from broadcast_contracts import Answer

router = APIRouter(prefix="/v1/broadcasts/{id}/unconfirmed", tags=["broadcasts"])


class Decision(Request):
    """`delivered` takes them for delivered: such a message cannot be recalled. `leave` takes them off the open list.
    `resend` sends to them once more, whether or not the first message arrived, and goes on with sending."""

    answer: Answer
    recipients: Annotated[list[RowId], Field(min_length=1, max_length=MEMBERS_MAX)] | Literal["all"] = Field(
        description="directory ids; or all of the latest run about whom nothing was decided yet"
    )


@router.post(
    "",
    dependencies=[SENDER],
    status_code=202,
    summary="Decide about unconfirmed recipients",
    responses=documented(400, 404, 409, 412, 413),
)
def decide(
    id: UUID, body: Decision, version: IfMatch, door: Door, call: Caller, language: InLanguage, response: Response
) -> BroadcastOut:
    """Possible while the broadcast is stopped or sent; carried out in the background, within moments."""
    recipients = None if body.recipients == "all" else body.recipients
    with current_state_when_stale(door, id, language):
        door.broadcasts.answer(id, body.answer, recipients, call, version)
    return show(door, id, language, response)
