"""How Telegram reads a text, by example and by property."""

import time
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcast_contracts import ParseMode
from broadcast_telegram.formatting import Entity, FormattingError, check, parse

STADIUM = "🏟"  # two UTF-16 units, four bytes


USER = {"id": 7, "is_bot": False, "first_name": ""}


def entities(text: str, parse_mode: str) -> list[dict[str, Any]]:
    return [entity.as_dict() for entity in parse(text, parse_mode).entities]


def brief(text: str, parse_mode: str) -> tuple[str, list[tuple[str, int, int]]]:
    parsed = parse(text, parse_mode)
    return parsed.text, [(entity.type, entity.offset, entity.length) for entity in parsed.entities]


@pytest.mark.parametrize(
    ("tag", "type"),
    [
        ("b", "bold"),
        ("strong", "bold"),
        ("i", "italic"),
        ("em", "italic"),
        ("u", "underline"),
        ("ins", "underline"),
        ("s", "strikethrough"),
        ("strike", "strikethrough"),
        ("del", "strikethrough"),
        ("tg-spoiler", "spoiler"),
        ("code", "code"),
        ("pre", "pre"),
        ("blockquote", "blockquote"),
    ],
)
def test_every_html_tag_formats_what_it_encloses(tag: str, type: str) -> None:
    assert brief(f"{STADIUM} <{tag}>да{STADIUM}</{tag}>!", "HTML") == (f"{STADIUM} да{STADIUM}!", [(type, 3, 4)])


@pytest.mark.parametrize(
    ("text", "entity"),
    [
        ('<span class="tg-spoiler">x</span>', {"type": "spoiler"}),
        ("<blockquote expandable>x</blockquote>", {"type": "expandable_blockquote"}),
        ('<a href="https://t.me/?a=1&amp;b=2">x</a>', {"type": "text_link", "url": "https://t.me/?a=1&b=2"}),
        ("<a href=EXAMPLE.com>x</a>", {"type": "text_link", "url": "http://example.com/"}),
        ('<a href="tg://user?id=7">x</a>', {"type": "text_mention", "user": USER}),
        ('<pre><code class="language-python">x</code></pre>', {"type": "pre", "language": "python"}),
        (
            '<tg-emoji emoji-id="5368324170671">x</tg-emoji>',
            {"type": "custom_emoji", "custom_emoji_id": "5368324170671"},
        ),
    ],
)
def test_html_attributes_become_what_the_bot_api_shows(text: str, entity: dict[str, Any]) -> None:
    assert entities(text, "HTML") == [{"offset": 0, "length": 1} | entity]


def test_only_five_kinds_of_references_are_decoded() -> None:
    assert parse("&lt;&gt;&amp;&quot;&#1076;&#x430;&nbsp;&copy;&", "HTML").text == '<>&"да&nbsp;&copy;&'


