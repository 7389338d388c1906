"""In how many messages a content arrives, by example and by property."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcast_contracts import Content, File, FileKind, ParseMode
from broadcast_telegram.plan import Call, Method, plan

PHOTO, VIDEO, AUDIO, DOCUMENT = FileKind
MIXABLE = {frozenset({PHOTO}), frozenset({VIDEO}), frozenset({PHOTO, VIDEO}), frozenset({AUDIO}), frozenset({DOCUMENT})}


def file(kind: FileKind, n: int = 0) -> File:
    return File(sha256=f"{n:064x}", name=f"{kind} {n}", kind=kind, media_type="application/octet-stream", size=9)


def content(*kinds: FileKind, text: str = "", parse_mode: ParseMode = ParseMode.NONE) -> Content:
    files = tuple(file(kind, n) for n, kind in enumerate(kinds))
    return Content(text=text, parse_mode=parse_mode, files=files)


def shape(*calls: Call) -> list[tuple[str, int, bool]]:
    return [(call.method.value, call.messages, bool(call.text)) for call in calls]


@pytest.mark.parametrize(
    ("kinds", "text", "expected"),
    [
        ((), "hi", [("sendMessage", 1, True)]),
        ((PHOTO,), "hi", [("sendPhoto", 1, True)]),
        ((PHOTO,), "", [("sendPhoto", 1, False)]),
        ((VIDEO,), "hi", [("sendVideo", 1, True)]),
        ((AUDIO,), "hi", [("sendAudio", 1, True)]),
        ((DOCUMENT,), "hi", [("sendDocument", 1, True)]),
        ((PHOTO, VIDEO), "hi", [("sendMediaGroup", 2, True)]),
        ((DOCUMENT,) * 10, "hi", [("sendMediaGroup", 10, True)]),
        ((DOCUMENT, PHOTO, DOCUMENT), "hi", [("sendMediaGroup", 2, True), ("sendPhoto", 1, False)]),
        (
            (PHOTO, PHOTO, PHOTO, DOCUMENT, DOCUMENT),
            "x" * 1025,
            [("sendMessage", 1, True), ("sendMediaGroup", 3, False), ("sendMediaGroup", 2, False)],
        ),
    ],
)
def test_a_content_takes_these_calls(
    kinds: tuple[FileKind, ...], text: str, expected: list[tuple[str, int, bool]]
) -> None:
    assert shape(*plan(content(*kinds, text=text))) == expected


def test_only_what_is_read_counts_for_a_caption() -> None:
    markup = "".join(f"<b>{letter}</b>" for letter in "x" * 1024)
    assert shape(*plan(content(PHOTO, text=markup, parse_mode=ParseMode.HTML))) == [("sendPhoto", 1, True)]


def test_a_text_that_cannot_be_read_is_left_to_telegram() -> None:
    assert plan(content(PHOTO, text="<b", parse_mode=ParseMode.HTML))[0].text == "<b"


contents = st.builds(
    lambda kinds, text: content(*kinds, text=text),
    st.lists(st.sampled_from(FileKind), min_size=1, max_size=10),
    st.sampled_from(["", "short", "x" * 1024, "x" * 1025]),
)


@given(contents)
def test_every_file_is_in_exactly_one_call(content: Content) -> None:
    assert Counter(file for call in plan(content) for file in call.files) == Counter(content.files)


@given(contents)
def test_the_text_is_said_once_and_first(content: Content) -> None:
    first, *rest = plan(content)
    assert first.text == content.text
    assert not any(call.text for call in rest)
    assert not first.files or len(first.text) <= 1024


@given(contents)
def test_no_album_breaks_the_rules(content: Content) -> None:
    for call in plan(content):
        if call.method is Method.ALBUM:
            assert 2 <= len(call.files) <= 10
            assert frozenset(file.kind for file in call.files) in MIXABLE
        else:
            assert len(call.files) == (call.method is not Method.MESSAGE)


@given(contents)
def test_two_calls_that_could_be_one_are_one(content: Content) -> None:
    groups = [frozenset(file.kind for file in call.files) for call in plan(content) if call.files]
    assert not any(one | other in MIXABLE for n, one in enumerate(groups) for other in groups[:n])


@given(contents)
def test_files_keep_their_order_within_a_call(content: Content) -> None:
    for call in plan(content):
        places = [content.files.index(file) for file in call.files]
        assert places == sorted(places)
