"""Functions over sequences: what maps, filters, folds and chains them."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from selulint.evaluate import sequences
from selulint.evaluate.machine import Machine
from selulint.evaluate.values import Builtin, Const, ListValue, Splice, TupleValue, Unknown, Value
from selulint.graph import Place

if TYPE_CHECKING:
    from selulint.evaluate.calls import Arguments


def mapped(vm: Machine, args: Arguments, place: Place) -> Value:
    from selulint.evaluate.calls import NO_ARGUMENTS, call

    if len(args.positional) != 2:
        return Unknown("map")
    items, more = sequences.items_of(vm, args.positional[1])
    return ListValue.of([call(vm, args.positional[0], NO_ARGUMENTS.prepend(i), place) for i in items], open=more)


def filtered(vm: Machine, args: Arguments, place: Place) -> Value:
    from selulint.evaluate.calls import NO_ARGUMENTS, call

    if len(args.positional) != 2:
        return Unknown("filter")
    test = args.positional[0]
    items, more = sequences.items_of(vm, args.positional[1])
    kept: list[Value] = []
    for item in items:
        is_plain = isinstance(test, Const) or (isinstance(test, Builtin) and test.name == "bool")
        truth = vm.truth(item if is_plain else call(vm, test, NO_ARGUMENTS.prepend(item), place))
        if truth is not False:
            kept.append(item if truth else Splice(((item,), ())))
    return ListValue.of(kept, open=more)


def reduced(vm: Machine, args: Arguments, place: Place) -> Value:
    """`functools.reduce(function, items, first)`."""
    from selulint.evaluate.calls import Arguments, call

    if len(args.positional) not in (2, 3):
        return Unknown("reduce")
    items, more = sequences.items_of(vm, args.positional[1])
    items = [*args.positional[2:], *items]
    if more or not items:
        return Unknown("reduce over something unknown")
    value = items[0]
    for item in items[1:]:
        value = call(vm, args.positional[0], Arguments((value, item)), place)
    return value


def concatenated(vm: Machine, args: Arguments, place: Place) -> Value:
    """`sum(lists, [])`."""
    lists, more = sequences.items_of(vm, args.positional[0])
    whole = args.positional[1]
    for each in lists:
        vm.budget -= len(sequences.raw_items(whole) or ()) // sequences.ITEMS_PER_STEP + 1
        whole = sequences.combine(ast.Add, whole, each)
    items = sequences.raw_items(whole)
    return ListValue.of(items, open=True) if more and items is not None else whole


def chained(vm: Machine, args: Arguments, place: Place) -> Value:
    found = [sequences.items_of(vm, value) for value in args.positional]
    return ListValue.of([item for items, _ in found for item in items], open=any(more for _, more in found))


def chained_from(vm: Machine, args: Arguments, place: Place) -> Value:
    """`itertools.chain.from_iterable(...)`."""
    lists, more = sequences.items_of(vm, args.positional[0]) if args.positional else ([], True)
    found = [sequences.items_of(vm, value) for value in lists]
    return ListValue.of([item for items, _ in found for item in items], open=more or any(open for _, open in found))


def paired(vm: Machine, args: Arguments, place: Place) -> Value:
    """`itertools.pairwise(...)`."""
    items, more = sequences.items_of(vm, args.positional[0]) if args.positional else ([], True)
    return ListValue.of(map(TupleValue, zip(items, items[1:], strict=False)), open=more)


def every(vm: Machine, args: Arguments, place: Place) -> Value:
    return _quantified(vm, args, False)


def some(vm: Machine, args: Arguments, place: Place) -> Value:
    return _quantified(vm, args, True)


def _quantified(vm: Machine, args: Arguments, telling: bool) -> Value:
    items, more = sequences.items_of(vm, args.positional[0]) if args.positional else ([], True)
    truths = [vm.truth(item) for item in items]
    if telling in truths:
        return Const(telling)
    return Unknown("a quantifier over something unknown") if more or None in truths else Const(not telling)
