"""SELUs that are written out by hand: expressions of elementwise operations that compute lambda * ELU(alpha)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from selulint.graph import Handwritten, Kind, Op
from selulint.moments.chains import fixed_variance
from selulint.moments.maps import SELU_ALPHA, SELU_SCALE

# A fixed variance this near to 1 makes an expression SELU itself, whatever the digits of its constants.
SELF_NORMALIZING = 0.005
# Constants this near to alpha and lambda, in either role, show that a SELU was meant.
_NEAR = 0.04
_EXPONENTIALS = frozenset({"elu", "celu", "exp", "expm1"})
_PROBES = (-40.0, -3.0, -1.0, -0.25, 0.25, 1.0, 3.0)
# exp overflows in float32 from here on: infinity times the zero slope of a branch that is not taken is not a number.
_FLOAT32_OVERFLOW = 88.8
# What reads one tensor: several inputs are the ops of which one made it.
_OF_ONE_TENSOR = frozenset({Kind.PARAMETRIC, Kind.ACTIVATION, Kind.DROPOUT, Kind.NORM, Kind.POOL})
_MAX_PARTS = 24


def recognised(ops: tuple[Op, ...], outputs: frozenset[int]) -> tuple[Op, ...]:
    """The ops with hand-written SELUs told: marked where they were meant, one activation where they are right.

    Ops that only serve a SELU that is right lose their inputs: what is inside of it is no activation of the model.
    """
    if not any(op.function in _EXPONENTIALS for op in ops):
        return ops
    alternatives = frozenset(op.inputs for op in ops if len(op.inputs) > 1 and _reads_one(op))
    forms = {op.index: form for op in ops if (form := _form(ops, op, alternatives)) is not None}
    inner = {part.index for form in forms.values() for part in form.parts[1:]}
    users: dict[int, list[int]] = {}
    for op in ops:
        for index in op.inputs:
            users.setdefault(index, []).append(op.index)
    found = list(ops)
    for index, form in forms.items():
        if index not in inner and _is_meant(form.scale, form.alpha):
            _mark(found, ops[index], form)
    for op in found:
        if op.handwritten is not None and op.kind is Kind.ACTIVATION:
            _hide_parts(found, op, users, outputs)
    for together in {op.inputs for op in ops if len(op.inputs) > 1 and op.kind in _OF_ONE_TENSOR}:
        _tell_rivals(found, together)
    return tuple(found)


def _tell_rivals(found: list[Op], together: _Operand) -> None:
    """Where branches meet, a SELU that is written out is one of the activations that they choose among."""
    met = [found[index] for index in together if found[index].kind is Kind.ACTIVATION]
    functions = {op.function for op in met}
    if len(functions) > 1 and any(op.handwritten is not None for op in met):
        for op in met:
            found[op.index] = replace(op, rivals=op.rivals | (functions - {op.function}))


def _mark(found: list[Op], op: Op, form: _Form) -> None:
    variance = fixed_variance(form.scale, form.alpha)
    mark = Handwritten(form.scale, form.alpha, variance, _overflows(op, form), form.parts)
    if variance is None or abs(variance - 1) > SELF_NORMALIZING:
        found[op.index] = replace(op, handwritten=mark)
    else:
        changes: dict[str, Any] = {"name": "", "symbol": None, "inputs": form.leaf, "args": {}, "handwritten": mark}
        found[op.index] = replace(op, kind=Kind.ACTIVATION, function="selu", **changes)


def _hide_parts(found: list[Op], root: Op, users: Mapping[int, list[int]], outputs: frozenset[int]) -> None:
    assert root.handwritten is not None
    inside = {part.index for part in root.handwritten.parts}
    # Inputs come before their users, so that going backwards one pass is enough.
    for part in sorted(root.handwritten.parts, key=lambda each: -each.index):
        if part.index == root.index:
            continue
        if part.index in outputs or not inside.issuperset(users.get(part.index, ())):
            inside.discard(part.index)
        else:
            found[part.index] = replace(part, kind=Kind.SCALE, function="part of a SELU", inputs=())


def _is_meant(scale: float, alpha: float) -> bool:
    """Whether somebody wrote a SELU: one constant is about SELU's, in its own place, in the other's, or multiplied up."""
    own_alpha, own_scale = _near(alpha, SELU_ALPHA), _near(scale, SELU_SCALE) and scale != 1
    swapped = _near(scale, SELU_ALPHA) and _near(alpha, SELU_SCALE)
    return own_alpha or own_scale or swapped or _near(alpha, SELU_ALPHA * SELU_SCALE)


def _near(value: float, target: float) -> bool:
    return abs(value / target - 1) <= _NEAR


# What an operation reads, or a tree of them: the ops of which one made it, several where branches met before.
_Operand = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Tree:
    """Elementwise operations, the outermost first, that compute one tensor from one other, the leaf."""

    ops: Sequence[Op]
    alternatives: frozenset[_Operand]
    parts: tuple[Op, ...]
    leaf: _Operand

    def value(self, operand: _Operand, x: float, known: dict[_Operand, float]) -> float | None:
        """What an operand is where the leaf is `x`."""
        if operand == self.leaf:
            return x
        if operand not in known:
            op = self.ops[operand[0]]
            inputs = [self.value(each, x, known) for each in _operands(op, self.alternatives)]
            numbers = [value for value in inputs if value is not None]
            value = _compute(op, numbers) if len(numbers) == len(inputs) and len(operand) == 1 else None
            if value is None:
                return None
            known[operand] = value
        return known[operand]


@dataclass(frozen=True, slots=True)
class _Form:
    """A tree that computes lambda * (x if x > 0 else alpha * (exp(x) - 1))."""

    scale: float
    alpha: float
    tree: _Tree

    @property
    def parts(self) -> tuple[Op, ...]:
        return self.tree.parts

    @property
    def leaf(self) -> _Operand:
        return self.tree.leaf


def _operands(op: Op, alternatives: frozenset[_Operand]) -> Sequence[_Operand]:
    """What an op reads, its inputs put together to the alternatives that the ops around it read as one tensor."""
    inputs = op.inputs
    if _reads_one(op):
        return (inputs,)
    found: list[_Operand] = []
    position = 0
    while position < len(inputs):
        ends = range(len(inputs), position + 1, -1)
        size = next((end - position for end in ends if inputs[position:end] in alternatives), 1)
        found.append(inputs[position : position + size])
        position += size
    return found


def _trees(ops: Sequence[Op], op: Op, alternatives: frozenset[_Operand]) -> Iterator[_Tree]:
    """The trees that end in `op`, the smallest first: one for each value that all ways from `op` back lead through."""
    parts: list[Op] = []
    frontier: set[_Operand] = {(op.index,)}
    while frontier and len(parts) < _MAX_PARTS:
        # Inputs come before their users: no other way leads back to the last one.
        last = max(frontier, key=lambda operand: (operand[-1], len(operand)))
        if len(last) > 1 or not _is_elementwise(ops[last[0]]):
            return
        frontier.remove(last)
        parts.append(ops[last[0]])
        frontier.update(_operands(parts[-1], alternatives))
        if len(frontier) == 1:
            yield _Tree(ops, alternatives, tuple(parts), next(iter(frontier)))


def _form(ops: Sequence[Op], op: Op, alternatives: frozenset[_Operand]) -> _Form | None:
    """The smallest tree that ends in `op` and has SELU's form."""
    if op.kind not in (Kind.SCALE, Kind.MERGE, Kind.ACTIVATION, Kind.OPAQUE) or op.function in _NO_ROOTS:
        return None
    trees = _trees(ops, op, alternatives)
    return next((form for tree in trees if (form := _form_of(tree)) is not None), None)


