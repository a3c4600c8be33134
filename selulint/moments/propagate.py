"""What operations do to the statistics of a tensor: mean, variance, what samples share, and how draws scatter.

Means are over samples, units and random weights. For two samples a and a' of one unit, `between` is the covariance of a
and a', which is the variance of the units' own means; `variance - between` is the paper's nu, the variance of one unit.
With independent random weights, different places of an image act as different samples do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from selulint.moments.maps import SELU_ALPHA, SELU_SCALE, THEOREM_1_BOX, moments
from selulint.moments.noise import Noise, added_noise, behind_activation, behind_layer
from selulint.moments.profile import largest_of, profile
from selulint.moments.windows import Axis, Image, bent, even, places, slide, unevenness

# What AlphaDropout sets units to: the lower limit of SELU.
_DROPPED = -SELU_SCALE * SELU_ALPHA
_DIVERGED = 1e12
# Monotone functions: the largest of their values is the value of the largest.
_MONOTONE = frozenset(
    "identity linear selu elu celu relu leaky_relu prelu rrelu relu6 hardtanh tanh sigmoid logsigmoid softplus softsign "
    "hardsigmoid".split()
)


@dataclass(frozen=True, slots=True)
class Before:
    """A normal variable and the function that was applied to it."""

    function: str
    alpha: float | None
    law: Statistics


@dataclass(frozen=True, slots=True)
class Statistics:
    """Pooled mean and variance of a tensor over random weights and standardised inputs.

    `assumed` says that something on the way is counted as it should be and not as it is. `between` is None where it is
    not followed, `noise` where the widths are not known, `image` where the sides are not (and it is () where there are
    none); `before` remembers the last activation. `normal` tells that the law is near a normal one, as behind a layer.
    """

    mean: float
    variance: float
    assumed: bool = False
    between: float | None = None
    noise: Noise | None = None
    before: Before | None = None
    image: Image | None = None
    normal: bool = True

    @property
    def second(self) -> float:
        return self.variance + self.mean * self.mean

    @property
    def per_unit(self) -> float | None:
        """The variance of single units over samples, on average."""
        return None if self.between is None else max(0.0, self.variance - self.between)

    @property
    def is_in_box(self) -> bool:
        """Whether Theorem 1 of Klambauer et al. 2017 covers these."""
        (lowest, highest), (least, most) = THEOREM_1_BOX
        return lowest <= self.mean <= highest and least <= self.variance <= most

    @property
    def band(self) -> tuple[float, float] | None:
        """Between which values the variance of one draw of the weights lies, 19 times out of 20."""
        return None if self.noise is None else self.noise.band(self.variance)

    @property
    def correlation(self) -> float:
        """Of the values of one unit for two samples, as far as it is followed."""
        return min(1.0, max(0.0, (self.between or 0.0) / self.variance)) if self.variance > 0.0 else 0.0


def standard(samples: float | None = None, sides: tuple[int, ...] | None = None) -> Statistics:
    """Inputs of mean 0 and variance 1; with their number, what samples share and how draws scatter is followed too."""
    image = None if sides is None else even(sides)
    if samples is None:
        return Statistics(0.0, 1.0, image=image)
    noise = Noise.of_inputs(samples * (places(image) if image else 1))
    return Statistics(0.0, 1.0, between=0.0, noise=noise, image=image)


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer of weighted sums as one of its units sees it.

    `gain` is fan_in * E[w^2]; `bias` has mean and variance of the biases; `axes` is the window that slides over an image.
    """

    gain: float
    fan_in: float | None = None
    units: float | None = None
    bias: tuple[float, float] = (0.0, 0.0)
    axes: tuple[Axis, ...] | None = None


def layer(before: Statistics, spec: Layer, assumed: bool = False) -> Statistics:
    """Behind random weights of mean 0: only the second moment is left of what goes in."""
    image, covered = _slid(before.image, spec.axes)
    gain = spec.gain * covered
    mean, spread = spec.bias
    signal = gain * before.second
    between = None
    if before.between is not None:
        between = gain * (before.between + before.mean * before.mean) + spread
    noise = None
    if before.noise is not None and spec.fan_in is not None:
        share = signal / (signal + spread) if signal > 0.0 else 0.0
        fewer = _thinned(before.noise, before.image, image) or before.noise
        noise = behind_layer(fewer, spec.fan_in, spec.units, share)
    return Statistics(mean, signal + spread, before.assumed or assumed, between, noise, image=image)


