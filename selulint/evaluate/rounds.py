"""Long loops (training, sampling, filling tables) are left once another round builds nothing and shows nothing new."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from selulint.evaluate.building import Draft
from selulint.evaluate.joining import same
from selulint.evaluate.limits import MAX_DEPTH
from selulint.evaluate.machine import Changes, Machine
from selulint.evaluate.values import (
    Array,
    BoundMethod,
    Builtin,
    Const,
    DictValue,
    Either,
    Formula,
    FunctionValue,
    Instance,
    Layer,
    ListValue,
    Mutable,
    Round,
    Shape,
    Symbol,
    Tensor,
    TupleValue,
    Unknown,
)
from selulint.frameworks import SPECS
from selulint.graph import Init, Kind

# What a loop may cost before anybody asks whether it goes on only to count.
STEPS_PER_LOOP = 2_000
_MISSING: Any = object()
_PLAIN = (Const, Unknown, Tensor, Shape, Array, Builtin, FunctionValue, BoundMethod, bool, int, float, str, type(None))


class Rounds:
    """The rounds of one loop so far; `changes` are the older cells that it has written, with what was in them."""

    __slots__ = ("_applied", "_builder", "_changes", "_created", "_last", "_left", "_vm")

    def __init__(self, vm: Machine, changes: Changes) -> None:
        self._vm, self._changes = vm, changes
        self._left = vm.budget - STEPS_PER_LOOP
        self._builder, self._created, self._last = vm.builder, len(vm.created), len(vm.builder.ops)
        self._applied: set[object] = set()

    def suffice(self, made: Sequence[Any] = ()) -> bool:
        """Whether the rounds that follow would only do again what the last one did; `made` is what that gave.

        What the loop has counted so far is unknown then. A loop that builds or initialises anything runs to its end.
        """
        vm = self._vm
        if vm.budget > self._left or vm.builder is not self._builder:
            return False
        applied = {_what(draft) for draft in self._builder.ops[self._last :] if draft.kind is not Kind.INPUT}
        is_known = applied <= self._applied
        self._last, self._applied = len(self._builder.ops), self._applied | applied
        if not is_known:
            return False
        changed = [(each, key) for (_, key), (each, old) in self._changes.items() if _has_changed(each, key, old)]
        written = [each.cells.get(key) for each, key in changed]
        if not all(map(_is_plain, (*made, *written, *vm.created[self._created :]))):
            self._left = -1
            return False
        for each, key in changed:
            _loosen(vm, each, key)
        return True


def _what(draft: Draft) -> object:
    """The layer or the function that an op applies."""
    return draft.layer or (draft.function, draft.place)


def _has_changed(target: Mutable, key: Any, old: Any) -> bool:
    new = target.cells.get(key, _MISSING)
    return not (new == old if isinstance(new, Init) else same(new, old))


def _is_plain(value: Any, depth: int = MAX_DEPTH) -> bool:
    """Whether a value neither holds nor names anything that models are built of, or initialised with."""
    if isinstance(value, _PLAIN):
        return True
    if depth == 0:
        return False
    match value:
        case Init():
            return value.name in ("unknown", "loaded")
        case Layer():
            return value.spec.kind == "other"
        case Symbol():
            return value.name not in SPECS
        case TupleValue() | ListValue():
            items: Sequence[Any] = value.items
        case tuple():
            items = value
        case Either():
            items = value.options
        case DictValue() | Instance():
            items = tuple(value.cells.values())
        case _:
            return False
    return all(_is_plain(each, depth - 1) for each in items)


def _loosen(vm: Machine, target: Mutable, key: Any) -> None:
    """Forget how far a loop has counted, how long a list has become."""
    value = target.cells.get(key)
    for each in (target, value):
        if isinstance(each, ListValue | DictValue):
            vm.touch(each)
            each.open = True
    if type(value) in (Const, Formula, Round, TupleValue):
        vm.write(target, key, Unknown("what a long loop has come to"))
