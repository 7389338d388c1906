"""Everything a command can be refused for. `code` is stable for machines, `facts` are the words of the explanation."""

from typing import Any, ClassVar
from uuid import UUID


class Refused(Exception):
    """The root of the tree."""

    code: ClassVar[str]

    def __init__(self, **facts: object) -> None:
        super().__init__(self.code, facts)
        self.facts = facts


class NotFound(Refused):
    """There is no such broadcast, audience or recipient."""

    code = "not_found"

    def __init__(self, kind: str, id: UUID | int | str) -> None:
        super().__init__(kind=kind, id=str(id))


class Forbidden(Refused):
    """The thing can be seen, and the role that this needs is not held on its bot; `bot` is empty where it is held on
    none."""

    code = "forbidden_role"


class Stale(Refused):
    """The caller saw an older version."""

    code = "stale"

    def __init__(self, version: int) -> None:
        super().__init__(version=version)
        self.version = version


class Busy(Refused):
    """Too many changes at once: the command lost every race for it. Nothing happened."""

    code = "busy"


class ProviderUnavailable(Refused):
    """The organisation's sign-in service does not answer as it should."""

    code = "provider_unavailable"


class KeyReused(Refused):
    """The Idempotency-Key was used before, for something else."""

    code = "key_reused"

    def __init__(self, key: str) -> None:
        super().__init__(key=key)


class WrongState(Refused):
    """The command does not fit the state of the broadcast."""

    def __init__(self, status: str, *, stopping: bool = False) -> None:
        super().__init__(status_now=status, stopping=stopping)


class NotCreated(WrongState):
    """Only a created broadcast can be edited, deleted, tried out or sent."""

    code = "not_created"


class NotSending(WrongState):
    """Only what is being sent can be stopped."""

    code = "not_sending"


class AlreadyStopping(WrongState):
    """It is being stopped already."""

    code = "already_stopping"


class NotStopped(WrongState):
    """Only a stopped broadcast can be resumed."""

    code = "not_stopped"


class NotRecallable(WrongState):
    """Only a stopped or sent broadcast can be recalled."""

    code = "not_recallable"


class NotAtRest(WrongState):
    """About the unconfirmed one can decide only when nothing is being sent."""

    code = "not_at_rest"


class NotSent(WrongState):
    """Only a broadcast that was sent can be sent again to those it did not reach."""

    code = "not_sent"


class ApprovalNeeded(Refused):
    """More people than `above` would get it, and no second person has approved it."""

    code = "approval_needed"


class ApprovalVoid(ApprovalNeeded):
    """It was approved, and its audience has been changed since."""

    code = "approval_void"


class OwnApproval(Refused):
    """Whoever drew it up, changed it, or changed its audience afterwards is no second person."""

    code = "own_approval"


class NotAPerson(Refused):
    """A key or a program cannot take the place of a second person."""

    code = "not_a_person"


class ApprovalOfAnother(Refused):
    """What was seen is not what there is now."""

    code = "approval_of_another"


class NotApproved(Refused):
    """There is no approval to withdraw."""

    code = "not_approved"


class NobodyUnconfirmed(Refused):
    """There is nobody to decide about."""

    code = "nobody_unconfirmed"


class NotUnconfirmed(Refused):
    """These are not among the unconfirmed of the run (any more)."""

    code = "not_unconfirmed"


class NobodyToResendTo(Refused):
    """Whoever was not reached cannot be reached now either."""

    code = "nobody_to_resend_to"


class NothingToSend(Refused):
    """There is neither a text nor a file."""

    code = "nothing_to_send"


class TooManyFiles(Refused):
    """The broadcast has as many files as it may."""

    code = "too_many_files"


class AlreadyAttached(Refused):
    """A file with the same bytes is attached."""

    code = "already_attached"


class OtherFiles(Refused):
    """The order names other files than the broadcast has."""

    code = "other_files"


class StorageFull(Refused):
    """There is no room for another file."""

    code = "storage_full"


class StorageAway(Refused):
    """Where the files are kept does not answer."""

    code = "storage_away"


class AudienceEmpty(Refused):
    """Nobody at all is in the audience."""

    code = "audience_empty"


class AudienceArchived(Refused):
    """The audience was archived: choose another."""

    code = "audience_archived"


class ImportUnderWay(Refused):
    """A file of this bot is being read: one at a time."""

    code = "import_under_way"


class Unusable(Refused):
    """What the caller gave cannot be used; it is not a matter of state."""


class UnknownBot(Unusable):
    """No such bot is configured."""

    code = "unknown_bot"


class UnknownAudience(Unusable):
    """There is no such audience."""

    code = "unknown_audience"


class UnknownRecipients(Unusable):
    """These ids are nobody connected to the bot."""

    code = "unknown_recipients"


class NotConnected(Unusable):
    """Somebody without a chat cannot be reachable: they have to press /start first."""

    code = "not_connected"


class OtherBot(Unusable):
    """The audience belongs to another bot than the broadcast."""

    code = "other_bot"


class BadName(Unusable):
    """A name is 1–200 characters in one line."""

    code = "bad_name"


class BadText(Unusable):
    """Telegram would refuse the text; `byte_offset` says where, if it would."""

    code = "bad_text"


class BadFile(Unusable):
    """The file cannot be attached, whatever it is called."""


class FileEmpty(BadFile):
    """It has no bytes."""

    code = "file_empty"


class FileRuns(BadFile):
    """A computer would run it, or something inside it."""

    code = "file_runs"


class FileMacros(BadFile):
    """A document that holds macros."""

    code = "file_macros"


class FileMarkup(BadFile):
    """HTML, SVG or XML: a browser would run the scripts in it."""

    code = "file_markup"


class FileUnknown(BadFile):
    """Nothing that is known here."""

    code = "file_unknown"


class FileNotAllowed(BadFile):
    """Known, and not on the operator's list."""

    code = "file_not_allowed"


class BadDefinition(Unusable):
    """The audience is not defined in a way that can be resolved.

    `fault` says why, for machines; `path` says where, as in `rule/all/0/in`.
    """

    code = "bad_definition"

    def __init__(self, fault: str, path: str = "definition", **facts: Any) -> None:
        super().__init__(fault=fault, path=path, **facts)
