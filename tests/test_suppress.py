"""Suppression comments: what they hide, and what is said of those that hide nothing."""

from __future__ import annotations

import pytest

from selulint import settings as settings_module
from selulint import suppress as module
from selulint.diagnostic import CANNOT_PARSE, Applicability, Diagnostic, Edit, Fix, Severity, Span
from selulint.settings import Settings
from selulint.source import Source
from selulint.suppress import suppress

RULES = {
    "SELU101": ("relu-activation", True),
    "SELU102": ("leaky-activation", False),
    "SELU201": ("selu-default-init", True),
    "SELU202": ("selu-wrong-init", True),
    "SELU901": ("unused-suppression", True),
}


@pytest.fixture(autouse=True)
def _rules(monkeypatch: pytest.MonkeyPatch) -> None:
    for place in (settings_module, module):
        monkeypatch.setattr(place, "known_rules", lambda: RULES)


def finding(text: str, spelled: str, code: str = "SELU101", fix: Fix | None = None) -> Diagnostic:
    start = text.index(spelled)
    return Diagnostic(code, RULES[code][0], Severity.WARNING, "m", "a.py", Span(start, start + len(spelled)), fix=fix)


def kept(text: str, *findings: Diagnostic, settings: Settings | None = None) -> list[str]:
    """The rest of the findings, and the messages of the tool's own."""
    rest = suppress(Source("a.py", text), findings, settings or Settings())
    return [each.message if each.code == "SELU901" else each.code for each in rest]


def cleaned(text: str, *findings: Diagnostic) -> str:
    """The text after the fixes of all unused suppressions."""
    rest = suppress(Source("a.py", text), findings, Settings())
    for each in sorted(rest, key=lambda each: each.span or Span(0, 0), reverse=True):
        if each.code == "SELU901" and each.fix is not None:
            assert each.fix.applicability is Applicability.SAFE
            for edit in each.fix.edits:
                text = text[: edit.start] + edit.content + text[edit.end :]
    return text


@pytest.mark.parametrize(
    "text",
    [
        "x = relu  # selulint: ignore[relu-activation]\n",
        "x = relu  # selulint: ignore[SELU101] a squared ReLU, on purpose\n",
        "x = relu  # selulint: ignore[SELU1]\n",
        "x = relu  #selulint:ignore[ relu-activation ]\n",
        "x = relu  # noqa: E501 # selulint: ignore[relu-activation]\n",
        "x = relu  # selulint: ignore[relu-activation] # noqa: E501\n",
        "# selulint: ignore[relu-activation]\nx = relu\n",
        "# selulint: ignore[relu-activation] why\n# more words\nx = relu\n",
        "class A:\n    # selulint: ignore[relu-activation]\n    x = relu\n",
        "# selulint: ignore-file[relu-activation]\n\n\nx = 1\nx = relu\n",
        "x = relu\r\ny = 1\r\n# selulint: ignore-file[SELU101]\r\n",
        "x = 1\ry = relu  # selulint: ignore[SELU101]\r",
    ],
)
def test_hides(text: str) -> None:
    assert kept(text, finding(text, "relu")) == []


@pytest.mark.parametrize("line", [0, 2])
def test_a_finding_of_several_lines_is_hidden_from_its_first_and_its_last_line(line: int) -> None:
    lines = ["relu(", "    1,", ")"]
    span = "\n".join(lines)
    lines[line] += "  # selulint: ignore[SELU101]"
    text = "\n".join(lines) + "\n"
    begin = finding(text, "relu(")
    whole = Diagnostic("SELU101", "relu-activation", Severity.WARNING, "m", "a.py", Span(0, text.index(")") + 1))
    assert span and kept(text, begin, whole) == ([] if line == 0 else ["SELU101"])
    assert kept(text, whole) == []


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ('x = relu, "# selulint: ignore[SELU101]"\n', ["SELU101"]),
        ('"""\n# selulint: ignore-file[SELU101]\n"""\nx = relu\n', ["SELU101"]),
        ("# selulint: ignore[SELU101]\n\nx = relu\n", ["unused suppression of `SELU101`", "SELU101"]),
        ("y = 1  # selulint: ignore[SELU101]\nx = relu\n", ["unused suppression of `SELU101`", "SELU101"]),
        ("x = relu  # selulint: ignore[SELU201]\n", ["SELU101", "unused suppression of `SELU201`"]),
        ("x = relu  # see selulint: ignore[SELU101]\n", ["SELU101"]),
        (
            "x = relu  # selulint: ignore[selu-default-init, relu-activation, SELU202]\n",
            ["unused suppression of `selu-default-init`, `SELU202`"],
        ),
    ],
)
def test_does_not_hide(text: str, left: list[str]) -> None:
    assert kept(text, finding(text, "relu")) == left


