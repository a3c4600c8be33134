"""What single operations do to the pooled mean and variance of a tensor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from selulint.moments.maps import SELU_ALPHA, SELU_SCALE, THEOREM_1_BOX, moments

# What AlphaDropout sets units to: the lower limit of SELU.
_DROPPED = -SELU_SCALE * SELU_ALPHA


@dataclass(frozen=True, slots=True)
class Statistics:
    """Pooled mean and variance of a tensor over random weights and standardised inputs.

    `assumed` says that something on the way is counted as it should be and not as it is.
    """

    mean: float
    variance: float
    assumed: bool = False

    @property
    def second(self) -> float:
        return self.variance + self.mean * self.mean

    @property
    def is_in_box(self) -> bool:
        """Whether Theorem 1 of Klambauer et al. 2017 covers these."""
        (lowest, highest), (least, most) = THEOREM_1_BOX
        return lowest <= self.mean <= highest and least <= self.variance <= most


def layer(before: Statistics, gain: float, assumed: bool) -> Statistics:
    """Behind random weights of mean 0: only the second moment is left of what goes in."""
    return Statistics(0.0, gain * before.second, before.assumed or assumed)


def selu(before: Statistics) -> Statistics | None:
    if not math.isfinite(before.second):
        return None
    found = moments("selu", before.mean, before.variance)
    return Statistics(found.first, found.variance, before.assumed) if found is not None else None


def affine(before: Statistics, factor: float, shift: float) -> Statistics:
    return Statistics(factor * before.mean + shift, factor * factor * before.variance, before.assumed)


def alpha_dropout(before: Statistics, rate: float) -> Statistics:
    """Exact for every law: a (x d + alpha' (1 - d)) + b with d one at the rate 1 - p."""
    keep = 1.0 - rate
    a = (keep + _DROPPED**2 * keep * rate) ** -0.5
    b = -a * rate * _DROPPED
    mixed = keep * before.mean + rate * _DROPPED
    second = keep * before.second + rate * _DROPPED**2
    return Statistics(a * mixed + b, a * a * (second - mixed * mixed), before.assumed)


def added(parts: Sequence[Statistics]) -> Statistics:
    """The sum of independent tensors."""
    mean, variance = sum(part.mean for part in parts), sum(part.variance for part in parts)
    return Statistics(mean, variance, any(part.assumed for part in parts))


def multiplied(parts: Sequence[Statistics]) -> Statistics:
    """The elementwise product of independent tensors."""
    mean, second = math.prod(part.mean for part in parts), math.prod(part.second for part in parts)
    return Statistics(mean, second - mean * mean, any(part.assumed for part in parts))


def concatenated(parts: Sequence[Statistics]) -> Statistics:
    """Parts of equal size side by side."""
    mean = sum(part.mean for part in parts) / len(parts)
    second = sum(part.second for part in parts) / len(parts)
    return Statistics(mean, second - mean * mean, any(part.assumed for part in parts))
