"""TensorFlow's variables: weights that a program makes, shapes and initialises by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeGuard

from selulint.evaluate import arrays
from selulint.evaluate.building import sources, tensors_in
from selulint.evaluate.fans import product
from selulint.evaluate.keras_weights import Law, by_law, law_of
from selulint.evaluate.machine import Machine
from selulint.evaluate.values import Array, Const, Layer, ListValue, TupleValue, Unknown, Value
from selulint.graph import Init, Kind, Place

if TYPE_CHECKING:
    from selulint.evaluate.calls import Arguments

# Where functions of TensorFlow take a kernel; its last axis is the output, whatever stands before it is input.
_KERNEL_ARGUMENTS = ("filters", "filter", "weights", "b", "x2", "y")


def _sizes(value: Value | None) -> Sequence[Value] | None:
    return arrays.sizes_of((value,)) if value is not None else None


def filled(name: str, value: float) -> Callable[..., Value]:
    """`tf.zeros(shape)`."""

    def create(vm: Machine, args: Arguments, place: Place) -> Value:
        shape = args.get("shape", 0)
        sizes = arrays.sizes_of((shape,)) if shape is not None else None
        return arrays.make(name, sizes, Const(value), Const(0.0), place)

    return create


def constant(vm: Machine, args: Arguments, place: Place) -> Value:
    """`tf.constant(0.1, shape=[64])`; a number without a shape is that number."""
    value, shape = args.get("value", 0), args.get("shape", 2)
    if isinstance(value, Const) and shape is not None:
        return arrays.make("constant", arrays.sizes_of((shape,)), value, Const(0.0), place)
    return value if isinstance(value, Const | Array) else Unknown("a constant tensor")


def get_variable(vm: Machine, args: Arguments, place: Place) -> Value:
    """`tf.get_variable(name, shape, dtype, initializer)`, whose default is Glorot's uniform law."""
    sizes, wanted = _sizes(args.get("shape", 1)), args.get("initializer", 3)
    if isinstance(wanted, Array):
        return Array(dict(wanted.cells), shape=wanted.shape, trained=True)
    is_default = wanted is None or (isinstance(wanted, Const) and wanted.value is None)
    law = Law("glorot_uniform", {}, (), None) if is_default or wanted is None else law_of(wanted)
    if law is None:
        return Unknown("a variable")
    if law.args.get("stddev", 0) is None:
        law = replace(law, args={**law.args, "stddev": 1.0})  # where variables are got, TF 1's default is meant
    made = by_law(law, sizes, is_default)
    made.trained = True
    return made


def drawn_by(layer: Layer, args: Arguments, place: Place) -> Value:
    """An initialiser that is called: `init(shape)`, in JAX `init(key, shape)`."""
    shape, law = args.get("shape", 1 if layer.name.startswith(("jax.", "flax.")) else 0), law_of(layer)
    return by_law(law, _sizes(shape)) if law is not None and shape is not None else Unknown("numbers of no shape")


def _kernel(bound: Mapping[str, Value]) -> Array | None:
    found = (bound.get(name) for name in _KERNEL_ARGUMENTS)
    return next((each for each in found if isinstance(each, Array)), None)


def weight_of(function: str, bound: Mapping[str, Value]) -> Init | None:
    """The initialisation of the array that a function of TensorFlow takes as its kernel."""
    kernel = _kernel(bound)
    if kernel is None:
        return None
    sizes = kernel.shape
    if sizes is None or len(sizes) < 2 or "transpose" in function:
        return arrays.init_for(kernel, lambda number: None)
    fan: Value = product(sizes[:2] if function.startswith("depthwise") else sizes[:-1])
    return arrays.init_for(kernel, lambda number: number(fan))


def width_of(function: str, bound: Mapping[str, Value]) -> int | None:
    """The size of the channel axis that such a kernel gives."""
    kernel = _kernel(bound)
    if kernel is None or not kernel.shape or "transpose" in function or function in ("einsum", "depthwise_conv2d"):
        return None
    last = kernel.shape[-1]
    return last.value if isinstance(last, Const) and isinstance(last.value, int) else None


def is_entry(vm: Machine, value: Value | None) -> bool:
    """Whether something unknown is an entry of a container that callers pass and no data: `weights["hidden"]`."""
    if not isinstance(value, Unknown) or value not in vm.wholes:
        return False
    container, key = vm.wholes[value]
    return container.parameter and isinstance(key, tuple) and container not in vm.builder.promoted


def is_vector(value: Value) -> TypeGuard[Array]:
    """Whether an array is one number for each channel: added, it is a bias."""
    return isinstance(value, Array) and value.shape is not None and len(value.shape) == 1


def add_bias(vm: Machine, layers: Sequence[Value], vector: Value | None) -> None:
    """Tell layers that are made by hand of the vector that is added to what they compute."""
    if vector is None or not is_vector(vector):
        return
    for source in sources(tensors_in(TupleValue(tuple(layers)))):
        if vm.builder.base <= source < vm.builder.end:
            draft = vm.builder.op(source)
            if draft.kind is Kind.PARAMETRIC and draft.layer is None and draft.bias is None:
                draft.bias = arrays.init_of_bias(vector)


def placeholder(vm: Machine, args: Arguments, place: Place) -> Value:
    """`tf.placeholder(dtype, shape)`: what a session feeds."""
    shape = args.get("shape", 1)
    items: Sequence[Value] = shape.items if isinstance(shape, TupleValue | ListValue) else ()
    last = items[-1].value if len(items) > 1 and isinstance(items[-1], Const) else None
    return vm.builder.input(features=last if isinstance(last, int) else None)