@pytest.mark.parametrize(
    ("comment", "message"),
    [
        ("ignore", "`ignore` needs the rules it hides in brackets"),
        ("ignore relu-activation", "`ignore` needs the rules it hides in brackets"),
        ("ignore-file", "`ignore-file` needs the rules it hides in brackets"),
        ("ignore[]", "`ignore` needs the rules it hides in brackets, these are empty"),
        ("ignore[ , ]", "`ignore` needs the rules it hides in brackets, these are empty"),
        ("ignore[relu", "`ignore` needs the rules it hides in brackets"),
        ("disable[SELU101]", "unknown suppression `disable`, expected `ignore[...]` or `ignore-file[...]`"),
        ("ignore[relu-activatoin]", "unknown rule `relu-activatoin`, did you mean `relu-activation`?"),
        ("ignore[x, y]", "unknown rule `x`; unknown rule `y`"),
    ],
)
def test_a_malformed_comment_hides_nothing_and_is_reported(comment: str, message: str) -> None:
    text = f"x = relu  # selulint: {comment}\n"
    assert kept(text, finding(text, "relu")) == ["SELU101", message]
    assert cleaned(text) == text


def test_a_good_name_beside_a_bad_one_still_counts() -> None:
    text = "x = relu  # selulint: ignore[SELU101, nope]\n"
    assert kept(text, finding(text, "relu")) == ["unknown rule `nope`"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = 1  # selulint: ignore[SELU101]\ny = 2\n", "x = 1\ny = 2\n"),
        ("x = 1  # selulint: ignore[SELU101] reason", "x = 1"),
        ("def f():\n    # selulint: ignore[SELU101] reason\n    y = 2\n", "def f():\n    y = 2\n"),
        ("# selulint: ignore-file[SELU101]\r\ny = 2\r\n", "y = 2\r\n"),
        ("y = 2\n# selulint: ignore[SELU101]", "y = 2\n"),
        ("x = 1  # noqa # selulint: ignore[SELU101]\n", "x = 1  # noqa\n"),
        ("x = 1  # selulint: ignore[SELU101] # noqa\n", "x = 1  # noqa\n"),
        ("# selulint: ignore[SELU101] # noqa\n", "# noqa\n"),
        ("x = relu  # selulint: ignore[SELU201, SELU202]\n", "x = relu\n"),
    ],
)
def test_the_fix_removes_what_is_unused_and_nothing_else(before: str, after: str) -> None:
    assert cleaned(before) == after


def test_the_fix_keeps_the_used_part() -> None:
    text = "x = relu  # selulint: ignore[SELU201, SELU101] why # noqa\n"
    assert cleaned(text, finding(text, "relu")) == "x = relu  # selulint: ignore[SELU101] why # noqa\n"


@pytest.mark.parametrize(
    ("selector", "settings", "unused"),
    [
        ("SELU101", Settings(), True),
        ("SELU101", Settings(select=("SELU2", "SELU901")), False),
        ("SELU101", Settings(ignore=("SELU101",)), False),
        ("SELU101", Settings(ignore=("SELU901",)), False),
        ("SELU101", Settings(select=("SELU101",)), False),
        ("SELU102", Settings(), False),
        ("SELU102", Settings(extend_select=("SELU102",)), True),
        ("SELU1", Settings(), True),
        ("SELU2", Settings(ignore=("SELU202",)), False),
    ],
)
def test_only_what_was_looked_for_can_be_unused(selector: str, settings: Settings, unused: bool) -> None:
    assert bool(kept(f"x = 1  # selulint: ignore[{selector}]\n", settings=settings)) is unused


def test_an_unused_suppression_can_be_suppressed() -> None:
    assert kept("x = 1  # selulint: ignore[SELU101, unused-suppression]\n") == []
    assert kept("# selulint: ignore-file[unused-suppression]\nx = 1  # selulint: ignore[SELU101]\n") == []


def test_failures_cannot_be_hidden() -> None:
    text = "x = 1  # selulint: ignore-file[SELU101]\n"
    failure = Diagnostic(CANNOT_PARSE.code, CANNOT_PARSE.name, CANNOT_PARSE.severity, "m", "a.py", Span(0, 1))
    assert failure in suppress(Source("a.py", text), [failure], Settings())
    assert failure in suppress(Source("a.py", "# selulint: ignore-file[ALL]\n"), [failure], Settings())


def test_a_fix_that_also_changes_a_hidden_place_is_only_shown() -> None:
    text = "a = relu1  # selulint: ignore[SELU101]\nb = relu2\nc = relu3\n"
    both = Fix("all", (Edit(4, 9, "selu"), Edit(43, 48, "selu")), Applicability.SAFE)
    alone = Fix("one", (Edit(53, 58, "selu"),), Applicability.SAFE)
    findings = [finding(text, "relu1", fix=both), finding(text, "relu2", fix=both), finding(text, "relu3", fix=alone)]
    rest = suppress(Source("a.py", text), findings, Settings())
    assert [each.fix and each.fix.applicability for each in rest] == [Applicability.DISPLAY, Applicability.SAFE]


def test_the_order_is_that_of_the_places() -> None:
    text = "a = relu1\nb = 1  # selulint: ignore[SELU101]\nc = relu2\n"
    rest = suppress(Source("a.py", text), [finding(text, "relu1"), finding(text, "relu2")], Settings())
    assert [each.code for each in rest] == ["SELU101", "SELU901", "SELU101"]
