"""What became of a call, for every way in which one can fail."""

import ssl

import pytest
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramAPIError,
    TelegramBadRequest,
    TelegramConflictError,
    TelegramEntityTooLarge,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramNetworkError,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramServerError,
    TelegramUnauthorizedError,
)
from aiohttp import (
    ClientConnectionResetError,
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientOSError,
    ClientPayloadError,
    ConnectionTimeoutError,
    ServerDisconnectedError,
    SocketTimeoutError,
)
from aiohttp.client_reqrep import ConnectionKey

from broadcast_contracts import Cause, Outcome
from broadcast_delivery import Verdict
from broadcast_telegram.bot_api import ASKED
from broadcast_telegram.classify import failed_delete, failed_send, is_about_age, reason_of, worst

TOKEN = "123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"
KEY = ConnectionKey("api.telegram.org", 443, True, True, None, None, None)


def bad_request(description: str) -> Exception:
    return TelegramBadRequest(ASKED, f"Bad Request: {description}")


def forbidden(description: str) -> Exception:
    return TelegramForbiddenError(ASKED, f"Forbidden: {description}")


def network(cause: Exception) -> Exception:
    error = TelegramNetworkError(ASKED, f"{cause}")
    error.__cause__ = cause
    return error


NEVER_WRITTEN: list[Exception] = [
    ClientConnectorError(KEY, OSError(111, "Connection refused")),
    ClientConnectorDNSError(KEY, OSError(-2, "Name or service not known")),
    ClientConnectorCertificateError(KEY, ssl.CertificateError("self-signed")),
    ConnectionTimeoutError(f"Connection timeout to host https://api.telegram.org/bot{TOKEN}/sendMessage"),
]
UNANSWERED: list[Exception] = [
    ServerDisconnectedError(),
    ClientOSError(104, "Connection reset by peer"),
    ClientConnectionResetError("Cannot write to closing transport"),
    ClientPayloadError("not all data"),
    SocketTimeoutError("Timeout on reading data"),
    TimeoutError(),
]
AMBIGUOUS: list[Exception] = [
    *map(network, UNANSWERED),
    TelegramServerError(ASKED, "HTTP 502 Bad Gateway"),
    TelegramServerError(ASKED, "Internal Server Error: restart; retry after 5"),
    ClientDecodeError("Failed to decode object", ValueError(TOKEN), "<html>"),
    TelegramConflictError(ASKED, "Conflict: terminated by other getUpdates request"),
    TelegramAPIError(ASKED, "I'm a teapot"),
    TypeError("anything unforeseen"),
]
RATE = [
    (TelegramRetryAfter(ASKED, "Too Many Requests: retry after 3", 3), 3),
    (TelegramRetryAfter(ASKED, "Too Many Requests: retry after 10072", 10_072), 3600),
    (TelegramAPIError(ASKED, "Too Many Requests: retry after 0"), 1),
    (TelegramAPIError(ASKED, "Too Many Requests"), 1),
    (bad_request('failed to send message #1 with the error message "Too Many Requests: retry after 8"'), 8),
]
DEAD_TOKEN = [TelegramUnauthorizedError(ASKED, "Unauthorized"), TelegramNotFound(ASKED, "Not Found")]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (forbidden("bot was blocked by the user"), Outcome.BLOCKED),
        (forbidden("user is deactivated"), Outcome.DEACTIVATED),
        (forbidden("bot can't initiate conversation with a user"), Outcome.NOT_STARTED),
        (bad_request("PEER_ID_INVALID"), Outcome.NOT_STARTED),
        (forbidden("the bot can't send messages to the bot"), Outcome.REFUSED),
        (forbidden("bot was kicked from the supergroup chat"), Outcome.REFUSED),
        (bad_request("chat not found"), Outcome.REFUSED),
        (bad_request("have no write access to the chat"), Outcome.REFUSED),
        (TelegramNotFound(ASKED, "Not Found: chat not found"), Outcome.REFUSED),
        (TelegramMigrateToChat(ASKED, "Bad Request: group chat was upgraded", -100), Outcome.REFUSED),
    ],
)
def test_a_refusal_is_the_recipients_own_and_says_why(error: Exception, outcome: Outcome) -> None:
    verdict = failed_send(error)
    assert verdict == Verdict(outcome, reason=verdict.reason)
    assert verdict.reason


@pytest.mark.parametrize("error", AMBIGUOUS, ids=repr)
def test_a_send_that_may_have_arrived_is_unconfirmed(error: Exception) -> None:
    verdict = failed_send(error)
    assert verdict == Verdict(Outcome.UNCONFIRMED, reason=verdict.reason)
    assert verdict.reason