def _form_of(tree: _Tree) -> _Form | None:
    if not any(part.function in _EXPONENTIALS for part in tree.parts):
        return None
    root = (tree.parts[0].index,)
    values = [tree.value(root, probe, {}) for probe in _PROBES]
    numbers = [value for value in values if value is not None and math.isfinite(value)]
    if len(numbers) < len(_PROBES):
        return None
    low, scale, three = numbers[0], numbers[-2], numbers[-1]
    if scale <= 0 or low >= 0 or not math.isclose(three, 3 * scale, rel_tol=1e-6):
        return None
    alpha = -low / scale
    expected = [scale * (x if x > 0 else alpha * math.expm1(x)) for x in _PROBES]
    close = all(math.isclose(v, e, rel_tol=1e-5, abs_tol=1e-9) for v, e in zip(numbers, expected, strict=True))
    return _Form(scale, alpha, tree) if close else None


def _overflows(op: Op, form: _Form) -> bool:
    """Whether an exponential inside overflows for large inputs, which makes the gradient NaN there."""
    known: dict[_Operand, float] = {form.leaf: 100.0}
    if form.tree.value((op.index,), 100.0, known) is None:
        return False
    inner = [part.inputs for part in form.parts if part.function in ("exp", "expm1")]
    return any(known.get(operand, 0.0) > _FLOAT32_OVERFLOW for operand in inner)


