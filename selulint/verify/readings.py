"""What one run of a model showed, and the verdict over several runs. Pure data and arithmetic: no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from selulint.moments.maps import THEOREM_1_BOX

# Activations that are the hidden ones of a network; softmax and sigmoid give probabilities or gates.
HIDDEN = frozenset(
    "relu relu6 leaky_relu prelu rrelu selu elu celu gelu silu mish tanh softplus hardswish hardtanh softsign threshold "
    "tanhshrink logsigmoid".split()
)


@dataclass(frozen=True, slots=True)
class Reading:
    """One activation in one run, pooled over the batch and all units.

    `layer` names the weight of the last parametric operation before it; `line` is where the model's own code asked for
    it ("file.py:12"); `unit_variance` is the mean over units of the variance over samples; `dead` the share of units that
    gave no positive value (ReLU) or the same value (others) for the whole batch; `saturated` the share of values within
    3 % of the function's bound; `gradient` the mean square of the loss's gradient there. NaN or None: not measured.
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
class Measured:
    """The median over the seeds of one activation; `inside` says whether it is in Theorem 1's box."""

    reading: Reading
    spread: float
    inside: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a model is self-normalizing: every hidden activation, by the median of the seeds, is in the box."""

    layers: tuple[Measured, ...]
    normalizing: bool
    first_outside: int | None
    reasons: tuple[str, ...] = field(default=())


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
    (lowest, highest), (least, most) = THEOREM_1_BOX
    return lowest <= mean <= highest and least <= variance <= most


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
    spread = (max(variances) - min(variances)) / 2
    return Measured(reading, spread, is_inside(mean, variance))


_OPTIONAL = ("unit_variance", "dead", "saturated", "gradient")


def _median_known(values: Sequence[Any]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
