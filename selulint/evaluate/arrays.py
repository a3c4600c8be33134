"""Arrays of numbers that programs make themselves: random weights, their arithmetic, and the gain they have where used."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from selulint.evaluate.building import tensors_in
from selulint.evaluate.fans import fans, product, shape
from selulint.evaluate.machine import Machine
from selulint.evaluate.numbers import combined, may_be_number, settled
from selulint.evaluate.values import (
    Array,
    Const,
    Formula,
    ListValue,
    ModuleAttribute,
    Number,
    TupleValue,
    Unknown,
    Value,
)
from selulint.graph import Init, Place
from selulint.moments.initial import TRUNCATED_VARIANCE

if TYPE_CHECKING:
    from selulint.evaluate.calls import Arguments

_ROTATIONS = frozenset({"t", "transpose", "swapaxes", "swapdims"})
# Where functions that multiply matrices take their right and left one.
_RIGHT = ("other", "mat2", "batch2", "x2", "b")
_LEFT = ("mat1", "batch1", "input", "x1", "a")
_COPIES = frozenset({"astype", "copy"})
_RESHAPES = frozenset(
    "view reshape expand repeat unsqueeze squeeze flatten permute view_as reshape_as expand_as".split()
)


def spread(vm: Machine, array: Array, mean: Value, std: Value) -> None:
    vm.write(array, "mean", mean)
    vm.write(array, "std", std)


def make(name: str, sizes: tuple[Value, ...] | None, mean: Value, std: Value, place: Place) -> Array:
    told = {key: each.value for key, each in (("mean", mean), ("std", std)) if isinstance(each, Const)}
    return Array({"mean": mean, "std": std, "init": Init(name, None, False, place, told)}, shape=sizes)


def sizes_of(values: Sequence[Value]) -> tuple[Value, ...] | None:
    """The shape that `f(2, 3)` or `f((2, 3))` asks for; None where the number of axes is not known."""
    if len(values) == 1 and isinstance(values[0], TupleValue | ListValue):
        first = values[0]
        values = () if getattr(first, "open", False) else first.items
    whole = bool(values) and all(map(may_be_number, values))
    # Something unknown alone may be a whole shape.
    alone = len(values) == 1 and isinstance(values[0], Unknown)
    return tuple(values) if whole and not alone else None


def creator(name: str, mean: float | None, std: float | None) -> Callable[[Machine, Arguments, Place], Value]:
    """A function such as `torch.randn`, of which every element has this mean and deviation."""

    def create(vm: Machine, args: Arguments, place: Place) -> Value:
        from selulint.evaluate.tensors import opaque

        if any(tensors_in(value) for value in args.all):
            return opaque(vm, f"`{name}`", args.all, place)
        size = args.get("size")
        given = (size,) if size is not None else args.positional
        return make(name, None if args.open else sizes_of(given), _told(mean), _told(std), place)

    return create


def _told(value: float | None) -> Value:
    return Unknown("memory that nobody wrote") if value is None else Const(value)


def creator_like(name: str, mean: float | None, std: float | None) -> Callable[[Machine, Arguments, Place], Value]:
    """`torch.randn_like` and its kin."""

    def create(vm: Machine, args: Arguments, place: Place) -> Value:
        from selulint.evaluate.tensors import opaque

        model = args.get("input", 0)
        if any(tensors_in(value) for value in args.all):
            return opaque(vm, f"`{name}`", args.all, place)
        like = shape(model) if isinstance(model, ModuleAttribute | Array) else None
        return make(name, like.items if isinstance(like, TupleValue) else None, _told(mean), _told(std), place)

    return create


def drawn(
    name: str, names: tuple[str, str], defaults: tuple[float, float], at: int, kind: str = "normal"
) -> Callable[[Machine, Arguments, Place], Value]:
    """`numpy.random.normal(loc, scale, size)` and its kin; `at` is the position of the size."""

    def create(vm: Machine, args: Arguments, place: Place) -> Value:
        # The size comes first, or after the two parameters.
        offset = 1 if at == 0 else 0
        first, second = (
            args.get(n, i + offset) or Const(d) for i, (n, d) in enumerate(zip(names, defaults, strict=True))
        )
        size = args.get("size", at) or args.get("shape", at)
        if size is None or any(tensors_in(value) for value in args.all):
            return Unknown(f"`{name}`")
        sizes = (size,) if not isinstance(size, TupleValue | ListValue) else size.items
        if kind == "truncated":
            second = combined(lambda s: s * math.sqrt(TRUNCATED_VARIANCE), second)
        if kind == "uniform":
            mean = combined(lambda low, high: (low + high) / 2, first, second)
            std = combined(lambda low, high: abs(high - low) / math.sqrt(12), first, second)
            return make(name, sizes_of(sizes), mean, std, place)
        return make(name, sizes_of(sizes), first, second, place)

    return create


def full(vm: Machine, args: Arguments, place: Place) -> Value:
    size, value = args.get("size", 0), args.get("fill_value", 1)
    if size is None or value is None or not may_be_number(value) or tensors_in(value):
        return Unknown("`full`")
    return make("full", sizes_of((size,)), value, Const(0.0), place)


def wrapped(vm: Machine, args: Arguments, place: Place) -> Value:
    """A function that makes the same numbers a tensor: `torch.from_numpy`, `torch.as_tensor`."""
    from selulint.evaluate.tensors import opaque

    first = args.positional[0] if args.positional else None
    if isinstance(first, Array | ModuleAttribute):
        return first
    if isinstance(first, Const) and may_be_number(first):
        return first
    return opaque(vm, "a tensor of data", args.all, place)


def view(value: ModuleAttribute | Array) -> Array:
    """A layer's weight as an array of numbers."""
    if isinstance(value, Array):
        return value
    sizes, init, layer = shape(value), value.owner.init(value.name), value.owner
    known = init.gain if init is not None else None

    def deviation(number: Number) -> float | None:
        fan_in = fans(layer, number).true
        return math.sqrt(known / fan_in) if known is not None and fan_in else None

    cells = {
        "mean": Const(0.0),
        "std": Formula("a deviation", compute=deviation),
        "init": init or Init("unknown", None, False, None),
    }
    return Array(cells, shape=sizes.items if isinstance(sizes, TupleValue) else None)


