"""Initialisers that layers take as arguments (Keras, TF 1, Slim, JAX): what an argument stands for, and its gain."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from selulint.evaluate import arrays
from selulint.evaluate.building import constants
from selulint.evaluate.fans import NO_FANS, Fans, product, window
from selulint.evaluate.initialise import UNKNOWN_INIT
from selulint.evaluate.machine import Machine
from selulint.evaluate.numbers import combined
from selulint.evaluate.values import (
    Array,
    BoundMethod,
    Const,
    DictValue,
    Formula,
    FunctionValue,
    Layer,
    ListValue,
    Number,
    Partial,
    Symbol,
    TupleValue,
    Unknown,
    Value,
)
from selulint.frameworks import GROUPS, KERNELS, SPECS, STRIDES, UNITS, WIDTHS, WINDOWS
from selulint.frameworks.keras import INITIALISER_STRINGS
from selulint.graph import Init, Place
from selulint.moments.initial import gain
from selulint.moments.maps import SANE_WINDOW

if TYPE_CHECKING:
    from selulint.evaluate.calls import Arguments

_DEPTHWISE, _POINTWISE = "depthwise_initializer", "pointwise_initializer"
_KERNELS = {"depthwise_conv1d": (_DEPTHWISE,), "depthwise_conv2d": (_DEPTHWISE,)}
# What Keras draws a kernel from where it is told None, whatever the layer's own default.
_KERAS_OWN = "glorot_uniform"
_NUMBERS = frozenset({"stddev", "mean", "scale", "factor", "minval", "maxval", "value"})
# What an initialiser is told beside its law.
_BESIDE = frozenset({"seed", "dtype", "verify_shape", "name"})
# Laws that are right for SELU whatever the layer's size: as a default they need no finding and no fix.
_FITTING = frozenset({"lecun_normal", "lecun_uniform"})


@dataclass(frozen=True, slots=True)
class Law:
    """An initialiser: the name of its law, its constant arguments, those that are not known, and where it is spelled.

    `title` is its own last name component; `hanging` are numbers that hang on unknown sizes.
    """

    name: str
    args: dict[str, Any]
    missing: tuple[str, ...]
    place: Place | None
    title: str = ""
    hanging: Mapping[str, Value] = field(default_factory=dict)


def law_of(wanted: Value) -> Law | None:
    """What an initialiser argument stands for: a string, a class, an object or a configuration; None for all else."""
    match wanted:
        case Const(value=str() as name) if name in INITIALISER_STRINGS:
            canonical = INITIALISER_STRINGS[name]
            return Law(canonical.rpartition(".")[2], _defaults(canonical), (), wanted.place)
        case Layer() if wanted.spec.kind == "initialiser":
            known = constants(wanted.args)
            missing = tuple(key for key in wanted.args if key not in known and key not in _BESIDE)
            hanging = {key: wanted.args[key] for key in missing if key in _NUMBERS}
            return Law(_law(wanted.name), known, missing, wanted.place, wanted.name.rpartition(".")[2], hanging)
        case Symbol() if wanted.name in SPECS and SPECS[wanted.name].kind == "initialiser":
            return Law(_law(wanted.name), _defaults(wanted.name), (), wanted.place, wanted.name.rpartition(".")[2])
        case DictValue() if not wanted.open and isinstance(config := wanted.entries.get("config"), DictValue):
            named = law_of(wanted.entries.get("class_name", Unknown("no class")))
            if named is None or config.open:
                return None
            known = constants(config.entries)
            missing = tuple(key for key in config.entries if key not in known and key != "seed")
            return Law(named.name, {**named.args, **known}, missing, named.place)
    return None


def _law(name: str) -> str:
    return SPECS[name].init or name.rpartition(".")[2]


def _defaults(name: str) -> dict[str, Any]:
    from selulint.evaluate.layers import parameters

    spec = SPECS.get(name)
    return constants(parameters(spec.signature)[1]) if spec else {}


def role(layer: Layer, names: Sequence[str]) -> Value | None:
    """The argument of a layer that plays a role, whatever its framework calls it."""
    return next((layer.args[name] for name in names if name in layer.args), None)


def _number(layer: Layer, names: Sequence[str]) -> int | None:
    value = role(layer, names)
    return value.value if isinstance(value, Const) and type(value.value) is int else None


def units(layer: Layer) -> int | None:
    """The size of the channel axis of a layer's output."""
    return _number(layer, UNITS)


def width(layer: Layer) -> int | None:
    """The size of the channel axis of a layer's input, where the layer says so itself."""
    return _number(layer, WIDTHS)


