"""What operators and methods do to abstract tensors: each emits an op."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from selulint.evaluate import arrays, variables
from selulint.evaluate.building import Draft, sources, tensors_in
from selulint.evaluate.machine import Machine
from selulint.evaluate.values import Array, BoundMethod, Const, Layer, ModuleAttribute, Tensor, Unknown, Value
from selulint.graph import Kind, Place

_MERGES: dict[type, str] = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "divide",
    ast.MatMult: "matmul",
}


def as_tensor(value: Value) -> Value:
    """A tensor for an attribute of a tensor that turned out to be used as one (`out.last_hidden_state`)."""
    return value.receiver if isinstance(value, BoundMethod) and isinstance(value.receiver, Tensor) else value


def emit(vm: Machine, kind: Kind, function: str, inputs: Sequence[Value], place: Place, **extra: Any) -> Tensor:
    """Append an op that reads every tensor inside `inputs`."""
    tensors = [tensor for value in inputs for tensor in tensors_in(as_tensor(value))]
    features = {vm.builder.features(tensor) for tensor in tensors}
    same = features.pop() if len(features) == 1 and kind is not Kind.OPAQUE else None
    draft = Draft(kind, extra.pop("name", ""), function, sources(tensors), place, call=place, features=same, **extra)
    return vm.builder.emit(draft)


def binary(vm: Machine, operation: type, left: Value, right: Value, place: Place) -> Value:
    """An operator between tensors, or between a tensor and something else."""
    both = bool(tensors_in(left)) and bool(tensors_in(right))
    other = right if tensors_in(left) else left
    if operation is ast.Add and variables.is_vector(other):
        data = left if other is right else right
        variables.add_bias(vm, [data], other)
        return data
    if operation is ast.MatMult and isinstance(other, Array):
        weight = arrays.init_of_weight(other, "matmul") if other is right else arrays.init_of_left(other)
        return emit(vm, Kind.PARAMETRIC, "matmul", [left, right], place, weight=weight)
    if operation is ast.MatMult and isinstance(other, Layer | ModuleAttribute):
        return emit(vm, Kind.PARAMETRIC, "matmul", [left, right], place)
    if isinstance(other, Const) and not both:
        return _with_constant(vm, operation, left, right, other, place)
    function = _MERGES.get(operation)
    if function is None:
        return opaque(vm, "an operator", [left, right], place)
    return emit(vm, Kind.MERGE, function, [left, right], place)


def _with_constant(vm: Machine, operation: type, left: Value, right: Value, other: Const, place: Place) -> Value:
    known = other.value if isinstance(other.value, int | float) else None
    spelled = {"constant": other.place} if other.place is not None else {}
    if operation is ast.Mult or (operation is ast.Div and other is right):
        factor = known if operation is ast.Mult or not known else 1 / known
        return emit(vm, Kind.SCALE, "scale", [left, right], place, args={"factor": factor}, spelled=spelled)
    if operation in (ast.Add, ast.Sub):
        if operation is ast.Sub and other is left:
            right, known = scale(vm, right, place), known
        elif operation is ast.Sub:
            known = -known if known is not None else None
        return emit(vm, Kind.SCALE, "shift", [left, right], place, args={"shift": known}, spelled=spelled)
    return opaque(vm, "power" if operation is ast.Pow else "an operator", [left, right], place)


def compare(vm: Machine, operation: type, left: Value, right: Value, place: Place) -> Value:
    """A comparison with a tensor: a mask."""
    other = right if tensors_in(as_tensor(left)) else left
    args = {"operator": operation.__name__, "flipped": other is left}
    if isinstance(other, Const):
        args["other"] = other.value
    return emit(vm, Kind.OPAQUE, "comparison", [left, right], place, args=args)


def scale(vm: Machine, value: Value, place: Place) -> Value:
    """The negative of a tensor."""
    return emit(vm, Kind.SCALE, "scale", [value], place, args={"factor": -1})


def invert(vm: Machine, value: Value, place: Place) -> Value:
    """The other places of a mask."""
    return emit(vm, Kind.OPAQUE, "logical_not", [value], place)


def index(vm: Machine, value: Value, place: Place, which: Value | None = None) -> Value:
    """Part of a tensor (or of what a layer returned beside it)."""
    return emit(vm, Kind.RESHAPE, "masked" if is_mask(vm, which) else "index", [value], place)


def is_mask(vm: Machine, value: Value | None) -> bool:
    """Whether a value is what a comparison with a tensor gives."""
    if not isinstance(value, Tensor) or not all(vm.builder.base <= source < vm.builder.end for source in value.sources):
        return False
    return all(vm.builder.op(source).function in ("comparison", "logical_not") for source in value.sources)


def selected(vm: Machine, mask: Value, value: Value, other: Value, place: Place) -> Value:
    """`value` where a mask holds, `other` elsewhere."""
    return emit(vm, Kind.OPAQUE, "where", [mask, value, other], place)


def opaque(vm: Machine, reason: str, inputs: Sequence[Value], place: Place, **args: Any) -> Value:
    """An op that nobody understands, so that what hangs on it stays connected; Unknown where no tensor goes in."""
    if not any(tensors_in(as_tensor(value)) for value in inputs):
        return Unknown(reason)
    return emit(vm, Kind.OPAQUE, reason, inputs, place, args=args)
