"""`audit export` and `audit verify`: the audit as a file that shows when somebody changed it."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from broadcast_api.adapters.audit import Audit
from broadcast_api.adapters.database import Database
from broadcast_api.adapters.event_store import EventStore
from broadcast_api.adapters.schema_version import require_schema
from broadcast_api.adapters.views import Views
from broadcast_api.application.audit_chain import Broken, End, check, export, start_of
from broadcast_api.settings import Settings


def add_commands(commands: Any) -> None:
    """To those of `python -m broadcast_api`."""
    audit = commands.add_parser("audit", description="who did what, as lines of JSON chained by their hashes")
    of_audit = audit.add_subparsers(required=True, metavar="export | verify")
    out: argparse.ArgumentParser = of_audit.add_parser("export", description="all of it, or what came after a file")
    out.add_argument(
        "--after", type=Path, nargs="+", default=[], metavar="FILE", help="earlier exports, in their order"
    )
    out.set_defaults(run=lambda settings, given: _export(settings, given.after))
    verify: argparse.ArgumentParser = of_audit.add_parser(
        "verify", description="exit code 0, or 1 with the first line that does not fit"
    )
    verify.add_argument("files", type=Path, nargs="+", metavar="FILE", help="exports that follow each other")
    verify.add_argument("--log", action="store_true", help="compare with what the event log says now, too")
    verify.set_defaults(run=lambda settings, given: _verify(settings, given.files, against_log=given.log))


def _export(settings: Settings, earlier: Sequence[Path]) -> None:
    begin = _checked(earlier) if earlier else End()
    with _audit(settings) as audit:
        sys.stdout.writelines(export(audit.log, None, begin, audit.entries(begin.number)))


def _verify(settings: Settings, files: Sequence[Path], *, against_log: bool) -> None:
    end = _checked(files)
    if against_log:
        with _audit(settings) as audit:
            for file in files:
                _compare(audit, file)
    print(f"fits, up to number {end.number}; hash {end.hash}")  # noqa: T201 the answer of a command


def _checked(files: Sequence[Path]) -> End:
    try:
        return check(_lines(files))
    except Broken as error:
        sys.exit(f"{' '.join(map(str, files))}: {error}")
    except (OSError, UnicodeDecodeError) as error:
        sys.exit(str(error))


def _compare(audit: Audit, file: Path) -> None:
    """The log makes the same lines again, but for the seal where it has grown."""
    kept = list(_lines([file]))[:-1]
    begin, bots = start_of(kept[0])
    made = export(audit.log, bots, begin, audit.entries(begin.number, bots))
    for number, (line, again) in enumerate(zip(kept, made, strict=False), 1):
        if line != again:
            sys.exit(f"{file}: line {number}: the event log says something else")


def _lines(files: Sequence[Path]) -> Iterator[str]:
    for file in files:
        with file.open(encoding="utf-8", newline="\n") as lines:
            yield from lines


@contextmanager
def _audit(settings: Settings) -> Iterator[Audit]:
    """The audit of the configured stores, caught up with the log."""
    database, store = Database(settings.database_url), EventStore(settings.event_store)
    try:
        require_schema(database)
        Views(database, store, settings.batch_size).catch_up()
        yield Audit(database, store)
    finally:
        store.close()
        database.close()
