"""The builder of rules: every rule opens in it, every button works without scripts, nobody writes JSON."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcast_api.domain import rules
from broadcast_api.entrypoints.console.forms import Form
from broadcast_api.entrypoints.console.rule_form import Group, changed, read, rule_of, tree_of, walk
from tests.support.broadcast_api import Api
from tests.support.console import Reader, Seen

Fields = dict[str, str | list[str]]

IT = {"field": "department", "in": ["IT", "Кадры"]}
NESTED = {
    "all": [
        IT,
        {"any": [{"field": "tags", "in": ["профком"]}, {"field": "joined", "after": "2026-01-31"}]},
        {"not": {"any": [{"field": "kind", "in": ["contractor"]}, {"field": "language", "in": ["en"]}]}},
    ]
}

leaves = st.one_of(
    st.builds(
        lambda field, values: {"field": field, "in": values},
        st.sampled_from(rules.FIELDS),
        st.lists(st.text("абв-7 ", min_size=1, max_size=5).filter(str.strip), min_size=1, max_size=3, unique=True),
    ),
    st.just({"field": "joined", "after": "2026-01-31", "before": "2026-03-01"}),
    st.just({"audience": "0b0f3b52-6c8e-4a0e-b7a2-6d1f0b4b7f10"}),
)
any_rule = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(
            lambda key, parts: {key: parts}, st.sampled_from(["all", "any"]), st.lists(inner, min_size=1, max_size=3)
        ),
        st.builds(lambda part: {"not": part}, inner),
    ),
    max_leaves=12,
)


def shown(tree: Group) -> Form:
    """The fields that the page has for a tree."""
    fields = []
    for path, part in walk(tree):
        if isinstance(part, Group):
            fields.append((f"{path}.mode", part.mode))
            continue
        said = {"field": part.field, "was": part.field, "is": "not" if part.negated else "is"}
        said |= {"after": part.after, "before": part.before, "audience": part.audience}
        fields += [(f"{path}.{name}", value) for name, value in said.items()]
        fields += [(f"{path}.value", value) for value in part.values]
    return Form(fields)


def matches(rule: Any, truth: dict[str, bool]) -> bool:
    """Whether a person of whom this is true is in the rule."""
    match rule:
        case {"all": parts}:
            return all(matches(part, truth) for part in parts)
        case {"any": parts}:
            return any(matches(part, truth) for part in parts)
        case {"not": inner}:
            return not matches(inner, truth)
    return truth[str(rule)]


@given(any_rule, st.randoms(use_true_random=False))
def test_every_rule_opens_in_the_builder_and_comes_out_meaning_the_same(rule: Any, chance: Any) -> None:
    again = rule_of(read(shown(tree_of(rule))))
    truth: dict[str, bool] = {}

    def note(part: Any) -> None:
        for inner in part.get("all", part.get("any", [part["not"]] if "not" in part else [])):
            note(inner)
        truth[str(part)] = chance.random() < 0.5

    note(rule)
    assert matches(again, truth) == matches(rule, truth)
    assert rule_of(tree_of(again)) == again, "and from then on it stays as it is"


def test_a_rule_comes_out_as_it_was_written() -> None:
    assert rule_of(tree_of(NESTED)) == NESTED


def test_groups_grow_until_http_would_refuse_them() -> None:
    tree, path = tree_of(IT), "r"
    for _ in range(20):
        tree, path = changed(tree, f"group:{path}")
        path = path if isinstance(dict(walk(tree))[path], Group) else path.rpartition(".")[0]
    assert max(at.count(".") for at, _ in walk(tree)) <= rules.DEPTH_MAX


def test_a_group_leaves_with_its_last_condition_and_the_rule_never_gets_empty() -> None:
    tree, _ = changed(tree_of({"all": [IT, {"not": IT}]}), "group:r")
    tree, focus = changed(tree, "remove:r.2.0")
    assert (len(tree.parts), focus) == (2, "r")
    for _ in range(3):
        tree, _ = changed(tree, "remove:r.0")
    assert len(tree.parts) == 1


@pytest.mark.parametrize("act", ["remove:r.7", "condition:r.0", "group:nowhere", "remove:r", "nonsense", "more:r.0"])
def test_a_button_for_what_is_not_there_changes_nothing(act: str) -> None:
    tree = tree_of(NESTED)
    assert changed(tree, act)[0] == tree


async def press(reader: Reader, page: Seen, act: str, **more: str | list[str]) -> Seen:
    """A button of the builder, with the form as it is on the page."""
    return await reader.submit("/audiences/new", {**fields_of(page), **more, "act": act})


def fields_of(page: Seen) -> Fields:
    """What a browser would post of the builder's part of the page."""
    found: dict[str, list[str]] = {}
    select = ""
    for tag, attributes in page.tags:
        name = attributes.get("name", "")
        if tag == "button":
            continue
        if tag == "select":
            select = name
        elif tag == "option" and "selected" in attributes and select.startswith("r"):
            found[select] = [attributes["value"]]
        elif name.startswith("r.") and (attributes.get("type") != "checkbox" or "checked" in attributes):
            found.setdefault(name, []).append(attributes.get("value", ""))
    for _, attributes in page.tags:
        name = attributes.get("name", "")
        if name.startswith("r") and name.endswith((".mode", ".field", ".is")):
            found.setdefault(name, {"mode": ["all"], "is": ["is"]}.get(name.rpartition(".")[2], ["kind"]))
    return {"bot": "main", "name": "Правило", "by": "rule", **found}


