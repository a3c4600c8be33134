"""What `selulint verify` measured: a table by layer, or JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict

from selulint.moments.maps import THEOREM_1_BOX
from selulint.verify.parent import Outcome
from selulint.verify.readings import Measured, Reading, is_hidden

_HEADINGS = ("", "activation", "layer", "where", "mean", "variance", "per unit", "dead", "saturated", "gradient", "")


def text(outcome: Outcome, explained: Mapping[str, str]) -> Iterator[str]:
    """A row for each activation and the verdict; `explained` has the static finding for a line, where there is one."""
    rows = [_HEADINGS, *(_row(number, each) for number, each in enumerate(outcome.verdict.layers))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    for row in rows:
        cells = [
            cell.ljust(width) if column in (1, 2, 3) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row[:-1], widths, strict=False))
        ]
        yield f"{'  '.join(cells)}  {row[-1]}".rstrip() + "\n"
    yield "\n"
    for name, reading in outcome.moved.items():
        yield f"inputs {name:5} last activation: mean {_number(reading.mean)}, variance {_number(reading.variance)}\n"
    for note in (*outcome.notes, *outcome.verdict.reasons):
        yield f"note: {note}\n"
    shapes = ", ".join("x".join(map(str, shape)) for shape in outcome.shapes)
    runs = f"{len(outcome.runs)} seed{'s' * (len(outcome.runs) != 1)}"
    yield f"{runs} on {outcome.device}" + (f", input {shapes}" if shapes else "") + "\n"
    yield _sentence(outcome) + "\n"
    for where, message in explained.items():
        yield f"{where}: {message}\n"


def objects(outcome: Outcome, explained: Mapping[str, str]) -> Iterator[str]:
    """One JSON object: the verdict, every activation's figures, and what the linter says of the lines."""
    first = outcome.verdict.first_outside
    shaped = {
        "target": outcome.target,
        "self_normalizing": outcome.verdict.normalizing,
        "first_outside": first,
        "box": {"mean": THEOREM_1_BOX[0], "variance": THEOREM_1_BOX[1]},
        "device": outcome.device,
        "seeds": len(outcome.runs),
        "inputs": [list(shape) for shape in outcome.shapes],
        "notes": [*outcome.notes, *outcome.verdict.reasons],
        "layers": [
            {**asdict(each.reading), "spread": each.spread, "inside": each.inside, "hidden": is_hidden(each.reading)}
            for each in outcome.verdict.layers
        ],
        "moved": {name: asdict(reading) for name, reading in outcome.moved.items()},
        "findings": [{"where": where, "message": message} for where, message in explained.items()],
    }
    yield json.dumps(shaped, indent=2) + "\n"


def _row(number: int, each: Measured) -> tuple[str, ...]:
    reading = each.reading
    verdict = ("inside" if each.inside else "outside") if is_hidden(reading) else "not judged"
    figures = (reading.mean, reading.variance, reading.unit_variance)
    shares = (reading.dead, reading.saturated)
    return (
        str(number),
        reading.function,
        reading.layer,
        _place(reading),
        *(_number(figure) for figure in figures),
        *("" if share is None else f"{share:.0%}" for share in shares),
        _number(reading.gradient),
        verdict,
    )


def _place(reading: Reading) -> str:
    path, _, line = reading.line.rpartition(":")
    return f"{os.path.basename(path)}:{line}" if path else ""


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _sentence(outcome: Outcome) -> str:
    verdict = outcome.verdict
    if verdict.normalizing:
        return "self-normalizing: every hidden activation keeps mean within 0.1 and variance in [0.8, 1.5]"
    if verdict.first_outside is None:
        return "not self-normalizing"
    first = verdict.layers[verdict.first_outside].reading
    last = next(each.reading for each in reversed(verdict.layers) if is_hidden(each.reading))
    behind = f" behind `{first.layer}`" if first.layer else ""
    return (
        f"not self-normalizing: activation {verdict.first_outside} ({first.function}{behind}) is the first outside, with "
        f"mean {_number(first.mean)} and variance {_number(first.variance)}; the last has variance {_number(last.variance)}"
    )