def _slid(image: Image | None, axes: tuple[Axis, ...] | None) -> tuple[Image | None, float]:
    """The image behind a window and the share of the window that is on it; () behind a layer that has none."""
    if axes is None:
        return (() if image == () else None), 1.0
    found = slide(image, axes) if image is not None and len(image) == len(axes) else None
    return found if found is not None else (None, 1.0)


def _thinned(noise: Noise | None, before: Image | None, after: Image | None) -> Noise | None:
    """As many fewer samples as there are fewer places."""
    if noise is None or not before or not after:
        return noise
    return replace(noise, samples=max(1.0, noise.samples * places(after) / places(before)))


def table(second: float, width: float | None, before: Statistics) -> Statistics:
    """Rows of a table of random vectors with that mean square (an embedding)."""
    fresh = before.noise is not None and width is not None
    noise = replace(Noise.of_inputs(before.noise.samples), units=width) if before.noise and fresh else None
    return Statistics(0.0, second, before.assumed, None if before.between is None else 0.0, noise)


def activation(before: Statistics, function: str, alpha: float | None = None) -> Statistics | None:
    """Of a normal variable; None where the function is not known or the variable is beyond all bounds.

    Of any other variable the result is an estimate, and no band is claimed.
    """
    if not math.isfinite(before.second) or before.second > _DIVERGED:
        return None
    found = moments(function, before.mean, before.variance, alpha)
    if found is None:
        return None
    first, second = found.first, found.second
    between, noise, image = None, before.noise if before.normal else None, before.image
    if before.between is not None:
        both = profile(function, before.mean, before.variance, alpha)
        if both is None:
            return None
        common = both.value.at(before.correlation, noise.pair if noise is not None else 0.0)
        likeness = min(1.0, common / second) if second > 0.0 else 0.0
        if noise is not None:
            uneven = unevenness(image) if image else 0.0
            law = function, alpha, before.mean, before.variance
            step = behind_activation(noise, uneven, both, before.correlation, *law)
            noise, image = step.noise, bent(image, step.elasticity) if image else image
            first, second = first + step.first, max(second + step.second, 0.5 * second)
        between = max(0.0, likeness * second - first * first)
    variance = max(0.0, second - first * first)
    own = Before(function, alpha, before)
    return Statistics(first, variance, before.assumed, between, noise, own, image, normal=False)


def affine(before: Statistics, factor: float, shift: float) -> Statistics:
    between = None if before.between is None else factor * factor * before.between
    noise = before.noise if shift == 0.0 or before.noise is None else _shifted(before, factor, shift)
    mean = factor * before.mean + shift
    variance = factor * factor * before.variance
    return replace(before, mean=mean, variance=variance, between=between, noise=noise, before=None)


def _shifted(before: Statistics, factor: float, shift: float) -> Noise | None:
    """A constant dilutes the scatter of the second moment."""
    after = factor * factor * before.variance + (factor * before.mean + shift) ** 2
    share = factor * factor * before.second / after if after > 0.0 else 0.0
    return None if before.noise is None else before.noise.diluted(min(share, 1.0))


def dropout(before: Statistics, rate: float) -> Statistics:
    """Plain Dropout while it is on: independent masks, and what is left is scaled up."""
    second = before.second / (1.0 - rate)
    noise = before.noise and before.noise.masked(1.0 - rate)
    return replace(before, variance=second - before.mean**2, noise=noise, before=None, normal=False)


def alpha_dropout(before: Statistics, rate: float) -> Statistics:
    """Exact for every law: a (x d + alpha' (1 - d)) + b with d one at the rate 1 - p."""
    keep = 1.0 - rate
    a = (keep + _DROPPED**2 * keep * rate) ** -0.5
    b = -a * rate * _DROPPED
    mixed = keep * before.mean + rate * _DROPPED
    second = keep * before.second + rate * _DROPPED**2
    between = None if before.between is None else (a * keep) ** 2 * before.between
    noise = before.noise and before.noise.masked(keep)
    variance, mean = a * a * (second - mixed * mixed), a * mixed + b
    return replace(before, mean=mean, variance=variance, between=between, noise=noise, before=None, normal=False)


def standardised(before: Statistics, over_samples: bool) -> Statistics:
    """Behind a norm: over samples each unit has mean 0 of its own (batch norm); over units what samples share stays."""
    between = None
    if before.between is not None:
        between = 0.0 if over_samples or before.variance <= 0.0 else before.correlation
    noise = None if before.noise is None else replace(before.noise, size=0.0, sample=0.0)
    return replace(before, mean=0.0, variance=1.0, between=between, noise=noise, before=None)


