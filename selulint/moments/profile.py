"""How an activation treats two correlated normal variables: what two samples have in common behind it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from selulint.moments.maps import Shape, legendre, moments, shape

# Degrees of the Hermite series that are kept; what is beyond them is one more term, with the right value and slope at 1.
_DEGREES = 10
_NODES = 16
_REACH = 8.0


@dataclass(frozen=True, slots=True)
class Series:
    """E g(z) g(z') as a function of the correlation of z and z': the sum of weights[k] c^k, and a tail c^degree."""

    weights: tuple[float, ...]
    tail: float
    degree: float

    def at(self, correlation: float, spread: float = 0.0) -> float:
        """The mean over correlations of that mean and variance, to second order."""
        total = self.tail * _power(correlation, self.degree, spread)
        return total + sum(weight * _power(correlation, k, spread) for k, weight in enumerate(self.weights))

    def slope(self, correlation: float) -> float:
        total = self.tail * self.degree * math.pow(correlation, max(self.degree - 1.0, 0.0))
        return total + sum(k * weight * math.pow(correlation, k - 1) for k, weight in enumerate(self.weights) if k)


def _power(base: float, degree: float, spread: float) -> float:
    if degree < 2.0:
        return math.pow(base, degree)
    curved = 0.5 * degree * (degree - 1.0) * math.pow(base, degree - 2.0)
    return min(1.0, math.pow(base, degree) + curved * spread)


@dataclass(frozen=True, slots=True)
class Profile:
    """`value` is the series of f, `square` that of f^2, `centred` that of (f - E f)^2."""

    value: Series
    square: Series
    centred: Series


@lru_cache(maxsize=2048)
def profile(function: str, mean: float, variance: float, alpha: float | None = None) -> Profile | None:
    """The series of `function` at N(mean, variance); None where the function is not known or the law is a point."""
    found, known = shape(function, alpha), moments(function, mean, variance, alpha)
    if found is None or known is None or variance <= 0.0:
        return None
    values, squares = _coefficients(found, mean, math.sqrt(variance))
    first = values[0]
    centred = [square - 2.0 * first * value for square, value in zip(squares, values, strict=True)]
    centred[0] += first * first
    fourth = squares[-1]
    third = values[-1]
    flat = fourth - 4.0 * first * third + 6.0 * first**2 * known.second - 3.0 * first**4
    return Profile(
        _series(values[:-1], known.second, known.slope2 * variance),
        _series(squares[:-1], fourth, None),
        _series(centred[:-1], flat, None),
    )


def _coefficients(found: Shape, mean: float, sigma: float) -> tuple[list[float], list[float]]:
    """Coefficients of f and f^2 by normalised Hermite polynomials; the last entries are E f^3 and E f^4."""
    values, squares = [0.0] * (_DEGREES + 2), [0.0] * (_DEGREES + 2)
    low, high = -_REACH, _REACH
    inner = {(kink - mean) / sigma for kink in found.kinks} | {-4.0, -2.0, 0.0, 2.0, 4.0}
    ends = [low, *sorted(end for end in inner if low < end < high), high]
    roots = [math.sqrt(k) for k in range(_DEGREES + 1)]
    for left, right in pairwise(ends):
        middle, half = 0.5 * (left + right), 0.5 * (right - left)
        for node, weight in legendre(_NODES):
            x = middle + half * node
            mass = half * weight * math.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)
            value = found.value(mean + sigma * x)
            once, twice = mass * value, mass * value * value
            before, here = 0.0, 1.0
            for k in range(_DEGREES + 1):
                values[k] += once * here
                squares[k] += twice * here
                before, here = here, (x * here - roots[k] * before) / roots[k + 1] if k < _DEGREES else 0.0
            values[-1] += twice * value
            squares[-1] += twice * value * value
    return values, squares


def _series(coefficients: list[float], whole: float, slope: float | None) -> Series:
    weights = tuple(each * each for each in coefficients)
    tail = max(0.0, whole - sum(weights))
    if tail <= 1e-9 * abs(whole):
        return Series(weights, 0.0, _DEGREES + 1.0)
    degree = 2.0 * _DEGREES
    if slope is not None:
        degree = max(_DEGREES + 1.0, (slope - sum(k * weight for k, weight in enumerate(weights))) / tail)
    return Series(weights, tail, degree)


@lru_cache(maxsize=64)
def largest_of(count: float) -> tuple[float, float]:
    """Mean and variance of the largest of `count` independent standard normal variables."""
    total = first = second = 0.0
    for left, right in pairwise(range(-9, 10)):
        for node, weight in legendre(_NODES):
            x = 0.5 * (left + right) + 0.5 * node
            below = 0.5 * math.erfc(-x / math.sqrt(2.0))
            mass = 0.5 * weight * count * math.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi) * below ** (count - 1.0)
            total, first, second = total + mass, first + mass * x, second + mass * x * x
    return first / total, second / total - (first / total) ** 2
