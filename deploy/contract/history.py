"""Every released version of the contract: the schema and the golden example of each message, one file a release."""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from broadcast_contracts import ALL_MESSAGES
from deploy.contract.files import as_text
from deploy.contract.schemas import LIBRARY, example, schema

HISTORY = LIBRARY / "history"

Release = dict[str, dict[str, Any]]
"""By message type: `{"schema": …, "example": …}`."""


def releases() -> dict[str, Release]:
    """All of them, by version."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(HISTORY.glob("*.json"))}


def record() -> Path:
    """Keep today's contract as the release that libs/contracts/pyproject.toml names; raises FileExistsError."""
    path = HISTORY / f"{version('broadcast-contracts')}.json"
    HISTORY.mkdir(exist_ok=True)
    with path.open("x") as file:
        file.write(as_text({kind.type: {"schema": schema(kind), "example": example(kind)} for kind in ALL_MESSAGES}))
    return path
