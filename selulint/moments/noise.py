"""How draws of a network scatter around the limit of infinite width: the first corrections in 1 / width."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from selulint.moments.maps import moments
from selulint.moments.profile import Profile

# How many standard deviations of the logarithm a band reaches to either side.
_REACH = 2.0
# Relative step of numerical derivatives by the variance.
_STEP = 0.05
# Up to which scatter between samples a correction of second order means something.
_TRUSTED = 0.5


@dataclass(frozen=True, slots=True)
class Noise:
    """Relative scatter of a tensor, as mean squares.

    `pair` is that of the correlation of two samples (for SELU it settles at 17.3 / width), `size` that of the pooled
    second moment between draws, `sample` that of the second moment between samples. The `own_*` ones are what one unit
    adds to each as soon as a layer averages over units: `own_common` to the size, alike for all samples and places;
    `spread` is that of the pooled variance of this very tensor. `samples` is over how many samples and places is pooled,
    `units` the number of units, None where unknown.
    """

    samples: float
    units: float | None = None
    pair: float = 0.0
    size: float = 0.0
    sample: float = 0.0
    own_pair: float = 1.0
    own_common: float = 0.0
    own_sample: float = 2.0
    spread: float = 0.0

    @staticmethod
    def of_inputs(samples: float) -> Noise:
        """Independent standard normal inputs."""
        return Noise(samples)

    def band(self, variance: float) -> tuple[float, float]:
        # A product of many random factors: the logarithm is near normal, its middle below the mean.
        width = math.sqrt(self.spread)
        return (
            variance * math.exp(-0.5 * self.spread - _REACH * width),
            variance * math.exp(-0.5 * self.spread + _REACH * width),
        )

    def diluted(self, share: float) -> Noise:
        """With a constant added, so that what scatters is only this share of the second moment."""
        square = share * share
        return replace(
            self,
            pair=square * self.pair,
            size=square * self.size,
            sample=square * self.sample,
            own_pair=square * self.own_pair,
            own_common=square * self.own_common,
            own_sample=square * self.own_sample,
        )

    def masked(self, keep: float) -> Noise:
        """Behind random masks, which let this share through."""
        return replace(
            self,
            pair=self.pair * keep * keep,
            own_sample=(self.own_sample + 1.0) / keep - 1.0,
        )


def behind_layer(before: Noise, fan_in: float, units: float | None, share: float) -> Noise:
    """Sums over `fan_in` inputs; `share` of the result's variance is theirs, the rest the bias's."""
    square = share * share
    common = before.own_common / min(fan_in, before.units or fan_in)
    size = square * (before.size + before.own_sample / (fan_in * before.samples) + common)
    return Noise(
        before.samples,
        units,
        square * (before.pair + before.own_pair / fan_in),
        size,
        square * (before.sample + before.own_sample / fan_in),
        spread=size,
    )


@dataclass(frozen=True, slots=True)
class Step:
    """The scatter behind an activation, and what it adds to the first and second moment."""

    first: float
    second: float
    elasticity: float
    noise: Noise | None


def behind_activation(
    before: Noise,
    uneven: float,
    both: Profile,
    correlation: float,
    function: str,
    alpha: float | None,
    mean: float,
    variance: float,
) -> Step:
    """By the map's value, slope and curvature at the variance, and by its Hermite series for pairs of samples.

    `uneven` is the relative scatter of the second moment over places, which comes on top of that over samples.
    """
    scatter = before.sample + uneven
    step = max(_STEP, min(math.sqrt(scatter), 0.9))
    here = moments(function, mean, variance, alpha)
    up, down = (moments(function, mean, variance * (1.0 + sign * step), alpha) for sign in (1.0, -1.0))
    if here is None or up is None or down is None or here.second <= 0.0:
        return Step(0.0, 0.0, 1.0, None)
    curvature = min(scatter, _TRUSTED) / (2.0 * step * step)
    elasticity = (up.second - down.second) / (2.0 * step * here.second)
    of_variance = (up.variance - down.variance) / (2.0 * step * max(here.variance, 1e-30))
    pair = before.pair * (both.value.slope(correlation) / here.second) ** 2
    whole = both.square.at(1.0)
    # The sampling variance of a correlation, as for normal variables.
    own_pair = (1.0 - min(1.0, both.value.at(correlation, before.pair) / here.second) ** 2) ** 2
    # What all samples have in common scatters between draws, the rest between samples.
    shared = max(0.0, both.square.at(correlation, before.pair) - both.square.at(0.0)) / here.second**2
    own_sample = max(0.0, (whole - both.square.at(0.0)) / here.second**2 - shared)
    flat = both.centred.at(1.0) - both.centred.at(0.0)
    common = both.centred.at(correlation, before.pair) - both.centred.at(0.0)
    measured = (flat / before.samples + max(0.0, common)) / max(here.variance, 1e-30) ** 2
    noise = Noise(
        before.samples,
        before.units,
        pair,
        before.size * elasticity**2,
        before.sample * elasticity**2,
        own_pair,
        shared,
        own_sample,
        before.size * of_variance**2 + (measured / before.units if before.units else 0.0),
    )
    first = curvature * (up.first + down.first - 2.0 * here.first)
    return Step(first, curvature * (up.second + down.second - 2.0 * here.second), elasticity, noise)


def added_noise(parts: Sequence[tuple[Noise | None, float]]) -> Noise | None:
    """Of a sum of independent tensors, each with its part of the result's variance; None where one is not known."""
    known = [(noise, amount) for noise, amount in parts if noise is not None]
    whole = sum(amount for _, amount in known)
    if len(known) < len(parts) or whole <= 0.0:
        return None
    shares = [(noise, amount / whole) for noise, amount in known]

    def apart(name: str) -> float:
        return sum(share * share * float(getattr(noise, name)) for noise, share in shares)

    def together(name: str) -> float:
        return sum(share * math.sqrt(getattr(noise, name)) for noise, share in shares) ** 2

    units = known[0][0].units
    return Noise(
        min(noise.samples for noise, _ in known),
        units,
        apart("pair"),
        apart("size"),
        apart("sample"),
        together("own_pair"),
        together("own_common"),
        together("own_sample"),
        apart("spread"),
    )