def combine(function: Callable[..., Any], left: Value, right: Value, place: Place) -> Value:
    """Arithmetic of an array with a number."""
    flipped = not isinstance(left, Array | ModuleAttribute)
    array, other = (right, left) if flipped else (left, right)
    adds = function in (operator.add, operator.sub)
    scales = function is operator.mul or (function is operator.truediv and not flipped)
    if not isinstance(array, Array | ModuleAttribute) or not may_be_number(other) or not (adds or scales):
        return Unknown("arithmetic on an array")
    seen = view(array)
    mean, std = seen.cells["mean"], seen.cells["std"]
    if adds:
        operands = (other, mean) if flipped else (mean, other)
        mean = combined(function, *operands)
    else:
        mean, std = combined(function, mean, other), combined(lambda s, c: abs(function(s, c)), std, other)
    init: Init = seen.cells["init"]
    name = init.name if init.name not in ("default", "unknown") else function.__name__
    told = {key: each.value for key, each in (("mean", mean), ("std", std)) if isinstance(each, Const)}
    if not isinstance(other, Const):
        told["unknown"] = ("a factor",)
    return Array({"mean": mean, "std": std, "init": Init(name, None, False, place, told)}, shape=seen.shape)


def method(owner: ModuleAttribute | Array, name: str, args: Arguments, place: Place) -> Value:
    """A method that gives another array."""
    if name in _ROTATIONS:
        return transposed(owner)
    if name in _COPIES:
        seen = view(owner)
        return Array(dict(seen.cells), shape=seen.shape)
    if name in ("mul", "div", "add", "sub") and len(args.positional) == 1:
        function = {"mul": operator.mul, "div": operator.truediv, "add": operator.add, "sub": operator.sub}[name]
        return combine(function, owner, args.positional[0], place)
    if name in _RESHAPES:
        return Array(dict(view(owner).cells), shape=_rows(view(owner), name, args), base=owner)
    return Unknown(f"`{name}` of a parameter")


def _rows(array: Array, name: str, args: Arguments) -> tuple[Value, ...] | None:
    """The shape of `w.view(n, -1)` and `w.flatten(1)`: a matrix with a row for each unit."""
    last = args.positional[-1] if args.positional else None
    is_matrix = name in ("view", "reshape") and len(args.positional) == 2
    if not array.shape or not isinstance(last, Const) or last.value != (-1 if is_matrix else 1):
        return None
    if is_matrix and may_be_number(args.positional[0]):
        rows = args.positional[0]
        return rows, combined(operator.truediv, product(array.shape), rows)
    return (array.shape[0], product(array.shape[1:])) if name == "flatten" else None


