"""TensorFlow's variables: weights that a program makes, shapes and initialises by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from selulint.evaluate import arrays
from selulint.evaluate.building import tensors_in
from selulint.evaluate.fans import product
from selulint.evaluate.machine import Machine
from selulint.evaluate.numbers import combined, formula
from selulint.evaluate.values import (
    Array,
    Const,
    Layer,
    ListValue,
    Number,
    Symbol,
    TupleValue,
    Unknown,
    Value,
)
from selulint.frameworks import SPECS
from selulint.graph import Init, Place
from selulint.moments.initial import TRUNCATED_VARIANCE, gain

if TYPE_CHECKING:
    from selulint.evaluate.calls import Arguments

# A kernel's last axis is its output; whatever stands before it counts as input.
Shape = tuple[Value, ...]


def _sizes(value: Value | None) -> Shape | None:
    return arrays.sizes_of((value,)) if value is not None else None


def random(name: str, first: tuple[str, float], second: tuple[str, float], law: str) -> Callable[..., Value]:
    """`tf.random_normal(shape, mean, stddev)` and its kin."""

    def create(vm: Machine, args: Arguments, place: Place) -> Value:
        one, two = (args.get(key, i) or Const(default) for i, (key, default) in enumerate((first, second), 1))
        two = Const(second[1]) if isinstance(two, Const) and two.value is None else two
        shape = args.get("shape", 0)
        if shape is None or any(tensors_in(value) for value in (shape, one, two)):
            return Unknown(f"`{name}`")
        if law == "uniform":
            mean = combined(lambda low, high: (low + high) / 2, one, two)
            std = combined(lambda low, high: abs(high - low) / math.sqrt(12), one, two)
        else:
            factor = math.sqrt(TRUNCATED_VARIANCE) if law == "truncated" else 1.0
            mean, std = one, combined(lambda each: each * factor, two)
        made = arrays.make(name, _sizes(shape), mean, std, place)
        told = {key: each.value for key, each in ((first[0], one), (second[0], two)) if isinstance(each, Const)}
        made.cells["init"] = Init(name, None, False, place, told)
        return made

    return create


def filled(name: str, value: float) -> Callable[..., Value]:
    """`tf.zeros(shape)`."""

    def create(vm: Machine, args: Arguments, place: Place) -> Value:
        shape = args.get("shape", 0)
        return arrays.make(name, _sizes(shape), Const(value), Const(0.0), place)

    return create


def constant(vm: Machine, args: Arguments, place: Place) -> Value:
    """`tf.constant(0.1, shape=[64])`; a number without a shape is that number."""
    value, shape = args.get("value", 0), args.get("shape", 2)
    if isinstance(value, Const) and shape is not None:
        return arrays.make("constant", _sizes(shape), value, Const(0.0), place)
    return value if isinstance(value, Const | Array) else Unknown("a constant tensor")


def variable(vm: Machine, args: Arguments, place: Place) -> Value:
    """`tf.Variable(initial_value)`."""
    value = args.get("initial_value", 0)
    if isinstance(value, Array):
        return Array(dict(value.cells), shape=value.shape, trained=True)
    return Unknown("a variable")


def get_variable(vm: Machine, args: Arguments, place: Place) -> Value:
    """`tf.get_variable(name, shape, dtype, initializer)`, whose default is Glorot's uniform law."""
    shape, wanted = args.get("shape", 1), args.get("initializer", 3)
    if isinstance(wanted, Array):
        return Array(dict(wanted.cells), shape=wanted.shape or _sizes(shape), trained=True)
    if wanted is None or (isinstance(wanted, Const) and wanted.value is None):
        made = _by_law("default", "glorot_uniform", {}, _sizes(shape), None)
    elif isinstance(wanted, Layer) and wanted.spec.kind == "initialiser":
        made = _by_layer(wanted, _sizes(shape))
    elif isinstance(wanted, Symbol) and wanted.name in SPECS and SPECS[wanted.name].kind == "initialiser":
        law = Layer(name=wanted.name, spec=SPECS[wanted.name], args=_defaults(wanted.name), place=wanted.place)
        made = _by_layer(law, _sizes(shape))
    else:
        return Unknown("a variable")
    made.trained = True
    return made


