"""What one run of a model showed, and the verdict over several runs. Pure data and arithmetic: no torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from selulint.moments.maps import THEOREM_1_BOX

# An activation that is written as an expression, of exp and where for example.
HANDWRITTEN = "handwritten"
# Activations that are the hidden ones of a network; softmax and sigmoid give probabilities or gates.
HIDDEN = frozenset(
    "relu relu6 leaky_relu prelu rrelu selu elu celu gelu silu mish tanh softplus hardswish hardtanh softsign threshold "
    f"tanhshrink logsigmoid {HANDWRITTEN}".split()
)
# Where a model has other hidden activations, too, these make gates, attention scores or scales.
GATES = frozenset({"tanh", "softplus", "softsign", "logsigmoid", "tanhshrink", "hardtanh"})


@dataclass(frozen=True, slots=True)
class Reading:
    """One activation in one run, pooled over the batch and all units.

    `layer` names the weight of the last parametric operation before it; `line` is where the model's own code asked for
    it ("file.py:12"), else where it makes that layer; `inner` tells that layers follow it and it is no gate;
    `unit_variance` is the mean over units of the variance over samples; `dead` the share of units that gave no positive
    value (ReLU) or the same value (others) for the whole batch; `saturated` the share of values within 3 % of the
    function's bound; `gradient` the root mean square of the gradient there, when each value of the model's output is given
    a random gradient of variance 1. NaN or None: not measured.
    """

    function: str
    layer: str
    line: str
    inner: bool
    mean: float
    variance: float
    unit_variance: float | None = None
    dead: float | None = None
    saturated: float | None = None
    gradient: float | None = None


@dataclass(frozen=True, slots=True)
class Expected:
    """What is predicted of one activation without a run: mean, variance, and the band in which draws of the weights put
    the variance; None where no band is known."""

    mean: float
    variance: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """The median over the seeds of one activation; `inside` says whether it is in Theorem 1's box.

    `spread` is half the range of the variance over the seeds, `lowest` and `highest` are its ends.
    """

    reading: Reading
    spread: float
    inside: bool
    lowest: float
    highest: float
    expected: Expected | None = None


@dataclass(frozen=True, slots=True)
class Return:
    """How far moved inputs ("x2", "x0.5", "+0.5") still are from the unmoved ones at each activation (None for those that
    are not hidden): |mean' - mean| in standard deviations + |ln(variance' / variance)|."""

    name: str
    distances: tuple[float | None, ...]
    readings: tuple[Reading, ...]

    @property
    def first(self) -> float:
        """The distance at the first hidden activation."""
        return next(each for each in self.distances if each is not None)

    @property
    def last(self) -> float:
        """The distance at the last hidden activation."""
        return next(each for each in reversed(self.distances) if each is not None)

    @property
    def returns(self) -> bool:
        """Whether depth takes the move back, layer by layer, or what is left of it no longer matters."""
        depth = sum(each is not None for each in self.distances) - 1
        return math.isfinite(self.last) and self.last <= max(_TAKEN_BACK**depth * self.first, _SETTLED)


# What a layer may leave of a move (SELU with gain 1 leaves 0.8), and the distance below which nothing is left.
_TAKEN_BACK = 0.95
_SETTLED = 0.05


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a model is self-normalizing: every hidden activation, by the median of the seeds, is in the box."""

    layers: tuple[Measured, ...]
    normalizing: bool
    first_outside: int | None
    reasons: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Cause:
    """A finding of the linter about the code that makes a model; `explains` marks the one that explains the verdict."""

    path: str
    row: int
    column: int
    code: str
    name: str
    message: str
    explains: bool = False

    @property
    def place(self) -> str:
        return f"{self.path}:{self.row}:{self.column}"


def judge(runs: Sequence[Sequence[Reading]]) -> Verdict:
    """The verdict over runs of one model with different weights and inputs (Klambauer et al., 2017, Theorem 1).

    Pooled moments are judged, never single units: only 8 % of LeCun units meet the theorem's bound on their own.
    """
    depth = min(map(len, runs), default=0)
    layers = tuple(_median([run[index] for run in runs]) for index in range(depth))
    hidden = [index for index, each in enumerate(layers) if is_hidden(each.reading)]
    outside = [index for index in hidden if not layers[index].inside]
    reasons = []
    if not hidden:
        reasons.append("no hidden activation was seen")
    if len({len(run) for run in runs}) > 1:
        reasons.append("the seeds ran different numbers of activations")
    return Verdict(layers, bool(hidden) and not outside, outside[0] if outside else None, tuple(reasons))


def is_hidden(reading: Reading) -> bool:
    return reading.inner and reading.function in HIDDEN


def is_inside(mean: float, variance: float) -> bool:
    return mean_is_inside(mean) and variance_is_inside(variance)


def mean_is_inside(mean: float) -> bool:
    return THEOREM_1_BOX[0][0] <= mean <= THEOREM_1_BOX[0][1]


def variance_is_inside(variance: float) -> bool:
    return THEOREM_1_BOX[1][0] <= variance <= THEOREM_1_BOX[1][1]


def _median(readings: Sequence[Reading]) -> Measured:
    first = readings[0]
    mean, variance = (median(getattr(each, name) for each in readings) for name in ("mean", "variance"))
    variances = [each.variance for each in readings]
    reading = Reading(
        first.function,
        first.layer,
        first.line,
        first.inner,
        mean,
        variance,
        *(_median_known([getattr(each, name) for each in readings]) for name in _OPTIONAL),
    )
    lowest, highest = min(variances), max(variances)
    return Measured(reading, (highest - lowest) / 2, is_inside(mean, variance), lowest, highest)


def returned(name: str, base: Sequence[Reading], moved: Sequence[Reading]) -> Return | None:
    """What became of moved inputs along the hidden activations; None where there are fewer than two."""
    distances = tuple(
        _distance(one, other) if is_hidden(one) else None for one, other in zip(base, moved, strict=False)
    )
    known = [each for each in distances if each is not None]
    return Return(name, distances, tuple(moved)) if len(known) > 1 else None


def _distance(base: Reading, moved: Reading) -> float:
    if base.variance == moved.variance == 0:
        return 0.0
    if not (base.variance > 0 and moved.variance > 0 and math.isfinite(base.variance + moved.variance)):
        return math.inf
    return abs(moved.mean - base.mean) / math.sqrt(base.variance) + abs(math.log(moved.variance / base.variance))


_OPTIONAL = ("unit_variance", "dead", "saturated", "gradient")


def _median_known(values: Sequence[Any]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
