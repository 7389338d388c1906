"""Style, scripts and icon of the console, from memory; their address changes with their content."""

import hashlib
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Depends, Response
from starlette.exceptions import HTTPException

from broadcast_api.entrypoints.http.policy import open_to_all

FOLDER = Path(__file__).parent / "static"
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
FOR_EVER = "public, max-age=31536000, immutable"

router = APIRouter(include_in_schema=False)


@cache
def _files() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(FOLDER.iterdir()) if path.suffix in TYPES}


@cache
def digest() -> str:
    """Of all of them: modules import each other by relative names."""
    return hashlib.sha256(b"\0".join(_files().values())).hexdigest()[:12]


def address(name: str) -> str:
    """Where a file is found."""
    assert name in _files(), name
    return f"/assets/{digest()}/{name}"


@router.get(
    "/assets/{version}/{name}", dependencies=[Depends(open_to_all("style and scripts: the same for everybody"))]
)
async def asset(version: str, name: str) -> Response:
    content = _files().get(name)
    if content is None:
        raise HTTPException(404)
    headers = {"Cache-Control": FOR_EVER if version == digest() else "no-store", "X-Content-Type-Options": "nosniff"}
    kind = TYPES[Path(name).suffix]
    return Response(content, media_type=kind, headers=headers)
