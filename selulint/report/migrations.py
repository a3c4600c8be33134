"""What a migration does to each model, to read or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from selulint.diagnostic import Diagnostic
from selulint.migrate import Migration, Step
from selulint.moments.propagate import Statistics
from selulint.source import Source

# Rows that say the same are shown up to this number.
_ALIKE = 4
_HEADER = ("layer", "activation", "mean", "variance", "", "mean", "variance")


def text(path: str, found: Sequence[Migration], source: Source | None) -> Iterator[str]:
    """A table for each model, with what is held back and refused below it."""
    for each in found:
        cell = f"cell {each.cell}:" if each.cell else ""
        place = f"{path}:{cell}{each.line}" if each.line is not None else path
        state = "is made self-normalizing" if each.changed else "stays as it is"
        yield f"{each.name} ({place}) {state}\n"
        yield from _table(each.steps, each.changed)
        for reason in each.doubts:
            yield f"  unsafe, made all the same: {reason}\n"
        yield from _reasons("unsafe", each.held, path, source)
        yield from _reasons("refused", each.refused, path, source)
        yield "\n"


def _table(steps: Sequence[Step], changed: bool) -> Iterator[str]:
    if not steps:
        return
    rows: list[tuple[str, ...]] = []
    for step in steps:
        arrow = f"{step.was} -> {step.now}" if step.now and step.now != step.was else step.was
        rows.append((step.layer or "?", arrow, *_numbers(step.before), "->", *_numbers(step.after)))
    kept: list[tuple[str, ...]] = []
    for _, group in groupby(rows, key=lambda row: row[1:]):  # a deep stack has many rows that say the same
        alike = list(group)
        if len(alike) > _ALIKE:
            alike = [alike[0], (f"({len(alike) - 2} more like these)", *[""] * (len(_HEADER) - 1)), alike[-1]]
        kept += alike
    shown = [_HEADER, *kept]
    if not changed:
        shown = [row[:4] for row in shown]
    widths = [max(len(row[column]) for row in shown) for column in range(len(shown[0]))]
    for row in shown:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n"


def _numbers(found: Statistics | None) -> tuple[str, str]:
    # What finite widths add to the mean at the fixed point is nothing to read.
    return ("?", "?") if found is None else (f"{round(found.mean, 3) + 0.0:.3g}", f"{found.variance:.3g}")


def _reasons(what: str, found: Sequence[Diagnostic], path: str, source: Source | None) -> Iterator[str]:
    alike: dict[tuple[str, str], list[Diagnostic]] = {}
    for each in found:
        reason = each.refused or (each.fix.reason if each.fix is not None else "")
        alike.setdefault((f"{each.code} {each.name}", reason), []).append(each)
    for (rule, reason), group in alike.items():
        place, span = path, group[0].span
        if source is not None and span is not None:
            place = f"{path}:{source.place(span.start)}"
        more = f" (and {len(group) - 1} more)" if len(group) > 1 else ""
        yield f"  {what}: {place}{more}: {rule}: {reason}\n"


def objects(path: str, found: Sequence[Migration], source: Source | None) -> list[dict[str, Any]]:
    """A JSON object for each model."""
    return [
        {
            "name": each.name,
            "filename": path,
            "cell": each.cell,
            "line": each.line,
            "changed": each.changed,
            "steps": [_step(step) for step in each.steps],
            "doubts": list(each.doubts),
            "unsafe": [_reason(held) for held in each.held],
            "refused": [_reason(refused) for refused in each.refused],
        }
        for each in found
    ]


def dumped(objects_of_files: Sequence[dict[str, Any]]) -> str:
    return json.dumps(objects_of_files, indent=2) + "\n"


def _step(step: Step) -> dict[str, Any]:
    return {
        "layer": step.layer,
        "cell": step.cell,
        "line": step.line,
        "activation": step.was,
        "activation_after": step.now,
        "before": _pair(step.before),
        "after": _pair(step.after),
    }


def _pair(found: Statistics | None) -> dict[str, float] | None:
    return None if found is None else {"mean": found.mean, "variance": found.variance}


def _reason(each: Diagnostic) -> dict[str, str]:
    reason = each.refused or (each.fix.reason if each.fix is not None else "")
    return {"code": each.code, "name": each.name, "message": each.message, "reason": reason}
