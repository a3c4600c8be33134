"""What the evaluator understood of a model, op by op: as text, JSON, Graphviz's dot, or a picture in SVG."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import Any

from selulint.graph import Init, Kind, Model, Op
from selulint.moments.propagate import Statistics
from selulint.predict import predictions

# What of a layer's arguments tells one layer from another at a glance.
_SIZES = (
    ("in_features", "out_features"),
    ("in_channels", "out_channels"),
    ("units",),
    ("filters",),
    ("num_outputs",),
    ("features",),
    ("output_size",),
    ("output_channels",),
    ("num_features",),
    ("factor",),
)
_RATES = (("p",), ("rate",))
_COLOURS = {
    Kind.PARAMETRIC: "#2f6fb2",
    Kind.ACTIVATION: "#2e8b57",
    Kind.NORM: "#8a5fb0",
    Kind.DROPOUT: "#b0722f",
    Kind.OPAQUE: "#b23a48",
}
_OTHER_COLOUR = "#6b7280"
_ROW, _LANE, _WIDTH, _MARGIN = 34, 26, 860, 16


def text(models: Sequence[Model]) -> Iterator[str]:
    """A table for each model, and what is not understood in it."""
    for number, model in enumerate(models):
        yield ("\n" if number else "") + f"{_title(model)}\n"
        predicted = _predicted(model)
        rows = [_row(model, op, predicted[op.index]) for op in model.ops]
        widths = [max((len(row[column]) for row in rows), default=0) for column in range(6)]
        for row in rows:
            yield ("  ".join(cell.ljust(width) for cell, width in zip(row, (*widths, 0), strict=True))).rstrip() + "\n"


def objects(models: Sequence[Model]) -> Iterator[str]:
    """A JSON list of models with all that is known of their ops."""
    yield json.dumps([_model(model) for model in models], indent=2, default=str) + "\n"


def dot(models: Sequence[Model]) -> Iterator[str]:
    """One Graphviz digraph with a cluster for each model."""
    yield 'digraph selulint {\n  rankdir=TB;\n  node [shape=box, style=rounded, fontname="Helvetica", fontsize=11];\n'
    for number, model in enumerate(models):
        yield f"  subgraph cluster_{number} {{\n    label={json.dumps(_title(model))};\n"
        predicted = _predicted(model)
        for op in model.ops:
            label = json.dumps(
                "\n".join(filter(None, (_what(op), op.label, _where(model, op), _figures(op, predicted[op.index]))))
            )
            yield f'    m{number}_{op.index} [label={label}, color="{_colour(op)}"];\n'
        for op in model.ops:
            yield from (f"    m{number}_{source} -> m{number}_{op.index};\n" for source in op.inputs)
        yield "  }\n"
    yield "}\n"


def svg(models: Sequence[Model]) -> Iterator[str]:
    """One picture: an op a row, in order of evaluation, with lines from what it reads; readable in light and dark."""
    heights = [_ROW * (len(model.ops) + 2) for model in models]
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{sum(heights) + _MARGIN}" '
        f'viewBox="0 0 {_WIDTH} {sum(heights) + _MARGIN}" font-family="Helvetica, Arial, sans-serif" font-size="13">\n'
        "<style>text{fill:#1f2937}.faint{fill:#6b7280}path{stroke:#9ca3af;fill:none;stroke-width:1.5}"
        "rect.ground{fill:#ffffff}@media(prefers-color-scheme:dark){text{fill:#e5e7eb}.faint{fill:#9ca3af}"
        "path{stroke:#6b7280}rect.ground{fill:#111827}}</style>\n"
        '<rect class="ground" width="100%" height="100%"/>\n'
    )
    top = _MARGIN
    for model, height in zip(models, heights, strict=True):
        yield from _picture(model, top)
        top += height
    yield "</svg>\n"


def _picture(model: Model, top: int) -> Iterator[str]:
    yield f'<text x="{_MARGIN}" y="{top + 18}" font-weight="bold">{escape(_title(model))}</text>\n'
    lanes = _lanes(model)
    left = _MARGIN + 8
    names = left + _LANE * (max(lanes, default=0) + 1)

    def at(index: int) -> tuple[int, int]:
        return left + _LANE * lanes[index], top + _ROW * (index + 1) + 12

    for op in model.ops:
        x, y = at(op.index)
        for source in op.inputs:
            x0, y0 = at(source)
            bend = y - _ROW + 7  # down its own column, over to the reader's in the last row
            yield f'<path d="M{x0} {y0 + 7} L{x0} {bend} C{x0} {y - 10} {x} {bend + 3} {x} {y - 7}"/>\n'
    predicted = _predicted(model)
    for op in model.ops:
        x, y = at(op.index)
        figures = _figures(op, predicted[op.index])
        about = " · ".join(filter(None, (op.label, _laws(op), _where(model, op), figures)))
        yield (
            f'<circle cx="{x}" cy="{y}" r="7" fill="{_colour(op)}"/><text x="{names}" y="{y + 4}">{escape(_what(op))}'
            f'<tspan class="faint" dx="12">{escape(about)}</tspan></text>\n'
        )


def _lanes(model: Model) -> list[int]:
    """A column for each op: that of its first input where nothing else goes on there, else the first free one."""
    last_use = {source: op.index for op in model.ops for source in op.inputs}
    lanes: list[int] = []
    busy: dict[int, int] = {}
    for op in model.ops:
        wanted = next((lanes[source] for source in op.inputs if last_use[source] == op.index), None)
        if wanted is None:
            wanted = next(lane for lane in range(len(busy) + 1) if busy.get(lane, -1) < op.index)
        lanes.append(wanted)
        busy[wanted] = last_use.get(op.index, op.index)
    return lanes


def _title(model: Model) -> str:
    unknown = sum(op.kind is Kind.OPAQUE for op in model.ops)
    facts = [model.framework, f"{len(model.ops)} ops"]
    if unknown:
        facts.append(f"{unknown} not understood")
    if model.part:
        facts.append("part of another model")
    if model.unfinished:
        facts = ["too much to evaluate"]
    return f"{model.name} ({', '.join(facts)})"


def _predicted(model: Model) -> list[Statistics | None]:
    """In training, with inputs that are standardised before the first layer."""
    return predictions(model, training=True, standardised=True)


def _row(model: Model, op: Op, found: Statistics | None) -> tuple[str, ...]:
    reads = " ".join(map(str, op.inputs))
    facts = _what(op), op.label, _where(model, op), _laws(op), _figures(op, found)
    return f"{op.index:4}", *facts, f"<- {reads}" if reads else ""


def _figures(op: Op, found: Statistics | None) -> str:
    """Of an activation: the predicted statistics, and between what the variance of one draw lies."""
    if op.kind is not Kind.ACTIVATION or found is None:
        return ""
    band = "" if found.band is None else f" ({found.band[0]:.3g} to {found.band[1]:.3g})"
    return f"mean {_rounded(found.mean)}, variance {found.variance:.3g}{band}"


def _rounded(mean: float) -> str:
    return f"{mean:.2g}" if abs(mean) >= 5e-4 else "0"


def _what(op: Op) -> str:
    """`linear 64 -> 256`, or why an op is not understood."""
    if op.kind is Kind.OPAQUE:
        return f"? {op.function}"
    named = _RATES if op.kind is Kind.DROPOUT else _SIZES
    sizes = next((pair for pair in named if any(op.args.get(name) is not None for name in pair)), ())
    shown = " -> ".join("?" if (value := op.args.get(name)) is None else f"{value}" for name in sizes)
    rivals = f" or {' or '.join(sorted(op.rivals))}" if op.rivals else ""
    return " ".join(filter(None, (op.function, shown))) + rivals


def _where(model: Model, op: Op) -> str:
    if op.place is not None:
        cell, line, _ = model.file.source.position(op.place.span.start)
        return f"cell {cell} line {line}" if cell else f"line {line}"
    return "" if op.kind is Kind.INPUT else "in another file"


def _laws(op: Op) -> str:
    """How a layer is initialised: its weights, and its biases where they do not start as usual."""
    return ", ".join(filter(None, (_weight(op), _bias(op.bias))))


def _weight(op: Op) -> str:
    init = op.weight
    if init is None:
        return ""
    reason = _reason(op)
    gain = format(init.gain, ".3g") if init.gain is not None else f"unknown ({reason})" if reason else "unknown"
    return f"{init.name} init, gain {gain}"


def _bias(init: Init | None) -> str:
    if init is None or init.default or init.name.rstrip("_") in ("zeros", "Zeros", "zero"):
        return ""
    numbers = [f"{value:.3g}" for value in init.args.values() if type(value) in (int, float)]
    return " ".join(("bias", init.name, *numbers))


def _reason(op: Op) -> str:
    """Why the gain of a layer is not known, as far as that is known."""
    init = op.weight
    if init is None or init.gain is not None:
        return ""
    if init.name in ("loaded", "unknown"):
        return "trained weights" if init.name == "loaded" else "something that is not understood writes it"
    if missing := init.args.get("unknown"):
        return f"{' and '.join(missing)} not known"
    return "fan_in not known" if op.fan_in is None else ""


def _colour(op: Op) -> str:
    return _COLOURS.get(op.kind, _OTHER_COLOUR)


def _model(model: Model) -> dict[str, Any]:
    return {
        "name": model.name,
        "framework": model.framework,
        "filename": model.file.source.path,
        "part": model.part,
        "unfinished": model.unfinished,
        "outputs": sorted(model.outputs),
        "ops": [_op(model, op, found) for op, found in zip(model.ops, _predicted(model), strict=True)],
    }


def _op(model: Model, op: Op, found: Statistics | None) -> dict[str, Any]:
    location = None
    if op.place is not None:
        cell, row, column = model.file.source.position(op.place.span.start)
        location = {"cell": cell, "row": row, "column": column} if cell else {"row": row, "column": column}
    opaque = op.kind is Kind.OPAQUE
    return {
        "index": op.index,
        "kind": op.kind.value,
        "function": None if opaque else op.function,
        "unknown": op.function if opaque else None,
        "name": op.name,
        "label": op.label,
        "inputs": list(op.inputs),
        "location": location,
        "args": dict(op.args),
        "fan_in": op.fan_in,
        "fan_out": op.fan_out,
        "weight": _law(op.weight, _reason(op)),
        "bias": _law(op.bias),
        "rivals": sorted(op.rivals),
        "predicted": None if found is None else _statistics(found),
    }


def _statistics(found: Statistics) -> dict[str, Any]:
    return {"mean": found.mean, "variance": found.variance, "per_unit": found.per_unit, "band": found.band}


def _law(init: Init | None, reason: str = "") -> dict[str, Any] | None:
    if init is None:
        return None
    law: dict[str, Any] = {"name": init.name, "gain": init.gain, "default": init.default}
    more = {"args": dict(init.args), "unknown": reason}
    return law | {name: value for name, value in more.items() if value}


FORMATS: dict[str, Callable[[Sequence[Model]], Iterator[str]]] = {
    "text": text,
    "json": objects,
    "dot": dot,
    "svg": svg,
}
