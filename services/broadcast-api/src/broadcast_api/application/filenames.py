"""The name of a file as recipients see it: harmless on every computer, with the ending of what it is."""

import re
import unicodedata
from pathlib import PurePosixPath

from broadcast_api.application.filetypes import TYPES

NAME_BYTES = 255
"""The longest name that Linux, macOS and Windows can all store, in UTF-8."""

NAMELESS = "file"

_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""They make `gpj.exe` look like `exe.jpg`."""

_FORBIDDEN = re.compile(r'[<>:"|?*]')  # Windows


def clean(name: str, media_type: str) -> str:
    """Without folders, control and direction characters; what is too long is shortened, the ending is kept.

    A name that ends otherwise than its content suggests gets the right ending behind it.
    """
    name = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    name = "".join(letter for letter in name if _is_visible(letter))
    name = re.sub(r"\s+", " ", _FORBIDDEN.sub("_", name)).strip(" .")
    endings = TYPES[media_type].endings
    ending = PurePosixPath(name).suffix
    if ending.lower() not in endings:
        ending = endings[0]
    else:
        name = name.removesuffix(ending)
    room = NAME_BYTES - len(ending.encode())
    stem = name.encode()[:room].decode(errors="ignore").rstrip(" .")
    return (stem or NAMELESS) + ending


def _is_visible(letter: str) -> bool:
    return letter not in _DIRECTIONS and unicodedata.category(letter) not in ("Cc", "Cs", "Co", "Cn", "Zl", "Zp")
