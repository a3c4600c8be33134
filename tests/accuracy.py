"""How right the findings are: real files, labelled by reading them, against what the linter says of each file alone.

Run by path: `pytest tests/accuracy.py -m accuracy`, or `python tests/accuracy.py [-v] [PACKAGE ...]` for the table; `-v`
lists every difference, `--write` brings the README up to date. The files are downloaded as those of `tests/corpus.py`
are, and never copied here.
"""

from __future__ import annotations

import sys
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from corpus import read_manifest, tomllib, unpack

from selulint.diagnostic import FAILURES
from selulint.rules import all_rules
from selulint.run import lint_bytes
from selulint.settings import Settings

pytestmark = pytest.mark.accuracy

LABELS = Path(__file__).resolve().parent.parent / "fixtures" / "accuracy.toml"
README = LABELS.parent.parent / "README.md"
FRAMEWORKS = {"torch": "PyTorch", "keras": "Keras", "tf": "TensorFlow", "jax": "JAX"}
EVERYTHING = Settings(select=("ALL",))
# Which units a ReLU with a slope leaves alone, and what is predicted, is not for a reader to label.
UNLABELLED = frozenset({"leaky-activation", "predicted-statistics"})
# What the project aims at, for all findings together and for each rule.
GOAL_PRECISION, GOAL_RECALL, GOAL_OF_A_RULE = 0.97, 0.95, 0.90
# What holds today, rounded down: a change that makes it worse is wrong, or has to say why the labels are.
# Missed is what ends a block that only another file stacks, and what options of other files choose.
FLOOR_PRECISION, FLOOR_RECALL = 1.0, 0.989
# Precision and recall of the rules that are not where they should be.
FLOORS_OF_RULES: dict[str, tuple[float, float]] = {}
# A rule with fewer labels and findings than this is judged with the others only.
FEWEST_OF_A_RULE = 5
FEWEST_FILES, FEWEST_WITH_SELU, FEWEST_SILENT = 60, 20, 12


@dataclass(frozen=True, slots=True)
class Label:
    """A finding that is true; `lines` are the lines where it may be reported."""

    rule: str
    lines: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Labelled:
    """A file and all that is true of it. An undecided finding counts neither way: careful readers may differ."""

    package: str
    path: str
    framework: str
    labels: tuple[Label, ...]
    undecided: tuple[Label, ...]

    def allows(self, rule: str, line: int) -> bool:
        """Whether the file may have a finding of this rule in this line."""
        return any(each.rule == rule and line in each.lines for each in (*self.labels, *self.undecided))


@dataclass(slots=True)
class Score:
    """True findings that are reported, reports that are not true, and true findings without a report."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    def __add__(self, other: Score) -> Score:
        return Score(self.right + other.right, self.wrong + other.wrong, self.missed + other.missed)

    @property
    def precision(self) -> float:
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 1.0

    @property
    def recall(self) -> float:
        return self.right / (self.right + self.missed) if self.right + self.missed else 1.0


@dataclass(slots=True)
class Compared:
    """Scores by rule and framework, and a line of text for every difference."""

    scores: dict[tuple[str, str], Score] = field(default_factory=lambda: defaultdict(Score))
    differences: list[str] = field(default_factory=list)

    def add(self, file: Labelled, found: set[tuple[str, int]]) -> None:
        """Count what was found in a file against its labels."""
        for rule, line in sorted(found):
            if not file.allows(rule, line):
                self._count(file, rule, (line,), Score(wrong=1))
        for label in file.labels:
            if label.rule in evaluated_rules():
                reported = any((label.rule, line) in found for line in label.lines)
                self._count(file, label.rule, label.lines, Score(right=1) if reported else Score(missed=1))

    def _count(self, file: Labelled, rule: str, lines: Sequence[int], score: Score) -> None:
        self.scores[rule, file.framework] += score
        if not score.right:
            what = "false alarm" if score.wrong else "missed"
            self.differences.append(f"{what}: {file.package}: {file.path}:{lines[0]} {rule}")

    def of(self, rule: str) -> Score:
        return sum((score for (name, _), score in self.scores.items() if name == rule), Score())

    @property
    def overall(self) -> Score:
        return sum(self.scores.values(), Score())


@cache
def evaluated_rules() -> frozenset[str]:
    """The rules of this version that a reader can label; labels of rules that it lacks wait for them."""
    return frozenset(rule.name for rule in all_rules()) - UNLABELLED


def read_labels() -> list[Labelled]:
    """The labelled files, in the order of `fixtures/accuracy.toml`."""
    return [
        Labelled(
            each["package"],
            each["path"],
            each["framework"],
            tuple(_labels(each.get("findings", {}))),
            tuple(_labels(each.get("undecided", {}))),
        )
        for each in _manifest()["file"]
    ]


def _labels(table: Mapping[str, list[int | list[int]]]) -> Iterator[Label]:
    for rule, places in table.items():
        for place in places:
            yield Label(rule, tuple(place) if isinstance(place, list) else (place,))


@cache
def _manifest() -> dict[str, Any]:
    target = read_manifest()["target"]
    return {"target": target, **tomllib.loads(LABELS.read_text(encoding="utf-8"))}


def source_of(file: Labelled) -> Path:
    """Where the labelled file lies; its package is downloaded where it is not there yet."""
    return unpack(file.package, _manifest()) / file.path


def lint(path: Path) -> set[tuple[str, int]]:
    """What the rules say of a file alone, as pairs of a rule's name and a line."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = lint_bytes(str(path), path.read_bytes(), EVERYTHING)
    failures = [each.message for each in result.diagnostics if each.code in FAILURES]
    assert not failures, f"{path}: {failures}"
    found = [each for each in result.diagnostics if each.name in evaluated_rules()]
    assert result.source is not None or not found
    return {(each.name, result.source.locate(each.span.start)[0]) for each in found if result.source and each.span}


