"""Layers that take their initialisers as arguments (Keras, TF 1, Slim, JAX): fans, and the law their kernel follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from selulint.evaluate.building import constants
from selulint.evaluate.fans import NO_FANS, Fans, window
from selulint.evaluate.initialise import UNKNOWN_INIT
from selulint.evaluate.values import Const, Layer, Symbol, Value
from selulint.frameworks import GROUPS, KERNELS, SPECS, STRIDES, UNITS, WIDTHS, WINDOWS
from selulint.frameworks.keras import INITIALISER_STRINGS
from selulint.graph import Init
from selulint.moments.initial import gain

_KERNELS = {"depthwise_conv1d": "depthwise_initializer", "depthwise_conv2d": "depthwise_initializer"}
# What an initialiser is told beside its law.
_BESIDE = frozenset({"seed", "dtype", "verify_shape", "name"})
# Laws that are right for SELU whatever the layer's size: as a default they need no finding and no fix.
_FITTING = frozenset({"lecun_normal", "lecun_uniform"})


def role(layer: Layer, names: Sequence[str]) -> Value | None:
    """The argument of a layer that plays a role, whatever its framework calls it."""
    return next((layer.args[name] for name in names if name in layer.args), None)


def number(layer: Layer, names: Sequence[str]) -> int | None:
    value = role(layer, names)
    return value.value if isinstance(value, Const) and type(value.value) is int else None


def units(layer: Layer) -> int | None:
    """The size of the channel axis of a layer's output."""
    return number(layer, UNITS)


def width(layer: Layer) -> int | None:
    """The size of the channel axis of a layer's input, where the layer says so itself."""
    return number(layer, WIDTHS)


def fans(layer: Layer, size: int | None, units: int | None) -> Fans:
    """Fans of a kernel (window, in, out) as frameworks compute them, and the fan_in of one unit."""
    function = layer.spec.function
    if function == "linear":
        return Fans(size, units, size)
    kernel = _window(layer, WINDOWS)
    if not function.startswith(("conv", "depthwise_conv")) or kernel is None:
        return NO_FANS
    groups = number(layer, GROUPS) or 1
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


def kernel_init(layer: Layer, sizes: Fans) -> Init:
    """The initialisation of a layer's kernel: what its argument says, else the framework's default."""
    name = _KERNELS.get(layer.spec.function)
    wanted = layer.args.get(name) if name is not None else role(layer, KERNELS)
    if wanted is None or _is_default(layer, wanted):
        law = layer.spec.init
        if not law:
            return UNKNOWN_INIT
        return Init(law if law in _FITTING else "default", tau(layer, law, {}, sizes), True, None)
    if isinstance(wanted, Const) and isinstance(wanted.value, str):
        canonical = INITIALISER_STRINGS.get(wanted.value)
        if canonical is None:
            return UNKNOWN_INIT
        law = canonical.rpartition(".")[2]
        return Init(law, tau(layer, law, _defaults(canonical), sizes), False, wanted.place)
    if isinstance(wanted, Layer) and wanted.spec.kind == "initialiser":
        known, missing = told(wanted)
        value = None if missing else tau(layer, wanted.spec.init, known, sizes)
        last = wanted.name.rpartition(".")[2]
        return Init(last, value, False, wanted.place, {"unknown": missing} if missing else known)
    if isinstance(wanted, Symbol) and wanted.name in SPECS and SPECS[wanted.name].kind == "initialiser":
        last = wanted.name.rpartition(".")[2]
        return Init(last, tau(layer, SPECS[wanted.name].init, _defaults(wanted.name), sizes), False, wanted.place)
    return UNKNOWN_INIT


def _is_default(layer: Layer, wanted: Value) -> bool:
    if not isinstance(wanted, Const) or wanted.assumed:
        return False
    return wanted.place is None or (wanted.value is None and not layer.name.startswith("keras."))


def told(initialiser: Layer) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The arguments of an initialiser that are constants, and the names of those that are not known."""
    known = constants(initialiser.args)
    return known, tuple(name for name in initialiser.args if name not in known and name not in _BESIDE)


def _defaults(name: str) -> dict[str, Any]:
    from selulint.evaluate.layers import parameters

    spec = SPECS.get(name)
    return constants(parameters(spec.signature)[1]) if spec else {}


def tau(layer: Layer, law: str, args: dict[str, Any], sizes: Fans) -> float | None:
    """tau = true fan_in * Var(w) of a law in this layer."""
    value = gain(law, args, sizes.fan_in, sizes.fan_out, units=units(layer))
    if sizes.fan_in == sizes.true and "transpose" not in layer.spec.function and "depthwise" not in layer.spec.function:
        return value
    return value * sizes.true / sizes.fan_in if value is not None and sizes.true and sizes.fan_in else None
