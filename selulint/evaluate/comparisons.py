"""Rules of evaluation for comparisons: what two abstract values tell about each other."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

from selulint.evaluate import sequences, tensors
from selulint.evaluate.building import tensors_in
from selulint.evaluate.machine import Machine
from selulint.evaluate.values import (
    ClassValue,
    Const,
    DictValue,
    Either,
    FunctionValue,
    Layer,
    ListValue,
    Round,
    Symbol,
    TupleValue,
    Unknown,
    Value,
)
from selulint.graph import Place

# What an assumed value may be compared with for the comparison to be a choice of the caller's.
_PLAIN = frozenset({ast.Constant, ast.UnaryOp, ast.Name, ast.List, ast.Tuple, ast.Set})
_COMPARE: dict[type, Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def compare(vm: Machine, node: Any, number: int, left: Value, right: Value, place: Place) -> Value:
    """The value of one comparison of a chain, of what stands before its operator and what stands behind it."""
    operation = type(node.ops[number])
    # Whether something is None, or in a list, is not asked of a tensor's elements.
    if operation not in _NOT_ELEMENTWISE and (_is_tensor(left) or _is_tensor(right)):
        return tensors.compare(vm, operation, left, right, place)
    result = _compare(operation, left, right)
    if result is None:
        return Unknown("a comparison")
    first = node.comparators[number - 1] if number else node.left
    sides = ((left, first), (right, node.comparators[number]))
    assumed = [side for side, _ in sides if isinstance(side, Const) and side.assumed]
    if not assumed or not all(side in assumed or type(spelled) in _PLAIN for side, spelled in sides):
        return Const(result, omitted=any(isinstance(side, Const) and side.omitted for side, _ in sides))
    if isinstance(assumed[0].value, str):
        for side, _ in sides:
            vm.ask(assumed[0], side, *(() if isinstance(side, Const) else sequences.raw_items(side) or ()))
        return Const(result, chooser=assumed[0].place)
    return Const(result, assumed=isinstance(assumed[0].value, bool | int | float))


_NOT_ELEMENTWISE = frozenset({ast.Is, ast.IsNot, ast.In, ast.NotIn})


def _is_tensor(value: Value) -> bool:
    return not isinstance(value, ListValue | TupleValue | DictValue) and bool(tensors_in(value))


def _compare(operation: type, left: Value, right: Value) -> bool | None:
    if operation in (ast.In, ast.NotIn):
        found = sequences.contains(right, left)
        return found if found is None or operation is ast.In else not found
    if operation in (ast.Is, ast.IsNot):
        equal = _identical(left, right)
        return equal if equal is None or operation is ast.Is else not equal
    if isinstance(left, Round) or isinstance(right, Round):
        return _of_round(operation, left, right)
    if isinstance(left, Const) and isinstance(right, Const):
        try:
            return bool(_COMPARE[operation](left.value, right.value))
        except Exception:  # comparing what cannot be compared is the user's error, not ours
            return None
    if operation in (ast.Eq, ast.NotEq):
        equal = _identical(left, right)
        return equal if equal is None or operation is ast.Eq else not equal
    return None


def _of_round(operation: type, left: Value, right: Value) -> bool | None:
    """What is true of a loop's count in every round that its value stands for."""
    other = right if isinstance(left, Round) else left
    if not isinstance(other, Const) or not isinstance(other.value, int):
        return None
    function = _COMPARE[operation]
    if isinstance(left, Round):
        answers = {bool(function(each, other.value)) for each in left.samples(other.value)}
    else:
        answers = {bool(function(other.value, each)) for each in right.samples(other.value)}  # type: ignore[attr-defined]
    return answers.pop() if len(answers) == 1 else None


def _identical(left: Value, right: Value) -> bool | None:
    match left, right:
        case Const(), Const():
            return bool(left.value == right.value)
        case Symbol(), Symbol():
            return left.name == right.name
        case (Unknown() | Either(), _) | (_, Unknown() | Either()):
            return None
        case Const(value=None), _:
            return False
        case _, Const(value=None):
            return False
        case (ClassValue() | FunctionValue() | Symbol() | Layer(), ClassValue() | FunctionValue() | Symbol() | Layer()):
            return left is right
    return None
