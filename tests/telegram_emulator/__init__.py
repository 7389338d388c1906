"""A Telegram of our own: the Bot API for local runs, tests, load and demos, and the record of what every chat saw."""

from .limits import Limits
from .server import Emulator

__all__ = ["Emulator", "Limits"]
