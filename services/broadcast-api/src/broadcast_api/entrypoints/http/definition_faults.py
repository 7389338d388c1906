"""Why an audience cannot be resolved, in English and Russian."""

from typing import Any

from broadcast_api.entrypoints.http.catalogue import Language

DEFINITION_FAULTS: dict[str, dict[Language, str]] = {
    "too_many_parts": {
        "en": "a rule has at most {most} parts",
        "ru": "в правиле не более {most} частей",
    },
    "too_many_parts_together": {
        "en": "more than {most} parts with the audiences in it",
        "ru": "вместе с вложенными аудиториями больше {most} частей",
    },
    "too_deep": {
        "en": "a rule is at most {most} levels deep",
        "ru": "вложенность правила — не более {most} уровней",
    },
    "no_parts": {
        "en": "at least one rule is needed here",
        "ru": "здесь нужно хотя бы одно правило",
    },
    "unknown_field": {
        "en": "there is no field “{field}”; known: {known}",
        "ru": "поля «{field}» нет; есть: {known}",
    },
    "unknown_form": {
        "en": "a rule is one of: all, any, not, field with in, joined with before or after, audience",
        "ru": "правило — одно из: all, any, not, field с in, joined с before или after, audience",
    },
    "not_an_id": {
        "en": "an audience is named by its id",
        "ru": "аудитория указывается своим id",
    },
    "not_a_day": {
        "en": "a day is written like 2026-01-31",
        "ru": "день записывается так: 2026-01-31",
    },
    "number_of_values": {
        "en": "1 to {most} values are needed here",
        "ru": "здесь нужно от 1 до {most} значений",
    },
    "not_a_value": {
        "en": "a value is a text of 1 to {most} characters",
        "ru": "значение — текст от 1 до {most} символов",
    },
    "only_lists_have_members": {
        "en": "only a list has members",
        "ru": "участники бывают только у списка",
    },
    "number_of_members": {
        "en": "a list has 1 to {most} members",
        "ru": "в списке от 1 до {most} участников",
    },
    "unknown_attribute": {
        "en": "unknown attribute “{attribute}”; known: {known}",
        "ru": "неизвестный признак «{attribute}»; есть: {known}",
    },
    "attribute_without_value": {
        "en": "every attribute needs at least one value",
        "ru": "для каждого признака нужно хотя бы одно значение",
    },
    "unknown_kind": {
        "en": "the kind is one of: everyone, list, rule, attributes",
        "ru": "вид аудитории (kind) — одно из: everyone, list, rule, attributes",
    },
    "contains_itself": {
        "en": "the audience would contain itself",
        "ru": "аудитория содержала бы саму себя",
    },
    "no_such_audience": {
        "en": "the bot {bot} has no audience {audience_id}",
        "ru": "у бота {bot} нет аудитории {audience_id}",
    },
    "audiences_too_deep": {
        "en": "audiences contain each other more than {most} deep",
        "ru": "аудитории вложены друг в друга глубже {most} уровней",
    },
    "archived_inside": {
        "en": "the audience {audience_id} is archived",
        "ru": "аудитория {audience_id} в архиве",
    },
    "nobody_chosen": {
        "en": "nobody is chosen",
        "ru": "никто не выбран",
    },
    "not_json": {
        "en": "this is not JSON",
        "ru": "это не JSON",
    },
}


def in_words(facts: dict[str, Any], language: Language) -> dict[str, Any]:
    """The facts of a refusal, with the `reason` of a `fault` in the words of the reader."""
    if "fault" not in facts:
        return facts
    words = {name: ", ".join(value) if isinstance(value, list) else value for name, value in facts.items()}
    return {**facts, "reason": DEFINITION_FAULTS[facts["fault"]][language].format_map(words)}