async def test_a_nested_rule_is_built_with_buttons_and_counts_whom_it_reaches(api: Api, reader: Reader) -> None:
    await api.people(1, 2, department="IT", tags=["профком"])
    await api.people(3, department="IT", kind="contractor", tags=["профком"])
    await api.people(4, department="Кадры")
    page = await reader.open("/audiences/new")
    page = await press(reader, page, "except:r", **{"r.0.value": ["IT"]})
    page = await press(reader, page, "look:r.1.0", **{"r.1.0.field": "kind"})
    page = await press(reader, page, "more:r.0", **{"r.1.0.value": ["contractor"]})
    assert "2 получателя" in page.text
    assert "Словами: Отдел: IT; кроме (Тип: Подрядчики)" in page.text
    saved = await reader.submit("/audiences/new", fields_of(page))
    assert "Аудитория создана" in saved.text
    stored = (await api.http.get("/v1/audiences")).json()["items"][0]["definition"]
    line = {"field": "kind", "in": ["contractor"]}
    assert stored == {"kind": "rule", "rule": {"all": [{"field": "department", "in": ["IT"]}, {"not": line}]}}


async def test_a_typed_value_is_taken_like_a_ticked_one(api: Api, reader: Reader) -> None:
    await api.people(1, position="главный по чаю")
    page = await reader.open("/audiences/new")
    page = await press(reader, page, "look:r.0", **{"r.0.field": "position"})
    page = await press(reader, page, "more:r.0", **{"r.0.more": "главный по чаю"})
    assert "1 получатель" in page.text
    assert 'value="главный по чаю" checked' in page.raw


async def test_another_field_drops_the_values_of_the_old_one(api: Api, reader: Reader) -> None:
    page = await press(reader, await reader.open("/audiences/new"), "more:r.0", **{"r.0.more": "IT"})
    page = await press(reader, page, "look:r.0", **{"r.0.field": "tags"})
    assert 'value="IT" checked' not in page.raw


async def test_a_stored_rule_opens_in_the_builder_without_a_word_of_json(api: Api, reader: Reader) -> None:
    audience = await api.audience({"kind": "rule", "rule": NESTED})
    page = await reader.open(f"/audiences/{audience['id']}")
    assert "&#34;any&#34;" not in page.raw
    assert 'name="r.1.1.after" value="2026-01-31"' in page.raw
    saved = await reader.submit(f"/audiences/{audience['id']}", {**fields_of(page), "version": "1"})
    assert "Аудитория изменена" in saved.text
    assert (await api.http.get(f"/v1/audiences/{audience['id']}")).json()["definition"]["rule"] == NESTED


async def test_a_line_that_says_nothing_is_shown_where_it_stands(api: Api, reader: Reader) -> None:
    page = await press(reader, await reader.open("/audiences/new"), "group:r", **{"r.0.value": ["IT"]})
    refused = await reader.submit("/audiences/new", fields_of(page))
    assert refused.status == 422
    assert refused.text.count("Это условие пока ничего не говорит") == 1


async def test_an_audience_that_would_contain_itself_is_refused_in_plain_words(api: Api, reader: Reader) -> None:
    first = await api.audience({"kind": "rule", "rule": {"not": IT}})
    second = await api.audience({"kind": "rule", "rule": {"any": [{"audience": first["id"]}, IT]}})
    fields: Fields = {"bot": "main", "name": "Круг", "by": "rule", "version": "1", "r.mode": "all"}
    fields |= {"r.0.field": "audience", "r.0.audience": second["id"]}
    page = await reader.submit(f"/audiences/{first['id']}", fields)
    assert page.status == 422
    assert "Аудитория входила бы сама в себя" in page.text
