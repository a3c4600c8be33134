"""What the evaluator sees: every model under fixtures/graphs, one op a line, as the `.graph` file beside it says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from selulint.evaluate.roots import models_of
from selulint.graph import Model, Op
from selulint.source import Source
from selulint.syntax.lazy import File

GRAPHS = Path(__file__).parent.parent / "fixtures" / "graphs"
SOURCES = sorted(GRAPHS.glob("*.py"))


def line_of(model: Model, op: Op) -> str:
    parts = [f"{op.index:3} {op.kind.value} {op.function}", "<- " + " ".join(map(str, op.inputs)) if op.inputs else ""]
    if op.place is not None:
        parts.append(f"line {model.file.source.locate(op.place.span.start)[0]}")
    if op.label:
        parts.append(f"as {op.label}")
    if op.weight is not None:
        gain = "unknown" if op.weight.gain is None else f"{op.weight.gain:.4g}"
        parts.append(f"init {op.weight.name} gain {gain}")
    if op.rivals:
        parts.append("or " + " ".join(sorted(op.rivals)))
    return "  ".join(part for part in parts if part)


def render(path: Path) -> str:
    models = models_of(File(Source.decode(path.name, path.read_bytes())))
    blocks = ["\n".join([f"{m.name} ({m.framework})", *(line_of(m, op) for op in m.ops)]) for m in models]
    return "\n\n".join(blocks) + "\n"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_graph(path: Path) -> None:
    expected = path.with_suffix(".graph")
    if os.environ.get("SELULINT_BLESS"):
        expected.write_text(render(path))
    assert render(path) == expected.read_text()
