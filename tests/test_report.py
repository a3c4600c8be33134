"""The reports: frames, notes, fixes and summaries to read, and the JSON list."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable

import pytest

from selulint.diagnostic import Applicability, Diagnostic, Edit, Fix, Prediction, Related, Severity, Span
from selulint.report import Report, render
from selulint.source import Source

TEXT = """\
import torch.nn as nn

net = nn.Sequential(
    nn.Linear(3, 4),
    nn.ReLU(),
    nn.Linear(4, 2),
)
"""


def at(text: str, spelled: str) -> Span:
    start = text.index(spelled)
    return Span(start, start + len(spelled))


def relu(text: str = TEXT, spelled: str = "nn.ReLU()", fix: Fix | None = None, **more: object) -> Diagnostic:
    severity = more.pop("severity", Severity.WARNING)
    return Diagnostic(
        "SELU101", "relu-activation", severity, "hidden `ReLU`", "net.py", at(text, spelled), fix=fix, **more
    )  # type: ignore[arg-type]


def shown(entries: Iterable[Diagnostic], output_format: str = "full", text: str = TEXT, **more: object) -> str:
    source = Source("net.py", text)
    report = Report(tuple((entry, source) for entry in entries), **more)  # type: ignore[arg-type]
    return "".join(render(report, output_format))


SAFE = Fix("use SELU", (Edit(69, 78, "nn.SELU()"),), Applicability.SAFE)
UNSAFE = Fix("remove the norm", (Edit(0, 0, ""),), Applicability.UNSAFE, "the keys of old checkpoints change")
DISPLAY = Fix("use SELU", (Edit(0, 0, ""),), Applicability.DISPLAY, "only half of the chain is understood")


def test_full() -> None:
    related = (Related("the layer in front", at(TEXT, "nn.Linear(3, 4)")),)
    assert shown([relu(fix=SAFE, related=related)]) == (
        "net.py:5:5: SELU101 relu-activation [warning] hidden `ReLU`\n"
        "  |\n"
        "3 | net = nn.Sequential(\n"
        "4 |     nn.Linear(3, 4),\n"
        "5 |     nn.ReLU(),\n"
        "  |     ^^^^^^^^^\n"
        "6 |     nn.Linear(4, 2),\n"
        "7 | )\n"
        "  |\n"
        "  = note: net.py:4:5: the layer in front\n"
        "4 |     nn.Linear(3, 4),\n"
        "  |     ^^^^^^^^^^^^^^^\n"
        "  = fix (safe): use SELU\n"
        "\n"
        "Found 1 warning (1 fixable with --fix).\n"
    )


@pytest.mark.parametrize(
    ("fix", "line"),
    [
        (SAFE, "= fix (safe): use SELU"),
        (UNSAFE, "= fix (unsafe, needs --unsafe-fixes): remove the norm: the keys of old checkpoints change"),
        (DISPLAY, "= suggestion (not applied): use SELU: only half of the chain is understood"),
    ],
)
def test_the_fix_says_how_safe_it_is(fix: Fix, line: str) -> None:
    assert f"  {line}\n" in shown([relu(fix=fix)])


def frame(text: str, spelled: str) -> list[str]:
    return shown([relu(text, spelled)], text=text).split("  |\n", 1)[1].split("\n  |\n")[0].split("\n")


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("\tx = relu\n", ["1 |     x = relu", "  |         ^^^^"]),
        ("a\t= relu\n", ["1 | a   = relu", "  |       ^^^^"]),
        ("'漢字', relu\n", ["1 | '漢字', relu", "  |         ^^^^"]),
        ("'e\u0301', relu\n", ["1 | 'e\u0301', relu", "  |      ^^^^"]),
        ("'\x1b[31m', relu\n", ["1 | '\ufffd[31m', relu", "  |          ^^^^"]),
        ("relu", ["1 | relu", "  | ^^^^"]),
        ("relu\r\nx\r\n", ["1 | relu", "  | ^^^^", "2 | x"]),
    ],
)
def test_the_underline_stands_under_the_span(text: str, lines: list[str]) -> None:
    assert frame(text, "relu") == lines


def test_a_span_of_several_lines_is_underlined_on_each() -> None:
    text = "x = relu(\n    1,\n\n  )\ny = 2\n"
    assert frame(text, "relu(\n    1,\n\n  )") == [
        "1 | x = relu(",
        "  |     ^^^^^",
        "2 |     1,",
        "  |     ^^",
        "3 |",
        "4 |   )",
        "  |   ^",
        "5 | y = 2",
    ]


def test_a_long_span_is_shortened() -> None:
    text = "relu(\n" + "".join(f"    {number},\n" for number in range(50)) + ")\n"
    lines = frame(text, text.strip())
    assert len(lines) == 15 and " | ..." in "".join(lines) and "52 | )" in lines


def test_a_very_long_line_is_cut_around_the_span() -> None:
    text = "x = [" + "1, " * 5000 + "relu, " + "2, " * 5000 + "]\n"
    line, marks = frame(text, "relu")
    assert len(line) < 200 and line.count("...") == 2
    assert line[marks.index("^") : marks.rindex("^") + 1] == "relu"


def test_an_empty_span_at_the_end_of_the_file() -> None:
    diagnostic = Diagnostic("SELU902", "cannot-parse", Severity.ERROR, "bad", "net.py", Span(len(TEXT), len(TEXT)))
    assert "net.py:8:1: SELU902 cannot-parse [error] bad\n" in shown([diagnostic])
    assert "^" in shown([diagnostic], text="")


def test_a_diagnostic_without_a_place_is_one_line() -> None:
    diagnostic = Diagnostic("SELU903", "cannot-read", Severity.ERROR, "is a directory", "x.py", None)
    report = Report(((diagnostic, None),), complete=False)
    for output_format in ("full", "concise"):
        first, *_ = "".join(render(report, output_format)).split("\n")
        assert first == "x.py: SELU903 cannot-read [error] is a directory"


def test_concise_is_a_line_each() -> None:
    assert shown([relu(), relu(fix=SAFE), relu(fix=UNSAFE), relu(fix=DISPLAY)], "concise") == (
        "net.py:5:5: SELU101 relu-activation [warning] hidden `ReLU`\n"
        "net.py:5:5: SELU101 relu-activation [warning] hidden `ReLU` [fix]\n"
        "net.py:5:5: SELU101 relu-activation [warning] hidden `ReLU` [unsafe fix]\n"
        "net.py:5:5: SELU101 relu-activation [warning] hidden `ReLU`\n"
        "Found 4 warnings (1 fixable with --fix, 1 more with --unsafe-fixes).\n"
    )


def test_the_summary() -> None:
    note, error = relu(severity=Severity.NOTE), relu(severity=Severity.ERROR, fix=UNSAFE)
    assert shown([], "concise") == "All checks passed!\n"
    assert shown([], "concise", complete=False) == ""
    assert shown([], "concise", fixed=1, changed=1) == "Fixed 1 finding in 1 file.\nAll checks passed!\n"
    assert shown([note, error, error, relu()], "concise", fixed=4, changed=2).endswith(
        "Fixed 4 findings in 2 files.\nFound 2 errors, 1 warning, 1 note (2 fixable with --unsafe-fixes).\n"
    )


def test_statistics() -> None:
    other = Diagnostic("SELU201", "selu-default-init", Severity.ERROR, "m", "net.py", Span(0, 1))
    entries = [(each, Source("net.py", TEXT)) for each in (relu(fix=SAFE), other, relu(fix=UNSAFE), relu())]
    report = Report(tuple(entries))
    assert "".join(render(report, "full", statistics=True)).split("\n")[:3] == [
        "count  code     rule               fixable",
        "    3  SELU101  relu-activation    1 (+1 unsafe)",
        "    1  SELU201  selu-default-init  0",
    ]
    assert json.loads("".join(render(report, "json", statistics=True)))[0] == {
        "code": "SELU101",
        "name": "relu-activation",
        "count": 3,
        "fixable": 1,
        "unsafe_fixable": 1,
    }


def test_json() -> None:
    related = (Related("the layer in front", at(TEXT, "nn.Linear(3, 4)")),)
    diagnostic = relu(fix=SAFE, related=related, prediction=Prediction("net.1", 0.4, 0.34))
    filename = os.path.abspath("net.py")
    assert json.loads(shown([diagnostic], "json")) == [
        {
            "code": "SELU101",
            "name": "relu-activation",
            "severity": "warning",
            "message": "hidden `ReLU`",
            "filename": filename,
            "cell": None,
            "location": {"row": 5, "column": 5},
            "end_location": {"row": 5, "column": 14},
            "fix": {
                "applicability": "safe",
                "message": "use SELU",
                "edits": [
                    {
                        "content": "nn.SELU()",
                        "location": {"row": 5, "column": 5},
                        "end_location": {"row": 5, "column": 14},
                    }
                ],
            },
            "refused": None,
            "related": [{"message": "the layer in front", "filename": filename, "location": {"row": 4, "column": 5}}],
            "url": None,
            "prediction": {"layer": "net.1", "mean": 0.4, "variance": 0.34},
        }
    ]
    plain = json.loads(shown([relu()], "json"))[0]
    assert plain["fix"] is None and plain["related"] == [] and "prediction" not in plain
    assert json.loads(shown([], "json")) == []


def test_colour_is_only_there_when_asked_for_and_changes_no_text() -> None:
    import click

    entries = [relu(fix=SAFE), relu(severity=Severity.ERROR)]
    for output_format in ("full", "concise"):
        plain, colored = shown(entries, output_format), shown(entries, output_format, color=True)
        assert "\x1b" not in plain and "\x1b" in colored and click.unstyle(colored) == plain
