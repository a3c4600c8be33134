"""What `selulint verify` measured: a table by layer, or JSON; of one model, or of two side by side."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from selulint.moments.maps import THEOREM_1_BOX
from selulint.verify.parent import Outcome
from selulint.verify.readings import Cause, Measured, Reading, Return, is_hidden

# Columns that hold words, and so are set flush left.
_WORDS = frozenset({"activation", "layer", "where", "verdict"})
# Findings that are shown besides the one that explains the verdict.
_ALSO = 5


def text(outcome: Outcome, causes: Sequence[Cause]) -> Iterator[str]:
    """A row for each activation, what else was seen, the verdict, and the findings of the linter that explain it."""
    names = headings(outcome)
    yield from _aligned(names, [cells(index, each, outcome) for index, each in enumerate(outcome.verdict.layers)])
    yield "\n"
    yield from _remarks(outcome)
    yield about(outcome) + "\n"
    yield sentence(outcome) + "\n"
    yield from _explained(outcome, causes)


def text_of_two(before: Outcome, after: Outcome, causes: Sequence[Cause], fixes: int) -> Iterator[str]:
    """Mean and variance of a model as written and as fixed, row by row, and both verdicts."""
    figures = ("mean", "variance", "gradient")
    names = ("", "activation", "layer", "where", *figures, "verdict", *(f"fixed {name}" for name in figures), "verdict")
    rows = []
    for index in range(max(len(before.verdict.layers), len(after.verdict.layers))):
        one, two = (_short(index, each) for each in (before, after))
        function = " -> ".join(dict.fromkeys(filter(None, (one[0], two[0]))))
        rows.append((str(index), function, *one[1:], *two[3:]))
    yield from _aligned(names, rows)
    yield "\n"
    for label, outcome in (("as written", before), ("fixed", after)):
        yield from (f"{label}: {line}" for line in _remarks(outcome))
    yield about(before) + "\n"
    yield f"as written: {sentence(before)}\n"
    yield f"with {fixes} fix{'es' * (fixes != 1)} (--fix --unsafe-fixes): {sentence(after)}\n"
    yield from _explained(before, causes)


def objects(outcome: Outcome, causes: Sequence[Cause]) -> Iterator[str]:
    """One JSON object: the verdict, every activation's figures, and what the linter says of the code."""
    yield json.dumps(_finite(_shaped(outcome, causes)), indent=2) + "\n"


def objects_of_two(before: Outcome, after: Outcome, causes: Sequence[Cause], fixes: int) -> Iterator[str]:
    """The same for a model as written, and below "fixed" as fixed."""
    shaped = {**_shaped(before, causes), "fixes": fixes, "fixed": _shaped(after, ())}
    yield json.dumps(_finite(shaped), indent=2) + "\n"


