"""Initialisation: which law each weight and bias follows, and the gain that the law has for this layer."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from selulint.evaluate import arrays, order
from selulint.evaluate.building import constants
from selulint.evaluate.fans import constant, dimensions, fans, of_shape, product, shape
from selulint.evaluate.machine import Machine
from selulint.evaluate.numbers import settled
from selulint.evaluate.parametrise import computed_by
from selulint.evaluate.values import (
    Array,
    BoundMethod,
    Const,
    Either,
    Formula,
    Instance,
    Layer,
    ModuleAttribute,
    Number,
    Symbol,
    Unknown,
    Value,
)
from selulint.frameworks import Spec
from selulint.graph import Init, Lost, Place
from selulint.moments.initial import gain
from selulint.moments.maps import SANE_WINDOW

if TYPE_CHECKING:
    from selulint.evaluate.calls import Arguments

UNKNOWN_INIT = Init("unknown", None, False, None)
# Trained weights took the place of whatever there was.
LOADED_INIT = Init("loaded", None, False, None)
# What in-place tensor methods compute, as the initialiser functions of the same effect.
_METHODS = {"normal_": "normal_", "uniform_": "uniform_", "fill_": "constant_", "zero_": "zeros_"}
_METHOD_SIGNATURES = {"normal_": ("mean", "std"), "uniform_": ("a", "b"), "fill_": ("val",), "zero_": ()}
_METHOD_NAMES = {"from": "a", "to": "b", "value": "val"}
_METHOD_DEFAULTS: dict[str, dict[str, float]] = {"normal_": {"mean": 0.0, "std": 1.0}, "uniform_": {"a": 0.0, "b": 1.0}}
_IN_PLACE = {"mul_": operator.mul, "div_": operator.truediv, "add_": operator.add, "sub_": operator.sub}
_SAME = frozenset(
    "detach contiguous clone requires_grad_ to cuda cpu float double half type retain_grad share_memory_".split()
)
# Arguments of laws that are numbers; what is unknown among the others leaves the law unknown.
_NUMBERS = frozenset("a b mean std val gain sparsity groups scale".split())
# The arguments by which laws without fans spread.
_SPREADS = {"normal_": ("std",), "trunc_normal_": ("std",), "uniform_": ("a", "b")}
_RESETS = ("init", "weight", "reset", "load", "orthogonal", "spectral", "xavier", "kaiming", "lecun", "glorot", "fill")
_FRAMEWORKS = ("torch.", "keras.", "tensorflow.", "jax.", "flax.", "haiku.", "lightning.", "pytorch_lightning.")


def set_defaults(layer: Layer) -> None:
    """Give a new layer the framework's default initialisation."""
    if layer.spec.kind != "parametric" or not layer.spec.init:
        return
    sizes = fans(layer)
    layer.cells["fan_in"], layer.cells["fan_out"] = sizes.true, sizes.fan_out
    layer.cells["weight"] = Init("default", tau(layer, layer.spec.init, layer.args), True, None)
    layer.cells["bias"] = Init("default", None, True, None)


def outward(layer: Layer, law: str, args: Mapping[str, Any]) -> float | None:
    """Like tau, with the fan on the other side: what goes out of a unit's input. It is 1 for LeCun's law by mistake.

    None for laws that say which fan they take, unless it is the wrong one: He's gain is no mistake about fans. None for
    literals, too: they take none.
    """
    transposed = "transpose" in layer.spec.function
    mode = args.get("mode")
    takes_out = isinstance(mode, Const) and mode.value == "fan_out"
    if law.startswith("kaiming_"):
        if takes_out is transposed:
            return None
    elif not any(_is_computed(args.get(name)) for name in _SPREADS.get(law, ())):
        return None

    def compute(number: Number) -> float | None:
        sizes = fans(layer, number)
        value = gain(law, _plain(args, number), sizes.fan_in, sizes.fan_out)
        if value is None or not sizes.fan_in or not sizes.fan_out:
            return None
        return value if transposed else value * sizes.fan_out / sizes.fan_in

    return settled(compute)


def _is_computed(value: Any) -> bool:
    return isinstance(value, Formula) or (isinstance(value, Const) and value.place is None)


