"""The words for states, outcomes, decisions and attributes; `N_` marks them for the catalogue."""


def N_(message: str) -> str:  # noqa: N802 the name that extraction of messages knows
    """Translated where it is shown."""
    return message


STATUSES = {
    "created": N_("Created"),
    "sending": N_("Sending"),
    "stopping": N_("Stopping"),
    "stopped": N_("Stopped"),
    "recalling": N_("Recalling messages"),
    "sent": N_("Sent"),
}

OUTCOMES = {
    "pending": N_("Waiting"),
    "delivered": N_("Delivered"),
    "partly": N_("Delivered in part"),
    "failed": N_("Not delivered"),
    "blocked": N_("Blocked the bot"),
    "deactivated": N_("Account deleted"),
    "not_started": N_("Never started the bot"),
    "refused": N_("Refused by Telegram"),
    "unconfirmed": N_("Unconfirmed"),
    "skipped": N_("Skipped"),
    "recalled": N_("Recalled"),
    "already_gone": N_("Already gone"),
    "too_late": N_("Older than 48 hours"),
    "recall_refused": N_("Telegram would not delete it"),
    "active": N_("Reachable"),
}

SORTS = {
    "-created": N_("Newest first"),
    "created": N_("Oldest first"),
    "name": N_("By name, A to Z"),
    "-name": N_("By name, Z to A"),
    "-sent": N_("Sent most recently"),
    "sent": N_("Sent longest ago"),
    "-delivered": N_("Most delivered first"),
    "delivered": N_("Fewest delivered first"),
}

WHAT_HAPPENED = {
    "created": N_("Created"),
    "edited": N_("Edited"),
    "files_changed": N_("Files changed"),
    "approved": N_("Approved"),
    "approval_withdrawn": N_("Approval withdrawn"),
    "test_requested": N_("Test message sent"),
    "sending_started": N_("Sending started"),
    "audience_frozen": N_("Recipients written down"),
    "stop_requested": N_("Stop requested"),
    "stopped": N_("Stopped"),
    "resumed": N_("Sending resumed"),
    "unconfirmed_answered": N_("Decided about the unconfirmed"),
    "resend_requested": N_("Sending again to those who came back"),
    "sent": N_("Sending completed"),
    "recall_requested": N_("Recall started"),
    "recalled": N_("Messages recalled"),
    "deleted": N_("Deleted"),
}

ACTS = {
    **{f"broadcast.{name}": words for name, words in WHAT_HAPPENED.items()},
    "audience.created": N_("Audience created"),
    "audience.edited": N_("Audience changed"),
    "audience.archived": N_("Audience archived"),
    "import.started": N_("Import of people"),
    "people.entered": N_("People entered"),
    "person.changed": N_("Person changed"),
    "person.removed": N_("Person taken out"),
    "person.erased": N_("Person erased"),
    "account.added": N_("Account added"),
    "account.roles_changed": N_("Roles of an account changed"),
    "account.password_changed": N_("Password of an account changed"),
    "account.disabled": N_("Account disabled"),
    "account.enabled": N_("Account enabled"),
    "session.ended": N_("Signed out everywhere"),
    "key.created": N_("API key created"),
    "key.revoked": N_("API key revoked"),
}

IMPORT_STATES = {
    "running": N_("Being read"),
    "finished": N_("Finished"),
    "failed": N_("Failed"),
    "interrupted": N_("Interrupted"),
}

KEY_STATES = {
    "active": N_("Active"),
    "revoked": N_("Revoked"),
    "expired": N_("Expired"),
}

ROLES = {
    "viewer": N_("looks"),
    "author": N_("draws up"),
    "sender": N_("sends"),
    "approver": N_("approves"),
    "admin": N_("administers"),
}

CAUSES = {
    "content_refused": N_("Telegram refuses the text, so sending was stopped before more people were tried."),
    "bot_unauthorized": N_("Telegram refuses the bot's token, so sending was stopped. An administrator has to act."),
}

ATTRIBUTES = {
    "kind": N_("Kind"),
    "department": N_("Department"),
    "position": N_("Position"),
    "language": N_("Language"),
    "tags": N_("Tags"),
}

FILE_KINDS = {
    "photo": N_("photo"),
    "video": N_("video"),
    "audio": N_("audio"),
    "document": N_("document"),
}

VALUES = {
    "employee": N_("Employees"),
    "contractor": N_("Contractors"),
    "ru": N_("Russian"),
    "en": N_("English"),
}

FLASHES = {
    "created": N_("The broadcast has been created."),
    "edited": N_("Changes saved."),
    "deleted": N_("The broadcast has been deleted."),
    "files_changed": N_("The files have been changed."),
    "approved": N_("The broadcast has been approved."),
    "withdrawn": N_("The approval has been withdrawn."),
    "sent": N_("Sending has started."),
    "stopped": N_("Stopping: messages under way are being settled."),
    "resumed": N_("Sending goes on with those who have not had it yet."),
    "recalled": N_("The recall has started."),
    "answered": N_("Your decision about the unconfirmed is being carried out."),
    "test_delivered": N_("The test message has been delivered."),
    "test_failed": N_("The test message was not delivered."),
    "test_waiting": N_("The test message is on its way."),
    "audience_created": N_("The audience has been created."),
    "audience_edited": N_("The audience has been changed."),
    "key_revoked": N_("The key has been revoked: it opens nothing any more."),
    "signed_out": N_("You have signed out."),
    "audience_archived": N_("The audience has been archived."),
}
