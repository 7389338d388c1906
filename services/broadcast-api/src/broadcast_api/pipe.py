"""What a command prints to somebody who may not read it to the end."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

READER_GONE = 128 + signal.SIGPIPE
"""What a shell says of a program that SIGPIPE ended."""


@contextmanager
def reader_may_leave() -> Iterator[None]:
    """Where a pipe's reader has gone (`… | head`), what prints into it ends without a word, with code `READER_GONE`.

    By the exception and not by the signal itself, which would end a server for any connection that somebody closes.
    """
    try:
        try:
            yield
        finally:
            sys.stdout.flush()  # or the interpreter finds out when nobody can catch it any more
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(READER_GONE)
