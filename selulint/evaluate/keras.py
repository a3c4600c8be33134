"""Keras: layers with an activation and initialisers in their arguments, functional models, wrappers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from selulint.evaluate.building import Draft, constants, sources, tensors_in
from selulint.evaluate.initialise import UNKNOWN_INIT, Fans, window
from selulint.evaluate.machine import Machine
from selulint.evaluate.tensors import as_tensor, opaque
from selulint.evaluate.values import (
    BoundMethod,
    Const,
    DictValue,
    Either,
    FunctionValue,
    Layer,
    ListValue,
    Partial,
    Symbol,
    Tensor,
    TupleValue,
    Unknown,
    Value,
)
from selulint.frameworks import SPECS, Spec
from selulint.frameworks.keras import ACTIVATION_STRINGS, INITIALISER_STRINGS
from selulint.graph import Init, Kind, Place
from selulint.moments.initial import gain

if TYPE_CHECKING:
    from selulint.evaluate.calls import Arguments

INPUT = Spec("reshape", "", "input")
_MODEL = Spec("container", "", "keras_model")
_SEQUENTIAL = Spec("container", "layers=None, trainable=True, name=None", "sequential")
_KINDS = {kind.value: kind for kind in Kind}
_KERNELS = {"depthwise_conv1d": "depthwise_initializer", "depthwise_conv2d": "depthwise_initializer"}


def is_keras(name: str) -> bool:
    return name.startswith("keras.")


def special(vm: Machine, symbol: Symbol, args: Arguments, place: Place) -> Value | None:
    """What is no plain layer: inputs, models, wrappers, lambdas. None for everything else."""
    last = symbol.name.rpartition(".")[2]
    if last in ("Input", "InputLayer"):
        return vm.builder.input(features=_last_size(args))
    if last == "Sequential":
        from selulint.evaluate.layers import fill

        layer = Layer(name="keras.Sequential", spec=_SEQUENTIAL, place=place, symbol=symbol.place)
        fill(vm, layer, args)
        vm.created.append(layer)
        return layer
    if last in ("Model", "Functional") and any(tensors_in(value) for value in args.all):
        inputs, outputs = args.get("inputs", 0), args.get("outputs", 1)
        cells: dict[str, Any] = {"inputs": inputs, "outputs": outputs, "builder": vm.builder}
        return Layer(cells, name="keras.Model", spec=_MODEL, place=place, symbol=symbol.place)
    if last == "TimeDistributed" and args.all:
        return args.all[0]
    if last == "Bidirectional" and args.all:
        return _both_ways(vm, args)
    if symbol.name in _GETTERS and args.all:
        return _get(vm, symbol.name, args.all[0])
    if last in ("get_custom_objects", "custom_object_scope", "CustomObjectScope"):
        for given in args.positional:
            vm.custom.cells.update(given.entries if isinstance(given, DictValue) else {})
        return vm.custom
    if last == "Lambda" and args.all and isinstance(args.all[0], FunctionValue | Symbol | Partial):
        return args.all[0]
    return None


def _both_ways(vm: Machine, args: Arguments) -> Value:
    """`Bidirectional`: the layer that it wraps, whose output is as wide as the merge of both directions makes it."""
    layer, mode = args.all[0], args.get("merge_mode", 1)
    if isinstance(layer, Layer):
        concatenates = mode is None or (isinstance(mode, Const) and mode.value == "concat")
        same = isinstance(mode, Const) and mode.value in ("sum", "mul", "ave")
        vm.write(layer, "directions", 2 if concatenates else int(same))
    return layer


_GETTERS = frozenset(
    {"keras.activations.get", "keras.initializers.get", "keras.regularizers.get", "keras.constraints.get"}
)


def _get(vm: Machine, getter: str, wanted: Value) -> Value:
    """What `keras.activations.get(...)` and its like give: what a name stands for, everything else as it is."""
    if getter != "keras.activations.get" or not isinstance(wanted, Const):
        return wanted
    if wanted.value is None:
        return Symbol("keras.activations.linear")
    canonical = ACTIVATION_STRINGS.get(wanted.value) if isinstance(wanted.value, str) else None
    if canonical is not None:
        return Symbol(canonical, wanted.place, wanted.chooser or vm.chooser)
    return vm.custom.entries.get(wanted.value) or Unknown("an activation that is not known")


def _last_size(args: Arguments) -> int | None:
    shape = args.get("shape", 0) or args.get("input_shape")
    return _last(shape)


def _last(shape: Value | None) -> int | None:
    items = shape.items if isinstance(shape, TupleValue | ListValue) else ()
    size = items[-1].value if items and isinstance(items[-1], Const) else None
    return size if isinstance(size, int) else None


def apply(vm: Machine, layer: Layer, inputs: list[Tensor], place: Place) -> Value:
    """Apply a Keras layer, then the activation that its arguments ask for."""
    kind = _KINDS.get(layer.spec.kind, Kind.OPAQUE)
    features = [vm.builder.features(tensor) for tensor in inputs]
    size = features[0] if len(set(features)) == 1 else None
    if layer.spec is INPUT:
        return vm.builder.emit(
            Draft(Kind.RESHAPE, layer.name, "identity", sources(inputs), features=layer.cells.get("features"))
        )
    if kind is Kind.ACTIVATION:
        return _apply_activation(vm, layer, inputs, place, size)
    if kind is Kind.PARAMETRIC:
        return _apply_parametric(vm, layer, inputs, place, size)
    if layer.spec.function in ("flatten", "reshape", "repeat_vector") or kind in (Kind.MERGE, Kind.OPAQUE):
        size = None
    return vm.builder.emit(
        Draft(
            kind,
            layer.name,
            layer.spec.function,
            sources(inputs),
            layer.place,
            layer.symbol,
            place,
            layer,
            constants(layer.args),
            layer.chooser,
            features=size,
        )
    )


def _apply_activation(vm: Machine, layer: Layer, inputs: list[Tensor], place: Place, size: int | None) -> Value:
    tensor = inputs[0]
    if layer.spec.function == "activation":
        wanted = layer.args.get("activation", Unknown("no activation"))
        return activate(vm, wanted, tensor, layer.place or place, place, layer)
    return vm.builder.emit(
        Draft(
            Kind.ACTIVATION,
            layer.name,
            layer.spec.function,
            sources(inputs),
            layer.place,
            layer.symbol,
            place,
            layer,
            constants(layer.args),
            layer.chooser,
            features=size,
        )
    )


def _apply_parametric(vm: Machine, layer: Layer, inputs: list[Tensor], place: Place, size: int | None) -> Value:
    declared = _last(layer.args.get("input_shape")) or layer.constant("input_dim")
    size = size or (declared if isinstance(declared, int) else None)
    units = layer.constant("units") or layer.constant("filters")
    sizes = fans(layer, size, units if isinstance(units, int) else None)
    draft = Draft(
        Kind.PARAMETRIC,
        layer.name,
        layer.spec.function,
        sources(inputs),
        layer.place,
        layer.symbol,
        place,
        layer,
        constants(layer.args),
        layer.chooser,
        features=units * layer.cells.get("directions", 1) or None if isinstance(units, int) else None,
        fan_in=sizes.true,
        fan_out=sizes.fan_out,
        weight=_kernel_init(layer, sizes),
    )
    result = vm.builder.emit(draft)
    wanted = layer.args.get("activation")
    return result if wanted is None else activate(vm, wanted, result, layer.place or place, place, None)


def fans(layer: Layer, size: int | None, units: int | None) -> Fans:
    """Fans of a Keras kernel as Keras computes them, and the fan_in of one unit."""
    function = layer.spec.function
    if function == "linear":
        return Fans(size, units, size)
    kernel = window(layer, "kernel_size")
    if not function.startswith(("conv", "depthwise_conv")) or kernel is None:
        return Fans(None, None, None)
    groups = layer.constant("groups") or 1
    if function.startswith("depthwise"):
        return Fans(size * kernel if size else None, kernel * (layer.constant("depth_multiplier") or 1), kernel)
    if "transpose" in function:
        stride = window(layer, "strides") or 1.0
        out = units * kernel if units else None
        return Fans(out, size * kernel if size else None, size * kernel / stride if size else None)
    return Fans(
        size / groups * kernel if size else None,
        units * kernel if units else None,
        size / groups * kernel if size else None,
    )


def _kernel_init(layer: Layer, sizes: Fans) -> Init:
    name = _KERNELS.get(layer.spec.function, "kernel_initializer")
    wanted = layer.args.get(name)
    if wanted is None or (isinstance(wanted, Const) and wanted.place is None and not wanted.assumed):
        law = layer.spec.init
        return Init("default", _gain(layer, law, {}, sizes), True, None) if law else UNKNOWN_INIT
    if isinstance(wanted, Const) and isinstance(wanted.value, str):
        canonical = INITIALISER_STRINGS.get(wanted.value)
        if canonical is None:
            return UNKNOWN_INIT
        law = canonical.rpartition(".")[2]
        return Init(law, _gain(layer, law, _defaults(canonical), sizes), False, wanted.place)
    if isinstance(wanted, Layer) and wanted.spec.kind == "initialiser":
        law = wanted.name.rpartition(".")[2]
        known = constants(wanted.args)
        missing = [key for key in wanted.args if key not in known and key != "seed"]
        value = None if missing else _gain(layer, law, known, sizes)
        return Init(law, value, False, wanted.place, known if not missing else {"unknown": tuple(missing)})
    if isinstance(wanted, Symbol) and wanted.name in SPECS and SPECS[wanted.name].kind == "initialiser":
        law = wanted.name.rpartition(".")[2]
        return Init(law, _gain(layer, law, _defaults(wanted.name), sizes), False, wanted.place)
    return UNKNOWN_INIT


def _defaults(name: str) -> dict[str, Any]:
    from selulint.evaluate.layers import parameters

    spec = SPECS.get(name)
    return constants(parameters(spec.signature)[1]) if spec else {}


def _gain(layer: Layer, law: str, args: dict[str, Any], sizes: Fans) -> float | None:
    units = layer.constant("units") or layer.constant("filters")
    value = gain(law, args, sizes.fan_in, sizes.fan_out, units=units if isinstance(units, int) else None)
    if sizes.fan_in == sizes.true and "transpose" not in layer.spec.function and "depthwise" not in layer.spec.function:
        return value
    return value * sizes.true / sizes.fan_in if value is not None and sizes.true and sizes.fan_in else None


def activate(vm: Machine, wanted: Value, tensor: Tensor, fallback: Place, call: Place, layer: Layer | None) -> Value:
    """Apply what an `activation` argument stands for: a string, a function, a layer, or nothing."""
    from selulint.evaluate.calls import NO_ARGUMENTS
    from selulint.evaluate.calls import call as call_value

    match wanted:
        case Const(value=None) | Const(value="linear"):
            return tensor
        case Const(value=str() as name):
            canonical = ACTIVATION_STRINGS.get(name)
            if name in vm.custom.entries:
                return as_tensor(call_value(vm, vm.custom.entries[name], NO_ARGUMENTS.prepend(tensor), call))
            spec = SPECS.get(canonical) if canonical else None
            if canonical is None or spec is None:
                return opaque(vm, f"activation {name!r}", [tensor], call)
            place = wanted.place or fallback
            return _emit_activation(vm, canonical, spec, tensor, place, place, call, layer, wanted)
        case Symbol() if wanted.name in SPECS and SPECS[wanted.name].kind == "activation":
            spec = SPECS[wanted.name]
            place = wanted.place or fallback
            return _emit_activation(vm, wanted.name, spec, tensor, place, wanted.place, call, layer, wanted)
        case Symbol() if wanted.name in SPECS and SPECS[wanted.name].function == "identity":
            return tensor
        case Layer():
            return apply(vm, wanted, [tensor], call)
        case FunctionValue() | Partial() | BoundMethod() | Either():
            return as_tensor(call_value(vm, wanted, NO_ARGUMENTS.prepend(tensor), call))
    return opaque(vm, "an activation that is not known", [tensor], call)


def _emit_activation(
    vm: Machine,
    name: str,
    spec: Spec,
    tensor: Tensor,
    place: Place,
    symbol: Place | None,
    call: Place,
    layer: Layer | None,
    wanted: Const | Symbol,
) -> Tensor:
    chooser = wanted.chooser if isinstance(wanted, Symbol) else vm.chooser
    draft = Draft(Kind.ACTIVATION, name, spec.function, tensor.sources, place, symbol, call, layer, {}, chooser)
    return vm.builder.emit(replace(draft, features=vm.builder.features(tensor)))
