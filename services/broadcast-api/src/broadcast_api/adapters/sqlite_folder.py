"""One at a time where SQLite cannot wait: a new file becomes WAL, and gets its tables, in the hands of one replica."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def alone_in_folder_of(url: str) -> Iterator[None]:
    """Hold the folder of `sqlite:///path`, made if need be, against others who call this, in any process.

    The switch to WAL upgrades a read lock, and so does CREATE TABLE in a deferred transaction. There SQLite answers
    "database is locked" at once, whatever the timeout: two upgrades would wait for each other.
    """
    folder = Path(url.removeprefix("sqlite:///")).parent
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
