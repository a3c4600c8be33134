"""The statistics of a model before it runs: one walk over its graph, for the rules, `selulint graph` and `verify`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import prod

from selulint.diagnostic import Prediction
from selulint.graph import Kind, Model, Op
from selulint.moments import propagate
from selulint.moments.fitting import bias_moments
from selulint.moments.initial import gain
from selulint.moments.propagate import Layer, Statistics
from selulint.moments.windows import Axis, Image, same

# Samples that a band is meant for: what `selulint verify` takes.
BATCH = 256
_LAYERS = frozenset("linear conv1d conv2d conv3d matmul depthwise_conv1d depthwise_conv2d".split())
_OVER_SAMPLES = frozenset({"batch_norm", "instance_norm"})
_OVER_UNITS = frozenset({"layer_norm", "group_norm"})
_ALPHA_DROPOUTS = frozenset({"alpha_dropout", "feature_alpha_dropout"})
_PLAIN_DROPOUTS = frozenset({"dropout", "dropout1d", "dropout2d", "dropout3d", "spatial_dropout"})
# Reshapes that only move values about; the first few leave images as they are.
_STILL = frozenset("identity channel_shuffle roll".split())
_MOVING = _STILL | frozenset(
    "flatten reshape permute squeeze unsqueeze index split repeat pixel_shuffle view unflatten".split()
)
# By which argument an activation's parameter goes.
_ALPHAS = {"leaky_relu": "negative_slope", "prelu": "init", "elu": "alpha", "celu": "alpha", "softplus": "beta"}
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
# Constraints that leave the weights as they were drawn.
_HARMLESS = frozenset({"weight_norm", "max_norm", "unit_norm", "l1", "l2", "l1_l2"})
# Two branches of an `if` count as one where they differ by less.
_ALIKE = 0.03
# Sides up to which the edges of images are followed.
_LARGE = 4096


@dataclass(slots=True)
class Walk:
    """Statistics behind every op so far (None where they are not known), op by op.

    `assumed` says of which ops another rule tells what is wrong: they count as they should be, and without `biases` these
    are zero. With `standardised` any
    computation on the inputs before the first layer counts as bringing them to mean 0 and variance 1. `shapes` are those
    of the inputs, batch first, as far as they are known; with a `batch` what samples share and how draws scatter is
    followed too. What is not understood has no statistics, nor has what follows.
    """

    model: Model
    assumed: Callable[[Op], bool] = lambda op: False
    biases: bool = True
    training: bool = True
    standardised: bool = True
    shapes: Sequence[Sequence[int]] = ()
    batch: float | None = None
    known: list[Statistics | None] = field(default_factory=list)
    _layered: set[int] = field(default_factory=set)
    _origins: list[int] = field(default_factory=list)
    _inputs: int = 0

    def step(self, op: Op) -> Statistics | None:
        """The statistics behind the next op."""
        found = self._step(op)
        if found is not None and not (found.variance < float("inf")):
            found = None
        self.known.append(found)
        origin = 1 << op.index if op.kind in (Kind.PARAMETRIC, Kind.INPUT, Kind.OPAQUE) else 0
        if not origin:
            for index in op.inputs:
                origin |= self._origins[index]
        self._origins.append(origin)
        return found

    def reset(self, op: Op, statistics: Statistics | None) -> None:
        """Go on as if an op that was walked over had other statistics."""
        self.known[op.index] = statistics

    def _step(self, op: Op) -> Statistics | None:
        if op.kind is Kind.INPUT:
            return self._input(op)
        before = [self.known[index] for index in op.inputs]
        parts = [each for each in before if each is not None]
        if op.kind is Kind.PARAMETRIC or not self._layered.isdisjoint(op.inputs):
            self._layered.add(op.index)
        elif self.standardised and op.kind is not Kind.OPAQUE:
            return None if len(parts) < len(before) else propagate.standard(self.batch)
        if not parts or len(parts) < len(before):
            return None
        return self._merged(op, parts) if op.kind is Kind.MERGE else self._single(op, parts)

    def _input(self, op: Op) -> Statistics | None:
        if op.args.get("unknown"):
            return None
        shape = self.shapes[self._inputs] if self._inputs < len(self.shapes) else None
        self._inputs += 1
        if shape is None:
            return propagate.standard(self.batch)
        return propagate.standard(self.batch, tuple(shape[2:] if self.model.framework == "torch" else shape[1:-1]))

    def _single(self, op: Op, parts: list[Statistics]) -> Statistics | None:
        before = parts[0]
        if any(abs(each.second - before.second) + abs(each.mean - before.mean) > _ALIKE for each in parts):
            return None  # branches that differ: which of them runs is not known
        match op.kind:
            case Kind.PARAMETRIC:
                return self._layer(op, before)
            case Kind.ACTIVATION if not op.rivals:
                return propagate.activation(before, op.function, _alpha(op))
            case Kind.NORM:
                return self._norm(op, before)
            case Kind.DROPOUT:
                return self._dropout(op, before)
            case Kind.RESHAPE if op.function in _MOVING:
                return _moved(op, before)
            case Kind.SCALE:
                return _affine(op, before)
            case Kind.POOL:
                return _pooled(op, before)
        return None

    def _layer(self, op: Op, before: Statistics) -> Statistics | None:
        if self.assumed(op):
            return propagate.layer(before, Layer(1.0), assumed=True)
        if op.function == "embedding":
            second = _row_variance(op)
            return None if second is None else propagate.table(second, width_of(op), before)
        init, biases = op.weight, _biases(op) if self.biases else (0.0, 0.0)
        if init is None or init.gain is None or op.function not in _LAYERS or biases is None:
            return None
        if op.constraint is not None and op.constraint[0] not in _HARMLESS:
            return None
        return propagate.layer(before, Layer(init.gain, op.fan_in, width_of(op), biases, _axes(op, before.image)))

    def _norm(self, op: Op, before: Statistics) -> Statistics | None:
        if any(op.args.get(name, "ones") not in ("ones", None) for name in ("gamma_initializer",)):
            return None
        if op.function == "batch_norm" and not self.training:
            return before  # the running statistics are 0 and 1 at first
        if op.function in _OVER_SAMPLES | _OVER_UNITS:
            return propagate.standardised(before, op.function in _OVER_SAMPLES)
        return propagate.root_mean_square(before) if op.function == "rms_norm" else None

    def _dropout(self, op: Op, before: Statistics) -> Statistics | None:
        if self.assumed(op):
            return replace(before, assumed=True)
        training = op.args.get("training", self.training)
        if not self.training or training is False:
            return before
        rate = op.args.get("p", op.args.get("rate"))
        if not isinstance(rate, int | float):
            return before if op.function in _ALPHA_DROPOUTS else None
        if not 0 <= rate < 1:
            return None
        if op.function in _ALPHA_DROPOUTS:
            return propagate.alpha_dropout(before, rate)
        return propagate.dropout(before, rate) if op.function in _PLAIN_DROPOUTS else None

    def _merged(self, op: Op, parts: list[Statistics]) -> Statistics | None:
        if op.function == "concat":
            sizes = [self._width(index) for index in op.inputs]
            whole = [size for size in sizes if size is not None]
            return propagate.concatenated(parts, whole if len(whole) == len(parts) else None)
        if len(parts) < 2 or not self._is_plain(op):
            return None
        if self.assumed(op):
            return Statistics(0.0, 1.0, assumed=True)
        match op.function:
            case "subtract":
                return propagate.added([parts[0], propagate.affine(parts[1], -1.0, 0.0)])
            case "add" if op.args.get("alpha", 1) == 1:
                return propagate.added(parts)
            case "average":
                return propagate.affine(propagate.added(parts), 1 / len(parts), 0.0)
            case "multiply":
                return propagate.multiplied(parts)
        return None

    def _is_plain(self, op: Op) -> bool:
        """Whether each input of a merge is one operand, and random weights of its own lie on the way to each."""
        place = op.call if op.layer else op.place
        is_operator = place is not None and type(place.node).__name__ in ("BinaryOperation", "AugAssign")
        if is_operator and len(op.inputs) != 2:
            return False
        seen = 0
        for index in op.inputs:
            if seen & self._origins[index]:
                return False
            seen |= self._origins[index]
        return True

    def _width(self, index: int) -> float | None:
        """The number of units of a tensor: that of the layer that made it."""
        op = self.model.ops[index]
        while op.kind not in (Kind.PARAMETRIC, Kind.MERGE, Kind.INPUT) and len(op.inputs) == 1:
            if op.kind is Kind.RESHAPE and op.function not in _STILL:
                return None
            op = self.model.ops[op.inputs[0]]
        if op.kind is Kind.MERGE and op.function in ("add", "multiply", "average", "subtract"):
            return self._width(op.inputs[0])
        return width_of(op) if op.kind is Kind.PARAMETRIC else None


def width_of(op: Op) -> float | None:
    """The number of units of a layer."""
    for name in _WIDTHS:
        if isinstance(size := op.args.get(name), int | float) and size > 0:
            return float(size)
    return op.fan_out if op.function in ("linear", "matmul") else None


def _alpha(op: Op) -> float | None:
    value = op.args.get(_ALPHAS.get(op.function, ""))
    return float(value) if isinstance(value, int | float) else None


def _biases(op: Op) -> tuple[float, float] | None:
    """Mean and variance of a layer's biases; None where their law is not known."""
    if op.bias is None or op.args.get("bias", op.args.get("use_bias", True)) is False:
        return 0.0, 0.0
    if not op.bias.default:
        return bias_moments(op.bias.name, op.bias.args)
    if op.name.partition(".")[0] in ("torch", "equinox"):
        # U(+-1/sqrt(fan_in)).
        return 0.0, 1.0 / (3.0 * op.fan_in) if op.fan_in else 0.0
    return 0.0, 0.0


