"""An export of the audit that somebody touched does not verify, and the first line that does not fit is named."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcast_api.application.audit_chain import Broken, End, Line, check, export

Lines = list[str]


def entry(number: int) -> Line:
    return {
        "number": number,
        "what": "broadcast.created",
        "by": {"name": f"Иванова {number}"},
        "details": {"n": number},
    }


def exported(numbers: range, begin: End = End()) -> Lines:  # noqa: B008 frozen
    return list(export("log", None, begin, map(entry, numbers)))


EXPORT = exported(range(1, 6))  # a start, five entries, a seal


def test_what_nobody_touched_fits_and_tells_its_end() -> None:
    end = check(EXPORT)
    assert (end.number, end.hash) == (5, json.loads(EXPORT[-1])["hash"])


def test_an_export_of_nothing_fits() -> None:
    assert check(exported(range(0))).number == 0


def test_the_same_log_makes_the_same_lines_and_a_longer_one_begins_with_them() -> None:
    assert exported(range(1, 6)) == EXPORT
    assert exported(range(1, 9))[: len(EXPORT) - 1] == EXPORT[:-1]


def test_a_later_export_goes_on_where_the_earlier_one_ended() -> None:
    later = exported(range(6, 9), check(EXPORT))
    assert check([*EXPORT, *later]).number == 8
    assert check(later).number == 8


def reworded(lines: Lines) -> Lines:
    return [*lines[:3], lines[3].replace("created", "deleted"), *lines[4:]]


def rehashed(lines: Lines) -> Lines:
    """Changed by somebody who knows how the hash of a line is made: the next line gives it away."""
    forged = exported(range(1, 3))[:-1] + exported(range(33, 34), End(2, json.loads(lines[2])["hash"]))[1:2]
    return [*forged, *lines[4:]]


TAMPERINGS: dict[str, tuple[Callable[[Lines], Lines], int]] = {
    "changed": (reworded, 4),
    "changed with its hash": (rehashed, 4),
    "removed": (lambda lines: [*lines[:3], *lines[4:]], 4),
    "inserted": (lambda lines: [*lines[:3], lines[1], *lines[3:]], 4),
    "reordered": (lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]], 3),
    "the beginning cut off": (lambda lines: lines[1:], 1),
    "the end cut off": (lambda lines: lines[:-1], 7),
    "the last entries cut off": (lambda lines: [*lines[:4], lines[-1]], 5),
    "half a line": (lambda lines: [*lines[:-1], lines[-1][:20]], 7),
    "a space more": (lambda lines: [lines[0].replace(":", ": ", 1), *lines[1:]], 1),
    "nothing left": (lambda lines: [], 1),
    "two exports with a gap": (lambda lines: [*lines, *exported(range(7, 9), End(6, check(lines).hash))], 8),
    "two exports of other chains": (lambda lines: [*lines, *exported(range(6, 9))], 8),
}


@pytest.mark.parametrize("how", TAMPERINGS)
def test_tampering_is_found_at_the_first_line_that_does_not_fit(how: str) -> None:
    tamper, line = TAMPERINGS[how]
    with pytest.raises(Broken) as found:
        check(tamper(list(EXPORT)))
    assert found.value.line == line


@given(st.integers(0, len("".join(EXPORT)) - 1), st.characters(codec="utf-8"))
def test_no_character_can_be_exchanged(place: int, other: str) -> None:
    whole = "".join(EXPORT)
    if whole[place] != other:
        with pytest.raises(Broken):
            check((whole[:place] + other + whole[place + 1 :]).splitlines(keepends=True))


@given(st.permutations(range(len(EXPORT))))
def test_no_other_order_fits(order: list[int]) -> None:
    if order != sorted(order):
        with pytest.raises(Broken):
            check([EXPORT[n] for n in order])


@given(st.sets(st.integers(0, len(EXPORT) - 1), min_size=1))
def test_no_lines_can_be_taken_out(gone: set[int]) -> None:
    with pytest.raises(Broken):
        check([line for n, line in enumerate(EXPORT) if n not in gone])