def root_mean_square(before: Statistics) -> Statistics | None:
    """Behind an RMS norm the second moment is 1."""
    return affine(before, before.second**-0.5, 0.0) if before.second > 0.0 else None


def added(parts: Sequence[Statistics]) -> Statistics:
    """The sum of independent tensors."""
    mean, variance = sum(part.mean for part in parts), sum(part.variance for part in parts)
    between = _total([part.between for part in parts])
    noise = added_noise([(part.noise, part.variance) for part in parts])
    normal = all(part.normal for part in parts)
    return Statistics(mean, variance, _any(parts), between, noise, image=_common(parts), normal=normal)


def multiplied(parts: Sequence[Statistics]) -> Statistics:
    """The elementwise product of independent tensors."""
    mean, second = math.prod(part.mean for part in parts), math.prod(part.second for part in parts)
    shared = [None if part.between is None else part.between + part.mean**2 for part in parts]
    between = None if None in shared else math.prod(each for each in shared if each is not None) - mean * mean
    return Statistics(mean, second - mean * mean, _any(parts), between, image=_common(parts), normal=False)


def concatenated(parts: Sequence[Statistics], sizes: Sequence[float] | None = None) -> Statistics:
    """Parts side by side, of equal size where no sizes are given."""
    shares = [1.0 / len(parts)] * len(parts) if sizes is None else [size / sum(sizes) for size in sizes]
    mean = sum(share * part.mean for share, part in zip(shares, parts, strict=True))
    second = sum(share * part.second for share, part in zip(shares, parts, strict=True))
    shared = [None if part.between is None else part.between + part.mean**2 for part in parts]
    between = None
    if None not in shared:
        between = sum(s * each for s, each in zip(shares, shared, strict=True) if each is not None) - mean * mean
    weights = [(part.noise, share * part.second) for share, part in zip(shares, parts, strict=True)]
    noise = added_noise(weights)
    if noise is not None and sizes is not None:
        noise = replace(noise, units=sum(sizes))
    normal = all(part.normal for part in parts)
    return Statistics(mean, second - mean * mean, _any(parts), between, noise, image=_common(parts), normal=normal)


def average_pool(before: Statistics, count: float, axes: tuple[Axis, ...] | None = None) -> Statistics | None:
    """The mean of `count` places; needs `between`, for what the places have in common stays."""
    if before.between is None:
        return None
    variance = (before.variance + (count - 1.0) * before.between) / count
    image, _ = _slid(before.image, axes)
    noise = _thinned(before.noise, before.image, image)
    return replace(before, variance=variance, noise=noise, image=image, before=None)


def max_pool(before: Statistics, count: float, axes: tuple[Axis, ...] | None = None) -> Statistics | None:
    """The largest of `count` places: that of the normal variables before a monotone activation, which is applied again."""
    last = before.before
    if last is not None and last.function not in _MONOTONE:
        return None
    law = last.law if last is not None else before
    if law.between is None:
        return None
    own = max(0.0, law.variance - law.between)
    middle, spread = largest_of(count)
    image, _ = _slid(law.image, axes)
    noise = _thinned(law.noise, law.image, image)
    moved = law.mean + math.sqrt(own) * middle
    largest = replace(law, mean=moved, variance=law.between + own * spread, noise=noise, image=image)
    return activation(largest, last.function, last.alpha) if last is not None else largest


def flattened(before: Statistics) -> Statistics:
    """All places of one sample side by side: what scatters between them evens out for the layer behind."""
    if not before.image:
        return before if before.image == () else replace(before, image=None)
    count, noise = float(places(before.image)), before.noise
    if noise is not None:
        noise = replace(
            noise,
            samples=max(1.0, noise.samples / count),
            pair=noise.pair / count,
            sample=noise.sample / count,
        )
    return replace(before, noise=noise, image=())


def _common(parts: Sequence[Statistics]) -> Image | None:
    """The image of tensors that are put together, where all have the same sides."""
    images = [part.image for part in parts]
    first = images[0]
    if first is None or any(
        image is None or [len(line) for line in image] != [len(line) for line in first] for image in images
    ):
        return None
    return first


def _total(values: Sequence[float | None]) -> float | None:
    known = [each for each in values if each is not None]
    return sum(known) if len(known) == len(values) else None


def _any(parts: Sequence[Statistics]) -> bool:
    return any(part.assumed for part in parts)
