"""Fans and shapes of weights, as values that may hang on sizes nobody knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from operator import mul

from selulint.evaluate.numbers import combined
from selulint.evaluate.values import (
    Array,
    Const,
    Layer,
    ListValue,
    ModuleAttribute,
    Number,
    Size,
    TupleValue,
    Unknown,
    Value,
)

# No kernel and no stride is as large as this; powers of such numbers overflow.
_HUGE = 1e9
_PER_AXIS = frozenset({"kernel_size", "stride", "padding", "dilation", "output_padding"})


@dataclass(frozen=True, slots=True)
class Fans:
    """fan_in and fan_out as the framework's initialisers compute them, and the fan_in that one unit really has."""

    fan_in: float | None
    fan_out: float | None
    true: float | None


NO_FANS = Fans(None, None, None)


def constant(value: Value | None) -> float | None:
    """The number of a constant: the world in which nothing is guessed."""
    return value.value if isinstance(value, Const) and isinstance(value.value, int | float) else None


def fans(layer: Layer, number: Number = constant) -> Fans:
    """Fans of a PyTorch layer from its constructor's arguments; None where they are no numbers."""
    function, args = layer.spec.function, layer.args
    if function == "linear":
        size, units = number(args.get("in_features")), number(args.get("out_features"))
        return Fans(size, units, size) if _positive(size, units) else NO_FANS
    if not function.startswith("conv"):
        return NO_FANS
    size, units = number(args.get("in_channels")), number(args.get("out_channels"))
    groups, kernel = number(args.get("groups")), window(layer, "kernel_size", number)
    if size is None or units is None or groups is None or kernel is None or not _positive(size, units, groups, kernel):
        return NO_FANS
    if function.startswith("conv_transpose"):
        stride = window(layer, "stride", number)
        return Fans(units / groups * kernel, size * kernel, size / groups * kernel / stride if stride else None)
    return Fans(size / groups * kernel, units * kernel, size / groups * kernel)


def _positive(*values: float | None) -> bool:
    return all(value is not None and value > 0 for value in values)


def window(layer: Layer, argument: str, number: Number = constant) -> float | None:
    """The number of positions of a kernel or stride: `3` of a 2-d layer is 9."""
    value = layer.args.get(argument)
    if isinstance(value, TupleValue | ListValue):
        sizes = [number(item) for item in value.items]
        return float(prod(size for size in sizes if size and size < _HUGE)) if _positive(*sizes) else None
    size = number(value)
    return float(size ** (axes(layer) or 1)) if size is not None and 0 < size < _HUGE else None


def axes(layer: Layer) -> int:
    """Over how many axes a layer slides: 2 for `Conv2d`, 0 where it does not."""
    last = layer.spec.function[-2:]
    return int(last[0]) if last in ("1d", "2d", "3d") else 0


def argument(layer: Layer, name: str) -> Value:
    """A constructor's argument as the layer's attribute shows it: kernel sizes are tuples there."""
    value = layer.args[name]
    if name in _PER_AXIS and axes(layer) and not isinstance(value, TupleValue | ListValue):
        is_size = isinstance(value, Unknown) or (isinstance(value, Const) and isinstance(value.value, int))
        return TupleValue((value,) * axes(layer)) if is_size else value
    return value


def shape(owner: ModuleAttribute | Array) -> Value:
    """The shape of a parameter as a tuple, where the number of its axes is known."""
    if isinstance(owner, Array):
        return Size(owner.shape) if owner.shape is not None else Unknown("a shape that is not known")
    layer, function = owner.owner, owner.owner.spec.function
    if layer.spec.kind == "norm":
        return _norm_shape(layer)
    if owner.name != "weight":
        size = layer.args.get("out_features") or layer.args.get("out_channels")
        return Size((size or Unknown("a size"),))
    if function == "linear":
        return Size((_size(layer, "out_features"), _size(layer, "in_features")))
    if function == "embedding":
        return Size((_size(layer, "num_embeddings"), _size(layer, "embedding_dim")))
    if function.startswith("conv") and "kernel_size" in layer.args:
        first, second = ("in", "out") if "transpose" in function else ("out", "in")
        kernel = argument(layer, "kernel_size")
        per_group = combined(_divided, _size(layer, f"{second}_channels"), _size(layer, "groups"))
        window_sizes = kernel.items if isinstance(kernel, TupleValue | ListValue) else ()
        return Size((_size(layer, f"{first}_channels"), per_group, *window_sizes))
    return Unknown("a shape that is not known")


def _norm_shape(layer: Layer) -> Value:
    """One axis, unless a layer norm spans several."""
    sizes = layer.args.get("normalized_shape")
    if isinstance(sizes, TupleValue | ListValue):
        return TupleValue(tuple(sizes.items))
    size = sizes or layer.args.get("num_features") or layer.args.get("num_channels")
    return TupleValue((size or Unknown("a size"),))


def _size(layer: Layer, name: str) -> Value:
    value = layer.args.get(name)
    if value is None:
        # Kept, so that a lazy layer has one size however often somebody asks.
        value = layer.args[name] = Unknown(f"`{name}`")
    return value


def _divided(size: float, groups: float) -> float:
    quotient = size / groups
    return int(quotient) if quotient == int(quotient) else quotient


def dimensions(owner: ModuleAttribute | Array) -> Value:
    """Number of axes of a parameter."""
    if isinstance(owner, Array):
        return Const(len(owner.shape)) if owner.shape is not None else Unknown("a number of axes")
    if owner.name == "bias" or owner.owner.spec.kind == "norm":
        return Const(1)
    return Const(axes(owner.owner) + 2 if axes(owner.owner) else 2)


def product(sizes: Sequence[Value]) -> Value:
    return combined(lambda *numbers: prod(numbers), *sizes)


def of_shape(sizes: Sequence[Value]) -> tuple[Value, Value]:
    """fan_in and fan_out of a weight as `torch.nn.init` computes them from its shape."""
    window_size = product(sizes[2:])
    return combined(mul, sizes[1], window_size), combined(mul, sizes[0], window_size)