def fans(layer: Layer, size: int | None, units: int | None) -> Fans:
    """Fans of a kernel (window, in, out) as frameworks compute them, and the fan_in of one unit."""
    function = layer.spec.function
    if function == "linear":
        return Fans(size, units, size)
    kernel = _window(layer, WINDOWS)
    if not function.startswith(("conv", "depthwise_conv")) or kernel is None:
        return Fans(None, None, None)
    groups = _number(layer, GROUPS) or 1
    if function.startswith("depthwise"):
        return Fans(size * kernel if size else None, kernel * (layer.constant("depth_multiplier") or 1), kernel)
    if "transpose" in function:
        stride = _window(layer, STRIDES) or 1.0
        out = units * kernel if units else None
        return Fans(out, size * kernel if size else None, size * kernel / stride if size else None)
    return Fans(
        size / groups * kernel if size else None,
        units * kernel if units else None,
        size / groups * kernel if size else None,
    )


def _window(layer: Layer, names: Sequence[str]) -> float | None:
    return next((window(layer, name) for name in names if name in layer.args), None)


def kernel_init(vm: Machine, layer: Layer, sizes: Fans, size: int | None, place: Place) -> Init:
    """The initialisation of a layer's kernel; of a separable convolution's two that which is farther off, with both gains."""
    if _POINTWISE not in layer.args or _DEPTHWISE not in layer.args:
        return _init(vm, layer, _KERNELS.get(layer.spec.function, KERNELS), sizes, size, place)
    deep, flat = _fans_of_two(layer, size)
    first = _init(vm, layer, (_DEPTHWISE,), deep, size, place)
    second = _init(vm, layer, (_POINTWISE,), flat, size, place)
    if UNKNOWN_INIT in (first, second):
        return UNKNOWN_INIT
    if not first.gain or not second.gain:
        return replace(first, gain=None, gain_out=None, source=0)
    farther = max(first, second, key=lambda each: abs(math.log(each.gain or 1.0)))
    return replace(farther, gain=first.gain * second.gain, gain_out=None, source=0)


def _fans_of_two(layer: Layer, size: int | None) -> tuple[Fans, Fans]:
    """Fans of a separable convolution's depthwise and pointwise kernel."""
    window, times = _window(layer, WINDOWS), layer.constant("depth_multiplier")
    if size is None or window is None or type(times) is not int:
        return NO_FANS, NO_FANS
    return Fans(size * window, times * window, window), Fans(size * times, units(layer), size * times)


def _init(vm: Machine, layer: Layer, names: Sequence[str], sizes: Fans, size: int | None, place: Place) -> Init:
    wanted = next((layer.cells[f".{name}"] for name in names if f".{name}" in layer.cells), None) or role(layer, names)
    if wanted is None or _is_default(wanted):
        is_none = isinstance(wanted, Const) and wanted.value is None and layer.name.startswith("keras.")
        law = _KERAS_OWN if is_none else layer.spec.init
        if not law:
            return UNKNOWN_INIT
        return Init(law if law in _FITTING else "default", _gain(layer, law, {}, sizes), True, None)
    found = law_of(wanted)
    if found is not None:
        value = None if found.missing else _gain(layer, found.name, found.args, sizes)
        told = {"unknown": found.missing} if found.missing else found.args
        outward, source = _outward(layer, found, value), _source(layer, wanted)
        return Init(found.title or found.name, value, False, found.place, told, outward, source)
    if isinstance(wanted, FunctionValue | Partial | BoundMethod):
        return _called(vm, wanted, layer, sizes, size, place)
    return UNKNOWN_INIT


def _source(layer: Layer, wanted: Value) -> int:
    """What draws the same numbers for every layer: an object of Keras 3, which chooses its seed when it is made."""
    if not isinstance(wanted, Layer) or not layer.name.startswith("keras."):
        return 0
    seed = wanted.args.get("seed")
    return wanted.serial if seed is None or isinstance(seed, Const) else 0


def _outward(layer: Layer, law: Law, gain: float | None) -> float | None:
    """The gain of a law that takes the wrong fan, as it would be with the right one, where fan_in * Var(w) does not fit."""
    fits = gain is not None and SANE_WINDOW[0] <= gain <= SANE_WINDOW[1]
    function, mode = layer.spec.function, law.args.get("mode", "fan_in")
    if fits or law.missing:
        return None
    if function == "linear":
        return law.args.get("scale") if mode == "fan_out" else None
    # What frameworks call fan_in of these is not what one of their units sees.
    if gain is None or not ("transpose" in function or function.startswith("depthwise")):
        return None
    if law.name not in ("lecun_normal", "lecun_uniform"):
        return law.args.get("scale") if mode == "fan_in" and "scale" in law.args else None
    return 1.0


_BIASES = ("bias_initializer", "bias_init", "b_init", "biases_initializer")


