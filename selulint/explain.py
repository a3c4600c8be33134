"""What the linter says of a model that was run: the finding that explains the first activation outside, and the repair."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from selulint.diagnostic import Diagnostic, Severity, Span
from selulint.run import FileResult, lint_bytes
from selulint.settings import resolve
from selulint.source import Source
from selulint.verify.parent import Outcome, Owner
from selulint.verify.readings import HANDWRITTEN, Cause, Reading

# Files of a project that are looked at: the target's own first.
_MANY = 64
_RELU_LIKE = frozenset({"relu", "relu6", "leaky_relu", "prelu", "rrelu"})
# Which findings can explain an activation outside of the box, by its function: beginnings of codes.
_OF_RELU = ("SELU10", "SELU206")
_OF_OTHERS = ("SELU103", "SELU206", "SELU50")
_OF_SELU = ("SELU2", "SELU50", "SELU6")
# These hide what the initialiser does more than they do something themselves; dropout acts only in training.
_OF_SELU_TOO = ("SELU3",)
_OF_DROPOUT = ("SELU40",)
_ABOUT_RELU = ("SELU101", "SELU102")


@dataclass(frozen=True, slots=True)
class Repair:
    """What `--fix --unsafe-fixes` makes of a model's files: new texts by path, and how many findings that settles."""

    texts: Mapping[str, str]
    fixes: int


def explain(outcome: Outcome) -> tuple[Outcome, tuple[Cause, ...]]:
    """The findings about the code that makes the model, the one that explains the first activation outside before all
    others; and the outcome."""
    found: list[tuple[tuple[int, ...], Cause]] = []
    reading = _outside(outcome)
    for path in _paths(outcome):
        for result, diagnostic in _findings(path):
            assert result.source is not None and diagnostic.span is not None
            rows = _rows(result.source, diagnostic)
            if not _concerns(outcome, path, rows) or not _still_there(outcome, diagnostic.code):
                continue
            score = _score(outcome, reading, path, diagnostic, rows)
            found.append((score, _cause(result.source, diagnostic)))
    found.sort(key=lambda each: (tuple(-part for part in each[0]), each[1].path, each[1].row, each[1].column))
    causes = [cause for _, cause in found]
    if found and found[0][0][0]:
        causes[0] = replace(causes[0], explains=True)
    return outcome, tuple(causes)


def _outside(outcome: Outcome) -> Reading | None:
    """The first activation outside; where there is none, the first one with dropout active."""
    for verdict in (outcome.verdict, outcome.dropped):
        if verdict is not None and verdict.first_outside is not None:
            return verdict.layers[verdict.first_outside].reading
    return None


def repair(outcome: Outcome) -> Repair:
    """What all fixes, the unsafe ones too, would make of the files of the model's project. Writes nothing."""
    texts, fixes = {}, 0
    for path in outcome.files[:_MANY]:
        result = _linted(path, fix=True)
        if result is not None and result.after is not None and result.source is not None:
            texts[path] = result.source.text
            fixes += len(result.fixed)
    return Repair(texts, fixes)


def _paths(outcome: Outcome) -> list[str]:
    owners = [owner.path for each in outcome.owners.values() for owner in each]
    return list(dict.fromkeys([*outcome.files[:1], *owners]))[:_MANY]


def _linted(path: str, fix: bool = False) -> FileResult | None:
    try:
        data = Path(path).read_bytes()
    except OSError:
        return None
    options = {"fix": True, "unsafe-fixes": True} if fix else {}
    return lint_bytes(_shown(path), data, resolve([path], options))


def _shown(path: str) -> str:
    """A path as the user would give it: relative, where that does not lead upwards."""
    relative = os.path.relpath(path)
    return path if relative.startswith(os.pardir) else relative


def _findings(path: str) -> Iterator[tuple[FileResult, Diagnostic]]:
    result = _linted(path)
    if result is None or result.source is None:
        return
    for each in result.diagnostics:
        if each.span is not None and each.severity >= Severity.WARNING and not each.code.startswith("SELU9"):
            yield result, each


def _rows(source: Source, diagnostic: Diagnostic) -> list[range]:
    """The lines of a finding's places, its own first."""
    spans = [diagnostic.span, *(each.span for each in diagnostic.related)]
    return [_lines(source, span) for span in spans if span is not None]


def _lines(source: Source, span: Span) -> range:
    return range(source.locate(span.start)[0], source.locate(max(span.end - 1, span.start))[0] + 1)


def _concerns(outcome: Outcome, path: str, rows: Sequence[range]) -> bool:
    """Whether a finding stands in the code that makes the model, or shares a line with it; where nobody knows which that
    is, in its file."""
    owners = [owner for each in outcome.owners.values() for owner in each if owner.path == path]
    if not owners:
        return path == outcome.files[0] and not any(outcome.owners.values())
    return any(_within(owner, lines) for owner in owners for lines in rows)


def _still_there(outcome: Outcome, code: str) -> bool:
    """Whether the activations that a finding is about ran at all: code that builds a model may exchange them."""
    return code not in _ABOUT_RELU or any(each.reading.function in _RELU_LIKE for each in outcome.verdict.layers)


def _within(owner: Owner, lines: range) -> bool:
    return owner.first < lines.stop and lines.start <= owner.last


def _score(
    outcome: Outcome, reading: Reading | None, path: str, diagnostic: Diagnostic, rows: Sequence[range]
) -> tuple[int, ...]:
    """How well a finding explains an activation: whether it can; how near it names it; how grave it is."""
    if reading is None:
        return (0, 0, 0, int(diagnostic.severity))
    owners = outcome.owners.get(reading.layer) or outcome.owners.get("", ())
    dropping = outcome.train or outcome.verdict.normalizing
    relevant = _can_explain(reading.function, diagnostic.code, dropping)
    owned = [index for index, owner in enumerate(owners) if owner.path == path and _within(owner, rows[0])]
    place, _, line = reading.line.rpartition(":")
    here = os.path.abspath(place) == path and any(int(line) in lines for lines in rows) if place else False
    name = next((part for part in reversed(reading.layer.replace("/", ".").split(".")) if not part.isdigit()), "")
    named = bool(name) and f"`{name}" in diagnostic.message.replace("`self.", "`")
    depth = -min(owned, default=len(owners))
    return (relevant, int(here) + int(named), depth, int(diagnostic.severity))


def _can_explain(function: str, code: str, dropping: bool) -> int:
    """How likely a finding is the reason why an activation is outside: 0 where it cannot be."""
    if function in _RELU_LIKE:
        return 2 * code.startswith(_OF_RELU)
    if dropping and code.startswith(_OF_DROPOUT):
        return 2
    if function not in ("selu", HANDWRITTEN):
        return 2 * code.startswith(_OF_OTHERS)
    return 2 if code.startswith(_OF_SELU) else int(code.startswith(_OF_SELU_TOO))


def _cause(source: Source, diagnostic: Diagnostic) -> Cause:
    assert diagnostic.span is not None
    row, column = source.locate(diagnostic.span.start)
    return Cause(diagnostic.path, row, column, diagnostic.code, diagnostic.name, diagnostic.message)
