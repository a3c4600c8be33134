"""Lists, tuples, dicts, ranges and containers as sequences of abstract values."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from selulint.evaluate import arrays, tensors
from selulint.evaluate.building import tensors_in
from selulint.evaluate.joining import flatten, join, join_items
from selulint.evaluate.limits import MAX_ITEMS, MAX_OPTIONS
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
    More,
    Round,
    Shape,
    Splice,
    Symbol,
    Tensor,
    TupleValue,
    Unknown,
    Value,
)
from selulint.frameworks import SPECS
from selulint.graph import Place

MAX_VARIANTS = 16
# Going through this many items takes about as long as one step of evaluation.
ITEMS_PER_STEP = 64
_SEQUENTIAL = "torch.nn.Sequential"


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
        case Layer() | Instance() if "keyed" in value.cells:
            return tuple(Const(key[1:]) for key in value.cells if key[:1] == ".")
        case DictValue():
            return keys_of(value)
        case Const(value=str()):
            return tuple(Const(character) for character in value.value[:64])
    return None


def keys_of(value: DictValue) -> tuple[Value, ...]:
    """The keys of a dict; an entry under a key that nobody knows has the unknown value itself as its key."""
    return tuple([key if isinstance(key, Value) else Const(key) for key in value.entries])


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
    elif more and not items and (not current or type(current[-1]) is not More):
        items = (More(),)
    vm.budget -= len(current) // ITEMS_PER_STEP
    vm.write(target, "items", (*current, *items))
    if more and isinstance(target, ListValue):
        target.open = True  # `write` has told of it
    elif more:
        vm.write(target, "open", True)


def extend_by(vm: Machine, target: Value, value: Value) -> None:
    """Append the items of a sequence; of several sequences that it may be, as alternative runs."""
    if isinstance(value, Either):
        runs = tuple(raw_items(option) or (More(),) for option in value.options)
        extend(vm, target, [Splice(runs)], any(map(is_open, value.options)))
        return
    items = raw_items(value)
    extend(vm, target, items or (), items is None or is_open(value))


def combine(operation: type, left: Value, right: Value) -> Value:
    """Concatenation and repetition of lists, tuples and containers; the union of dicts."""
    if isinstance(left, DictValue) and isinstance(right, DictValue) and operation is ast.BitOr:
        return DictValue({**left.entries, **right.entries}, open=left.open or right.open, outside=right.outside)
    first, second = raw_items(left), raw_items(right)
    if operation is ast.Add and (first is not None or second is not None):
        if not all(items is not None or isinstance(side, Unknown) for items, side in ((first, left), (second, right))):
            return Unknown("an operation on values that are not known")
        known = [(More(),) if items is None else items for items in (first, second)]
        total = sum(map(len, known))
        more = first is None or second is None or is_open(left) or is_open(right) or total > MAX_ITEMS
        return like(left if first is not None else right, (*known[0], *known[1])[:MAX_ITEMS], more)
    if operation is ast.Mult:
        sequence, count = (first, right) if first is not None else (second, left)
        if sequence is not None:
            times = count.value if isinstance(count, Const) and isinstance(count.value, int) else None
            if times is not None and times * len(sequence) <= MAX_ITEMS:
                return like(left if first is not None else right, sequence * times, False)
            return ListValue.of(sequence * 2, open=True)
    return Unknown("an operation on values that are not known")


def like(model: Value, items: tuple[Value, ...], more: bool) -> Value:
    """A sequence of the same kind with other items."""
    if isinstance(model, Layer | Instance):
        cells: dict[str, Any] = {"items": items, "open": more}
        if isinstance(model, Instance):
            return Layer(cells, name=_SEQUENTIAL, spec=SPECS[_SEQUENTIAL], place=model.place)
        return Layer(cells, name=model.name, spec=model.spec, place=model.place, symbol=model.symbol)
    return TupleValue(items) if isinstance(model, TupleValue) and not more else ListValue.of(items, open=more)


def get_item(vm: Machine, value: Value, index: Value, place: Place) -> Value:
    """The value of `value[index]`."""
    if isinstance(value, Tensor) or (isinstance(value, BoundMethod) and tensors_in(value.receiver)):
        return tensors.index(vm, value, place, index)
    found: Value
    if isinstance(value, Either):
        found = join([get_item(vm, option, index, place) for option in value.options])
        return found
    if isinstance(value, Unknown):
        if isinstance(index, Const) and isinstance(index.value, int | str):
            return vm.part(value, (index.value,))
        return Unknown("an item of something unknown", value.parameter)
    if isinstance(value, Array | ModuleAttribute):
        return arrays.item(value)
    if isinstance(value, Shape):
        is_last = isinstance(index, Const) and index.value == -1 and value.last is not None
        return Const(value.last) if is_last else Unknown("a size of a tensor")
    if isinstance(index, Either):
        found = join([get_item(vm, value, option, place) for option in index.options])
        return found
    if isinstance(index, Round) and (index.is_first or is_open(value)):
        index = Const(index.index)  # in a sequence as long as the loop, the second item stands for all that follow
    if not isinstance(index, Const):
        return _any_item(vm, value)
    if isinstance(value, DictValue | Layer | Instance) and not isinstance(index.value, int):
        if index.assumed and isinstance(value, DictValue):
            vm.ask(index, *keys_of(value))
        if isinstance(value, DictValue) and value.fed and index.value not in value.entries:
            vm.write(value, index.value, vm.builder.input())
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
    found = join([run[index.value] for run in runs]) if runs else Unknown("an item past what is known")
    return found


def _any_item(vm: Machine, value: Value) -> Value:
    """What an index that nobody knows takes out of a sequence of modules: one of them.

    So it is with a table of models in a script; which blocks a constructor takes out of one stays unknown.
    A choice among activations stays unknown: nothing that is said about one of them would be said of the model.
    """
    cells = getattr(value, "cells", {})
    if isinstance(value, DictValue):
        items = list(value.entries.values())
    elif "keyed" in cells:
        items = [each for key, each in cells.items() if key[:1] == "."]
    else:
        items = list(raw_items(value) or ())
    options = [item for item in flatten(items) if type(item) is not More]
    is_dict = isinstance(value, DictValue)
    is_choice = is_dict and not vm.order.building and all(isinstance(each, ClassValue) for each in options)
    if not options or is_open(value) or (is_dict and not is_choice) or len(options) > MAX_OPTIONS:
        return Unknown("an index that is not known")
    if any(isinstance(each, Layer) and each.spec.kind == "activation" for each in options):
        return Unknown("an activation that callers choose")
    found: Value = join(options)
    return found


def _entry(value: DictValue | Layer | Instance, index: Const) -> Value:
    key = index.value if isinstance(value, DictValue) else f".{index.value}"
    if key.__hash__ is None or key not in value.cells:
        return Unknown(f"key {index.value!r}", parameter=isinstance(value, DictValue) and value.open)
    found: Value = value.cells[key]
    if isinstance(found, Symbol) and index.assumed:
        return Symbol(found.name, found.place, index.place)
    return found


def set_entry(vm: Machine, owner: DictValue, key: Value, value: Value) -> None:
    """Write an entry of a dict; what is stored under a key that nobody knows is an entry of its own."""
    if isinstance(key, Const | Round):
        name = key.value if isinstance(key, Const) else key.index
        if name.__hash__ is not None:
            vm.write(owner, name, value)
            return
    elif isinstance(key, Unknown):
        vm.write(owner, key, value)
    vm.touch(owner)
    owner.open = True


def set_item(vm: Machine, owner: Value, index: Value, value: Value) -> None:
    """Write `owner[index] = value`."""
    if isinstance(owner, DictValue):
        set_entry(vm, owner, index, value)
    elif isinstance(owner, Layer | Instance) and isinstance(index, Const) and isinstance(index.value, str):
        vm.write(owner, f".{index.value}", value)
    elif isinstance(owner, Layer | Instance) and "keyed" in owner.cells:
        vm.write(owner, f".?{len(owner.cells)}", value)
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
    return like(value, part, is_open(value))


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


def entries_of(vm: Machine, value: Value) -> tuple[dict[Any, Value], bool]:
    """The entries of a dict or of a sequence of pairs, and whether there may be others."""
    if isinstance(value, DictValue):
        return dict(value.entries), value.open
    if "keyed" in getattr(value, "cells", ()):
        return {key[1:]: each for key, each in value.cells.items() if key[:1] == "."}, is_open(value)  # type: ignore[attr-defined]
    items, more = items_of(vm, value)
    entries: dict[Any, Value] = {}
    for item in items:
        pair = raw_items(item) or ()
        if len(pair) == 2 and isinstance(pair[0], Const) and pair[0].value.__hash__ is not None:
            entries[pair[0].value] = pair[1]
            continue
        if len(pair) == 2 and type(pair[0]) is not More and isinstance(pair[0], Unknown):
            entries[pair[0]] = pair[1]
        more = True
    return entries, more


def delete_item(vm: Machine, owner: Value, index: Value) -> Value:
    """Take `owner[index]` out of a list, container or dict, and give it back."""
    if isinstance(owner, Either):
        return Unknown("an item of one of several")
    if isinstance(owner, DictValue) or "keyed" in getattr(owner, "cells", ()):
        key = index.value if isinstance(index, Const) else None
        key = key if isinstance(owner, DictValue) else f".{key}"
        return vm.remove(owner, key) or Unknown("an item that is not known")  # type: ignore[arg-type]
    items = list(owner.cells.get("items", ())) if isinstance(owner, ListValue | Layer | Instance) else []
    position = index.value if isinstance(index, Const) and isinstance(index.value, int) else None
    if position is None or not -len(items) <= position < len(items):
        return Unknown("an item that is not known")
    if position == -1 and isinstance(items[-1], Splice):
        last = join([run[-1] for run in variants(items) if run])
        vm.write(owner, "items", _slice(tuple(items), None, -1, None))  # type: ignore[arg-type]
        return last  # type: ignore[no-any-return]
    taken: Value = items.pop(position)
    vm.write(owner, "items", tuple(items))  # type: ignore[arg-type]
    return taken


def set_slice(vm: Machine, owner: Value, bounds: Sequence[Value], value: Value) -> None:
    """Write `owner[a:b] = value`; a value without items deletes the slice."""
    known = [bound.value for bound in bounds if isinstance(bound, Const)]
    given = raw_items(value)
    if not isinstance(owner, ListValue | Layer | Instance) or len(known) != len(bounds) or given is None:
        return
    items = list(owner.cells.get("items", ()))
    try:
        items[slice(*known)] = given
    except (TypeError, ValueError):
        return
    vm.write(owner, "items", tuple(items))


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
    if items is None:
        return None
    if any(each.value == item.value for each in items if isinstance(each, Const)):
        return True
    return None if is_open(container) or not all(isinstance(each, Const) for each in items) else False


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
