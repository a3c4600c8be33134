"""Which activations are the odd ones out in a chain of SELUs, as it is or as a fix is about to make it."""

from __future__ import annotations

from collections.abc import Collection

from selulint.graph import TRANSPARENT, WEIGHTED_SUMS, Kind, Model, Op

# Bounded ones are often meant: a code between -1 and 1, an image, a gate. They must stand between SELUs.
BOUNDED = frozenset({"tanh", "sigmoid", "hardtanh", "hardsigmoid", "softsign", "softplus"})
UNBOUNDED = frozenset({"elu", "celu", "gelu", "silu", "mish", "hardswish", "leaky_relu", "prelu", "rrelu"})
_WIDTHS = ("out_features", "out_channels", "units", "filters")
_GATED = frozenset({"multiply", "matmul", "einsum"})
_BETWEEN_LAYERS = TRANSPARENT | {Kind.ACTIVATION}


def is_mixed(model: Model, op: Op, future: Collection[int] = ()) -> bool:
    """Whether an activation other than SELU and ReLU stands in a chain of SELUs for no reason of its own.

    `future` are the ops that a fix is about to make SELU.
    """
    if op.place is None or op.rivals or op.chooser is not None or op.function not in BOUNDED | UNBOUNDED:
        return False
    selus = {each.index for each in model.of(Kind.ACTIVATION, "selu") if not each.rivals}.union(future)
    if not selus or not model.is_hidden(op) or _scores(model, op):
        return False
    if any(near.kind is Kind.PARAMETRIC and near.function not in WEIGHTED_SUMS for near in model.upstream(op)):
        return False
    hidden = [each.index for each in model.of(Kind.ACTIVATION) if model.is_hidden(each)]
    count = len(selus.intersection(hidden))
    before, after = model.activations_before(op), model.activations_after(op)
    if any(near.index in selus for near in before) and any(near.index in selus for near in after):
        return 2 * count > len(hidden) and (op.function in UNBOUNDED or _keeps_width(model, op))
    # At either end of a chain, only where it is clearly the odd one out and in no branch of its own.
    if op.function not in UNBOUNDED or count < 2 or 3 * count < 2 * len(hidden) or model.beside_norm(op):
        return False
    near = (*model.activations_before(op, merges=False), *model.activations_after(op, merges=False))
    beside = [each.index for each in near if model.is_hidden(each)]
    return bool(beside) and selus.issuperset(beside)


def with_mixed(model: Model, converted: Collection[int]) -> list[Op]:
    """The activations that become the odd ones out once those in `converted` are SELU, and so on."""
    found: dict[int, Op] = {}
    while True:
        future = {*converted, *found}
        fresh = [op for op in model.of(Kind.ACTIVATION) if op.index not in future and is_mixed(model, op, future)]
        if not fresh:
            return list(found.values())
        found.update((op.index, op) for op in fresh)


def _scores(model: Model, op: Op) -> bool:
    """Whether the layers behind an activation compute only weights of other tensors: attention scores."""
    layers = [near for near in model.downstream(op, merges=True) if near.kind is Kind.PARAMETRIC]
    return bool(layers) and all(_weighs(model, layer) for layer in layers)


def _weighs(model: Model, layer: Op) -> bool:
    after = model.downstream(layer)
    softmax = [near for near in after if near.function == "softmax" and near.kind is Kind.ACTIVATION]
    gated = [near for each in (softmax or [layer]) for near in model.downstream(each)]
    return any(near.kind is Kind.MERGE and near.function in _GATED for near in gated)


def _keeps_width(model: Model, op: Op) -> bool:
    """Whether the layer in front of `op` is neither a bottleneck nor the widest: no code, no output of an inner model."""
    layer = next((near for near in model.upstream(op) if near.kind is Kind.PARAMETRIC), None)
    if layer is None:
        return False
    here = _width(layer)
    before = [_width(near) for near in _layers_before(model, layer)]
    after = [_width(near) for near in model.downstream(op, merges=True) if near.kind is Kind.PARAMETRIC]
    if here is None or not before or not after or None in before or None in after:
        return False
    around = [width for width in (*before, *after) if width is not None]
    return min(around) <= here <= max(around)


def _layers_before(model: Model, layer: Op) -> list[Op]:
    before = model.upstream(layer, _BETWEEN_LAYERS, merges=True)
    return [near for near in before if near.kind is Kind.PARAMETRIC]


def _width(op: Op) -> int | None:
    found = (op.args.get(name) for name in _WIDTHS)
    return next((width for width in found if isinstance(width, int)), None)
