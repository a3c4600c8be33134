"""The loop around fixes, with small checkers that know just enough to fix, to spoil and to quarrel."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selulint.diagnostic import CANNOT_PARSE, Applicability, Diagnostic, Edit, Fix, Severity, Span
from selulint.fix.loop import MAX_PASSES, FixOutcome, fix_text
from selulint.source import Source

Check = Callable[[Source], list[Diagnostic]]
SAFE, UNSAFE = Applicability.SAFE, Applicability.UNSAFE


def finding(code: str, span: Span, edits: Iterable[Edit] = (), applicability: Applicability = SAFE) -> Diagnostic:
    fix = Fix(f"fix {code}", tuple(edits), applicability) if edits else None
    return Diagnostic(code, code.lower(), Severity.WARNING, f"{code} at {span.start}", "x.py", span, fix=fix)


def words(code: str, old: str, new: str | None, applicability: Applicability = SAFE) -> Check:
    """Finds every `old`; its fix writes `new`."""

    def check(source: Source) -> list[Diagnostic]:
        found = []
        for match in re.finditer(rf"\b{old}\b", source.text):
            edits = [Edit(*match.span(), new)] if new is not None else []
            found.append(finding(code, Span(*match.span()), edits, applicability))
        return found

    return check


def both(*checks: Check) -> Check:
    return lambda source: [each for check in checks for each in check(source)]


def run(text: str, check: Check, level: Applicability = SAFE) -> FixOutcome:
    return fix_text(Source("x.py", text), None, check, level)


def test_everything_is_fixed_and_reported() -> None:
    outcome = run("a = bad\nb = [bad, good]\n", words("A", "bad", "good"))
    assert outcome.text == "a = good\nb = [good, good]\n"
    assert len(outcome.applied) == 2
    assert outcome.remaining == outcome.refused == ()
    assert not outcome.error


def test_nothing_to_fix_checks_once() -> None:
    calls = []

    def check(source: Source) -> list[Diagnostic]:
        calls.append(source.text)
        return words("A", "bad", None)(source)

    outcome = run("a = bad\n", check)
    assert (outcome.text, len(outcome.remaining), len(calls)) == ("a = bad\n", 1, 1)


@pytest.mark.parametrize(("level", "text"), [(UNSAFE, "a = good, fine"), (SAFE, "a = good, risky")])
def test_only_fixes_that_are_safe_enough_are_applied(level: Applicability, text: str) -> None:
    check = both(words("A", "bad", "good"), words("B", "risky", "fine", UNSAFE))
    outcome = run("a = bad, risky", check, level)
    assert outcome.text == text
    assert [each.fix is not None for each in outcome.remaining] == [True] * (level is SAFE)


def test_findings_that_share_one_fix_are_all_applied_by_it() -> None:
    def check(source: Source) -> list[Diagnostic]:
        spans = [match.span() for match in re.finditer("bad", source.text)]
        edits = [Edit(*span, "good") for span in spans]
        return [finding("A", Span(*span), edits) for span in spans]

    outcome = run("a = [bad, bad, bad]\n", check)
    assert outcome.text == "a = [good, good, good]\n"
    assert len(outcome.applied) == 3


def test_fixes_that_overlap_take_turns() -> None:
    def check(source: Source) -> list[Diagnostic]:
        match = re.search(r"f\((.*)\)", source.text)
        outer = [finding("A", Span(*match.span()), [Edit(*match.span(), match[1])])] if match else []
        return [*outer, *words("B", "bad", "good")(source)]

    outcome = run("a = f(bad)\n", check)
    assert outcome.text == "a = good\n"
    assert {each.code for each in outcome.applied} == {"A", "B"}


def test_a_culprit_is_refused_and_the_others_go_in() -> None:
    text = "".join(f"a{n} = bad\n" for n in range(5)) + "b = worse\n" + "c = bad\n"
    outcome = run(text, both(words("A", "bad", "good"), words("B", "worse", "(")))
    assert outcome.text == text.replace("bad", "good")
    assert len(outcome.applied) == 6
    ((refused, reason),) = outcome.refused
    assert refused.code == "B" and "no valid Python" in reason
    assert outcome.remaining == (refused,) and refused.fix is None
    assert outcome.text[refused.span.start : refused.span.end] == "worse"


@pytest.mark.parametrize(
    ("new", "others", "reason"),
    [
        ("bad, bad", (), "adds a finding: `a`"),
        ("(bad)", (), "outlives its fix: `a`"),
        ("fresh", (words("B", "fresh", None),), "adds a finding: `b`"),
        ("bad", (), "changes nothing"),
        ("f(x=1, x=2)", (), "no valid Python"),
        ("'''", (), "statement that the fix does not touch"),
    ],
)
def test_what_spoils_the_text_is_refused(new: str, others: tuple[Check, ...], reason: str) -> None:
    text = "a = bad\nb = 2\n# '''\nc = 3\n"
    outcome = run(text, both(words("A", "bad", new), *others))
    assert outcome.text == text
    assert [reason in each for _, each in outcome.refused] == [True]
    assert outcome.applied == ()


def test_a_fix_may_not_replace_one_finding_by_another_of_the_same_code() -> None:
    check = both(words("A", "bad", "worse"), words("A", "worse", None))
    assert run("a = bad\n", check).text == "a = bad\n"


def test_failures_of_the_tool_on_the_result_refuse_the_fix() -> None:
    def check(source: Source) -> list[Diagnostic]:
        if "odd" in source.text:
            return [Diagnostic(CANNOT_PARSE.code, CANNOT_PARSE.name, Severity.ERROR, "", "x.py", None)]
        if "boom" in source.text:
            raise RuntimeError("kaputt")
        return both(words("A", "bad", "odd"), words("B", "ill", "boom"))(source)

    outcome = run("a = bad, ill\n", check)
    assert outcome.text == "a = bad, ill\n"
    reasons = {each.code: reason for each, reason in outcome.refused}
    assert "cannot-parse" in reasons["A"] and "kaputt" in reasons["B"]


def test_what_fails_on_the_first_text_is_passed_on() -> None:
    def check(source: Source) -> list[Diagnostic]:
        raise RuntimeError("kaputt")

    with pytest.raises(RuntimeError, match="kaputt"):
        run("a = 1\n", check)


def test_a_result_that_the_encoding_cannot_hold_is_refused() -> None:
    source = Source("x.py", "a = bad\n", "latin-1")
    outcome = fix_text(source, None, words("A", "bad", "'\u03b1'"), SAFE)
    assert outcome.text == source.text
    assert "latin-1" in outcome.refused[0][1]


def test_a_fix_whose_edits_overlap_each_other_is_refused() -> None:
    def check(source: Source) -> list[Diagnostic]:
        return [finding("A", Span(0, 1), [Edit(0, 2, "b"), Edit(1, 3, "c")])]

    outcome = run("a = 1\n", check)
    assert outcome.text == "a = 1\n"
    assert "do not fit together" in outcome.refused[0][1]


@pytest.mark.parametrize("length", [2, 3])
def test_a_cycle_of_any_length_ends_and_says_so(length: int) -> None:
    """Only a checker that contradicts itself gets here: this one finds less with every look, and always a next text."""
    left = list(range(10))

    def check(source: Source) -> list[Diagnostic]:
        left.pop()
        following = (int(source.text[1]) + 1) % length
        return [finding("A", Span(0, 2), [Edit(0, 2, f"v{following}")]), *[finding("A", Span(0, 2)) for _ in left]]

    outcome = run("v0 = 1\n", check)
    assert outcome.text == f"v{length - 1} = 1\n"
    assert "earlier text" in outcome.refused[0][1]
    assert all(each.fix is None for each in outcome.remaining)


def nested(depth: int) -> str:
    return "a = " + "f(" * depth + "1" + ")" * depth + "\n"


def unwrap(source: Source) -> list[Diagnostic]:
    """Every call is a finding; its fix rewrites all of it, so that only one nested call can be fixed in a pass."""
    found = []
    depth = source.text.count("f(")
    for level in range(depth):
        start, end = 4 + 2 * level, len(source.text) - 1 - level
        found.append(finding("A", Span(start, end), [Edit(start, end, source.text[start + 2 : end - 1])]))
    return found


@pytest.mark.parametrize("depth", [1, MAX_PASSES, MAX_PASSES + 1, MAX_PASSES + 3])
def test_there_are_at_most_so_many_passes(depth: int) -> None:
    outcome = run(nested(depth), unwrap)
    assert outcome.text == nested(max(depth - MAX_PASSES, 0))
    assert bool(outcome.error) is (depth > MAX_PASSES)
    assert len(outcome.applied) == min(depth, MAX_PASSES)


@given(st.lists(st.sampled_from(["bad", "worse", "fine", "ill", "odd"]), min_size=1, max_size=8))
def test_fixing_is_idempotent_and_keeps_count(names: list[str]) -> None:
    text = "".join(f"x{number} = {name}\n" for number, name in enumerate(names))
    check = both(words("A", "bad", "good"), words("B", "worse", "("), words("C", "ill", "bad"), words("D", "odd", None))
    outcome = run(text, check)
    again = run(outcome.text, check)
    assert again.text == outcome.text and not again.applied
    assert len(outcome.applied) + len(outcome.remaining) == len(check(Source("x.py", text)))
    spoiling = {"worse": "B", "ill": "C"}
    assert {each.code for each, _ in outcome.refused} == {spoiling[name] for name in names if name in spoiling}
