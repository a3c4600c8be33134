"""What the single operations of a graph mean for statistics: arguments as numbers, with the frameworks' defaults."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from selulint.graph import Op
from selulint.moments import propagate
from selulint.moments.fitting import bias_moments
from selulint.moments.initial import gain
from selulint.moments.propagate import Statistics
from selulint.moments.windows import Axis, Image, same

# Reshapes that only move values about; the first few leave images as they are.
STILL = frozenset("identity channel_shuffle roll".split())
MOVING = STILL | frozenset(
    "flatten reshape permute squeeze unsqueeze index masked split repeat pixel_shuffle view unflatten".split()
)
# By which arguments an activation's parameter goes.
_ALPHAS = {
    "leaky_relu": ("negative_slope", "alpha"),
    "prelu": ("init",),
    "elu": ("alpha",),
    "celu": ("alpha",),
    "softplus": ("beta",),
    "hardshrink": ("lambd",),
    "softshrink": ("lambd",),
}
# Arguments that make another function of an activation, and the values with which they do not.
_ORDINARY = {
    "max_value": (None,),
    "threshold": (0, None, 20),
    "min_val": (-1,),
    "max_val": (1,),
    "alpha": (0, 1, None),
    "negative_slope": (0, None),
}
_WIDTHS = (
    "out_features",
    "out_channels",
    "units",
    "filters",
    "features",
    "output_size",
    "num_outputs",
    "embedding_dim",
)
# Sides up to which the edges of images are followed.
_LARGE = 4096


def width_of(op: Op) -> float | None:
    """The number of units of a layer."""
    for name in _WIDTHS:
        if isinstance(size := op.args.get(name), int | float) and size > 0:
            return float(size)
    return op.fan_out if op.function in ("linear", "matmul") else None


def rate_of(op: Op) -> float | None:
    """The share of units that a dropout drops, where it is known."""
    rate = op.args.get("p", op.args.get("rate"))
    if isinstance(kept := op.args.get("keep_prob"), int | float):
        rate = 1 - kept
    return float(rate) if isinstance(rate, int | float) and not isinstance(rate, bool) else None


def activated(op: Op, before: Statistics) -> Statistics | None:
    """Behind an activation; None where its arguments make another function of it."""
    names = _ALPHAS.get(op.function, ())
    given = [value for name in names if isinstance(value := op.args.get(name), int | float)]
    if any(op.args[name] not in usual for name, usual in _ORDINARY.items() if name in op.args and name not in names):
        return None
    return propagate.activation(before, op.function, float(given[0]) if given else None)


def biases_of(op: Op) -> tuple[float, float] | None:
    """Mean and variance of a layer's biases; None where their law is not known."""
    if op.bias is None or op.args.get("bias", op.args.get("use_bias", True)) is False:
        return 0.0, 0.0
    if not op.bias.default:
        return bias_moments(op.bias.name, op.bias.args)
    if op.name.partition(".")[0] in ("torch", "equinox"):
        # U(+-1/sqrt(fan_in)).
        return 0.0, 1.0 / (3.0 * op.fan_in) if op.fan_in else 0.0
    return 0.0, 0.0


def row_variance(op: Op) -> float | None:
    """The mean square of a random table's entries."""
    init = op.weight
    if init is None or op.name.endswith("Bag") or op.name.endswith("embedding_bag"):
        return None
    if init.default:
        law = op.args.get("embeddings_initializer")
        if op.name.partition(".")[0] == "torch":
            return 1.0
        return gain("random_uniform", {}, 1.0, 1.0) if law == "uniform" else None
    if init.name in ("loaded", "unknown"):
        return None
    biases = bias_moments(init.name, init.args)
    return None if biases is None else biases[1] + biases[0] ** 2


def _sizes(value: object, axes: int) -> list[int] | None:
    """An argument with a value for each axis, as that many numbers."""
    values = list(value) if isinstance(value, tuple | list) else [value] * axes
    known = [each for each in values if isinstance(each, int) and not isinstance(each, bool)]
    return known if len(known) == axes == len(values) else None


def axes_of(op: Op, image: Image | None) -> tuple[Axis, ...] | None:
    """The window of a sliding layer or pool over an image of known sides."""
    count = int(op.function[-2]) if op.function[-2:] in ("1d", "2d", "3d") else 0
    args = op.args
    if not count or image is None or len(image) != count or args.get("padding_mode", "zeros") != "zeros":
        return None
    size = _sizes(args.get("kernel_size", args.get("pool_size")), count)
    stride_argument = args.get("stride", args.get("strides"))
    stride = _sizes(stride_argument if stride_argument is not None else size, count)
    dilation = _sizes(args.get("dilation", args.get("dilation_rate", 1)), count)
    sides = [len(line) for line in image]
    if size is None or stride is None or dilation is None or min(size + stride + dilation) < 1 or max(sides) > _LARGE:
        return None
    padding = args.get("padding", 0)
    if padding == "same":
        zeros = [same(*each) for each in zip(sides, size, stride, dilation, strict=True)]
    else:
        given = _sizes(0 if padding == "valid" else padding, count)
        if given is None:
            return None
        zeros = [(each, each) for each in given]
    together = zip(size, stride, zeros, dilation, strict=True)
    return tuple([Axis(length, step, *zero, apart) for length, step, zero, apart in together])


def pooled(op: Op, before: Statistics) -> Statistics | None:
    """Behind a pool; one over all places only where their number is known."""
    image = before.image
    if op.function in ("global_avg_pool", "global_max_pool"):
        left = op.args.get("output_size", 1)
        if not image or (left != 1 and set(_sizes(left, len(image)) or [0]) != {1}):
            return None
        pool = propagate.average_pool if op.function == "global_avg_pool" else propagate.max_pool
        whole = tuple(Axis(len(line)) for line in image)
        return pool(before, float(prod(len(line) for line in image)), whole)
    count = int(op.function[-2]) if op.function[-2:] in ("1d", "2d", "3d") else 0
    size = _sizes(op.args.get("kernel_size", op.args.get("pool_size")), count)
    if size is None or not count:
        return None
    match op.function[:-2]:
        case "max_pool":
            return propagate.max_pool(before, float(prod(size)), axes_of(op, image))
        case "avg_pool":
            return propagate.average_pool(before, float(prod(size)), axes_of(op, image))
    return None


def moved(op: Op, before: Statistics) -> Statistics:
    """Behind a reshape that only moves values about."""
    if op.function in STILL:
        return before
    return propagate.flattened(before) if op.function == "flatten" else replace(before, image=None)


def affine(op: Op, before: Statistics) -> Statistics | None:
    """Behind a factor or an offset that is a known number."""
    factor, shift = op.args.get("factor", op.args.get("scale", 1.0)), op.args.get("shift", op.args.get("offset", 0.0))
    if not isinstance(factor, int | float) or not isinstance(shift, int | float):
        return None
    return propagate.affine(before, factor, shift) if op.function in ("scale", "shift", "rescaling") else None