def tau(layer: Layer, law: str, args: Mapping[str, Any]) -> float | None:
    """tau = true fan_in * Var(w): the law's gain, corrected where the framework's fan_in is not the unit's own."""
    transposed = "transpose" in layer.spec.function
    if not transposed:
        simple = gain(law, _plain(args, constant), None, None)
        if simple is not None:
            return simple

    def compute(number: Number) -> float | None:
        sizes = fans(layer, number)
        units = number(layer.args.get("out_features") or layer.args.get("out_channels"))
        value = gain(law, _plain(args, number), sizes.fan_in, sizes.fan_out, units=units)
        if value is None or not transposed:
            return value
        return value * sizes.true / sizes.fan_in if sizes.true and sizes.fan_in else None

    return settled(compute)


def _plain(args: Mapping[str, Any], number: Number) -> dict[str, Any]:
    """Arguments of a law as Python's values; None for what is not known."""
    return {
        name: value.value
        if isinstance(value, Const)
        else (number(value) if name in _NUMBERS else None)
        if isinstance(value, Value)
        else value
        for name, value in args.items()
    }


def attribute(owner: ModuleAttribute | Array, name: str, place: Place) -> Value:
    """An attribute of a parameter handle or another array of numbers."""
    if name == "data":
        return owner
    if name in ("T", "mT", "H"):
        return arrays.transposed(owner)
    if name == "shape":
        return shape(owner)
    if name == "ndim":
        return dimensions(owner)
    if name == "requires_grad":
        return Const(True)
    return Unknown(f"`{name}` of a parameter") if name in ("grad", "dtype") else BoundMethod(owner, name, place)


def method(vm: Machine, owner: ModuleAttribute | Array, name: str, args: Arguments, place: Place) -> Value:
    """A method of a parameter: its shape, or an in-place initialisation."""
    from selulint.evaluate.sequences import get_item, raw_items

    if name == "size":
        whole, axis = shape(owner), args.get("dim", 0)
        return get_item(vm, whole, axis, place) if axis is not None else whole
    if name in ("dim", "ndimension"):
        return dimensions(owner)
    if name in ("numel", "nelement"):
        sizes = raw_items(shape(owner))
        return product(sizes) if sizes is not None else Unknown("a number of elements")
    if name in _SAME:
        return owner
    if name in ("copy_", "set_") and args.positional:
        overwrite(vm, owner, args.positional[0], place)
    elif name in _IN_PLACE and len(args.positional) == 1 and not args.keywords:
        overwrite(vm, owner, arrays.combine(_IN_PLACE[name], owner, args.positional[0], place), place)
    elif name in _METHODS:
        bound: dict[str, Any] = dict(_METHOD_DEFAULTS.get(name, {}))
        named = {_METHOD_NAMES.get(key, key): value for key, value in args.keywords.items()}
        given = {**dict(zip(_METHOD_SIGNATURES[name], args.positional, strict=False)), **named}
        record(vm, owner, _METHODS[name], bound, given, place)
    elif name.endswith("_"):
        set_init(vm, owner, UNKNOWN_INIT)
    else:
        return arrays.method(owner, name, args, place)
    return owner


def call_initialiser(vm: Machine, symbol: Symbol, spec: Spec, args: Arguments, place: Place) -> Value:
    """A PyTorch initialiser writes its tensor now; a Keras one is a value that a layer takes."""
    from selulint.evaluate.layers import bind, parameters, spelled

    bound = bind(spec, args)
    if not spec.functional:
        return Layer(name=symbol.name, spec=spec, args=bound, place=spelled(spec, symbol, place), symbol=symbol.place)
    first = parameters(spec.signature)[0][0]
    target = bound.pop(first, Unknown("no tensor"))
    for owner in target.options if isinstance(target, Either) else (target,):
        if isinstance(owner, ModuleAttribute | Array) and (symbol.chooser is not None or isinstance(target, Either)):
            set_init(vm, owner, UNKNOWN_INIT)
        elif isinstance(owner, ModuleAttribute | Array):
            law = spec.init or symbol.name.rpartition(".")[2]
            record(vm, owner, law if law.endswith("_") else f"{law}_", {}, bound, place)
    return target


