"""Keras models: functional ones used as layers, `build`, and the variables of a layer of the user's own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from selulint.evaluate import keras, layers
from selulint.evaluate.building import Draft, constants, sources, tensors_in
from selulint.evaluate.machine import Machine
from selulint.evaluate.tensors import opaque
from selulint.evaluate.values import (
    Const,
    FunctionValue,
    Instance,
    Layer,
    ListValue,
    Symbol,
    Tensor,
    TupleValue,
    Unknown,
    Value,
)
from selulint.frameworks import SPECS, Spec
from selulint.frameworks.keras import INITIALISER_STRINGS
from selulint.graph import Init, Kind, Place

if TYPE_CHECKING:
    from selulint.evaluate.calls import Arguments

_VARIABLE = Spec("other", "", "parameter")
_BUILT = "built by call"


def apply_model(vm: Machine, layer: Layer, args: Arguments, place: Place) -> Value:
    """A functional model used as a layer: its ops once more, on the new tensors."""
    inputs, outputs, builder = layer.cells["inputs"], layer.cells["outputs"], layer.cells["builder"]
    given = [tensor for value in args.all for tensor in tensors_in(value)]
    if not given or inputs is None or outputs is None:
        return opaque(vm, "a model used as a layer", args.all, place)
    entries = list(dict.fromkeys(source for tensor in tensors_in(inputs) for source in tensor.sources))
    if builder is vm.builder and _joins(vm, entries, given):
        result: Value = outputs
        return result
    fed = given if len(given) == len(entries) else [Tensor(sources(given))] * len(entries)
    copies: dict[int, tuple[int, ...]] = {entry: tensor.sources for entry, tensor in zip(entries, fed, strict=True)}
    for index in _between(builder.ops, set(entries), sources(tensors_in(outputs))):
        draft = builder.ops[index]
        reads = tuple(dict.fromkeys(copy for source in draft.inputs for copy in copies.get(source, (source,))))
        copies[index] = vm.builder.emit(replace(draft, inputs=reads)).sources
    return _mapped(outputs, copies)


def _joins(vm: Machine, entries: list[int], given: list[Tensor]) -> bool:
    """Make an input that stands behind what it is given a mere name for it, so that nothing need be copied."""
    for entry in entries:
        op = vm.builder.ops[entry]
        if op.kind is not Kind.INPUT or any(index >= entry for index in sources(given)):
            return False
    for entry in entries:
        op = vm.builder.ops[entry]
        op.kind, op.function, op.inputs = Kind.RESHAPE, "identity", sources(given)
    return True


def _between(ops: list[Draft], entries: set[int], ends: tuple[int, ...]) -> list[int]:
    """The ops that the ends depend on, without the entries, in order."""
    needed: set[int] = set()
    stack = list(ends)
    while stack:
        index = stack.pop()
        if index not in needed and index not in entries:
            needed.add(index)
            stack.extend(ops[index].inputs)
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


def build_once(vm: Machine, instance: Instance, args: Arguments, place: Place) -> None:
    """What Keras does before the first call: `build` with the shape of the inputs."""
    method = instance.cls.find("build")
    if not isinstance(method, FunctionValue) or _BUILT in instance.cells or not args.positional:
        return
    if any(isinstance(base, Symbol) and keras.is_keras(base.name) for base in instance.cls.mro()):
        vm.write(instance, _BUILT, NONE_YET)
        from selulint.evaluate.calls import NO_ARGUMENTS, invoke

        invoke(vm, method, NO_ARGUMENTS.prepend(instance, Unknown("a shape")), place)


NONE_YET = Const(True)


def variable(args: Arguments, place: Place) -> Layer:
    """What `add_weight` gives: a variable with its initialiser."""
    shape = args.get("shape", 0)
    if isinstance(shape, Const) and isinstance(shape.value, str):
        shape = args.get("shape", 1)
    given = {name: value for name, value in args.keywords.items() if name in ("initializer", "name")}
    return Layer({"shape": shape}, name="keras.Variable", spec=_VARIABLE, args=given, place=place)


def apply_variable(vm: Machine, owner: Layer, inputs: list[Tensor], place: Place) -> Value:
    """A product with a variable: a layer of its own."""
    sizes = {vm.builder.features(tensor) for tensor in inputs}
    size = sizes.pop() if len(sizes) == 1 else None
    shape = owner.cells.get("shape")
    items = shape.items if isinstance(shape, TupleValue | ListValue) else ()
    numbers = [item.value if isinstance(item, Const) and isinstance(item.value, int) else None for item in items]
    units = numbers[-1] if len(numbers) == 2 else None
    fan_in = size or (numbers[0] if len(numbers) == 2 else None)
    draft = Draft(
        Kind.PARAMETRIC,
        owner.name,
        "matmul",
        sources(inputs),
        owner.place,
        call=place,
        layer=owner,
        features=units,
        fan_in=fan_in,
        fan_out=units,
        weight=_init(owner, fan_in, units),
    )
    return vm.builder.emit(draft)


def _init(owner: Layer, fan_in: float | None, units: int | None) -> Init:
    from selulint.moments.initial import gain

    wanted = owner.args.get("initializer")
    if wanted is None:
        return Init("default", gain("glorot_uniform", {}, fan_in, units, units=units), True, None)
    place = wanted.place if isinstance(wanted, Const | Layer | Symbol) else None
    known = {}
    name = None
    if isinstance(wanted, Const):
        name = INITIALISER_STRINGS.get(wanted.value) if isinstance(wanted.value, str) else None
    elif isinstance(wanted, Layer | Symbol) and wanted.name in SPECS and SPECS[wanted.name].kind == "initialiser":
        name = wanted.name
        known = constants(wanted.args) if isinstance(wanted, Layer) else {}
    if name is None:
        return Init("unknown", None, False, place)
    defaults = constants(layers.parameters(SPECS[name].signature)[1])
    law = name.rpartition(".")[2]
    return Init(law, gain(law, {**defaults, **known}, fan_in, units, units=units), False, place, known)
