"""Fixes are applied whole or not at all, never on top of each other, and touch nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selulint.diagnostic import Applicability, Edit, Fix
from selulint.fix.apply import apply, compatible, splice

TEXT = "abcdefghijklmnopqrst"
SAFE, UNSAFE = Applicability.SAFE, Applicability.UNSAFE


def fix(*edits: tuple[int, int, str], applicability: Applicability = SAFE, message: str = "") -> Fix:
    return Fix(message, tuple(Edit(*edit) for edit in edits), applicability)


@st.composite
def edits(draw: st.DrawFn) -> Edit:
    start = draw(st.integers(0, len(TEXT)))
    return Edit(start, draw(st.integers(start, min(start + 4, len(TEXT)))), draw(st.text("XYZ", max_size=3)))


def fixes() -> st.SearchStrategy[Fix]:
    return st.builds(
        Fix, st.sampled_from("pq"), st.lists(edits(), max_size=4).map(tuple), st.sampled_from(list(Applicability))
    )


def touches(one: Edit, other: Edit) -> bool:
    """The rule in its plainest form, character by character; equal insertion points count as touching."""
    if one.start == one.end and other.start == other.end:
        return one.start == other.start
    if one.start == one.end or other.start == other.end:
        point, edit = (one.start, other) if one.start == one.end else (other.start, one)
        return edit.start < point < edit.end
    return bool(set(range(one.start, one.end)) & set(range(other.start, other.end)))


@given(st.lists(fixes(), max_size=6))
def test_the_text_is_that_of_the_edits_made_one_by_one_from_the_right(given_fixes: list[Fix]) -> None:
    text, chosen = apply(TEXT, given_fixes)
    expected = TEXT
    # At one offset the replacement is made first: what is inserted there then comes before it.
    for edit in sorted({edit for each in chosen for edit in each.edits}, key=lambda e: (e.start, e.end), reverse=True):
        expected = expected[: edit.start] + edit.content + expected[edit.end :]
    assert text == expected


@given(st.lists(fixes(), max_size=6))
def test_chosen_fixes_do_not_touch_and_skipped_ones_touch_a_chosen_or_themselves(given_fixes: list[Fix]) -> None:
    _, chosen = apply(TEXT, given_fixes)
    taken = {edit for each in chosen for edit in each.edits}
    assert not any(one != other and touches(one, other) for one in taken for other in taken)
    for each in set(given_fixes) - set(chosen):
        around = taken | set(each.edits)
        assert not each.edits or any(one != other and touches(one, other) for one in each.edits for other in around)


@given(st.lists(fixes(), max_size=6))
def test_text_outside_the_edits_stays(given_fixes: list[Fix]) -> None:
    marked = [Fix(each.message, tuple(Edit(e.start, e.end, "#") for e in each.edits), SAFE) for each in given_fixes]
    text, chosen = apply(TEXT, marked)
    gone = {at for each in chosen for edit in each.edits for at in range(edit.start, edit.end)}
    assert text.replace("#", "") == "".join(char for at, char in enumerate(TEXT) if at not in gone)


@given(st.lists(fixes(), max_size=6).flatmap(lambda each: st.tuples(st.just(each), st.permutations(each))))
def test_the_order_in_which_fixes_are_given_does_not_matter(pair: tuple[list[Fix], list[Fix]]) -> None:
    assert apply(TEXT, pair[0]) == apply(TEXT, pair[1])


@given(st.lists(fixes(), max_size=6))
def test_giving_fixes_twice_is_giving_them_once(given_fixes: list[Fix]) -> None:
    assert apply(TEXT, [*given_fixes, *given_fixes]) == apply(TEXT, given_fixes)


@given(fixes())
def test_identical_edits_of_different_fixes_merge(one: Fix) -> None:
    twin = Fix("twin", one.edits, one.applicability)
    text, chosen = apply(TEXT, [one, twin])
    assert text == apply(TEXT, [one])[0]
    assert len(chosen) in (0, 2)


def test_a_fix_is_skipped_whole() -> None:
    first = fix((0, 3, "X"))
    text, chosen = apply(TEXT, [first, fix((2, 4, "Y"), (10, 11, "Z"))])
    assert chosen == (first,)
    assert text == "X" + TEXT[3:]


def test_safer_fixes_go_first() -> None:
    safe = fix((5, 9, "S"))
    assert apply(TEXT, [fix((0, 6, "U"), applicability=UNSAFE), safe])[1] == (safe,)


def test_of_fixes_that_start_alike_the_bigger_goes_first() -> None:
    big = fix((0, 3, "X"), (5, 6, "Y"))
    assert apply(TEXT, [fix((0, 2, "X")), big])[1] == (big,)


def test_an_insertion_at_the_border_of_a_replacement_stands_outside_it() -> None:
    text, chosen = apply(TEXT, [fix((3, 6, "-")), fix((3, 3, "<")), fix((6, 6, ">"))])
    assert text == "abc<->ghijklmnopqrst"
    assert len(chosen) == 3


def test_different_insertions_at_one_offset_exclude_each_other() -> None:
    assert len(apply(TEXT, [fix((3, 3, "<")), fix((3, 3, ">"))])[1]) == 1


@pytest.mark.parametrize("edit", [(-1, 2, "X"), (18, 21, "X"), (5, 3, "X")])
def test_edits_outside_the_text_are_no_edits(edit: tuple[int, int, str]) -> None:
    assert apply(TEXT, [fix(edit)]) == (TEXT, ())


def test_earlier_fixes_are_preferred() -> None:
    late, early = fix((8, 9, "X")), fix((0, 20, "Y"))
    assert compatible([late, early], len(TEXT)) == (late,)


def test_splice_without_edits_changes_nothing() -> None:
    assert splice(TEXT, ()) == TEXT
