"""Functional Keras models used as layers: their ops once more, on other tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from selulint.evaluate.building import Builder, sources, tensors_in
from selulint.evaluate.machine import Machine
from selulint.evaluate.tensors import opaque
from selulint.evaluate.values import Layer, ListValue, Tensor, TupleValue, Value
from selulint.graph import Kind, Place

if TYPE_CHECKING:
    from selulint.evaluate.calls import Arguments


def apply_model(vm: Machine, layer: Layer, args: Arguments, place: Place) -> Value:
    """A functional model used as a layer: its ops once more, on the new tensors."""
    inputs, outputs, builder = layer.cells["inputs"], layer.cells["outputs"], layer.cells["builder"]
    given = [tensor for value in args.all for tensor in tensors_in(value)]
    if not given or inputs is None or outputs is None:
        return opaque(vm, "a model used as a layer", args.all, place)
    entries = list(dict.fromkeys(source for tensor in tensors_in(inputs) for source in tensor.sources))
    if not entries:
        return opaque(vm, "a model whose inputs are not known", args.all, place)
    if builder is vm.builder and _joins(vm, entries, given):
        result: Value = outputs
        return result
    fed = given if len(given) == len(entries) else [Tensor(sources(given))] * len(entries)
    copies: dict[int, tuple[int, ...]] = {entry: tensor.sources for entry, tensor in zip(entries, fed, strict=True)}
    inner = _between(builder, set(entries), sources(tensors_in(outputs)))
    if not vm.builder.has_room(len(inner)):
        return vm.builder.overflow()
    for index in inner:
        draft = builder.op(index)
        reads = tuple(dict.fromkeys(copy for source in draft.inputs for copy in copies.get(source, (source,))))
        copies[index] = vm.builder.emit(draft.copy(reads, draft.layer)).sources
    vm.oldest_written = 0  # what it copies is not told by its arguments: not to be repeated
    return _mapped(outputs, copies)


def _joins(vm: Machine, entries: list[int], given: list[Tensor]) -> bool:
    """Make an input that stands behind what it is given a mere name for it, so that nothing need be copied."""
    ops = [vm.builder.op(entry) for entry in entries]
    if any(op.kind is not Kind.INPUT for op in ops) or any(index >= min(entries) for index in sources(given)):
        return False
    for op in ops:
        op.kind, op.function, op.inputs = Kind.RESHAPE, "identity", sources(given)
    vm.oldest_written = 0  # an op that was there before has changed: not to be repeated
    return True


def _between(builder: Builder, entries: set[int], ends: tuple[int, ...]) -> list[int]:
    """The ops that the ends depend on, without the entries, in order."""
    needed: set[int] = set()
    stack = list(ends)
    while stack:
        index = stack.pop()
        if index not in needed and index not in entries and builder.base <= index < builder.end:
            needed.add(index)
            stack.extend(builder.op(index).inputs)
    return sorted(needed)


def _mapped(value: Value, copies: dict[int, tuple[int, ...]]) -> Value:
    match value:
        case Tensor():
            return Tensor(tuple(dict.fromkeys(copy for source in value.sources for copy in copies.get(source, ()))))
        case TupleValue():
            return TupleValue(tuple(_mapped(item, copies) for item in value.items))
        case ListValue():
            return ListValue.of([_mapped(item, copies) for item in value.items], open=value.open)
    return value