def drawn_by(layer: Layer, args: Arguments, place: Place) -> Value:
    """An initialiser that is called: `init(shape)`, in JAX `init(key, shape)`."""
    at = 1 if layer.name.startswith(("jax.", "flax.")) else 0
    shape = args.get("shape", at)
    return _by_layer(layer, _sizes(shape)) if shape is not None else Unknown("numbers of no shape")


def _by_layer(layer: Layer, shape: Shape | None) -> Array:
    from selulint.evaluate.kernels import told

    known, missing = told(layer)
    last = layer.name.rpartition(".")[2]
    if missing:
        made = arrays.make(last, shape, Unknown("a mean"), Unknown("a deviation"), layer.place or Place(None, None))  # type: ignore[arg-type]
        made.cells["init"] = Init(last, None, False, layer.place, {"unknown": missing})
        return made
    return _by_law(last, layer.spec.init, known, shape, layer.place)


def _defaults(name: str) -> dict[str, Value]:
    from selulint.evaluate.layers import parameters

    return dict(parameters(SPECS[name].signature)[1])


def _by_law(name: str, law: str, told: dict[str, Any], shape: Shape | None, place: Place | None) -> Array:
    """An array whose deviation follows from its own shape."""
    init = Init(name, None, name == "default", place, told)
    if shape is None or len(shape) < 2:
        cells = {"mean": Unknown("a mean"), "std": Unknown("a deviation"), "init": init}
        return Array(cells, shape=shape)

    def deviation(*sizes: float) -> float:
        fan_in, fan_out = math.prod(sizes[:-1]), math.prod(sizes[:-2]) * sizes[-1]
        value = gain(law, told, fan_in, fan_out, units=sizes[-1])
        return math.sqrt(value / fan_in) if value is not None else math.nan

    known = all(isinstance(size, Const) for size in shape)
    std = combined(deviation, *shape) if known else formula(deviation, *shape)
    return Array({"mean": Const(0.0), "std": std, "init": init}, shape=shape)


def weight_of(name: str, function: str, bound: dict[str, Value]) -> tuple[Init, int | None] | None:
    """The initialisation of the array that a function of TensorFlow takes as its kernel, and the width it gives."""
    weight = next((bound[each] for each in _KERNEL_ARGUMENTS if isinstance(bound.get(each), Array)), None)
    if not isinstance(weight, Array):
        return None
    sizes = weight.shape
    if sizes is None or len(sizes) < 2 or "transpose" in function or function == "einsum":
        return arrays.init_for(weight, lambda number: None), None
    fan: Value = product(sizes[:2] if function.startswith("depthwise") else sizes[:-1])

    def fan_in(number: Number) -> float | None:
        return number(fan)

    last = sizes[-1].value if isinstance(sizes[-1], Const) else None
    is_width = isinstance(last, int) and not function.startswith("depthwise")
    return arrays.init_for(weight, fan_in), last if is_width else None


_KERNEL_ARGUMENTS = ("filters", "filter", "weights", "b", "x2", "y", "kernel")


def is_vector(value: Value) -> bool:
    """Whether an array is one number for each channel: added, it is a bias."""
    return isinstance(value, Array) and value.shape is not None and len(value.shape) == 1


def placeholder(vm: Machine, args: Arguments, place: Place) -> Value:
    """`tf.placeholder(dtype, shape)`: what a session feeds."""
    shape = args.get("shape", 1)
    items: Sequence[Value] = shape.items if isinstance(shape, TupleValue | ListValue) else ()
    last = items[-1].value if len(items) > 1 and isinstance(items[-1], Const) else None
    return vm.builder.input(features=last if isinstance(last, int) else None)
