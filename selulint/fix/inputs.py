"""Inputs that are only brought into [0, 1]: what SELU wants standardised, and a fix cannot standardise."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Any

from selulint.diagnostic import Span
from selulint.graph import Kind, Model, Op
from selulint.syntax.inputs import rescaled

_UNIT = (1 / 256, 1 / 255)
_MOVING = frozenset({Kind.RESHAPE, Kind.DROPOUT})


def rescaling(model: Model) -> list[Op]:
    """The ops that only divide a model's raw input by 255 or 256."""
    return [op for op in model.ops if _rescales(op) and _is_raw(model, op)]


def feeds(model: Model, op: Op, functions: Collection[str] = ("selu",)) -> bool:
    """Whether data goes straight into a layer in front of such activations: no norm, offset or anything unknown between."""
    layers = model.downstream(op, _MOVING)
    if not layers or any(near.kind is not Kind.PARAMETRIC or near.function == "embedding" for near in layers):
        return False
    return all(any(model.fed(near, function) for function in functions) for near in layers)


def stays_in_unit_interval(model: Model) -> bool:
    """Whether a chain that becomes SELU is visibly fed with data in [0, 1], in front of its first layer or by the file."""
    inside = rescaling(model)
    if inside:
        return any(feeds(model, op, ("selu", "relu")) for op in inside)
    fed = any(feeds(model, op, ("selu", "relu")) for op in model.of(Kind.INPUT))
    return fed and bool(_rescaled(model.file))


@lru_cache(maxsize=4)
def _rescaled(file: Any) -> tuple[Span, ...]:
    return rescaled(file.source)


def _rescales(op: Op) -> bool:
    """Whether an op divides by 255 or 256, and does no more."""
    if op.function == "rescaling":
        factor, offset = op.args.get("scale"), op.args.get("offset", 0.0)
    else:
        factor, offset = op.args.get("factor") if op.function == "scale" else None, 0.0
    is_unit = isinstance(factor, int | float) and any(abs(factor / unit - 1) < 1e-3 for unit in _UNIT)
    return is_unit and offset == 0


def _is_raw(model: Model, op: Op) -> bool:
    """Whether nothing but moves lies between the model's input and an op."""
    before = model.upstream(op, _MOVING)
    return bool(before) and all(near.kind is Kind.INPUT and not near.args.get("unknown") for near in before)