def bias_init(layer: Layer) -> Init:
    """The initialisation of a layer's bias: what is asked for, else zeros."""
    default = Init("default", None, True, None)
    wanted = layer.cells.get(".bias_initializer") or role(layer, _BIASES)
    if layer.constant("use_bias") is False or wanted is None:
        return default
    if isinstance(wanted, Const) and wanted.place is None and not wanted.assumed:
        return default
    found = law_of(wanted)
    if found is None:
        return UNKNOWN_INIT
    return Init(found.name, None, False, found.place, {"unknown": found.missing} if found.missing else found.args)


def _is_default(wanted: Value) -> bool:
    return isinstance(wanted, Const) and not wanted.assumed and (wanted.place is None or wanted.value is None)


def _called(vm: Machine, wanted: Value, layer: Layer, sizes: Fans, size: int | None, place: Place) -> Init:
    """A function of the file that makes a kernel of the shape it is given."""
    from selulint.evaluate.calls import Arguments, call

    if not layer.name.startswith(("keras.", "tensorflow.")):
        return UNKNOWN_INIT
    shape: tuple[Value, ...] = (
        Unknown("a size") if size is None else Const(size),
        role(layer, UNITS) or Unknown("units"),
    )
    kernel = layer.args.get("kernel_size")
    if isinstance(kernel, TupleValue | ListValue):
        shape = (*kernel.items, *shape)
    elif kernel is not None:
        digits = [character for character in layer.spec.function if character.isdigit()]
        shape = ((kernel,) * int(digits[-1]) if digits else (Unknown("a size"),)) + shape
    made = call(vm, wanted, Arguments((TupleValue(shape),)), place)
    if not isinstance(made, Array) or sizes.true is None:
        return UNKNOWN_INIT
    return arrays.init_for(made, lambda number: sizes.true)


def _gain(layer: Layer, law: str, args: Mapping[str, Any], sizes: Fans) -> float | None:
    value = gain(law, args, sizes.fan_in, sizes.fan_out, units=units(layer))
    if sizes.fan_in == sizes.true and "transpose" not in layer.spec.function and "depthwise" not in layer.spec.function:
        return value
    return value * sizes.true / sizes.fan_in if value is not None and sizes.true and sizes.fan_in else None


def variable(vm: Machine, args: Arguments, place: Place) -> Value:
    """`tf.Variable(...)`: the numbers that it is made of."""
    first = args.get("initial_value", 0)
    if isinstance(first, Array):
        return Array(dict(first.cells), shape=first.shape, trained=True)
    return arrays.wrapped(vm, args, place)


def add_weight(vm: Machine, args: Arguments, place: Place) -> Value:
    """`self.add_weight(...)` of a Keras layer and `tf.get_variable(...)`: Glorot uniform where nobody says otherwise."""
    named = bool(args.positional) and isinstance(args.positional[0], Const)
    shape = args.get("shape", 1 if named else 0)
    sizes = shape.items if isinstance(shape, TupleValue | ListValue) and not getattr(shape, "open", False) else None
    wanted = args.get("initializer")
    if wanted is None and len(args.positional) <= 2:
        wanted = Const("glorot_uniform", place)
    law = law_of(wanted) if wanted is not None else None
    if law is None or law.missing or sizes is None:
        return Array({"mean": Unknown("a mean"), "std": Unknown("a deviation"), "init": UNKNOWN_INIT}, shape=sizes)
    std = _deviation(law, sizes)
    init = Init(law.name, None, False, law.place, law.args)
    return Array({"mean": Const(0.0), "std": std, "init": init}, shape=sizes, trained=True)


def by_law(law: Law, shape: Sequence[Value] | None, is_default: bool = False) -> Array:
    """The numbers that an initialiser draws for a shape."""
    told = {"unknown": law.missing} if law.missing else law.args
    init = Init("default" if is_default else law.title or law.name, None, is_default, law.place, told)
    std = Unknown("a deviation") if len(law.missing) > len(law.hanging) or shape is None else _deviation(law, shape)
    sizes = tuple(shape) if shape is not None else None
    return Array({"mean": Const(0.0), "std": std, "init": init}, shape=sizes)


def _deviation(law: Law, shape: Sequence[Value]) -> Value:
    """The root of the second moment that a law gives a kernel of this shape, whose last two axes are in and out."""
    if len(shape) < 2:
        return Unknown("a deviation")
    kernel = product(shape[:-2])
    ins, outs = combined(lambda a, b: a * b, shape[-2], kernel), combined(lambda a, b: a * b, shape[-1], kernel)

    def compute(number: Number) -> float | None:
        fan_in = number(ins)
        args = {**law.args, **{name: number(each) for name, each in law.hanging.items()}}
        value = gain(law.name, args, fan_in, number(outs), units=number(shape[-1]))
        return math.sqrt(value / fan_in) if value is not None and fan_in else None

    return Formula("a deviation", compute=compute)
