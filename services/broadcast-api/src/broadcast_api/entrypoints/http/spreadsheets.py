"""CSV as spreadsheets write and read it: any usual encoding and separator in, nothing that runs as a formula out."""

import codecs
import csv
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

SEPARATORS = (",", ";", "\t")
LINE_MAX = 200_000
"""Characters of a line: a file without line breaks is not read into memory at once."""

CELL_LINES_MAX = 20
"""Lines that a quoted cell may span: a quote that is never closed must not swallow the rest of the file."""

CHUNK = 2**20
_RUNS = ("=", "+", "-", "@", "\t", "\r")


class Undecodable(ValueError):
    """Neither UTF-8 nor UTF-16 with a mark nor Windows-1251."""


def harmless(cell: Any) -> str:
    """A spreadsheet would run a name such as `=HYPERLINK(…)` as a formula."""
    if isinstance(cell, str) and cell.startswith(_RUNS):
        return f"'{cell}"
    return "" if cell is None else str(cell)


def as_written(cell: str) -> str:
    """What `harmless` made harmless, as it was; without spaces around."""
    cell = cell.strip()
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_RUNS) else cell


def encoding_of(path: Path, start: int) -> str:
    """Reads the whole file from `start`; raises `Undecodable`."""
    with path.open("rb") as file:
        file.seek(start)
        head = file.read(4)
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        for encoding in ("utf-8-sig", "cp1251"):
            decoder = codecs.getincrementaldecoder(encoding)()
            file.seek(start)
            try:
                while chunk := file.read(CHUNK):
                    decoder.decode(chunk)
                decoder.decode(b"", final=True)
            except UnicodeDecodeError:
                continue
            return encoding
    raise Undecodable


def separator_of(header: str) -> str:
    """The one that cuts the first line into most cells."""
    return max(SEPARATORS, key=lambda separator: len(_cells(header, separator) or ()))


def records(file: TextIO, separator: str, first: int = 1) -> Iterator[tuple[int, list[str] | None]]:
    """Each record that is not empty with its number, counted from `first` as a spreadsheet does; None: unreadable."""
    ahead: deque[str] = deque()

    def next_line() -> str:
        return ahead.popleft() if ahead else file.readline(LINE_MAX)

    number = first - 1
    while line := next_line():
        number += 1
        if not line.strip():
            continue
        held = [line]
        while (
            (cells := _cells("".join(held), separator)) == [] and len(held) < CELL_LINES_MAX and (more := next_line())
        ):
            held.append(more)
        if not cells:
            ahead.extendleft(reversed(held[1:]))
        yield number, cells or None


def _cells(record: str, separator: str) -> list[str] | None:
    """None where it cannot be read, [] where a quote is not closed yet."""
    try:
        return next(csv.reader([record], delimiter=separator, strict=True))
    except StopIteration:
        return None
    except csv.Error as error:
        return [] if "unexpected end" in str(error) else None