def _finite(value: Any) -> Any:
    """JSON has no word for an overflow: null."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def headings(outcome: Outcome) -> tuple[str, ...]:
    """The columns of the table; predictions only where there are some."""
    predicted = ("predicted",) if any(each.expected for each in outcome.verdict.layers) else ()
    figures = ("mean", "variance", *predicted, "per unit", "dead", "saturated", "gradient")
    return ("", "activation", "layer", "where", *figures, "verdict")


def cells(index: int, each: Measured, outcome: Outcome) -> tuple[str, ...]:
    """A row of the table."""
    reading = each.reading
    shares = (reading.dead, reading.saturated)
    predicted = (_predicted(each),) if "predicted" in headings(outcome) else ()
    return (
        str(index),
        reading.function,
        reading.layer,
        _place(reading),
        number(reading.mean),
        number(reading.variance),
        *predicted,
        number(reading.unit_variance),
        *("" if share is None else f"{share:.0%}" for share in shares),
        number(reading.gradient),
        _judged(each),
    )


def number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def sentence(outcome: Outcome) -> str:
    """The verdict."""
    verdict = outcome.verdict
    if verdict.normalizing:
        return "self-normalizing: every hidden activation keeps mean within 0.1 and variance in [0.8, 1.5]"
    if verdict.first_outside is None:
        return "not self-normalizing: " + (", ".join(verdict.reasons) or "no hidden activation was seen")
    first = verdict.layers[verdict.first_outside].reading
    last = next(each.reading for each in reversed(verdict.layers) if is_hidden(each.reading))
    behind = f" behind `{first.layer}`" if first.layer else ""
    return (
        f"not self-normalizing: activation {verdict.first_outside} ({first.function}{behind}) is the first outside, with "
        f"mean {number(first.mean)} and variance {number(first.variance)}; the last has variance {number(last.variance)}"
    )


def is_fine(outcome: Outcome) -> bool:
    """Whether nothing is to be explained: all is inside, with dropout active too."""
    return outcome.verdict.normalizing and (outcome.dropped is None or outcome.dropped.normalizing)


def about(outcome: Outcome) -> str:
    """How the run came about."""
    shapes = ", ".join("x".join(map(str, shape)) for shape in outcome.shapes)
    runs = f"{len(outcome.runs)} seed{'s' * (len(outcome.runs) != 1)}"
    kind = "" if outcome.dtype == "float32" else f" in {outcome.dtype}"
    mode = ", as in training" if outcome.train else ""
    return f"{runs} on {outcome.device}{kind}" + (f", input {shapes}" if shapes else "") + mode


def contraction(outcome: Outcome) -> str:
    """Whether depth takes back what was done to the inputs."""
    if not outcome.moved:
        return ""
    moves = (
        f"{each.name} {number(each.first)} -> {number(each.last)} ({_fate(outcome, each)})" for each in outcome.moved
    )
    return f"moved inputs, distance at the first and the last activation: {', '.join(moves)}"


# The share of the variance below which what differs between samples has gone.
_COLLAPSED = 0.01


def _fate(outcome: Outcome, moved: Return) -> str:
    if not moved.returns:
        return "stays"
    return "returns" if collapsed_at(outcome) is None else "lost with all that differs"


def observations(outcome: Outcome) -> Iterator[str]:
    """What the box does not show: samples that have become one, and what dropout does to the verdict."""
    yield from _collapse(outcome)
    yield from _dropout(outcome)


def collapsed_at(outcome: Outcome) -> int | None:
    """The first activation at which all samples have become one."""
    for index, each in enumerate(outcome.verdict.layers):
        unit, variance = each.reading.unit_variance, each.reading.variance
        if is_hidden(each.reading) and unit is not None and unit < _COLLAPSED * variance:
            return index
    return None


def _collapse(outcome: Outcome) -> Iterator[str]:
    index = collapsed_at(outcome)
    if index is not None:
        yield f"from activation {index} on, all samples give nearly the same output: the variance is between units"


def _dropout(outcome: Outcome) -> Iterator[str]:
    dropped = outcome.dropped
    if dropped is None:
        return
    if dropped.first_outside is None:
        if dropped.normalizing:
            yield "with dropout active, as in training, every activation is inside too"
        return
    if dropped.first_outside == outcome.verdict.first_outside:
        return
    first = dropped.layers[dropped.first_outside].reading
    yield (
        f"with dropout active, as in training, activation {dropped.first_outside} is the first outside, with mean "
        f"{number(first.mean)} and variance {number(first.variance)}"
    )


def _remarks(outcome: Outcome) -> Iterator[str]:
    if said := contraction(outcome):
        yield f"{said}\n"
    yield from (f"{each}\n" for each in observations(outcome))
    first = outcome.verdict.first_outside is not None or outcome.verdict.normalizing
    for note in (*outcome.notes, *(outcome.verdict.reasons if first else ())):
        yield f"note: {note}\n"


def _explained(outcome: Outcome, causes: Sequence[Cause]) -> Iterator[str]:
    if is_fine(outcome):
        return
    if not causes:
        yield "the linter has no finding about the code that makes this model\n"
        return
    first, others = causes[0], causes[1:]
    yield f"{'because of' if first.explains else 'see'} {first.place}: {first.code} {first.name} {first.message}\n"
    for each in others[:_ALSO]:
        yield f"also {each.place}: {each.code} {each.name} {each.message}\n"
    if len(others) > _ALSO:
        yield f"and {len(others) - _ALSO} more findings: selulint {first.path}\n"


def _aligned(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    shown = [tuple("" if name == "verdict" else name for name in names), *rows]
    widths = [max(len(row[column]) for row in shown) for column in range(len(names))]
    left = [name in _WORDS for name in names]
    for row in shown:
        row_cells = (
            cell.ljust(width) if words else cell.rjust(width)
            for cell, width, words in zip(row, widths, left, strict=True)
        )
        yield "  ".join(row_cells).rstrip() + "\n"


def _short(index: int, outcome: Outcome) -> tuple[str, ...]:
    if index >= len(outcome.verdict.layers):
        return ("",) * 7
    each = outcome.verdict.layers[index]
    reading = each.reading
    figures = (reading.mean, reading.variance, reading.gradient)
    return (reading.function, reading.layer, _place(reading), *(number(figure) for figure in figures), _judged(each))


def _judged(each: Measured) -> str:
    return ("inside" if each.inside else "outside") if is_hidden(each.reading) else "not judged"


def _predicted(each: Measured) -> str:
    expected = each.expected
    if expected is None:
        return ""
    band = "" if expected.low is None or expected.high is None else f" ({expected.low:.3g}-{expected.high:.3g})"
    return f"{expected.variance:.3g}{band}"


def _place(reading: Reading) -> str:
    path, _, line = reading.line.rpartition(":")
    return f"{os.path.basename(path)}:{line}" if path else ""


def _shaped(outcome: Outcome, causes: Sequence[Cause]) -> dict[str, Any]:
    return {
        "target": outcome.target,
        "self_normalizing": outcome.verdict.normalizing,
        "first_outside": outcome.verdict.first_outside,
        "box": {"mean": THEOREM_1_BOX[0], "variance": THEOREM_1_BOX[1]},
        "device": outcome.device,
        "dtype": outcome.dtype,
        "train": outcome.train,
        "seeds": len(outcome.runs),
        "inputs": [list(shape) for shape in outcome.shapes],
        "notes": [*outcome.notes, *outcome.verdict.reasons],
        "layers": [_layer(each) for each in outcome.verdict.layers],
        "moved": {
            each.name: {
                "first_distance": each.first,
                "last_distance": each.last,
                "returns": each.returns,
                "layers": [{"mean": reading.mean, "variance": reading.variance} for reading in each.readings],
            }
            for each in outcome.moved
        },
        "dropout": None
        if outcome.dropped is None
        else {
            "first_outside": outcome.dropped.first_outside,
            "layers": [
                {"mean": each.reading.mean, "variance": each.reading.variance} for each in outcome.dropped.layers
            ],
        },
        "findings": [
            {
                "code": each.code,
                "name": each.name,
                "message": each.message,
                "filename": each.path,
                "location": {"row": each.row, "column": each.column},
                "explains": each.explains,
            }
            for each in causes
        ],
    }


def _layer(each: Measured) -> dict[str, Any]:
    return {
        **asdict(each.reading),
        "spread": each.spread,
        "inside": each.inside,
        "hidden": is_hidden(each.reading),
        "predicted": None if each.expected is None else asdict(each.expected),
    }