def _row_variance(op: Op) -> float | None:
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


def _axes(op: Op, image: Image | None) -> tuple[Axis, ...] | None:
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


def _pooled(op: Op, before: Statistics) -> Statistics | None:
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
            return propagate.max_pool(before, float(prod(size)), _axes(op, image))
        case "avg_pool":
            return propagate.average_pool(before, float(prod(size)), _axes(op, image))
    return None


def _moved(op: Op, before: Statistics) -> Statistics:
    if op.function in _STILL:
        return before
    return propagate.flattened(before) if op.function == "flatten" else replace(before, image=None)


def _affine(op: Op, before: Statistics) -> Statistics | None:
    factor, shift = op.args.get("factor", 1.0), op.args.get("shift", 0.0)
    if not isinstance(factor, int | float) or not isinstance(shift, int | float):
        return None
    return propagate.affine(before, factor, shift) if op.function in ("scale", "shift") else None


@dataclass(frozen=True, slots=True)
class Predicted:
    """The statistics behind one activation, and where it is: the layer before it, and its line (0: in another file)."""

    op: int
    function: str
    layer: str
    line: int
    statistics: Statistics


def predictions(
    model: Model,
    shapes: Sequence[Sequence[int]] = (),
    training: bool = False,
    batch: float = BATCH,
    standardised: bool = False,
) -> list[Statistics | None]:
    """The statistics behind every op of a model with standard normal inputs, with bands where widths are known."""
    walk = Walk(model, training=training, standardised=standardised, shapes=shapes, batch=batch)
    for op in model.ops:
        walk.step(op)
    return walk.known


