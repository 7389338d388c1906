"""A refusal in plain words."""

from dataclasses import dataclass

from broadcast_api.domain.errors import Refused
from broadcast_api.entrypoints.console.wording import N_, ROLES
from broadcast_api.entrypoints.console.words import Words
from broadcast_api.entrypoints.http.catalogue import STATUS_LABELS, TEXTS
from broadcast_api.entrypoints.http.definition_faults import in_words
from broadcast_api.entrypoints.http.problems import Problem

_OWN = {
    "not_found": (N_("Not found"), N_("It may have been deleted, or the address is wrong.")),
    "key_reused": (
        N_("Already submitted"),
        N_("This form was submitted before. Open it again to submit another."),
    ),
    "bad_definition": (N_("Nobody is chosen"), N_("Choose at least one value or one person.")),
}

_OWN["stale"] = (
    N_("Changed meanwhile"),
    N_("Somebody changed the broadcast after you opened it. Open it again before you go on."),
)

_RULE_FAULTS = {
    "contains_itself": N_("The audience would contain itself, through the audiences in its rule."),
    "archived_inside": N_("An audience in the rule is archived: choose another one."),
    "no_such_audience": N_("An audience in the rule does not exist any more: choose another one."),
    "too_deep": N_("Groups stand in groups too deep."),
    "audiences_too_deep": N_("Audiences stand in audiences too deep."),
    "too_many_parts_together": N_("The rule has too many conditions, counting those of the audiences in it."),
    "too_many_parts": N_("The rule has too many conditions."),
    "not_a_day": N_("A day is not written as a date."),
}

_TEXT_FAULTS = {
    "message text is empty": N_("The text is empty."),
    "message is too long": N_("The text is too long: Telegram takes 4,096 characters."),
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """What the reader is told."""

    title: str
    detail: str


def explain(error: Refused | Problem, words: Words) -> Explanation:
    """In the words of HTTP v1, except where those speak of headers and fields."""
    if error.code in _OWN and not error.facts.get("path"):
        title, detail = _OWN[error.code]
        return Explanation(words.gettext(title), words.gettext(detail))
    if fault := _RULE_FAULTS.get(str(error.facts.get("fault")), ""):
        return Explanation(words.gettext("The rule cannot be used"), words.gettext(fault))
    title, template = TEXTS[error.code][words.language]
    if error.code == "bad_text":
        return Explanation(title, text_fault(str(error.facts["reason"]), words))
    facts = in_words(error.facts, words.language)
    status = STATUS_LABELS[words.language].get(str(facts.get("status_now")), "")
    role = facts.get("role", "")
    said = {"status": status, "role": words.gettext(ROLES[role]) if role in ROLES else role}
    return Explanation(title, template.format(**{**facts, **said}))


def explain_problem(error: Problem, words: Words) -> Explanation:
    """What HTTP v1 itself refuses, in its words."""
    title, template = TEXTS[error.code][words.language]
    lists = {name: ", ".join(map(str, fact)) if isinstance(fact, list) else fact for name, fact in error.facts.items()}
    return Explanation(title, template.format(**lists))


def text_fault(reason: str, words: Words) -> str:
    """Why Telegram would not take a text: in our words where it says little, else in its own."""
    if reason in _TEXT_FAULTS:
        return words.gettext(_TEXT_FAULTS[reason])
    return words.gettext("Telegram cannot read the formatting: %(reason)s.") % {
        "reason": reason.removeprefix("can't parse entities: ")
    }
