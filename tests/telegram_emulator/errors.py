"""The refusals of the Bot API, word for word as the public server writes them."""


class BotApiError(Exception):
    """A refusal: HTTP status, `description` and, for some, `parameters` (retry_after, migrate_to_chat_id)."""

    def __init__(self, code: int, description: str, *, answer_after: float = 0, **parameters: int) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = parameters
        self.answer_after = answer_after

    def as_dict(self) -> dict[str, object]:
        body: dict[str, object] = {"ok": False, "error_code": self.code, "description": self.description}
        if self.parameters:
            body["parameters"] = self.parameters
        return body


def bad_request(reason: str, **parameters: int) -> BotApiError:
    return BotApiError(400, f"Bad Request: {reason}", **parameters)


def forbidden(reason: str) -> BotApiError:
    return BotApiError(403, f"Forbidden: {reason}")


def conflict(reason: str) -> BotApiError:
    return BotApiError(409, f"Conflict: {reason}")


def unauthorized() -> BotApiError:
    return BotApiError(401, "Unauthorized")


def not_found() -> BotApiError:
    return BotApiError(404, "Not Found")


def entity_too_large() -> BotApiError:
    return BotApiError(413, "Request Entity Too Large")


def too_many_requests(retry_after: int, *, answer_after: float = 0) -> BotApiError:
    return BotApiError(
        429, f"Too Many Requests: retry after {retry_after}", answer_after=answer_after, retry_after=retry_after
    )
