"""Lists, tuples, dicts, ranges and containers as sequences of abstract values."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from selulint.evaluate import arrays, tensors
from selulint.evaluate.building import tensors_in
from selulint.evaluate.limits import MAX_ITEMS
from selulint.evaluate.machine import Machine
from selulint.evaluate.values import (
    Array,
    BoundMethod,
    ClassValue,
    Const,
    DictValue,
    Either,
    Instance,
    Layer,
    ListValue,
    ModuleAttribute,
    Splice,
    Symbol,
    Tensor,
    TupleValue,
    Unknown,
    Value,
    flatten,
    join,
    join_items,
)
from selulint.graph import Place

MAX_VARIANTS = 16
# Going through this many items takes about as long as one step of evaluation.
ITEMS_PER_STEP = 64


def raw_items(value: Value) -> tuple[Value, ...] | None:
    """The items of a sequence with its splices, or None for what is no sequence."""
    match value:
        case ListValue():
            return value.items
        case TupleValue():
            return value.items
        case Layer() | Instance() if "items" in value.cells:
            items: tuple[Value, ...] = value.cells["items"]
            return items
        case DictValue():
            return tuple(Const(key) for key in value.entries)
        case Const(value=str()):
            return tuple(Const(character) for character in value.value[:64])
    return None


def variants(items: Sequence[Value]) -> list[tuple[Value, ...]]:
    """The runs of items that a sequence with splices may stand for; with too many of them, all laid flat as one."""
    if not any(type(item) is Splice for item in items):
        return [tuple(items)]
    runs: list[tuple[Value, ...]] = [()]
    for item in items:
        options = item.options if isinstance(item, Splice) else ((item,),)
        runs = [run + option for run in runs for option in options]
        if len(runs) > MAX_VARIANTS:
            return [tuple(flatten(items))]
    return runs


def is_open(value: Value) -> bool:
    return bool(getattr(value, "open", False)) or (isinstance(value, Layer) and bool(value.cells.get("open")))


def items_of(vm: Machine, value: Value) -> tuple[list[Value], bool]:
    """The items of a sequence, splices laid flat, and whether there may be others."""
    if isinstance(value, Either):
        runs = [items_of(vm, option) for option in value.options]
        known = [items for items, _ in runs if items]
        if len({len(items) for items in known}) == 1:
            return [join(column) for column in zip(*known, strict=True)], any(more for _, more in runs)
        return (flatten([Splice(tuple(tuple(items) for items in known))]), True) if known else ([], True)
    items = raw_items(value)
    if items is None:
        return [], True
    vm.budget -= len(items) // ITEMS_PER_STEP
    return flatten(items), is_open(value)


def extend(vm: Machine, target: Value, items: Sequence[Value], more: bool = False) -> None:
    """Append items to a list or container; past the bound the rest is forgotten and the sequence is open."""
    if not isinstance(target, ListValue | Layer | Instance):
        return
    current: tuple[Value, ...] = target.cells.get("items", ())
    if len(current) + len(items) > MAX_ITEMS:
        items, more = (), True
    vm.budget -= len(current) // ITEMS_PER_STEP
    vm.write(target, "items", (*current, *items))
    if more and isinstance(target, ListValue):
        target.open = True
    elif more:
        vm.write(target, "open", True)


def combine(operation: type, left: Value, right: Value) -> Value:
    """Concatenation and repetition of lists and tuples."""
    first, second = raw_items(left), raw_items(right)
    if operation is ast.Add and first is not None and second is not None:
        items, more = (*first, *second), is_open(left) or is_open(right) or len(first) + len(second) > MAX_ITEMS
        return TupleValue(items) if isinstance(left, TupleValue) and not more else ListValue.of(items, open=more)
    if operation is ast.Mult:
        sequence, count = (first, right) if first is not None else (second, left)
        if sequence is not None:
            times = count.value if isinstance(count, Const) and isinstance(count.value, int) else None
            if times is not None and times * len(sequence) <= MAX_ITEMS:
                return ListValue.of(sequence * times) if isinstance(left, ListValue) else TupleValue(sequence * times)
            return ListValue.of(sequence * 2, open=True)
    return Unknown("an operation on values that are not known")


def get_item(vm: Machine, value: Value, index: Value, place: Place) -> Value:
    """The value of `value[index]`."""
    if isinstance(value, Tensor) or (isinstance(value, BoundMethod) and tensors_in(value.receiver)):
        return tensors.index(vm, value, place)
    if isinstance(value, Either):
        joined: Value = join([get_item(vm, option, index, place) for option in value.options])
        return joined
    if isinstance(value, Unknown):
        if isinstance(index, Const) and isinstance(index.value, int | str):
            return vm.part(value, (index.value,))
        return Unknown("an item of something unknown", value.parameter)
    if isinstance(value, Array | ModuleAttribute):
        return arrays.item(value)
    if not isinstance(index, Const):
        return Unknown("an index that is not known")
    if isinstance(value, DictValue | Layer) and not isinstance(index.value, int):
        return _entry(value, index)
    items = raw_items(value)
    if items is None or not isinstance(index.value, int):
        return Unknown("an item of something unknown")
    vm.budget -= len(items) // ITEMS_PER_STEP
    if isinstance(value, DictValue):
        return _entry(value, index)
    if is_open(value) and index.value < 0:
        return Unknown("an item past what is known")
    runs = [run for run in variants(items) if -len(run) <= index.value < len(run)]
    found: Value = join([run[index.value] for run in runs]) if runs else Unknown("an item past what is known")
    return found


def _entry(value: DictValue | Layer, index: Const) -> Value:
    key = index.value if isinstance(value, DictValue) else f".{index.value}"
    if key.__hash__ is None or key not in value.cells:
        return Unknown(f"key {index.value!r}", parameter=isinstance(value, DictValue) and value.open)
    found: Value = value.cells[key]
    if isinstance(found, Symbol) and index.assumed:
        return Symbol(found.name, found.place, index.place)
    return found


def set_item(vm: Machine, owner: Value, index: Value, value: Value) -> None:
    """Write `owner[index] = value`."""
    if isinstance(owner, DictValue):
        if isinstance(index, Const):
            vm.write(owner, index.value, value)
        else:
            owner.open = True
    elif isinstance(owner, Layer) and isinstance(index, Const) and isinstance(index.value, str):
        vm.write(owner, f".{index.value}", value)
        extend(vm, owner, [value])
    elif isinstance(owner, ListValue | Layer):
        items = list(owner.cells.get("items", ()))
        position = index.value if isinstance(index, Const) and isinstance(index.value, int) else None
        if position is not None and -len(items) <= position < len(items):
            items[position] = value
        else:
            items = [join([item, value]) for item in items]
        vm.write(owner, "items", tuple(items))


def get_slice(vm: Machine, value: Value, bounds: Sequence[Value], place: Place) -> Value:
    """The value of `value[a:b:c]`."""
    if tensors_in(value) and not isinstance(value, ListValue | TupleValue):
        return tensors.index(vm, value, place)
    items = raw_items(value)
    known = [bound.value for bound in bounds if isinstance(bound, Const)]
    if items is None or len(known) != len(bounds):
        return Unknown("a slice of something unknown")
    try:
        part = _slice(items, *known)
    except (TypeError, ValueError):
        return Unknown("a slice that fails")
    if isinstance(value, Const):
        return Const(value.value[slice(*known)])
    if isinstance(value, TupleValue):
        return TupleValue(part)
    if isinstance(value, Layer):
        return Layer({"items": part}, name=value.name, spec=value.spec, place=value.place, symbol=value.symbol)
    return ListValue.of(part, open=is_open(value))


def _slice(items: tuple[Value, ...], lower: int | None, upper: int | None, step: int | None) -> tuple[Value, ...]:
    """A slice of items with splices; of `[:-k]` only the end is laid out in its variants, the rest stays as it is."""
    kept: tuple[Value, ...] = ()
    if not lower and step is None and upper is not None and upper < 0:
        needed, position = -upper, len(items)
        while needed > 0 and position > 0:
            position -= 1
            needed -= not isinstance(items[position], Splice)
        kept, items = items[:position], items[position:]
    return kept + join_items([run[slice(lower, upper, step)] for run in variants(items)])


def unpack(vm: Machine, value: Value, size: int, starred: bool) -> list[Value] | None:
    """The items that an unpacking of `size` targets gets, or None where they cannot be told."""
    if isinstance(value, Tensor):
        return [value] * size
    items, more = items_of(vm, value)
    if (len(items) == size and not more) or (starred and len(items) >= size - 1):
        return items
    return items[:size] if len(items) >= size and more else None


def contains(container: Value, item: Value) -> bool | None:
    """Whether `item in container`; None where it cannot be told."""
    if isinstance(item, Symbol | ClassValue):
        return _contains_name(container, item)
    if not isinstance(item, Const):
        return None
    if isinstance(container, Const) and isinstance(container.value, str) and isinstance(item.value, str):
        return item.value in container.value
    if isinstance(container, DictValue):
        return True if item.value in container.entries else (None if container.open else False)
    items = raw_items(container)
    if items is None or not all(isinstance(each, Const) for each in items) or is_open(container):
        return None
    return any(each.value == item.value for each in items if isinstance(each, Const))


def _contains_name(container: Value, item: Symbol | ClassValue) -> bool | None:
    """Whether a class is among others (`type(m) in (nn.Linear, nn.Conv2d)`)."""
    items = raw_items(container)
    if items is None or is_open(container) or not all(isinstance(each, Symbol | ClassValue) for each in items):
        return None
    return any(each is item or (isinstance(each, Symbol) and each.name == item.name) for each in items)


def length(value: Value) -> Value:
    """The value of `len(value)`."""
    items: Any = raw_items(value)
    if items is None or is_open(value) or any(isinstance(item, Splice) for item in items):
        return Unknown("a length that is not known")
    return Const(len(items))
