"""Computing on constants: from abstract values to Python's and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from selulint.evaluate import numbers, sequences
from selulint.evaluate.values import Const, ListValue, TupleValue, Unknown, Value

UNKNOWN: Any = object()


def plain(value: Value) -> Any:
    if isinstance(value, Const):
        return value.value
    if isinstance(value, TupleValue | ListValue) and not sequences.is_open(value):
        items = [plain(item) for item in value.items]
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
    return lift(result)


def formatted(text: str, value: Value) -> Value:
    """`"conv%d" % number`, where the text asks for no padding that would make it long."""
    known = plain(value)
    if (
        known is UNKNOWN
        or len(text) > 200
        or "*" in text
        or any(text[i : i + 3].isdigit() for i in range(len(text) - 2))
    ):
        return Unknown("a formatted string")
    return compute(lambda: text % (tuple(known) if isinstance(known, list) else known))


def lift(result: Any) -> Value:
    if isinstance(result, list | tuple):
        return ListValue.of(lift(item) for item in result)
    return Const(result)
