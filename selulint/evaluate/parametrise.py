"""Wrappers that compute a layer's weight from other parameters, and arguments that hold it down while it trains."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from selulint.evaluate.values import BASE, NONE, Const, Either, FunctionValue, Instance, Layer, Symbol, Unknown, Value
from selulint.graph import Init, Place

if TYPE_CHECKING:
    from selulint.evaluate.calls import Arguments
    from selulint.evaluate.machine import Machine

CONSTRAINT = "constraint"
# What holds a kernel is also called so in Keras 1.
_ARGUMENTS = (
    "kernel_constraint",
    "kernel_regularizer",
    "depthwise_constraint",
    "depthwise_regularizer",
    "W_constraint",
    "W_regularizer",
)
# Units whose weights have norm 1 are what SELU asks for.
_UNIT_NORMS = frozenset({"UnitNorm", "unit_norm", "unitnorm"})
_FACTORS = frozenset({"l1", "l2", "l", "scale", "scale_l1", "scale_l2"})


def wrapper(name: str) -> Callable[[Machine, Arguments, Place], Value]:
    """`weight_norm(layer)` and the like, which compute the weight anew for every forward, from parameters of its own."""

    def wrap(vm: Machine, args: Arguments, place: Place) -> Value:
        module = _module(args)
        return wrapped(vm, module, name, place) if _is_of_weight(args) else module

    return wrap


def around(name: str) -> Callable[[Machine, Arguments, Place], Value]:
    """A layer around another one that does the same: `flax.linen.WeightNorm(layer)`."""
    return lambda vm, args, place: wrapped(vm, _module(args), name, place)


def wrapped(vm: Machine, module: Value, name: str, place: Place) -> Value:
    """A module whose weight something computes from now on; the same module, as in PyTorch."""
    layer = _layer(module)
    if layer is None:
        return module
    if not vm.is_usual:
        # What only some runs wrap must be seen to be open when the branches join.
        layer.cells.setdefault(CONSTRAINT, NONE)
    vm.write(layer, CONSTRAINT, Const(name, place))
    if name != "weight_norm":
        vm.write(layer, "weight", _divided(layer.init("weight")))
    return module


def _divided(before: Init | None) -> Init:
    """The law of a weight that is divided by something: nobody knows it. Fixes ask for what it was before."""
    return Init("unknown", None, False, None, {"before": before} if before is not None else {})


def seen_through(layer: Layer, init: Init) -> Init:
    """The law that the weight of a Keras layer follows once its wrapper has had its say."""
    return _divided(init) if computed_by(layer) == "spectral_norm" else init


def release(vm: Machine, args: Arguments, place: Place) -> Value:
    """`remove_weight_norm(layer)`: the weight, as it is now, is a parameter again."""
    module = _module(args)
    layer = _layer(module)
    if layer is not None and layer.cells.get(CONSTRAINT) is not None:
        vm.write(layer, CONSTRAINT, NONE)
    return module


def computed_by(layer: Layer) -> str:
    """What certainly computes the weight of a layer ("weight_norm"), "" where nothing does or not in every run."""
    found = layer.cells.get(CONSTRAINT)
    return found.value if isinstance(found, Const) and isinstance(found.value, str) else ""


def runs_of_weight_norm(layer: Layer) -> Literal["", "some", "all"]:
    """In which runs `weight_norm` computes the weight of a layer."""
    if computed_by(layer) == "weight_norm":
        return "all"
    found = layer.cells.get(CONSTRAINT)
    options = found.options if isinstance(found, Either) else ()
    return "some" if any(isinstance(each, Const) and each.value == "weight_norm" for each in options) else ""


def constraints(layer: Layer) -> tuple[tuple[str, Place], ...]:
    """What a layer's weight is held down or computed by, in every run, and where that is spelled."""
    own = layer.cells.get(CONSTRAINT)
    found: list[tuple[str, Place]] = []
    if isinstance(own, Const) and own.place is not None and own.value != "orthogonal":
        found.append((own.value, own.place))
    for name in _ARGUMENTS:
        value = layer.args.get(name)
        place = value.place if isinstance(value, Layer | Symbol | Const) else layer.place
        if value is not None and place is not None and _holds_down(value):
            found.append((name, place))
    return tuple(found)


def _holds_down(value: Value) -> bool:
    """Whether an argument certainly is a constraint or a penalty that does something."""
    if isinstance(value, Const):
        return isinstance(value.value, str) and value.value not in _UNIT_NORMS
    if isinstance(value, Layer | Symbol) and value.name.rpartition(".")[2] in _UNIT_NORMS:
        return False
    if isinstance(value, Layer):
        factors = [each for name, each in value.args.items() if name in _FACTORS]
        return not factors or not all(isinstance(each, Const) and not each.value for each in factors)
    return isinstance(value, Symbol | FunctionValue)


def _module(args: Arguments) -> Value:
    named = (args.get(name) for name in ("layer", "layer_instance"))
    return args.get("module", 0) or next(filter(None, named), Unknown("no argument"))


def _layer(value: Any) -> Layer | None:
    """The layer itself, or the one that an object of the file's own class is."""
    inner = value.cells.get(BASE) if isinstance(value, Instance) else value
    return inner if isinstance(inner, Layer) and inner.spec.kind == "parametric" else None


def _is_of_weight(args: Arguments) -> bool:
    """Whether the parameter that is wrapped is the weight: recurrent layers have others."""
    name = args.get("name", 1)
    return not isinstance(name, Const) or name.value in ("weight", "kernel") or not isinstance(name.value, str)
