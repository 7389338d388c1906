"""People as a CSV file: the columns under their Russian and English names, rows read one by one, and written."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from broadcast_api.adapters.entering import Person
from broadcast_api.adapters.imports import Fault
from broadcast_api.entrypoints.http.people import PersonIn, RecipientOut, recipient_out
from broadcast_api.entrypoints.http.problems import Problem
from broadcast_api.entrypoints.http.spreadsheets import (
    Undecodable,
    as_written,
    encoding_of,
    harmless,
    records,
    separator_of,
)

NAMES: dict[str, tuple[str, ...]] = {
    "chat_id": ("telegram_id", "id_чата", "телеграм_id", "телеграм"),
    "external_id": ("табельный_номер", "внешний_id", "код"),
    "first_name": ("имя",),
    "last_name": ("фамилия",),
    "username": ("логин", "ник"),
    "language": ("язык",),
    "kind": ("вид", "тип"),
    "department": ("отдел", "подразделение", "департамент"),
    "position": ("должность",),
    "status": ("статус",),
    "joined_at": ("дата_подключения", "подключен"),
    "tags": ("теги", "метки"),
}
"""The columns that a file may have, and what else they are called."""

WORDS = {
    "сотрудник": "employee",
    "подрядчик": "contractor",
    "активен": "active",
    "заблокировал": "blocked",
    "удалён": "deactivated",
    "удален": "deactivated",
    "не запускал": "not_started",
}

_COLUMN_OF = {alias: column for column, aliases in NAMES.items() for alias in (column, *aliases)}
_OURS = ("id", "bot", "created_at", "updated_at")
"""Columns of an export that an import leaves alone."""


@dataclass(frozen=True, slots=True)
class PeopleFile:
    """A file whose header is understood. `columns` in order; None stands for one that is ignored."""

    path: Path
    start: int
    encoding: str
    separator: str
    columns: tuple[str | None, ...]
    groups: bool

    @property
    def named(self) -> frozenset[str]:
        """The columns that the file is about."""
        return frozenset(column for column in self.columns if column)

    def rows(self) -> Iterator[tuple[int, Person | list[Fault]]]:
        """Every row after the header with its number: somebody, or why not."""
        with self.path.open("rb") as raw:
            raw.seek(self.start)
            with io.TextIOWrapper(raw, encoding=self.encoding) as text:
                for number, cells in records(text, self.separator):
                    if number > 1:
                        yield number, self._read(cells)

    def _read(self, cells: list[str] | None) -> Person | list[Fault]:
        if cells is None:
            return [Fault("", "unreadable")]
        if len(cells) > len(self.columns) and any(cells[len(self.columns) :]):
            return [Fault("", "too_many_cells")]
        said = zip(self.columns, map(as_written, cells), strict=False)
        return read_person({column: cell for column, cell in said if column}, groups=self.groups)


def open_people(path: Path, start: int, *, ignore_unknown: bool, groups: bool) -> PeopleFile:
    """Understand the header; raises `Problem` where the file cannot be one of people."""
    try:
        encoding = encoding_of(path, start)
    except Undecodable:
        raise Problem(422, "bad_encoding") from None
    with path.open("rb") as raw:
        raw.seek(start)
        with io.TextIOWrapper(raw, encoding=encoding) as text:
            header = text.readline(10_000)
    separator = separator_of(header)
    found = list(csv.reader([header], delimiter=separator))
    names = [name.strip() for name in found[0]] if found else []
    columns = [_column(name) for name in names]
    unknown = [name[:64] for name, column in zip(names, columns, strict=True) if column is None and not _our(name)]
    if unknown and not ignore_unknown:
        raise Problem(422, "unknown_columns", columns=unknown[:20], known=list(NAMES))
    twice = sorted({column for column in columns if column and columns.count(column) > 1})
    if twice:
        raise Problem(422, "repeated_columns", columns=twice)
    if not {"chat_id", "external_id"} & set(columns):
        raise Problem(422, "no_identity_column", known=list(NAMES))
    return PeopleFile(path, start, encoding, separator, tuple(columns), groups)


def read_person(said: Mapping[str, str], *, groups: bool) -> Person | list[Fault]:
    """Somebody as a row describes them. An empty cell clears the field, but not a status, kind or day of joining."""
    values: dict[str, Any] = {}
    faults: list[Fault] = []
    for column, cell in said.items():
        if column == "tags":
            values[column] = [tag for tag in cell.replace("|", ",").replace(";", ",").split(",") if tag.strip()]
        elif column == "joined_at" and cell:
            values[column] = day = _day(cell)
            faults += [] if day else [Fault(column, "bad_date")]
        elif column in ("kind", "status"):
            values[column] = WORDS.get(cell.lower(), cell) or None
        elif cell:
            values[column] = cell
    if faults:
        return faults
    try:
        person = PersonIn.model_validate(values)
    except ValidationError as error:
        return [_fault(fault) for fault in error.errors(include_url=False, include_input=False)]
    if person.chat_id is not None and person.chat_id < 0 and not groups:
        return [Fault("chat_id", "group")]
    return person.person()


def written(people: Iterable[tuple[Any, Sequence[str]]]) -> Iterator[str]:
    """The directory as CSV that spreadsheets open and an import takes back."""
    yield "\ufeff" + ",".join(RecipientOut.model_fields) + "\r\n"  # the mark makes spreadsheets read UTF-8
    text = io.StringIO()
    writer = csv.writer(text)
    for n, (row, tags) in enumerate(people, 1):
        cells = recipient_out(row).model_dump(mode="json") | {"tags": "|".join(tags)}
        writer.writerow([harmless(cell) for cell in cells.values()])
        if n % 500 == 0:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()


def _column(name: str) -> str | None:
    return _COLUMN_OF.get(name.lower().replace(" ", "_").replace("ё", "е"))


def _our(name: str) -> bool:
    return name.lower() in _OURS or not name


def _day(cell: str) -> datetime | None:
    """2026-01-31, with or without a time, or 31.01.2026; without a zone it is UTC."""
    try:
        found = datetime.strptime(cell, "%d.%m.%Y") if "." in cell[:3] else datetime.fromisoformat(cell)  # noqa: DTZ007
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _fault(fault: Any) -> Fault:
    column = str(fault["loc"][0]) if fault["loc"] else "chat_id"
    match fault["type"]:
        case "string_too_long" | "too_long":
            return Fault(column, "too_long")
        case "literal_error":
            return Fault(column, "unknown_value")
        case "value_error" if not fault["loc"]:
            return Fault(column, "not_identified")
        case _ if column == "chat_id":
            return Fault(column, "bad_chat_id")
    return Fault(column, "invalid")
