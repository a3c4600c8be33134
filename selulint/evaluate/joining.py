"""One value for several: what is known after branches meet."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from selulint.evaluate.limits import MAX_DEPTH, MAX_OPTIONS
from selulint.evaluate.values import Const, Either, More, Splice, Symbol, Tensor, TupleValue, Unknown, Value
from selulint.graph import Init


def same(left: Any, right: Any) -> bool:
    """Whether two values need no join: identical, or equal constants and symbols."""
    if left is right:
        return True
    if type(left) is More:
        return type(right) is More
    if isinstance(left, Const) and isinstance(right, Const):
        return type(left.value) is type(right.value) and left.value == right.value and left.assumed == right.assumed
    if isinstance(left, Symbol) and isinstance(right, Symbol):
        return left.name == right.name and left.place == right.place
    return False


def join(values: Iterable[Any], depth: int = MAX_DEPTH) -> Any:
    """One value that stands for each of `values`: tensors merge, tuples join by position, the rest becomes Either."""
    options: list[Any] = []
    values = tuple(values)
    if len(values) == 1:
        return values[0]
    for value in values:
        for option in value.options if isinstance(value, Either) else (value,):
            if not any(same(option, seen) for seen in options):
                options.append(option)
    if len(options) == 1:
        return options[0]
    if options and all(isinstance(option, Init) or option is None for option in options):
        return Init("unknown", None, False, None)
    tensors = [option for option in options if isinstance(option, Tensor)]
    if len(tensors) > 1:
        merged = Tensor(tuple(dict.fromkeys(source for tensor in tensors for source in tensor.sources)))
        return join([merged, *(option for option in options if not isinstance(option, Tensor))], depth)
    tuples = [option for option in options if isinstance(option, TupleValue)]
    if len(tuples) == len(options) and len({len(option.items) for option in tuples}) == 1:
        if depth == 0:
            return Unknown("alternatives that are nested too deeply")
        columns = zip(*(option.items for option in tuples), strict=True)
        return TupleValue(tuple(join(column, depth - 1) for column in columns))
    if len(options) > MAX_OPTIONS:
        return Unknown("too many alternatives")
    return Either(tuple(options))


def join_items(runs: list[tuple[Value, ...]]) -> tuple[Value, ...]:
    """Join of the same list as several branches left it: the common head, then one splice of the differing tails."""
    head = min(map(len, runs))
    if any(
        run[:head] != runs[0][:head] for run in runs
    ):  # identity, at the speed of C: most lists differ at their ends
        head = 0
    while all(len(run) > head for run in runs) and all(same(run[head], runs[0][head]) for run in runs):
        head += 1
    tails = tuple(dict.fromkeys(run[head:] for run in runs))
    return runs[0][:head] + ((Splice(tails),) if len(tails) > 1 else ())


def flatten(items: Iterable[Value]) -> list[Value]:
    """Items with every splice laid flat, each option's items one after the other."""
    flat: list[Value] = []
    for item in items:
        if isinstance(item, Splice):
            for option in item.options:
                flat.extend(flatten(option))
        else:
            flat.append(item)
    return flat
