"""Why somebody did not get a message, in plain words; Telegram's own stand beside them where they say more."""

from broadcast_api.entrypoints.console.wording import N_
from broadcast_api.entrypoints.console.words import Words

BY_OUTCOME = {
    "blocked": N_("They have blocked the bot and get nothing from it."),
    "deactivated": N_("Their Telegram account no longer exists."),
    "not_started": N_("They never pressed Start, so the bot may not write to them."),
    "partly": N_("Some of the messages arrived, then Telegram refused the rest."),
    "unconfirmed": N_("Telegram did not answer in time. It may have arrived, so it is not sent again by itself."),
    "skipped": N_("They were not tried in this run."),
    "too_late": N_("Telegram deletes a bot's message only within 48 hours."),
}

BY_TELEGRAM = {
    "chat not found": N_("Telegram knows no such chat: the chat id is wrong or belongs to another bot."),
    "not enough rights": N_("The bot may not write in this chat."),
    "have no rights": N_("The bot may not write in this chat."),
    "chat_write_forbidden": N_("The bot may not write in this chat."),
    "was kicked": N_("The bot was taken out of this chat."),
    "not a member": N_("The bot was taken out of this chat."),
    "can't send messages to bots": N_("This is a bot: bots cannot write to each other."),
    "peer_id_invalid": N_("Telegram knows no such chat: the chat id is wrong or belongs to another bot."),
    "upgraded to a supergroup": N_("The group has moved to another chat id."),
    "restricted": N_("Telegram has restricted this chat."),
    "message can't be deleted": N_("Telegram does not let the bot delete this message."),
    "not in the directory": N_("This person has left the directory or has no chat."),
    "message id is not known": N_("Nobody knows which message it was, so it cannot be deleted."),
}
"""By a part of Telegram's description, in lower case. Descriptions are no contract: what is not here is shown as is."""


def plainly(outcome: str, reason: str | None, words: Words) -> str:
    """Empty where nobody knows more than the outcome itself says."""
    if outcome in BY_OUTCOME:
        return words.gettext(BY_OUTCOME[outcome])
    told = (reason or "").lower()
    found = next((text for part, text in BY_TELEGRAM.items() if part in told), None)
    return words.gettext(found) if found else ""
