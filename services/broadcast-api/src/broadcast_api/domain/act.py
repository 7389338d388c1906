"""An act: what somebody did outside broadcasts and audiences, and what must stay on record all the same."""

from typing import Any

from eventsourcing.domain import Aggregate

from broadcast_api.domain.call import Call, Obeyed


class Act(Aggregate):
    """One event, and never another. What it is about lives elsewhere: people, imports, accounts and keys are SQL."""

    TOPIC = "act"

    class Event(Obeyed, Aggregate.Event):
        """Who did it and under which request; `timestamp` says when."""

    class Created(Event, Aggregate.Created):
        """`what` is `import.started`, `key.revoked` and so on, `subject` the id of what it is about, `title` what that
        is called. `bot` is empty where all are meant. Nothing of `details` says anything about a recipient."""

        TOPIC = "act.created"
        what: str
        subject: str
        bot: str
        title: str
        details: dict[str, Any]

    def __init__(self, what: str, subject: str, bot: str, title: str, details: dict[str, Any]) -> None:
        self.what = what
        self.handled: dict[str, str] = {}

    @classmethod
    def record(cls, what: str, call: Call, *, subject: str, bot: str, title: str, details: dict[str, Any]) -> "Act":
        """Ready to be stored."""
        return cls._create(
            cls.Created, what=what, subject=subject, bot=bot, title=title, details=details, **call.fields()
        )
