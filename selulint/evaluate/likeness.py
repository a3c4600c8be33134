"""What makes two calls alike: keys that are equal where it makes no difference which of the values is passed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from selulint.evaluate.limits import MAX_DEPTH
from selulint.evaluate.numbers import Sample
from selulint.evaluate.values import (
    Builtin,
    ClassValue,
    Const,
    DictValue,
    Either,
    FunctionValue,
    Instance,
    Layer,
    ListValue,
    Partial,
    Round,
    Symbol,
    Tensor,
    TupleValue,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from selulint.evaluate.calls import Arguments
    from selulint.evaluate.machine import Machine


class Unrepeatable(Exception):
    """Something that cannot be copied, or that the next time may be different."""


def key_of(args: Arguments, vm: Machine | None = None) -> Any:
    # Which of the unknown numbers are the same one, and how they hang together, makes a difference.
    sample = Sample(0)
    positional = tuple([_key(value, vm, sample) for value in args.positional])
    return (
        args.open,
        args.outside,
        positional,
        tuple([(name, _key(value, vm, sample)) for name, value in args.keywords.items()]),
    )


def _key(value: Value, vm: Machine | None, sample: Sample, depth: int = MAX_DEPTH) -> Any:
    """Equal for values of which it makes no difference which one is passed."""
    if depth < 0:
        raise Unrepeatable
    match value:
        case Const():
            if not isinstance(value.value, str | int | float | bool | None):
                raise Unrepeatable
            where = value.place.syntax if value.place is not None else None
            chooser = value.chooser.syntax if value.chooser is not None else None
            return value.value, type(value.value), id(where), value.assumed, id(chooser)
        case Symbol():
            chooser = value.chooser.syntax if value.chooser is not None else None
            return value.name, id(value.place.syntax if value.place is not None else None), id(chooser)
        case Tensor() if vm is not None:
            return "tensor", vm.builder.features(value)
        case Round():
            return "round", value.index, value.is_first, value.parameter, sample.number(value)
        case Unknown():
            return "unknown", value.reason, value.parameter, sample.number(value)
        case TupleValue():
            return "tuple", tuple(_key(item, vm, sample, depth - 1) for item in value.items)
        case ListValue():
            return "list", id(value), tuple(_key(item, vm, sample, depth - 1) for item in value.items)
        case DictValue():
            return (
                "dict",
                value.open,
                value.outside,
                tuple((name, _key(each, vm, sample, depth - 1)) for name, each in value.entries.items()),
            )
        case Either():
            return "either", tuple(_key(each, vm, sample, depth - 1) for each in value.options)
        case Partial():
            keywords = tuple((name, _key(each, vm, sample, depth - 1)) for name, each in value.keywords.items())
            return (
                "partial",
                _key(value.function, vm, sample, depth - 1),
                tuple(_key(each, vm, sample, depth - 1) for each in value.args),
                keywords,
            )
        case FunctionValue() | ClassValue() | Layer() | Instance() | Builtin():
            return id(value)
    raise Unrepeatable
