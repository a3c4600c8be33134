"""Keras: layers with an activation and initialisers in their arguments, functional models, wrappers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from selulint.evaluate import parametrise
from selulint.evaluate.building import Draft, constants, sources, tensors_in
from selulint.evaluate.keras_weights import bias_init, fans, kernel_init, role, units, width
from selulint.evaluate.machine import Machine
from selulint.evaluate.tensors import as_tensor, opaque
from selulint.evaluate.values import (
    BoundMethod,
    Const,
    DictValue,
    Either,
    FunctionValue,
    Instance,
    Layer,
    ListValue,
    Partial,
    Symbol,
    Tensor,
    TupleValue,
    Unknown,
    Value,
)
from selulint.frameworks import ACTIVATIONS, SPECS, Spec
from selulint.frameworks.keras import ACTIVATION_STRINGS
from selulint.graph import Kind, Place

if TYPE_CHECKING:
    from selulint.evaluate.calls import Arguments

INPUT = Spec("reshape", "", "input")
_MODEL = Spec("container", "", "keras_model")
_SEQUENTIAL = Spec("container", "layers=None, trainable=True, name=None", "sequential")
_KINDS = {kind.value: kind for kind in Kind}
# Layers that take initialisers, and mostly activations, as arguments.
_DECLARED = ("keras.", "tensorflow.layers.", "tensorflow.contrib.", "flax.", "haiku.", "jax.")


def is_keras(name: str) -> bool:
    return name.startswith("keras.")


def is_declared(name: str) -> bool:
    return name.startswith(_DECLARED)


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
        inputs = args.get("inputs", 0) or args.get("input")
        outputs = args.get("outputs", 1) or args.get("output")
        cells: dict[str, Any] = {"inputs": inputs, "outputs": outputs, "builder": vm.builder}
        return Layer(cells, name="keras.Model", spec=_MODEL, place=place, symbol=symbol.place)
    if last == "SpectralNormalization" and args.all:
        return parametrise.wrapped(vm, args.all[0], "spectral_norm", place)
    if last == "TimeDistributed" and args.all:
        return args.all[0]
    if last == "Bidirectional" and args.all:
        return _both_ways(vm, args)
    if symbol.name in _GETTERS and args.all:
        return _get(vm, symbol.name, args.all[0])
    if last in ("get_custom_objects", "custom_object_scope", "CustomObjectScope"):
        for given in args.positional:
            vm.custom.cells.update(given.entries if isinstance(given, DictValue) else {})
        vm.touch(vm.custom)
        vm.generation += 1  # the same layer may mean something else now
        return vm.custom
    if last == "Lambda" and args.all and isinstance(args.all[0], FunctionValue | Symbol | Partial):
        return args.all[0]
    return None


def is_model(module: Layer | Instance) -> bool:
    """Whether a module is a model of Keras, of its own class or of one in the file."""
    if isinstance(module, Layer):
        return module.is_container and is_keras(module.name)
    return any(isinstance(base, Symbol) and is_keras(base.name) for base in module.cls.mro())


def compile_model(vm: Machine, model: Layer | Instance) -> None:
    """`model.compile(...)`: what the model returns is compared with targets."""
    if "builder" in model.cells:
        if model.cells["builder"] is vm.builder and model.cells["outputs"] is not None:
            vm.builder.targets |= set(sources(tensors_in(model.cells["outputs"])))
    else:
        model.cells["compiled"] = True


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
    result = vm.builder.emit(
        Draft(
            kind,
            layer.name,
            layer.spec.function,
            sources(inputs),
            layer.place,
            layer.symbol,
            place,
            layer,
            _told(layer),
            layer.chooser,
            features=size,
        )
    )
    return _finish(vm, layer, result, place) if kind is Kind.NORM else result


def _told(layer: Layer) -> dict[str, Any]:
    """The constant arguments of a layer; a dropout that is told what to keep drops the rest."""
    known = constants(layer.args)
    if isinstance(known.get("keep_prob"), int | float):
        known["rate"] = 1 - known["keep_prob"]
    return known


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
    size = size or width(layer) or (declared if isinstance(declared, int) else None)
    count = units(layer)
    sizes = fans(layer, size, count)
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
        features=_channels(layer, size, count),
        fan_in=sizes.true,
        fan_out=sizes.fan_out,
        weight=parametrise.seen_through(layer, kernel_init(vm, layer, sizes, size, place)),
        bias=bias_init(layer),
    )
    return _finish(vm, layer, vm.builder.emit(draft), place)


def _finish(vm: Machine, layer: Layer, result: Tensor, place: Place) -> Value:
    """The norm (Slim only) and the activation that a layer applies to what it computes."""
    normalizer, wanted = layer.args.get("normalizer_fn"), role(layer, ACTIVATIONS)
    if normalizer is not None:
        normalized = as_tensor(_normalize(vm, normalizer, layer.args.get("normalizer_params"), result, place))
        result = normalized if isinstance(normalized, Tensor) else result
    return result if wanted is None else activate(vm, wanted, result, layer.place or place, place, None, layer)


def _normalize(vm: Machine, wanted: Value, params: Value | None, tensor: Tensor, place: Place) -> Value:
    from selulint.evaluate.calls import NO_ARGUMENTS, Arguments, call

    if isinstance(wanted, Const):
        return tensor
    keywords = {str(key): value for key, value in params.entries.items()} if isinstance(params, DictValue) else {}
    if isinstance(wanted, Unknown):
        return opaque(vm, "a norm that is not known", [tensor], place)
    return call(vm, wanted, Arguments((tensor,), keywords) if keywords else NO_ARGUMENTS.prepend(tensor), place)


def _channels(layer: Layer, size: int | None, count: int | None) -> int | None:
    """The size of the channel axis of what a layer computes: its units, or what a depthwise layer makes of its input's."""
    if count is not None:
        return count * int(layer.cells.get("directions", 1)) or None
    times = layer.constant("depth_multiplier") if layer.spec.function.startswith("depthwise") else None
    return size * times if size is not None and isinstance(times, int) else None


