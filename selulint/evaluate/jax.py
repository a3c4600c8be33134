"""JAX: modules whose fields are their arguments, layers that are made where they are applied, ready-made MLPs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from selulint.evaluate.building import constants
from selulint.evaluate.keras_weights import role
from selulint.evaluate.machine import Machine
from selulint.evaluate.parametrise import computed_by
from selulint.evaluate.values import (
    ClassValue,
    Const,
    FunctionValue,
    Instance,
    Layer,
    ListValue,
    Symbol,
    TupleValue,
    Unknown,
    Value,
)
from selulint.frameworks import SPECS, WINDOWS, Spec
from selulint.graph import Place

if TYPE_CHECKING:
    from selulint.evaluate.calls import Arguments

PACKAGES = ("flax.", "haiku.", "equinox.", "jax.")
_LINEN = "flax.linen.Module"
# What is passed beside data, by the names that everybody gives it.
_BESIDE = frozenset({"key", "rng", "rngs", "state", "inference", "deterministic", "is_training", "train", "training"})
_SEQUENTIAL = Spec("container", "layers", "sequential")


def data(args: Arguments) -> Arguments:
    """The arguments of a layer's call without keys, states and switches."""
    kept = {name: value for name, value in args.keywords.items() if name not in _BESIDE}
    return args if len(kept) == len(args.keywords) else replace(args, keywords=kept)


def state(layer: Layer, args: Arguments) -> Value | None:
    """What Equinox's layers with a state take behind the data, and give back beside it."""
    has_state = layer.spec.function == "batch_norm" or computed_by(layer) == "spectral_norm"
    return args.get("state", 1) if has_state and layer.name.startswith("equinox.") else None


def is_beside(name: str) -> bool:
    return name in _BESIDE


def describe(layer: Layer) -> None:
    """Tell the rank of a convolution, which JAX's libraries take from the kernel's size; name it as its argument says."""
    kernel = role(layer, WINDOWS)
    if layer.spec.function in ("conv2d", "conv_transpose2d") and isinstance(kernel, TupleValue | ListValue):
        axes = len(kernel.items)
        if axes in (1, 3):
            layer.spec = replace(layer.spec, function=f"{layer.spec.function[:-2]}{axes}d")
    name = layer.constant("name")
    if isinstance(name, str):
        layer.label = name


def is_module(cls: ClassValue) -> bool:
    return any(isinstance(base, Symbol) and base.name.startswith(PACKAGES) for base in cls.mro())


def set_up(vm: Machine, instance: Instance) -> None:
    """Flax calls `setup` before anything else of a module."""
    from selulint.evaluate.calls import NO_ARGUMENTS, invoke

    method = instance.cls.find("setup")
    is_linen = any(isinstance(base, Symbol) and base.name == _LINEN for base in instance.cls.mro())
    if is_linen and isinstance(method, FunctionValue):
        invoke(vm, method, NO_ARGUMENTS.prepend(instance), instance.place)


def apply(vm: Machine, instance: Instance, args: Arguments, place: Place) -> Value:
    """`module.apply(variables, x)` runs the module; with `mutable=` it also returns the variables that changed."""
    from selulint.evaluate.calls import call_instance

    rest = replace(
        args,
        positional=args.positional[1:],
        keywords={
            name: value for name, value in data(args).keywords.items() if name not in ("variables", "mutable", "method")
        },
    )
    if "method" in args.keywords:
        return Unknown("a method of a module")
    result = call_instance(vm, instance, rest, place)
    return TupleValue((result, Unknown("variables"))) if "mutable" in args.keywords else result


def mlp(vm: Machine, symbol: Symbol, spec: Spec, args: Arguments, place: Place) -> Value:
    """`hk.nets.MLP` and `eqx.nn.MLP` as the layers that they stand for; unknown where their number is."""
    from selulint.evaluate.layers import bind

    bound = bind(spec, args)
    is_haiku = symbol.name.startswith("haiku.")
    sizes = _haiku_sizes(bound) if is_haiku else _equinox_sizes(bound)
    if sizes is None:
        return Unknown("an MLP of a depth that is not known")
    activation, last = bound.get("activation"), bound.get("activate_final" if is_haiku else "final_activation")
    layers: list[Value] = []
    for position, made in enumerate(_haiku_layers(bound, sizes) if is_haiku else _equinox_layers(bound, sizes)):
        layer = Layer(name=f"{symbol.name.partition('.')[0]}{'.' if is_haiku else '.nn.'}Linear", place=place)
        layer.spec, layer.args, layer.symbol = SPECS[layer.name], made, symbol.place
        _set_defaults(layer)
        layers.append(layer)
        hidden = position < len(sizes) - 1
        if hidden or (is_haiku and isinstance(last, Const) and last.value is True):
            layers.append(_activation(activation, symbol, place))
        elif not is_haiku and last is not None and not (isinstance(last, Const) and last.value is None):
            layers.append(last)
    whole = Layer({"items": tuple(layers), "open": False}, name=symbol.name, spec=_SEQUENTIAL, place=place)
    whole.symbol = symbol.place
    vm.created.append(whole)
    return whole


def _set_defaults(layer: Layer) -> None:
    from selulint.evaluate import initialise

    initialise.set_defaults(layer)


def _activation(value: Value | None, symbol: Symbol, place: Place) -> Value:
    """The activation of an MLP; the default one is spelled by the MLP itself."""
    if isinstance(value, Symbol) and value.place is None and value.name in SPECS:
        implicit: dict[str, Value] = {"implicit": Const(symbol.name.rpartition(".")[2])}
        return Layer(name=value.name, spec=SPECS[value.name], args=implicit, place=place)
    return value if value is not None else Unknown("an activation")


def _haiku_sizes(bound: dict[str, Value]) -> list[Value] | None:
    sizes = bound.get("output_sizes")
    if not isinstance(sizes, ListValue | TupleValue) or getattr(sizes, "open", False):
        return None
    return list(sizes.items)


def _haiku_layers(bound: dict[str, Value], sizes: list[Value]) -> Iterator[dict[str, Value]]:
    for size in sizes:
        yield {
            "output_size": size,
            **{name: bound[name] for name in ("with_bias", "w_init", "b_init") if name in bound},
        }


def _equinox_sizes(bound: dict[str, Value]) -> list[Value] | None:
    depth = constants(bound).get("depth")
    if type(depth) is not int or not 0 <= depth <= 64:
        return None
    width = bound.get("width_size", Unknown("a width"))
    return [*[width] * depth, bound.get("out_size", Unknown("a width"))]


def _equinox_layers(bound: dict[str, Value], sizes: list[Value]) -> Iterator[dict[str, Value]]:
    before = bound.get("in_size", Unknown("a width"))
    for size in sizes:
        yield {"in_features": before, "out_features": size, "use_bias": bound.get("use_bias", Const(True))}
        before = size
