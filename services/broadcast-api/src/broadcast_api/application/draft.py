"""What an official wrote, checked before it is recorded."""

import unicodedata
from dataclasses import replace

from broadcast_api.domain.draft import Draft
from broadcast_api.domain.errors import BadName, BadText
from broadcast_telegram.formatting import FormattingError, check

NAME_MAX = 200
SOURCE_MAX = 65_536  # what a job can carry; far above 4096 characters with any sensible markup


def checked(draft: Draft, *, text_needed: bool = True) -> Draft:
    """The draft with its name trimmed; raises `BadName` or `BadText`."""
    name = clean_name(draft.name)
    if not draft.text and not text_needed:
        return replace(draft, name=name)
    if len(draft.text) > SOURCE_MAX:
        raise BadText(reason="message is too long", byte_offset=None)
    if "\0" in draft.text:
        raise BadText(reason="the text holds a NUL character", byte_offset=len(draft.text.split("\0")[0].encode()))
    try:
        check(draft.text, draft.parse_mode)
    except FormattingError as error:
        raise BadText(reason=str(error), byte_offset=error.byte_offset) from error
    return replace(draft, name=name)


def clean_name(name: str) -> str:
    """1–200 characters, trimmed, in one line; raises `BadName`."""
    name = name.strip()
    if not name or len(name) > NAME_MAX or any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
        raise BadName(longest=NAME_MAX)
    return name
