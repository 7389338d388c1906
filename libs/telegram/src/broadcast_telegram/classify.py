"""What became of a call: every foreign error turns into a verdict here and nowhere else.

The rule for sends: whatever does not prove that nothing was delivered is unconfirmed. Deleting may be repeated, so
there whatever does not settle the recipient is unattempted. Reasons are Telegram's descriptions or our own few words,
never the text of a client error: those quote URLs, and the URL of the Bot API holds the token.
"""

import re

from aiohttp import ClientConnectorError, ConnectionTimeoutError, InvalidURL

from broadcast_contracts import Cause, Outcome
from broadcast_delivery import Verdict
from broadcast_telegram.bot_api import (
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

PAUSE_SECONDS = (1.0, 3600.0)
"""A pause is kept within these: Telegram has been seen to ask for 2 to 10,072 s, and asks again when it must."""

_REASON_LENGTH = 200
_RETRY_AFTER = re.compile(r"retry after (\d{1,9})")
_TOKEN = re.compile(r"\d{1,20}:[A-Za-z0-9_-]{10,}")

_FORBIDDEN = {
    "bot was blocked by the user": Outcome.BLOCKED,
    "user is deactivated": Outcome.DEACTIVATED,
    "bot can't initiate conversation": Outcome.NOT_STARTED,
    "peer_id_invalid": Outcome.NOT_STARTED,
    "user_is_blocked": Outcome.BLOCKED,
    "input_user_deactivated": Outcome.DEACTIVATED,
}
"""Parts of descriptions, in lower case; any other 403 or 400 refuses this recipient alone."""

_CONTENT = (
    "can't parse entities",
    "unsupported parse_mode",
    "must be encoded in utf-8",
    "message text is empty",
    "text must be non-empty",
    "message must be non-empty",
    "message is too long",
    "message_too_long",
    "message_empty",
    "entities_too_long",
    "entity_bounds_invalid",
    "entity_mention_user_invalid",
    "request entity too large",
    "caption is too long",
    "caption_too_long",
    "file must be non-empty",
    "is too big",
    "image_process_failed",
    "photo_invalid_dimensions",
    "photo_save_file_invalid",
    "photo_ext_invalid",
    "invalid message content type",
    "mixed with other media types",
    "too many messages to send as an album",
)
"""Parts of descriptions that say the same to everybody: the content has to be changed."""

_FILE_ID = (
    "wrong file identifier",
    "wrong remote file identifier",
    "file reference",
    "file_reference_",
    "can't use file of type",
    "file_id_invalid",
    "file is temporarily unavailable",
)
"""Parts of descriptions that say that a file_id is not good (any more)."""

_ALBUM_ITEM = "failed to send message #"
"""An album that got so far may be there in part: what was sent stays (telegram-bot-api, on_message_send_failed)."""

_GONE = "message to delete not found"
_FOR_EVERYONE = "message can't be deleted for everyone"
_UNDELETABLE = "message can't be deleted"


def failed_send(error: Exception, *, album: bool = False) -> Verdict:
    """What a send came to that did not answer with a message."""
    if album and isinstance(error, TelegramAPIError) and _ALBUM_ITEM in _words(error):
        return _failed_item(error)
    if verdict := _concerns_the_bot(error):
        return verdict
    match error:
        case TelegramMigrateToChat():
            return Verdict(Outcome.REFUSED, reason="group chat was upgraded to a supergroup chat")
        case TelegramEntityTooLarge():
            return _halt(Cause.CONTENT_REFUSED, error)
        case TelegramBadRequest() if any(part in _words(error) for part in _CONTENT + _FILE_ID):
            return _halt(Cause.CONTENT_REFUSED, error)
        case TelegramBadRequest() | TelegramForbiddenError() | TelegramNotFound():
            return Verdict(_forbidden(error) or Outcome.REFUSED, reason=_reason(error))
        case _ if (why := _never_written(error)) is not None:
            return Verdict(Outcome.UNATTEMPTED, reason=why)
    return Verdict(Outcome.UNCONFIRMED, reason=_reason(error))


def failed_delete(error: Exception, *, expired: bool) -> Verdict:
    """What a delete came to that did not succeed; `expired` when sent over 48 hours ago by our own clock."""
    if verdict := _concerns_the_bot(error):
        return verdict
    match error:
        case TelegramBadRequest() if _GONE in _words(error):
            return Verdict(Outcome.ALREADY_GONE)
        case TelegramBadRequest() if _FOR_EVERYONE in _words(error):
            return Verdict(Outcome.TOO_LATE, reason=_reason(error))
        case TelegramBadRequest() if _UNDELETABLE in _words(error) and expired:
            return Verdict(Outcome.TOO_LATE, reason=_reason(error))
        case TelegramBadRequest() | TelegramForbiddenError() | TelegramNotFound() | TelegramMigrateToChat():
            return Verdict(Outcome.RECALL_REFUSED, reason=_reason(error))
    return Verdict(Outcome.UNATTEMPTED, reason=_never_written(error) or _reason(error))


def is_about_file_id(error: Exception) -> bool:
    """Whether Telegram did not take a file_id, and nothing was sent: the file has to be uploaded anew."""
    return isinstance(error, TelegramBadRequest) and any(part in _words(error) for part in _FILE_ID)


def is_network(error: Exception) -> bool:
    """Whether no answer of Telegram came at all."""
    return isinstance(error, TelegramNetworkError) and not isinstance(error, TelegramEntityTooLarge)


def is_about_age(error: Exception) -> bool:
    """Whether one message of several may have spoilt a delete for the rest."""
    return isinstance(error, TelegramBadRequest) and _UNDELETABLE in _words(error)


def reason_of(error: Exception) -> str:
    """Words for an error that hold no secret."""
    return _never_written(error) or _reason(error)


def _failed_item(error: TelegramAPIError) -> Verdict:
    """One message of an album failed. Where the chat is the reason none arrived; else others may have."""
    if outcome := _forbidden(error):
        return Verdict(outcome, reason=_reason(error))
    pause = _pause(int(found[1])).pause if (found := _RETRY_AFTER.search(_words(error))) else 0.0
    return Verdict(Outcome.UNCONFIRMED, reason=_reason(error), pause=pause)


def _forbidden(error: TelegramAPIError) -> Outcome | None:
    return next((outcome for part, outcome in _FORBIDDEN.items() if part in _words(error)), None)


def _concerns_the_bot(error: Exception) -> Verdict | None:
    """A pause or a dead token: nothing was done and the recipient is not to blame."""
    match error:
        case TelegramServerError():
            return None  # whatever it says, the work may have been done
        case TelegramRetryAfter():
            return _pause(error.retry_after)
        case TelegramUnauthorizedError():
            return _halt(Cause.BOT_UNAUTHORIZED, error)
        case TelegramNotFound() if "chat" not in _words(error):
            return _halt(Cause.BOT_UNAUTHORIZED, error)
        case TelegramAPIError() if found := _RETRY_AFTER.search(_words(error)):
            return _pause(int(found[1]))
        case TelegramAPIError() if _words(error).startswith("too many requests"):
            return _pause(0)
    return None


def _pause(seconds: float) -> Verdict:
    shortest, longest = PAUSE_SECONDS
    return Verdict(Outcome.UNATTEMPTED, reason="Too Many Requests", pause=min(longest, max(shortest, seconds)))


def _halt(cause: Cause, error: TelegramAPIError) -> Verdict:
    return Verdict(Outcome.UNATTEMPTED, reason=_reason(error), halt=cause)


def _never_written(error: Exception) -> str | None:
    """Why the request cannot have been written: no connection was made for it."""
    for cause in (error, error.__cause__, error.__context__):
        match cause:
            case ConnectionTimeoutError():
                return "no connection to Telegram: timed out"
            case ClientConnectorError() | InvalidURL():
                return f"no connection to Telegram: {type(cause).__name__}"
    return None


def _words(error: TelegramAPIError) -> str:
    """The description in lower case; a server may leave it out."""
    return (error.message or "").lower()


def _reason(error: Exception) -> str:
    match error:
        case ClientDecodeError():
            return "undecodable reply"
        case TelegramEntityTooLarge() | TelegramServerError():
            words = error.message or ""
        case TelegramNetworkError():
            cause = error.__cause__ or error.__context__ or error
            return "no reply in time" if isinstance(cause, TimeoutError) else f"no reply: {type(cause).__name__}"
        case TelegramMigrateToChat():
            words = "group chat was upgraded to a supergroup chat"
        case TelegramAPIError():
            words = error.message or ""
        case _:
            return f"no reply: {type(error).__name__}"
    return _TOKEN.sub("…", words)[:_REASON_LENGTH]


def worst(verdicts: list[Verdict]) -> Verdict:
    """The one verdict on a recipient of whose messages each had its own; deleting some of them is deleting."""
    order = (Outcome.UNATTEMPTED, Outcome.RECALL_REFUSED, Outcome.TOO_LATE, Outcome.RECALLED, Outcome.ALREADY_GONE)
    return min(verdicts, key=lambda verdict: order.index(verdict.outcome))
