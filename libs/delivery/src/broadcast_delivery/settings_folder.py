"""Settings from files: a mounted folder in which each file is named like the environment variable it stands for."""

import os
from pathlib import Path

VARIABLE = "BROADCAST_SETTINGS_DIR"


def settings_folder() -> Path | None:
    """The folder named by `BROADCAST_SETTINGS_DIR`, if any; raises ValueError when there is no such folder.

    What is mounted as a file is in no process listing, no `kubectl describe` and no child's environment.
    """
    name = os.environ.get(VARIABLE)
    if not name:
        return None
    folder = Path(name)
    if not folder.is_dir():
        raise ValueError(f"{VARIABLE}: there is no folder {folder}")
    return folder
