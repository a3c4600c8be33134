"""The statistics of a model before it runs: one walk over its graph, for the rules, `selulint graph` and `verify`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from selulint import operations
from selulint.diagnostic import Prediction
from selulint.graph import Kind, Model, Op
from selulint.moments import propagate
from selulint.moments.chains import variance_after
from selulint.moments.propagate import Layer, Statistics

# Samples that a band is meant for: what `selulint verify` takes.
BATCH = 256
_LAYERS = frozenset("linear conv1d conv2d conv3d matmul depthwise_conv1d depthwise_conv2d".split())
_OVER_SAMPLES = frozenset({"batch_norm", "instance_norm"})
_OVER_UNITS = frozenset({"layer_norm", "group_norm"})
_ALPHA_DROPOUTS = frozenset({"alpha_dropout", "feature_alpha_dropout"})
_PLAIN_DROPOUTS = frozenset(
    "dropout dropout1d dropout2d dropout3d spatial_dropout1d spatial_dropout2d spatial_dropout3d gaussian_dropout".split()
)
# Constraints that leave the weights as they were drawn.
_HARMLESS = frozenset({"weight_norm", "max_norm", "unit_norm", "l1", "l2", "l1_l2"})
# Two branches of an `if` count as one where they differ by less.
_ALIKE = 0.03


@dataclass(slots=True)
class Walk:
    """Statistics behind every op so far (None where they are not known), op by op.

    `assumed` says of which ops another rule tells what is wrong: they count as they should be, and without `biases` these
    are zero; without `dropout` nothing is dropped. With `standardised` any computation on the inputs before the first layer
    counts as bringing them to mean 0 and variance 1. `shapes` are those of the inputs, batch first, as far as they are
    known; with a `batch` what samples share and how draws scatter is followed too. What is not understood has no
    statistics, nor has what follows.
    """

    model: Model
    assumed: Callable[[Op], bool] = lambda op: False
    biases: bool = True
    training: bool = True
    dropout: bool = True
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
                return operations.activated(op, before)
            case Kind.NORM:
                return self._norm(op, before)
            case Kind.DROPOUT:
                return self._dropout(op, before)
            case Kind.RESHAPE if op.function in operations.MOVING:
                return operations.moved(op, before)
            case Kind.SCALE:
                return operations.affine(op, before)
            case Kind.POOL:
                return operations.pooled(op, before)
        return None

    def _layer(self, op: Op, before: Statistics) -> Statistics | None:
        if self.assumed(op):
            return propagate.layer(before, Layer(1.0), assumed=True)
        if op.function == "embedding":
            second = operations.row_variance(op)
            return None if second is None else propagate.table(second, operations.width_of(op), before)
        init, biases = op.weight, operations.biases_of(op) if self.biases else (0.0, 0.0)
        if init is None or init.gain is None or op.function not in _LAYERS or biases is None:
            return None
        if any(name not in _HARMLESS for name, _ in op.constraints):
            return None
        return propagate.layer(
            before, Layer(init.gain, op.fan_in, operations.width_of(op), biases, operations.axes_of(op, before.image))
        )

    def _norm(self, op: Op, before: Statistics) -> Statistics | None:
        if any(op.args.get(name, "ones") not in ("ones", None) for name in ("gamma_initializer",)):
            return None
        if op.function == "batch_norm" and not self.training and op.args.get("track_running_stats", True):
            return before  # the running statistics are 0 and 1 at first
        if op.function in _OVER_SAMPLES | _OVER_UNITS:
            return propagate.standardised(before, op.function in _OVER_SAMPLES)
        return propagate.root_mean_square(before) if op.function == "rms_norm" else None

    def _dropout(self, op: Op, before: Statistics) -> Statistics | None:
        if self.assumed(op):
            return replace(before, assumed=True)
        training = op.args.get("training")  # of a function, where it is known
        if not self.dropout or not (training if isinstance(training, bool) else self.training):
            return before
        rate = operations.rate_of(op)
        if rate is None:
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
        is_operator = place is not None and type(place.syntax).__name__ in ("BinOp", "AugAssign")
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
            if op.kind is Kind.RESHAPE and op.function not in operations.STILL:
                return None
            op = self.model.ops[op.inputs[0]]
        if op.kind is Kind.MERGE and op.function in ("add", "multiply", "average", "subtract"):
            return self._width(op.inputs[0])
        return operations.width_of(op) if op.kind is Kind.PARAMETRIC else None


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
    """What the model, nothing of it repaired, makes of the activation behind an op, and of the last one it leads to.

    Norms work as in training; dropout is active only where it is what the question is about.
    """
    found = _statistics(model, op.kind is Kind.DROPOUT)
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


def foretold(model: Model, op: Op, gain: float, layers: int) -> tuple[str, Prediction]:
    """What becomes of the variance behind a layer in front of a SELU, in words and figures: as the model is written, else
    (where something else in it is not understood) what that many layers of this gain would make of variance 1."""
    told = as_written(model, op)
    if told is None:
        told = Prediction(op.title, 0.0, variance_after(gain, layers))
        such = "one such layer leaves" if layers == 1 else f"{layers} such layers leave"
        return f"{such} {told.variance:.2g} of variance 1 (self-normalizing: 1)", told
    last = f" behind it, {told.end.variance:.2g} at the last SELU" if told.end is not None else ""
    return f"predicted variance {told.variance:.2g}{last} (self-normalizing: 1)", told


@lru_cache(maxsize=2)
def _statistics(model: Model, dropout: bool) -> list[Statistics | None]:
    walk = Walk(model, dropout=dropout)
    for op in model.ops:
        walk.step(op)
    return walk.known


def _behind(model: Model, op: Op) -> str:
    """The name of the layer before an activation, else its own."""
    layers = [near.title for near in model.upstream(op, merges=True) if near.kind is Kind.PARAMETRIC]
    return layers[-1] if layers else op.title
