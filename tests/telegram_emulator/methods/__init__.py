"""The methods of the Bot API, one module per family; importing the package registers them."""

from . import account, deletes, edits, media, messages, polling
from .registry import METHODS, Call, Method, Result

__all__ = ["METHODS", "Call", "Method", "Result", "account", "deletes", "edits", "media", "messages", "polling"]