def activate(
    vm: Machine,
    wanted: Value,
    tensor: Tensor,
    fallback: Place,
    call: Place,
    layer: Layer | None,
    host: Layer | None = None,
) -> Value:
    """Apply what an `activation` argument of `host` stands for: a string, a function, a layer, or nothing."""
    from selulint.evaluate.calls import NO_ARGUMENTS
    from selulint.evaluate.calls import call as call_value

    told = host or layer
    made = fallback if told is None else _argument(told)
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
            return _emit_activation(vm, canonical, spec, tensor, place, place, call, layer, wanted, made)
        case Symbol() if wanted.name in SPECS and SPECS[wanted.name].kind == "activation":
            spec = SPECS[wanted.name]
            place = wanted.place or fallback
            implicit = host.name.rpartition(".")[2] if host is not None and wanted.place is None else ""
            return _emit_activation(
                vm, wanted.name, spec, tensor, place, wanted.place, call, layer, wanted, made, implicit
            )
        case Symbol() if wanted.name in SPECS and SPECS[wanted.name].function == "identity":
            return tensor
        case Layer():
            return apply(vm, wanted, [tensor], call)
        case FunctionValue() | Partial() | BoundMethod() | Either():
            return as_tensor(call_value(vm, wanted, NO_ARGUMENTS.prepend(tensor), call))
    return opaque(vm, "an activation that is not known", [tensor], call)


def _argument(layer: Layer) -> Place | None:
    """The argument by which a layer is told its activation, else the call that makes the layer."""
    made = layer.made
    keywords = getattr(made.syntax, "keywords", ()) if made is not None else ()
    value = next((each.value for each in keywords if each.arg in ACTIVATIONS), None)
    return made if made is None or value is None else Place(value, made.unit)


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
    made: Place | None,
    implicit: str = "",
) -> Tensor:
    chooser = wanted.chooser if isinstance(wanted, Symbol) else vm.chooser
    args = {"implicit": implicit} if implicit else {}
    draft = Draft(Kind.ACTIVATION, name, spec.function, tensor.sources, place, symbol, call, layer, args, chooser)
    draft.features, draft.made = vm.builder.features(tensor), made
    return vm.builder.emit(draft)