def activations(model: Model, found: Sequence[Statistics | None]) -> Iterator[Predicted]:
    """Those of the activations, of what `predictions` found."""
    for op in model.of(Kind.ACTIVATION):
        statistics = found[op.index]
        if statistics is not None:
            place = op.call or op.place
            line = model.file.source.locate(place.span.start)[0] if place is not None else 0
            yield Predicted(op.index, op.function, _behind(model, op), line, statistics)


def as_written(model: Model, op: Op) -> Prediction | None:
    """What the model, nothing of it repaired, makes of the activation behind an op, and of the last one it leads to."""
    found = _statistics(model)
    near = next(iter(model.activations_after(op)), None)
    here = None if near is None else found[near.index]
    if near is None or here is None:
        return None
    reached, last = {near.index}, near
    for each in model.ops[near.index + 1 :]:
        if not reached.isdisjoint(each.inputs):
            reached.add(each.index)
            if each.kind is Kind.ACTIVATION and each.function == near.function and found[each.index] is not None:
                last = each
    final = found[last.index]
    end = None if last is near or final is None else Prediction(_behind(model, last), final.mean, final.variance)
    return Prediction(_behind(model, near), here.mean, here.variance, end)


@lru_cache(maxsize=1)
def _statistics(model: Model) -> list[Statistics | None]:
    walk = Walk(model)
    for op in model.ops:
        walk.step(op)
    return walk.known


def _behind(model: Model, op: Op) -> str:
    """The name of the layer before an activation, else its own."""
    layers = [near.title for near in model.upstream(op, merges=True) if near.kind is Kind.PARAMETRIC]
    return layers[-1] if layers else op.title
