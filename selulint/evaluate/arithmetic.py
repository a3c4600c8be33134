"""Computing on constants: from abstract values to Python's and back."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from selulint.evaluate import sequences
from selulint.evaluate.values import Const, ListValue, TupleValue, Unknown, Value

UNKNOWN: Any = object()
# A width of many digits asks for a text as long.
_WIDE = re.compile(r"%[^a-zA-Z%]*(?:\d{3}|\*)")


def plain(value: Value) -> Any:
    if isinstance(value, Const):
        return value.value
    if isinstance(value, TupleValue | ListValue) and not sequences.is_open(value):
        items = [plain(item) for item in value.items]
        return UNKNOWN if any(item is UNKNOWN for item in items) else items
    return UNKNOWN


def compute(function: Callable[..., Any], *values: Any) -> Value:
    try:
        result = function(*values)
    except Exception:  # what the user's arithmetic raises is not ours
        return Unknown("arithmetic that fails")
    return lift(result)


def lift(result: Any) -> Value:
    if isinstance(result, list | tuple):
        return ListValue.of(lift(item) for item in result)
    return Const(result)


def formatted(template: str, value: Value) -> Value:
    """What `template % value` gives."""
    known = plain(value)
    if known is UNKNOWN or _WIDE.search(template):
        return Unknown("a formatted string")
    return compute(lambda: template % (tuple(known) if isinstance(known, list) else known))
