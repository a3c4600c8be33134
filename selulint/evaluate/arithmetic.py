"""Computing on constants: from abstract values to Python's and back."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Sequence
from typing import Any

from selulint.evaluate import numbers, sequences
from selulint.evaluate.limits import MAX_BITS, MAX_CHARACTERS, MAX_DEPTH
from selulint.evaluate.values import Const, ListValue, Round, TupleValue, Unknown, Value

UNKNOWN: Any = object()
# A width of many digits asks for a text as long.
# The same in a format of its own: `{x:>100}`.
_WIDE_FORMAT = re.compile(r"\d{3}")
_CONVERSIONS: dict[int, Callable[[Any], str]] = {ord("r"): repr, ord("s"): str, ord("a"): ascii}
_WIDE = re.compile(r"%[^a-zA-Z%]*(?:\d{3}|\*)")


def plain(value: Value, depth: int = MAX_DEPTH) -> Any:
    """Python's own value of a constant or a closed sequence of them; UNKNOWN for everything else."""
    if isinstance(value, Const):
        return value.value
    if isinstance(value, TupleValue | ListValue) and not sequences.is_open(value) and depth:
        items = [plain(item, depth - 1) for item in value.items]
        return UNKNOWN if any(item is UNKNOWN for item in items) else items
    return UNKNOWN


def operands(values: Sequence[Value]) -> list[Value] | None:
    """The operands of a formula, sequences laid flat; None where all are known, or one of them is no number."""
    flat: list[Value] = []
    for value in values:
        is_sequence = isinstance(value, TupleValue | ListValue) and not sequences.is_open(value)
        flat.extend(sequences.raw_items(value) or () if is_sequence else (value,))
    return flat if all(map(numbers.may_be_number, flat)) and any(isinstance(v, Unknown) for v in flat) else None


def compute(function: Callable[..., Any], *values: Any) -> Value:
    try:
        result = function(*values)
    except Exception:  # what the user's arithmetic raises is not ours
        return Unknown("arithmetic that fails")
    if isinstance(result, str) and len(result) > MAX_CHARACTERS:
        return Unknown("a long string")
    return lift(result)


def lift(result: Any) -> Value:
    if isinstance(result, list | tuple):
        return ListValue.of(lift(item) for item in result)
    return Const(result)


def in_text(value: Value, conversion: int, spec: str | None) -> str | None:
    """What an f-string shows of a value; None where that is not known. `conversion` is that of the syntax tree."""
    value = counted(value)
    if not isinstance(value, Const) or isinstance(value.value, bytes) or spec is None or _WIDE_FORMAT.search(spec):
        return None
    shown = _CONVERSIONS[conversion](value.value) if conversion in _CONVERSIONS else value.value
    try:
        return format(shown, spec)
    except (TypeError, ValueError):
        return None


def counted(value: Value) -> Value:
    """A value as texts show it: what a loop counts has a name of its own in each round (`f"fc{i}"`)."""
    if isinstance(value, TupleValue) and any(type(item) is Round for item in value.items):
        return TupleValue(tuple([Const(item.index) if isinstance(item, Round) else item for item in value.items]))
    return Const(value.index) if isinstance(value, Round) else value


def formatted(template: str, value: Value) -> Value:
    """What `template % value` gives."""
    known = plain(counted(value))
    if known is UNKNOWN or _WIDE.search(template):
        return Unknown("a formatted string")
    return compute(lambda: template % (tuple(known) if isinstance(known, list) else known))


OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
}


def constant(operation: type, left: Any, right: Any) -> Value:
    """What an operation on constants gives; Unknown where it fails or would be huge."""
    if not _is_small(operation, left, right):
        return Unknown("arithmetic on huge values")
    try:
        result = OPERATORS[operation](left, right)
    except Exception:  # user arithmetic may fail in any way; what it gives then is unknown
        return Unknown("arithmetic that fails")
    if isinstance(result, complex) or (isinstance(result, int) and result.bit_length() > MAX_BITS):
        return Unknown("a number that nobody uses for a size")
    return Const(result)


def _is_small(operation: type, left: Any, right: Any) -> bool:
    """Whether computing this takes next to no time and memory, whatever the user wrote."""
    if not all(isinstance(side, int | float | str) for side in (left, right)):
        return False
    if isinstance(left, str) or isinstance(right, str):
        count = next((side for side in (left, right) if isinstance(side, int)), 1)
        length = sum(len(side) for side in (left, right) if isinstance(side, str))
        return operation in (ast.Add, ast.Mult) and length * max(count, 1) <= MAX_CHARACTERS
    if operation in (ast.Pow, ast.LShift) and isinstance(left, int) and isinstance(right, int):
        return left.bit_length() * right < 512 if operation is ast.Pow else left.bit_length() + right < 512
    return not any(isinstance(side, int) and side.bit_length() > 512 for side in (left, right))
