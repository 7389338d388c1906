"""Whether the process lives, and whether it can serve."""

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from broadcast_api.entrypoints.http.context import Door
from broadcast_api.entrypoints.http.policy import open_to_all

PROBES = Depends(open_to_all("probes of the orchestrator; says which part is down, and nothing of what it holds"))

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """`faults` names what does not work."""

    status: str
    faults: dict[str, str] = Field(default_factory=dict)


@router.get("/livez", dependencies=[PROBES], summary="The process answers")
async def livez() -> Health:
    return Health(status="ok")


@router.get(
    "/readyz",
    dependencies=[PROBES],
    summary="Database, NATS and background duties work",
    responses={503: {"model": Health}},
)
@router.get("/healthz", dependencies=[PROBES], summary="The same as /readyz", responses={503: {"model": Health}})
def readyz(door: Door, response: Response) -> Health:
    faults = door.faults()
    response.status_code = 503 if faults else 200
    return Health(status="unavailable" if faults else "ok", faults=faults)
