"""Text search as officials type it: part of a name, upper or lower case."""

from sqlalchemy import Column, ColumnElement


def contains(column: Column[str], text: str) -> ColumnElement[bool]:
    """`column` holds lower case; the wildcards of LIKE in `text` stand for themselves."""
    return column.contains(text.lower(), autoescape=True)
