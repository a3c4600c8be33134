"""The machine's report: a JSON list of objects shaped as ruff shapes them, with what selulint knows besides."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

from selulint.diagnostic import Diagnostic, Fix, Prediction, Span
from selulint.report import Report
from selulint.source import Source


def objects(report: Report) -> Iterator[str]:
    """All diagnostics as one JSON list."""
    yield json.dumps([_object(diagnostic, source) for diagnostic, source in report.entries], indent=2) + "\n"


def statistics(report: Report) -> Iterator[str]:
    """Counts by rule as one JSON list."""
    rows = [
        {"code": code, "name": name, "count": count, "fixable": safe, "unsafe_fixable": unsafe}
        for code, name, count, safe, unsafe in report.by_rule()
    ]
    yield json.dumps(rows, indent=2) + "\n"


def _object(diagnostic: Diagnostic, source: Source | None) -> dict[str, Any]:
    filename = os.path.abspath(diagnostic.path)
    start, end = _places(diagnostic.span, source)
    shaped: dict[str, Any] = {
        "code": diagnostic.code,
        "name": diagnostic.name,
        "severity": diagnostic.severity.name.lower(),
        "message": diagnostic.message,
        "filename": filename,
        "cell": source.position(diagnostic.span.start)[0] if source and diagnostic.span else None,
        "location": start,
        "end_location": end,
        "fix": None if diagnostic.fix is None else _fix(diagnostic.fix, source),
        "refused": diagnostic.refused or None,
        "related": [
            {"message": related.message, "filename": filename, "location": _places(related.span, source)[0]}
            for related in diagnostic.related
        ],
        "url": None,
    }
    if diagnostic.prediction is not None:
        shaped["prediction"] = _prediction(diagnostic.prediction)
    return shaped


def _prediction(prediction: Prediction) -> dict[str, Any]:
    end = {} if prediction.end is None else {"end": _prediction(prediction.end)}
    return {"layer": prediction.layer, "mean": prediction.mean, "variance": prediction.variance, **end}


def _fix(fix: Fix, source: Source | None) -> dict[str, Any]:
    edits = []
    for edit in fix.edits:
        start, end = _places(edit.span, source)
        edits.append({"content": edit.content, "location": start, "end_location": end})
    return {"applicability": fix.applicability.name.lower(), "message": fix.message, "edits": edits}


def _places(span: Span | None, source: Source | None) -> tuple[dict[str, int], dict[str, int]]:
    if span is None or source is None:
        return {"row": 1, "column": 1}, {"row": 1, "column": 1}
    (_, row, column), (_, end_row, end_column) = source.position(span.start), source.position(span.end)
    return {"row": row, "column": column}, {"row": end_row, "column": end_column}
