"""Iteration: comprehensions, and what a loop over an abstract value sees."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from selulint.evaluate import sequences
from selulint.evaluate.building import tensors_in
from selulint.evaluate.machine import Machine
from selulint.evaluate.rounds import Rounds
from selulint.evaluate.values import (
    BoundMethod,
    DictValue,
    Instance,
    Layer,
    ListValue,
    ModuleAttribute,
    More,
    Scope,
    Splice,
    Tensor,
    TupleValue,
    Unknown,
    Value,
)

MAX_ITERATIONS = 256
# Of a model's modules and parameters: as many as `modules` lists.
MAX_PARTS = 12_000
UNKNOWN_ITERATIONS = 2


def comprehension(vm: Machine, node: Any, scope: Scope) -> Value:
    inner = Scope(parent=scope, unit=scope.unit, owner=scope.owner, instance=scope.instance)
    found: list[Value] = []
    is_open = _generate(vm, node.generators, node.elt, inner, found)
    return ListValue.of(found, open=is_open)


def dict_comprehension(vm: Machine, node: Any, scope: Scope) -> Value:
    inner = Scope(parent=scope, unit=scope.unit, owner=scope.owner, instance=scope.instance)
    pairs: list[Value] = []
    pair = ast.Tuple([node.key, node.value])
    result = DictValue(open=_generate(vm, node.generators, pair, inner, pairs))
    for entry in pairs:
        if isinstance(entry, TupleValue):
            sequences.set_entry(vm, result, *entry.items)
        else:
            result.open = True
    return result


def _generate(vm: Machine, clauses: Sequence[Any], element: Any, scope: Scope, found: list[Value]) -> bool:
    from selulint.evaluate.expressions import evaluate
    from selulint.evaluate.statements import assign

    clause, *others = clauses
    items, is_open = iterate(vm, evaluate(vm, clause.iter, scope))
    with vm.watched() as changes:
        rounds = Rounds(vm, changes)
        for item in items:
            before = len(found)
            assign(vm, clause.target, item, scope)
            truths = [vm.truth(evaluate(vm, condition, scope)) for condition in clause.ifs]
            if False not in truths and others:
                is_open = _generate(vm, others, element, scope, found) or is_open
            elif False not in truths:
                found.append(evaluate(vm, element, scope))
            if rounds.suffice(found[before:]):
                return True
            if None in truths and False not in truths:
                found[before:] = [Splice((tuple(found[before:]), ()))]
    return is_open


def iterate(vm: Machine, value: Value) -> tuple[list[Value], bool]:
    """The items that a loop over `value` sees, and whether there may be more: an unknown iterable gives two unknowns."""
    if tensors_in(value) and isinstance(value, Tensor | BoundMethod):
        return [value] * UNKNOWN_ITERATIONS, True
    items, is_open = sequences.items_of(vm, value)
    if is_open and all(type(item) is More for item in items):
        return [Unknown("an item of something unknown") for _ in range(UNKNOWN_ITERATIONS)], True
    most = MAX_PARTS if items and all(map(_is_part, items)) else MAX_ITERATIONS
    if len(items) > most:
        return items[:most], True
    return items, is_open


def _is_part(item: Value) -> bool:
    """Whether an item is a module or a parameter, with its name or without: a loop over these must not end too early."""
    if isinstance(item, TupleValue):
        return any(map(_is_part, item.items))
    return isinstance(item, Layer | Instance | ModuleAttribute)
