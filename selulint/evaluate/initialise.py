"""Initialisation: which law each weight and bias follows, and the gain that the law has for this layer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from selulint.evaluate.building import constants
from selulint.evaluate.machine import Machine
from selulint.evaluate.values import (
    BoundMethod,
    Const,
    Either,
    Instance,
    Layer,
    ListValue,
    ModuleAttribute,
    Symbol,
    TupleValue,
    Unknown,
    Value,
    join,
)
from selulint.frameworks import Spec
from selulint.graph import Init, Place
from selulint.moments.initial import gain

if TYPE_CHECKING:
    from selulint.evaluate.calls import Arguments

UNKNOWN_INIT = Init("unknown", None, False, None)
# What in-place tensor methods compute, as the initialiser functions of the same effect.
_METHODS = {"normal_": "normal_", "uniform_": "uniform_", "fill_": "constant_", "zero_": "zeros_"}
_METHOD_SIGNATURES = {"normal_": ("mean", "std"), "uniform_": ("a", "b"), "fill_": ("val",), "zero_": ()}
_METHOD_DEFAULTS: dict[str, dict[str, float]] = {"normal_": {"mean": 0.0, "std": 1.0}, "uniform_": {"a": 0.0, "b": 1.0}}
_RESETS = ("init", "weight", "reset", "load", "orthogonal", "spectral")
_FRAMEWORKS = ("torch.", "keras.", "tensorflow.", "lightning.", "pytorch_lightning.")


@dataclass(frozen=True, slots=True)
class Fans:
    """fan_in and fan_out as the framework's initialisers compute them, and the fan_in that one unit really has."""

    fan_in: float | None
    fan_out: float | None
    true: float | None


def fans(layer: Layer) -> Fans:
    """Fans of a PyTorch layer from its constructor's arguments; None where they are not constants."""
    function = layer.spec.function
    if function == "linear":
        size, units = layer.constant("in_features"), layer.constant("out_features")
        return Fans(size, units, size) if _numbers(size, units) else Fans(None, None, None)
    if not function.startswith("conv"):
        return Fans(None, None, None)
    size, units = layer.constant("in_channels"), layer.constant("out_channels")
    groups, kernel = layer.constant("groups") or 1, window(layer, "kernel_size")
    if not _numbers(size, units, groups) or kernel is None:
        return Fans(None, None, None)
    if function.startswith("conv_transpose"):
        stride = window(layer, "stride")
        true = size / groups * kernel / stride if stride else None
        return Fans(units / groups * kernel, size * kernel, true)
    return Fans(size / groups * kernel, units * kernel, size / groups * kernel)


def _numbers(*values: Any) -> bool:
    return all(isinstance(value, int | float) and value > 0 for value in values)


def window(layer: Layer, argument: str) -> float | None:
    """The number of positions of a kernel or stride: `3` of a 2-d layer is 9."""
    value = layer.args.get(argument)
    if isinstance(value, TupleValue | ListValue):
        sizes = [item.value for item in value.items if isinstance(item, Const)]
        return float(prod(sizes)) if len(sizes) == len(value.items) and _numbers(*sizes) else None
    if not isinstance(value, Const) or not _numbers(value.value):
        return None
    digits = [character for character in layer.spec.function if character.isdigit()]
    return float(value.value ** (int(digits[-1]) if digits else 1))


def set_defaults(layer: Layer) -> None:
    """Give a new layer the framework's default initialisation."""
    if layer.spec.kind != "parametric" or not layer.spec.init:
        return
    sizes = fans(layer)
    layer.cells["fan_in"], layer.cells["fan_out"] = sizes.true, sizes.fan_out
    layer.cells["weight"] = Init("default", true_gain(layer, layer.spec.init, constants(layer.args), sizes), True, None)
    layer.cells["bias"] = Init("default", None, True, None)


def true_gain(layer: Layer, law: str, args: dict[str, Any], sizes: Fans) -> float | None:
    """tau = true fan_in * Var(w): the law's gain, corrected where the framework's fan_in is not the unit's own."""
    units = layer.constant("out_features") or layer.constant("out_channels")
    value = gain(law, args, sizes.fan_in, sizes.fan_out, units=units if _numbers(units) else None)
    if value is None or "transpose" not in layer.spec.function:
        return value
    return value * sizes.true / sizes.fan_in if sizes.true and sizes.fan_in else None


def attribute(owner: ModuleAttribute, name: str, place: Place) -> Value:
    """An attribute of a parameter handle."""
    if name in ("data", "T"):
        return owner
    if name == "shape":
        return shape(owner)
    if name == "ndim":
        return dimensions(owner)
    return (
        Unknown(f"`{name}` of a parameter")
        if name in ("grad", "requires_grad", "dtype")
        else BoundMethod(owner, name, place)
    )