def transposed(owner: ModuleAttribute | Array) -> Array:
    seen = view(owner)
    sizes = seen.shape
    swapped = (sizes[1], sizes[0]) if sizes is not None and len(sizes) == 2 else None
    return Array(dict(seen.cells), shape=swapped, base=owner if isinstance(owner, ModuleAttribute | Array) else None)


def item(owner: ModuleAttribute | Array) -> Array:
    """One row of an array, or some of its rows: a view that hides what is written to the whole."""
    seen = view(owner)
    return Array(dict(seen.cells), shape=seen.shape[1:] if seen.shape else None, base=owner)


def init_for(array: Array, fan_in: Callable[[Number], float | None]) -> Init:
    """The initialisation of an array where it is used with this fan_in."""
    mean, std = array.cells["mean"], array.cells["std"]

    def compute(number: Number) -> float | None:
        fan, m, s = fan_in(number), number(mean), number(std)
        return None if fan is None or m is None or s is None else fan * (m * m + s * s)

    init: Init = array.cells["init"]
    return init if init.name in ("unknown", "loaded") else replace(init, gain=settled(compute), default=False)


def init_of_weight(weight: Array, function: str) -> Init:
    """The initialisation of an array that serves as the weight of `F.linear`, `F.conv2d` or `x @ weight`."""
    sizes = weight.shape
    if sizes is None or len(sizes) < 2 or "transpose" in function:
        fan: Value = Unknown("a fan")
    elif function == "matmul":
        fan = sizes[-2]
    else:
        fan = product(sizes[1:])
    return init_for(weight, lambda number: number(fan))


def init_of_bias(vector: Array) -> Init:
    """The initialisation of an array that serves as a bias: a law that hangs on no fan where its numbers are known."""
    init: Init = vector.cells["init"]
    mean, std = vector.cells["mean"], vector.cells["std"]
    if "mean" not in init.args or not isinstance(mean, Const) or not isinstance(std, Const):
        return init
    return replace(init, args={"value": mean.value}) if std.value == 0 else init


def init_of_left(weight: Array) -> Init:
    """The same for `weight @ x`."""
    fan: Value = weight.shape[-1] if weight.shape else Unknown("a fan")
    return init_for(weight, lambda number: number(fan))


def init_of_contracted(operands: Sequence[Value], axes: Value | None) -> Init | None:
    """The same for an array that `einsum`, or `tensordot` along these axes, contracts with a tensor; None without one."""
    at = next((number for number, each in enumerate(operands) if isinstance(each, Array)), None)
    if at is None or not isinstance(kernel := operands[at], Array):
        return None
    first, sizes = operands[0], kernel.shape or ()
    summed: Sequence[Value] = ()
    if isinstance(first, Const) and isinstance(first.value, str):
        terms, _, result = first.value.replace(" ", "").partition("->")
        letters = terms.split(",")[at - 1] if terms.count(",") == len(operands) - 2 else ""
        known = result and len(letters) == len(sizes)
        summed = [size for letter, size in zip(letters, sizes, strict=True) if letter not in result] if known else ()
    elif isinstance(axes, Const) and isinstance(axes.value, int) and at == 1:
        summed = sizes[: axes.value]
    fan = product(summed) if summed else Unknown("a fan")
    return init_for(kernel, lambda number: number(fan))


def _init_of_kernel(kernel: Array) -> Init:
    """The same for a kernel of TensorFlow, whose last axis is the output."""
    fan = product(kernel.shape[:-1]) if kernel.shape else Unknown("a fan")
    return init_for(kernel, lambda number: number(fan))


def weight_among(name: str, function: str, bound: Mapping[str, Value]) -> Init | None:
    """The initialisation of the array that a function on tensors takes as its weight; None where it takes none."""
    if function == "matmul":
        for side in _RIGHT:
            if isinstance(weight := bound.get(side), Array):
                return init_of_weight(weight, function)
        for side in _LEFT:
            if isinstance(weight := bound.get(side), Array):
                return init_of_left(weight)
        return None
    if name.startswith(("tensorflow.", "keras.")):
        kernel = bound.get("filters")
        is_plain = function.startswith("conv") and "transpose" not in function
        return _init_of_kernel(kernel) if is_plain and isinstance(kernel, Array) else None
    weight = bound.get("weight")
    is_layer = function == "linear" or function.startswith("conv")
    return init_of_weight(weight, function) if is_layer and isinstance(weight, Array) else None