def record(
    vm: Machine,
    owner: ModuleAttribute | Array,
    law: str,
    bound: dict[str, Any],
    given: dict[str, Value],
    place: Place,
) -> None:
    """Write the initialisation that a law with these arguments gives; its gain is known where no unknown matters."""
    told = constants(given)
    known = {**bound, **told}
    missing = tuple(name for name in given if name not in told and name not in ("generator", "rng"))
    origins = {value.origin for value in given.values() if isinstance(value, Const) and value.origin}
    if origins:
        known["calculate_gain"] = origins.pop()
    laws = {**bound, **{name: value for name, value in given.items() if name not in ("generator", "rng")}}
    value = tau(owner.owner, law, laws) if isinstance(owner, ModuleAttribute) else None
    if missing and value is None:
        known = {name: argument for name, argument in known.items() if name not in ("std", "a", "b", "val")}
        known["unknown"] = missing
    is_plain = value is None or not SANE_WINDOW[0] <= value <= SANE_WINDOW[1]
    out = outward(owner.owner, law, laws) if is_plain and isinstance(owner, ModuleAttribute) else None
    init = Init(law, value, False, place, known, out)
    order.note(vm, owner, init)
    set_init(vm, owner, init)
    if isinstance(owner, Array) and owner.base is None:
        arrays.spread(vm, owner, Const(0.0), _deviation(owner, law, laws))


def _deviation(owner: Array, law: str, args: Mapping[str, Any]) -> Value:
    """The root of the second moment that a law gives an array, as a number that hangs on the array's shape."""
    if owner.shape is None or len(owner.shape) < 2:
        sizes: tuple[Value, Value] = (Unknown("a fan"), Unknown("a fan"))
    else:
        sizes = of_shape(owner.shape)

    def compute(number: Number) -> float | None:
        fan_in, fan_out = number(sizes[0]), number(sizes[1])
        units = number(owner.shape[0]) if owner.shape else None
        value = gain(law, _plain(args, number), fan_in, fan_out, units=units)
        return math.sqrt(value / fan_in) if value is not None and fan_in else None

    operands = [value for value in args.values() if isinstance(value, Formula)]
    return Formula("a deviation", compute=compute, depth=1 + max((each.depth for each in operands), default=0))


def set_init(vm: Machine, owner: ModuleAttribute | Array, init: Init) -> None:
    if isinstance(owner, ModuleAttribute):
        if owner.name == "weight" and computed_by(owner.owner) == "weight_norm":
            # The weight is computed anew from its direction and length: what is written into it is gone.
            if init.place is not None:
                order.lose(vm, owner.owner, Lost(init, init.place, "derived"))
            return
        vm.write(owner.owner, owner.name, init)
        return
    if owner.base is not None:
        # Part of a weight follows a law of its own: the whole follows none that is known.
        base = owner.base
        if isinstance(base, ModuleAttribute | Array):
            set_init(vm, base, UNKNOWN_INIT)
        return
    vm.write(owner, "init", init)
    if init.name in ("unknown", "loaded"):
        arrays.spread(vm, owner, Unknown("a mean"), Unknown("a deviation"))


def overwrite(vm: Machine, owner: ModuleAttribute | Array, value: Value, place: Place) -> None:
    """`layer.weight = ...` or `.data = ...`: another parameter shares its law, an array brings its own."""
    if isinstance(owner, Array):
        if isinstance(value, Array) and owner.base is None:
            for key, cell in value.cells.items():
                vm.write(owner, key, cell)
        else:
            set_init(vm, owner, UNKNOWN_INIT)
    elif isinstance(value, Array):
        layer = owner.owner
        set_init(vm, owner, arrays.init_for(value, lambda number: fans(layer, number).true))
    else:
        other = value.owner.init(value.name) if isinstance(value, ModuleAttribute) else None
        set_init(vm, owner, other or UNKNOWN_INIT)


def escape(vm: Machine, name: str, values: Iterable[Value]) -> None:
    """A function that nobody knows got modules: where it may initialise them, their initialisation is unknown now."""
    last = name.rpartition(".")[2].lower()
    if name and (name.startswith(_FRAMEWORKS) or not any(part in last for part in _RESETS)):
        return
    for value in values:
        forget(vm, value)


def forget(vm: Machine, value: Value, init: Init = UNKNOWN_INIT) -> None:
    """Whatever a value was initialised with, something else may have overwritten it."""
    from selulint.evaluate.modules import layers_in, parameters_in

    if isinstance(value, ModuleAttribute | Array):
        set_init(vm, value, init)
    elif isinstance(value, Layer | Instance):
        for layer in layers_in(value):
            for parameter in ("weight", "bias"):
                if parameter in layer.cells:
                    vm.write(layer, parameter, init)
        for _, each in parameters_in(value):
            if isinstance(each, Array):
                set_init(vm, each, init)