def shape(owner: ModuleAttribute) -> Value:
    """The shape of a parameter as a tuple; its length is known even where the layer's sizes are not."""
    layer = owner.owner
    if owner.name == "bias" and layer.spec.function.startswith(("linear", "conv")):
        name = "out_features" if layer.spec.function == "linear" else "out_channels"
        return TupleValue((layer.args.get(name, Unknown(name)),))
    if layer.spec.function == "linear":
        names = ("out_features", "in_features")
        return TupleValue(tuple(layer.args.get(name, Unknown(name)) for name in names))
    if layer.spec.function.startswith("conv") and "transpose" not in layer.spec.function and owner.name == "weight":
        sizes, groups = layer.constant("in_channels"), layer.constant("groups") or 1
        kernel = layer.args.get("kernel_size", Unknown("kernel_size"))
        count = dimensions(owner)
        repeats = count.value - 2 if isinstance(count, Const) else 2
        per_group = Const(sizes // groups) if isinstance(sizes, int) else Unknown("in_channels")
        window_sizes = kernel.items if isinstance(kernel, TupleValue) else (kernel,) * repeats
        return TupleValue((layer.args.get("out_channels", Unknown("out_channels")), per_group, *window_sizes))
    count = dimensions(owner)
    axes = count.value if isinstance(count, Const) else 0
    return TupleValue((Unknown("a size that is not known"),) * axes)


def dimensions(owner: ModuleAttribute) -> Value:
    """Number of axes of a parameter."""
    if owner.name == "bias" or owner.owner.spec.kind == "norm":
        return Const(1)
    digits = [character for character in owner.owner.spec.function if character.isdigit()]
    return Const(int(digits[-1]) + 2 if digits else 2)


def method(vm: Machine, owner: ModuleAttribute, name: str, args: Arguments, place: Place) -> Value:
    """A method of a parameter: its shape, or an in-place initialisation."""
    from selulint.evaluate.sequences import get_item

    if name == "size":
        whole = shape(owner)
        return get_item(vm, whole, args.positional[0], place) if args.positional else whole
    if name in ("dim", "ndimension"):
        return dimensions(owner)
    if not name.endswith("_") or name == "requires_grad_":
        return (
            owner
            if name in ("view", "reshape", "contiguous", "detach", "t", "requires_grad_")
            else Unknown(f"`{name}` of a parameter")
        )
    law = _METHODS.get(name)
    if law is None:
        set_init(vm, owner, UNKNOWN_INIT)
        return owner
    bound: dict[str, Any] = dict(_METHOD_DEFAULTS.get(name, {}))
    given = {**dict(zip(_METHOD_SIGNATURES[name], args.positional, strict=False)), **args.keywords}
    record(vm, owner, law, bound, given, place)
    return owner


def call_initialiser(vm: Machine, symbol: Symbol, spec: Spec, args: Arguments, place: Place) -> Value:
    """A PyTorch initialiser writes its tensor now; a Keras one is a value that a layer takes."""
    from selulint.evaluate.layers import bind, parameters, spelled

    bound = bind(spec, args)
    if not symbol.name.startswith("torch."):
        return Layer(name=symbol.name, spec=spec, args=bound, place=spelled(spec, symbol, place), symbol=symbol.place)
    first = parameters(spec.signature)[0][0]
    target = bound.pop(first, Unknown("no tensor"))
    for owner in target.options if isinstance(target, Either) else (target,):
        if isinstance(owner, ModuleAttribute) and symbol.chooser is not None:
            set_init(vm, owner, UNKNOWN_INIT)
        elif isinstance(owner, ModuleAttribute):
            law = symbol.name.rpartition(".")[2]
            record(vm, owner, law if law.endswith("_") else f"{law}_", {}, bound, place)
    return target


def record(
    vm: Machine, owner: ModuleAttribute, law: str, bound: dict[str, Any], given: dict[str, Value], place: Place
) -> None:
    """Write the initialisation that a law with these arguments gives; an argument that is unknown makes the gain unknown."""
    told = constants(given)
    known = {**bound, **told}
    missing = [name for name in given if name not in told and name != "generator"]
    origins = {value.origin for value in given.values() if isinstance(value, Const) and value.origin}
    if origins:
        known["calculate_gain"] = origins.pop()
    value = None if missing else true_gain(owner.owner, law, known, fans(owner.owner))
    if missing:
        known = {name: argument for name, argument in known.items() if name not in ("std", "a", "b", "val")}
        known["unknown"] = tuple(missing)
    set_init(vm, owner, Init(law, value, False, place, known))


def set_init(vm: Machine, owner: ModuleAttribute, init: Init) -> None:
    vm.write(owner.owner, owner.name, init)


def overwrite(vm: Machine, owner: ModuleAttribute, value: Value, place: Place) -> None:
    """`layer.weight = ...` or `.data = ...`: another parameter shares its law, anything else is not known."""
    other = value.owner.init(value.name) if isinstance(value, ModuleAttribute) else None
    set_init(vm, owner, other or UNKNOWN_INIT)


def escape(vm: Machine, name: str, values: Iterable[Value]) -> None:
    """A function that nobody knows got modules: where it may initialise them, their initialisation is unknown now."""
    last = name.rpartition(".")[2].lower()
    if name and (name.startswith(_FRAMEWORKS) or not any(part in last for part in _RESETS)):
        return
    from selulint.evaluate.modules import layers_in

    for value in values:
        if isinstance(value, ModuleAttribute):
            set_init(vm, value, UNKNOWN_INIT)
        elif isinstance(value, Layer | Instance):
            for layer in layers_in(value):
                for parameter in ("weight", "bias"):
                    if parameter in layer.cells:
                        vm.write(layer, parameter, UNKNOWN_INIT)


__all__ = ["ModuleAttribute", "escape", "fans", "join", "record"]