@pytest.mark.parametrize(
    ("text", "description", "offset"),
    [
        ("часы <b", "Unclosed start tag at byte offset 9", 9),
        ("a < b", 'Unsupported start tag "" at byte offset 2', 2),
        ("<br>", 'Unsupported start tag "br" at byte offset 0', 0),
        ("<i =a>", 'Empty attribute name in the tag "i" at byte offset 0', 0),
        ("<i a=", 'Unclosed start tag "i" at byte offset 0', 0),
        ("<a href=http://t.me>", "Unexpected end of name token at byte offset 8", 8),
        ("<span>x</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0', 0),
        ("x</b>", "Unexpected end tag at byte offset 1", 1),
        ("<b>x</b", "Unclosed end tag at byte offset 4", 4),
        ("<b>x</i>", 'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"', 4),
        ("<b><i>x</i>", 'Can\'t find end tag corresponding to start tag "b"', None),
        ('<tg-emoji emoji-id="x">y</tg-emoji>', "Invalid custom emoji identifier specified", None),
    ],
)
def test_html_errors_are_those_of_telegram(text: str, description: str, offset: int | None) -> None:
    with pytest.raises(FormattingError) as caught:
        parse(text, "HTML")
    assert (str(caught.value), caught.value.byte_offset) == (f"can't parse entities: {description}", offset)


@pytest.mark.parametrize(
    ("text", "plain", "found"),
    [
        (
            "*да* _x_ __y__ ~z~ ||w|| `v`",
            "да x y z w v",
            [
                ("bold", 0, 2),
                ("italic", 3, 1),
                ("underline", 5, 1),
                ("strikethrough", 7, 1),
                ("spoiler", 9, 1),
                ("code", 11, 1),
            ],
        ),
        ("_x __y___", "x y", [("italic", 0, 2), ("italic", 2, 1), ("underline", 2, 1)]),
        ("__x _y_ __", "x y", [("underline", 0, 2), ("italic", 2, 1), ("underline", 2, 1)]),
        (r"1\.5 \* 2 \= 3\!", "1.5 * 2 = 3!", []),
        ("`a*b_c`", "a*b_c", [("code", 0, 5)]),
        (">a\n>b\nc", "a\nb\nc", [("blockquote", 0, 4)]),
        (">a\n**>b", "a\nb", [("blockquote", 0, 2), ("blockquote", 2, 1)]),
        (">a\n>b||\nc", "a\nb\nc", [("expandable_blockquote", 0, 4)]),
        ("**>a||", "a", [("expandable_blockquote", 0, 1)]),
        (">a||b||", "ab", [("blockquote", 0, 2), ("spoiler", 1, 1)]),
        (f"{STADIUM}*{STADIUM}*", STADIUM * 2, [("bold", 2, 2)]),
    ],
)
def test_markdown_is_read_as_telegram_reads_it(text: str, plain: str, found: list[tuple[str, int, int]]) -> None:
    assert brief(text, "MarkdownV2") == (plain, found)


@pytest.mark.parametrize(
    ("text", "entity"),
    [
        (r"[x](https://t.me/a\)b)", {"type": "text_link", "url": "https://t.me/a)b"}),
        ("[x](tg://user?id=7)", {"type": "text_mention", "user": USER}),
        ("![x](tg://emoji?id=5)", {"type": "custom_emoji", "custom_emoji_id": "5"}),
        ("```python\nx```", {"type": "pre", "language": "python"}),
        ("```\nx```", {"type": "pre"}),
    ],
)
def test_markdown_arguments_become_what_the_bot_api_shows(text: str, entity: dict[str, Any]) -> None:
    assert entities(text, "MarkdownV2") == [{"offset": 0, "length": 1} | entity]


@pytest.mark.parametrize(
    ("text", "description", "offset"),
    [
        ("Привет.", "Character '.' is reserved and must be escaped with the preceding '\\'", 12),
        ("a > b", "Character '>' is reserved and must be escaped with the preceding '\\'", 2),
        ("да *x", "Can't find end of Bold entity at byte offset 5", 5),
        ("__x_", "Can't find end of Italic entity at byte offset 3", 3),
        ("```py\nx", "Can't find end of PreCode entity at byte offset 0", 0),
        ("[x](t.me", "Can't find end of a URL at byte offset 4", 4),
        ("![x]", "Custom emoji entity must contain a tg://emoji URL", None),
        ("![x](t.me)", "Custom emoji URL must have scheme tg", None),
        ("![x](tg://emojis?id=1)", 'Custom emoji URL must have host "emoji"', None),
        ("![x](tg://emoji?id=01)", "Invalid custom emoji identifier specified", None),
        (">*x\ny*", "Can't find end of Bold entity at byte offset 1", 1),
    ],
)
def test_markdown_errors_are_those_of_telegram(text: str, description: str, offset: int | None) -> None:
    with pytest.raises(FormattingError) as caught:
        parse(text, "MarkdownV2")
    assert (str(caught.value), caught.value.byte_offset) == (f"can't parse entities: {description}", offset)


def test_a_link_that_telegram_would_not_take_leaves_plain_text() -> None:
    for address in ("", "nowhere", "ftp://x.org", "http://", "x.org:99999", "http://a b.org", "tg://a.b"):
        assert parse(f'<a href="{address}">x y</a>', "HTML").entities == ()


def test_ends_are_trimmed_and_emptied_entities_dropped() -> None:
    assert brief("  \n x <b> </b>", "HTML") == ("x", [])
    assert brief(" <b> x </b>\n", "HTML") == (" x", [("bold", 0, 2)])
    assert brief("a\r\nb\u202e\t<i>c</i>", "HTML") == ("a\nb c", [("italic", 4, 1)])


def test_code_holds_no_other_style_and_links_do_not_nest() -> None:
    assert brief("<b>x<code>y</code>z</b>", "HTML") == ("xyz", [("bold", 0, 1), ("code", 1, 1), ("bold", 2, 1)])
    assert brief("<a href='t.me'>x<a href='t.me'>y</a></a>", "HTML") == ("xy", [("text_link", 0, 2)])


def test_styles_that_touch_become_one() -> None:
    assert brief("<b>x</b><b>y</b>", "HTML") == ("xy", [("bold", 0, 2)])


@pytest.mark.parametrize("text", ["", "  \n", "<b></b>", "\u200b\u00a0\u2800"])
def test_a_text_with_nothing_to_read_is_refused(text: str) -> None:
    with pytest.raises(FormattingError, match=r"^message text is empty$"):
        check(text, ParseMode.HTML)


def test_the_limit_counts_code_points_without_markup() -> None:
    assert check(f"<b>{STADIUM * 4096}</b>  ", ParseMode.HTML).length == 4096
    with pytest.raises(FormattingError, match=r"^message is too long$"):
        check(STADIUM * 4097, ParseMode.NONE)


def test_unknown_modes_and_broken_strings_are_refused() -> None:
    with pytest.raises(FormattingError, match=r"^unsupported parse_mode$"):
        parse("x", "BBCode")
    with pytest.raises(FormattingError, match=r"^strings must be encoded in UTF-8$"):
        parse("\ud800", "none")
    with pytest.raises(FormattingError, match="unmatched surrogate"):
        parse("&#xD800;", "HTML")


TAGS = ["b", "i", "a href='t.me'", "code", "pre", "blockquote"]
MARKUP = [*(f"<{tag}>" for tag in TAGS), *(f"</{tag.split()[0]}>" for tag in TAGS), "</>"]
MARKUP += ["*", "_", "__", "||", "`", "```", "\n>", "[", "](t.me)"]
SOURCES = st.one_of(
    st.text(),
    st.text("<>/&#;= \"'abiusprecodel-x\0\n\r🏟"),
    st.text("\\_*[]()~`>#+-=|{}.!\n\r ab🏟"),
    st.lists(st.sampled_from([*MARKUP, "x", STADIUM, " ", "\n", "\r", "&lt;"])).map("".join),
)


@given(SOURCES, st.sampled_from(["HTML", "MarkdownV2", "none"]))
def test_any_text_is_read_or_refused_and_places_lie_within_it(source: str, parse_mode: str) -> None:
    offset, found, length = places(source, parse_mode)
    assert offset is None or 0 <= offset <= len(source.encode())
    assert all(entity.length > 0 and 0 <= entity.offset <= length - entity.length for entity in found)
    assert list(found) == sorted(found, key=lambda entity: (entity.offset, -entity.length))


def places(source: str, parse_mode: str) -> tuple[int | None, tuple[Entity, ...], int]:
    """Where the fault is, or the entities and the text's length in UTF-16 units."""
    try:
        parsed = parse(source, parse_mode)
    except FormattingError as error:
        return error.byte_offset, (), 0
    return None, parsed.entities, len(parsed.text.encode("utf-16-le")) // 2


@given(SOURCES)
def test_entities_of_one_text_nest_or_stand_apart(source: str) -> None:
    _, found, _ = places(source, "HTML")
    assert not [pair for pair in pairwise(found) if cross(*pair)]


def cross(one: Entity, other: Entity) -> bool:
    return one.offset < other.offset < one.offset + one.length < other.offset + other.length


@given(st.text(st.characters(exclude_categories=("Cc", "Cf", "Cs", "Z")), min_size=1))
def test_escaped_text_comes_back_as_it_was(text: str) -> None:
    text = parse(text, "none").text
    markdown = "".join(f"\\{char}" if 0 < ord(char) <= 126 else char for char in text)
    html = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert parse(markdown, "MarkdownV2").text == parse(html, "HTML").text == text


@pytest.mark.parametrize("parse_mode", ["HTML", "MarkdownV2"])
@pytest.mark.parametrize("unit", ["<a>", "<b a=", "&", "&#9", "[a", "](", "_", "|", "```a", "\n>", "\\"])
def test_reading_takes_linear_time(unit: str, parse_mode: str) -> None:
    def spent(length: int) -> float:
        text = (unit * length)[:length]
        began = time.process_time()
        with suppress(FormattingError):
            parse(text, parse_mode)
        return time.process_time() - began

    short, long = 10_000, 80_000
    assert min(spent(long), spent(long)) < 3 * (long / short) * max(spent(short), spent(short), 0.005)