_UNARY: dict[str, Callable[[float], float]] = {
    "relu": lambda x: max(x, 0.0),
    "exp": lambda x: math.exp(min(x, 700.0)),
    "expm1": lambda x: math.expm1(min(x, 700.0)),
    "identity": lambda x: x,
    "abs": abs,
    "logical_not": lambda x: float(not x),
    # What is selected by a mask is computed with where the mask holds.
    "masked": lambda x: x,
    "`zeros_like`": lambda x: 0.0,
    "`ones_like`": lambda x: 1.0,
    "`empty_like`": lambda x: math.nan,
}
_BINARY: dict[str, Callable[[float, float], float]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "maximum": max,
    "minimum": min,
}
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "Gt": lambda a, b: a > b,
    "GtE": lambda a, b: a >= b,
    "Lt": lambda a, b: a < b,
    "LtE": lambda a, b: a <= b,
}
_OF_ONE = frozenset({"scale", "shift", "elu", "celu", "clamp", "relu6"})
_SPECIAL = _OF_ONE | {"where", "comparison"}
# What the second operand of a function on two tensors is called, where it is a number.
_SECOND = ("other", "y", "x2")
_NO_ROOTS = frozenset({"selu", "relu", "shift", "comparison", "exp", "expm1"})


def _is_elementwise(op: Op) -> bool:
    return op.function in _UNARY or op.function in _BINARY or op.function in _SPECIAL


def _reads_one(op: Op) -> bool:
    """Whether all inputs of an op are alternatives of one operand."""
    function = op.function
    return function in _UNARY or function in _OF_ONE or (function == "comparison" and "other" in op.args)


def _compute(op: Op, inputs: list[float]) -> float | None:
    function, args = op.function, op.args
    if function in _UNARY and len(inputs) == 1:
        return _UNARY[function](inputs[0])
    if function in _BINARY:
        second = [args[name] for name in _SECOND if _is_number(args.get(name))][: 2 - len(inputs)]
        operands = [*inputs, *second]
        return _BINARY[function](operands[0], float(operands[1])) if len(operands) == 2 else None
    if function in ("elu", "celu") and len(inputs) == 1:
        return _elu(inputs[0], args.get("alpha", 1.0), function == "celu")
    if function == "scale" and _is_number(args.get("factor")):
        return inputs[0] * float(args["factor"])
    if function == "shift" and _is_number(args.get("shift")):
        return inputs[0] + float(args["shift"])
    if function == "clamp":
        return _clamp(inputs[0], args)
    if function == "comparison" and _is_number(args.get("other")) and args["operator"] in _COMPARE:
        sides = (args["other"], inputs[0]) if args["flipped"] else (inputs[0], args["other"])
        return float(_COMPARE[args["operator"]](*sides))
    if function == "where" and len(inputs) == 3:
        return inputs[1] if inputs[0] else inputs[2]
    return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


def _elu(x: float, alpha: object, is_celu: bool) -> float | None:
    if not isinstance(alpha, int | float) or alpha == 0:
        return None
    return x if x > 0 else alpha * math.expm1(x / alpha if is_celu else x)


def _clamp(x: float, args: Mapping[str, Any]) -> float | None:
    low, high = (
        next((args[name] for name in names if name in args), None)
        for names in (("min", "x_min", "clip_value_min", "min_value"), ("max", "x_max", "clip_value_max", "max_value"))
    )
    if not all(bound is None or _is_number(bound) for bound in (low, high)):
        return None
    x = x if low is None else max(x, low)
    return x if high is None else min(x, high)
