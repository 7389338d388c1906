"""What is used of aiogram: the connections of a bot, the form of its token and address, and the words for every error.

Importing aiogram builds pydantic's schemas for all 370 types of the Bot API, which is three quarters of a worker's
start: seconds of CPU for each dispatcher that is added, to describe objects that a sender never makes. So the building
is left out, and everything here imports aiogram's names from this module. (Where the whole of aiogram was imported
before, as in some tests, it stays whole.)
"""

from unittest.mock import patch

from pydantic import BaseModel

with patch.object(BaseModel, "model_rebuild", lambda **options: None):
    from aiogram import Bot
    from aiogram.client.session.aiohttp import AiohttpSession
    from aiogram.client.telegram import TelegramAPIServer
    from aiogram.exceptions import (
        ClientDecodeError,
        TelegramAPIError,
        TelegramBadRequest,
        TelegramEntityTooLarge,
        TelegramForbiddenError,
        TelegramMigrateToChat,
        TelegramNetworkError,
        TelegramNotFound,
        TelegramRetryAfter,
        TelegramServerError,
        TelegramUnauthorizedError,
    )
    from aiogram.methods import LogOut, Response

ASKED = LogOut.model_construct()
"""aiogram's errors hold the request. Ours has a text and a chat, which belong in no log: they hold this one instead."""

_REPLY = Response[bool]
"""The model of the reply to it. pydantic forgets one that nobody holds, and making it anew takes milliseconds."""

__all__ = [
    "ASKED",
    "AiohttpSession",
    "Bot",
    "ClientDecodeError",
    "TelegramAPIError",
    "TelegramAPIServer",
    "TelegramBadRequest",
    "TelegramEntityTooLarge",
    "TelegramForbiddenError",
    "TelegramMigrateToChat",
    "TelegramNetworkError",
    "TelegramNotFound",
    "TelegramRetryAfter",
    "TelegramServerError",
    "TelegramUnauthorizedError",
]