@pytest.mark.parametrize("cause", NEVER_WRITTEN, ids=repr)
def test_a_request_that_was_never_written_was_no_attempt(cause: Exception) -> None:
    for error in (network(cause), cause):
        verdict = failed_send(error)
        assert verdict == Verdict(Outcome.UNATTEMPTED, reason=verdict.reason)
        assert verdict.reason.startswith("no connection to Telegram")


@pytest.mark.parametrize(("error", "seconds"), RATE, ids=repr)
def test_too_many_requests_pause_the_bot_and_blame_nobody(error: Exception, seconds: float) -> None:
    for verdict in (failed_send(error), failed_delete(error, expired=True)):
        assert (verdict.outcome, verdict.pause, verdict.halt) == (Outcome.UNATTEMPTED, seconds, None)


@pytest.mark.parametrize("error", DEAD_TOKEN, ids=repr)
def test_a_dead_token_halts_the_bot_and_blames_nobody(error: Exception) -> None:
    for verdict in (failed_send(error), failed_delete(error, expired=True)):
        assert (verdict.outcome, verdict.halt) == (Outcome.UNATTEMPTED, Cause.BOT_UNAUTHORIZED)


@pytest.mark.parametrize(
    "error",
    [
        bad_request('can\'t parse entities: Unsupported start tag "x" at byte offset 0'),
        bad_request("message is too long"),
        bad_request("message text is empty"),
        bad_request("text must be non-empty"),
        bad_request("unsupported parse_mode"),
        bad_request("ENTITIES_TOO_LONG"),
        TelegramEntityTooLarge(ASKED, "Request Entity Too Large"),
    ],
    ids=repr,
)
def test_content_that_telegram_refuses_halts_with_its_words(error: TelegramAPIError) -> None:
    assert failed_send(error) == Verdict(Outcome.UNATTEMPTED, reason=error.message, halt=Cause.CONTENT_REFUSED)


@pytest.mark.parametrize(
    ("error", "expired", "outcome"),
    [
        (bad_request("message to delete not found"), False, Outcome.ALREADY_GONE),
        (bad_request("message can't be deleted for everyone"), False, Outcome.TOO_LATE),
        (bad_request("message can't be deleted"), True, Outcome.TOO_LATE),
        (bad_request("message can't be deleted"), False, Outcome.RECALL_REFUSED),
        (forbidden("user is deactivated"), False, Outcome.RECALL_REFUSED),
        (bad_request("chat not found"), True, Outcome.RECALL_REFUSED),
    ],
)
def test_a_delete_ends_in_the_word_that_fits(error: Exception, expired: bool, outcome: Outcome) -> None:
    assert failed_delete(error, expired=expired).outcome is outcome


@pytest.mark.parametrize("error", [*AMBIGUOUS, *(network(cause) for cause in NEVER_WRITTEN)], ids=repr)
def test_a_delete_without_an_answer_may_be_repeated(error: Exception) -> None:
    verdict = failed_delete(error, expired=True)
    assert verdict == Verdict(Outcome.UNATTEMPTED, reason=verdict.reason)
    assert verdict.reason


@pytest.mark.parametrize("cause", [*NEVER_WRITTEN, *UNANSWERED], ids=repr)
def test_no_reason_quotes_a_client_error(cause: Exception) -> None:
    leaking = type(cause).__new__(type(cause))
    leaking.__dict__.update(cause.__dict__)
    leaking.args = (f"https://api.telegram.org/bot{TOKEN}/sendMessage", *cause.args[1:])
    for error in (network(leaking), leaking, ClientDecodeError(TOKEN, ValueError(TOKEN), TOKEN)):
        reasons = (failed_send(error).reason, failed_delete(error, expired=False).reason, reason_of(error))
        assert not [reason for reason in reasons if TOKEN in reason]


def test_a_token_in_a_description_is_struck_out() -> None:
    assert failed_send(forbidden(f"no way, bot{TOKEN}")).reason == "Forbidden: no way, bot…"


def test_a_missing_description_is_still_a_refusal() -> None:
    assert failed_send(TelegramBadRequest(ASKED, None)).outcome is Outcome.REFUSED  # type: ignore[arg-type]


def test_only_age_can_spoil_a_delete_of_several() -> None:
    assert is_about_age(bad_request("message can't be deleted for everyone"))
    assert not is_about_age(bad_request("message to delete not found"))
    assert not is_about_age(forbidden("message can't be deleted"))


def test_the_worst_of_several_deletes_counts() -> None:
    recalled, gone, late = (Verdict(o) for o in (Outcome.RECALLED, Outcome.ALREADY_GONE, Outcome.TOO_LATE))
    assert worst([recalled, gone]) == recalled
    assert worst([gone, gone]) == gone
    assert worst([recalled, late, gone]) == late
    assert worst([late, Verdict(Outcome.UNATTEMPTED, pause=3)]).pause == 3
