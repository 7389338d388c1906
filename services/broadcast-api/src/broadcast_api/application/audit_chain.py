"""The audit as a file that shows when somebody changed it: lines of JSON, each bound to the one before by its hash.

The first line says of which log, of which bots and after which number it tells; then a line for each event; the last
line, the seal, says how many there were. `hash` is the SHA-256 of the canonical JSON of the line without it, which
holds the hash of the line before as `previous`. A later export that begins at this one's seal goes on with the chain:
both files, one after the other, are one. The same log always makes the same lines.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Line = dict[str, Any]

NOTHING = "0" * 64
"""`previous` of the first line of a chain."""

FORMAT = 1


@dataclass(frozen=True, slots=True)
class End:
    """Where an export ends: the number of its last event and the hash of its seal."""

    number: int = 0
    hash: str = NOTHING


class Broken(Exception):
    """The first line that does not fit, counted from 1, and why."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(f"line {line}: {why}")
        self.line = line


def export(log: str, bots: Sequence[str] | None, begin: End, entries: Iterable[Line]) -> Iterator[str]:
    """The lines. `log` names the event log, `bots` None stands for all; an entry has a `number`, in rising order."""
    first = {"line": "start", "format": FORMAT, "log": log, "bots": None if bots is None else sorted(bots)}
    text, hash = _bound(first | {"after": begin.number}, begin.hash)
    yield text
    count, last = 0, begin.number
    for entry in entries:
        count, last = count + 1, entry["number"]
        text, hash = _bound({"line": "entry", **entry}, hash)
        yield text
    yield _bound({"line": "seal", "entries": count, "last": last}, hash)[0]


def check(lines: Iterable[str]) -> End:
    """Read exports that follow each other; answers where the last one ends. Raises `Broken`."""
    number, hash = 0, NOTHING
    kind, first, entries, last = "", Line(), 0, 0
    for number, text in enumerate(lines, 1):
        line = _read(number, text)
        expected = ("start",) if kind in ("", "seal") else ("entry", "seal")
        if line["line"] not in expected:
            raise Broken(number, f"a line `{' or '.join(expected)}` belongs here: one was removed, inserted or moved")
        kind = line["line"]
        if (number > 1 and line["previous"] != hash) or (kind != "start" and line.get("number", last + 1) <= last):
            raise Broken(number, "does not follow the line before: one was removed, inserted or moved")
        hash = line["hash"]
        if kind == "start":
            if first and (line["after"] != last or line["log"] != first["log"] or line["bots"] != first["bots"]):
                raise Broken(number, "this export does not go on where the one before ends")
            first, entries, last = line, 0, line["after"]
        elif kind == "entry":
            entries, last = entries + 1, line["number"]
        elif (line["entries"], line["last"]) != (entries, last):
            raise Broken(number, "the seal counts other entries: some were removed or inserted")
    if kind != "seal":
        raise Broken(number + 1, "the seal is missing: the end was cut off")
    return End(last, hash)


def start_of(text: str) -> tuple[End, list[str] | None]:
    """Where an export that was checked begins, and of which bots it tells."""
    line = json.loads(text)
    return End(line["after"], line["previous"]), line["bots"]


def _bound(line: Line, previous: str) -> tuple[str, str]:
    bound = line | {"previous": previous}
    hash = _hash(bound)
    return _canonical(bound | {"hash": hash}) + "\n", hash


def _read(number: int, text: str) -> Line:
    try:
        line = json.loads(text)
    except ValueError:
        line = None
    if not isinstance(line, dict) or not {"line", "previous", "hash"} <= line.keys():
        raise Broken(number, "is no line of an export: changed, or cut off")
    if _canonical(line) + "\n" != text or _hash({n: v for n, v in line.items() if n != "hash"}) != line["hash"]:
        raise Broken(number, "was changed")
    return line


def _hash(line: Line) -> str:
    return hashlib.sha256(_canonical(line).encode("utf-8", "surrogatepass")).hexdigest()


def _canonical(line: Line) -> str:
    """Sorted, without spaces, in ASCII: the same line is the same bytes everywhere."""
    return json.dumps(line, sort_keys=True, separators=(",", ":"))
