"""The published contract as files: made from the code, committed, and compared with it in a test."""

import json
from pathlib import Path
from typing import Any

from deploy.contract.asyncapi import asyncapi
from deploy.contract.openapi import openapi
from deploy.contract.reference import reference
from deploy.contract.schemas import schemas

FOLDER = Path(__file__).parents[2] / "docs" / "contract"


def published() -> dict[str, str]:
    """What each file under docs/contract must say."""
    return {
        "asyncapi.json": as_text(asyncapi()),
        "openapi.json": as_text(openapi()),
        "reference.md": reference(),
        **{f"schemas/{type}.json": as_text(one) for type, one in schemas().items()},
    }


def stale() -> list[str]:
    """The files that differ from the code or that nothing makes any more."""
    wanted = published()
    there = {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*") if path.is_file()} - {"README.md"}
    return sorted((there - wanted.keys()) | {name for name, text in wanted.items() if _read(name) != text})


def write() -> list[str]:
    """Bring the files up to date; answers which were changed or removed."""
    wanted, changed = published(), stale()
    for name in changed:
        path = FOLDER / name
        if name in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[name])
        else:
            path.unlink()
    return changed


def as_text(document: Any) -> str:
    """JSON as it is committed."""
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def _read(name: str) -> str | None:
    path = FOLDER / name
    return path.read_text() if path.exists() else None