def compare(files: Iterable[Labelled]) -> Compared:
    """Lint the files, each alone, and compare."""
    compared = Compared()
    for file in files:
        compared.add(file, lint(source_of(file)))
    return compared


def table(compared: Compared) -> str:
    """A line for every rule and framework, with the numbers of each and of all."""
    lines = [["rule", "framework", "right", "wrong", "missed", "precision", "recall"]]
    rows = [(rule, framework, compared.scores[rule, framework]) for rule, framework in sorted(compared.scores)]
    rules = sorted({rule for rule, _ in compared.scores})
    rows += [(rule, "all", compared.of(rule)) for rule in rules]
    frameworks = sorted({framework for _, framework in compared.scores})
    for framework in frameworks:
        rows.append(
            ("all", framework, sum((s for (_, each), s in compared.scores.items() if each == framework), Score()))
        )
    rows.append(("all", "all", compared.overall))
    for rule, framework, score in rows:
        counts = [str(score.right), str(score.wrong), str(score.missed)]
        lines.append([rule, framework, *counts, f"{score.precision:.3f}", f"{score.recall:.3f}"])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    goal = f"goal: precision {GOAL_PRECISION}, recall {GOAL_RECALL}, no rule below {GOAL_OF_A_RULE}"
    return "\n".join([*text, goal])


def published(compared: Compared, files: Sequence[Labelled]) -> str:
    """The table of the README."""
    rows = [("rule", "framework", "true", "reported", "precision", "recall"), ("---",) * 6]
    named = [(rule, framework, compared.scores[rule, framework]) for rule, framework in sorted(compared.scores)]
    for rule, framework, score in [*named, (f"all, in {len(files)} files", "", compared.overall)]:
        counts = str(score.right + score.missed), str(score.right + score.wrong)
        rows.append(
            (rule, FRAMEWORKS.get(framework, framework), *counts, f"{score.precision:.3f}", f"{score.recall:.3f}")
        )
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


@pytest.fixture(scope="module")
def compared() -> Compared:
    return compare(read_labels())


def test_findings_are_as_right_as_they_were(compared: Compared, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print("\n" + table(compared))
    told = "\n".join(compared.differences)
    assert compared.overall.precision >= FLOOR_PRECISION, told
    assert compared.overall.recall >= FLOOR_RECALL, told


def test_the_readme_shows_what_is_measured(compared: Compared) -> None:
    _, _, rest = README.read_text(encoding="utf-8").partition("<!-- accuracy -->\n")
    assert rest.partition("\n<!-- /accuracy -->")[0] == published(compared, read_labels()), (
        "python tests/accuracy.py --write"
    )


def test_no_rule_is_worse_than_it_was(compared: Compared) -> None:
    for rule in sorted({rule for rule, _ in compared.scores}):
        score = compared.of(rule)
        if score.right + score.wrong + score.missed < FEWEST_OF_A_RULE:
            continue
        precision, recall = FLOORS_OF_RULES.get(rule, (GOAL_OF_A_RULE, GOAL_OF_A_RULE))
        told = "\n".join(each for each in compared.differences if each.endswith(rule))
        assert score.precision >= precision and score.recall >= recall, f"{rule}: {score}\n{told}"


def test_the_labelled_files_are_many_and_various() -> None:
    files = read_labels()
    assert len(files) >= FEWEST_FILES
    assert len({(each.package, each.path) for each in files}) == len(files)
    assert sum("selu" in source_of(each).read_text(encoding="utf-8").lower() for each in files) >= FEWEST_WITH_SELU
    assert sum(not each.labels for each in files) >= FEWEST_SILENT
    assert {"torch", "keras", "tf"} <= {each.framework for each in files}


def test_labels_name_lines_of_their_files() -> None:
    for file in read_labels():
        lines = source_of(file).read_text(encoding="utf-8").splitlines()
        for label in (*file.labels, *file.undecided):
            assert all(lines[line - 1].strip() for line in label.lines), f"{file.path}: {label}"


def main(arguments: Sequence[str]) -> None:
    """Print the table for the packages that are named, or for all."""
    packages = {each for each in arguments if not each.startswith("-")}
    result = compare(each for each in read_labels() if not packages or each.package in packages)
    if "-v" in arguments:
        print("\n".join(result.differences), end="\n\n")
    print(table(result))
    if "--write" in arguments:
        before, start, rest = README.read_text(encoding="utf-8").partition("<!-- accuracy -->\n")
        _, end, after = rest.partition("\n<!-- /accuracy -->" if "| rule" in rest else "<!-- /accuracy -->")
        text = f"{before}{start}{published(result, read_labels())}\n{end.lstrip()}{after}"
        README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
