"""What an activation does to a normal variable: E f(z), E f(z)^2 and E f'(z)^2 for z ~ N(mean, variance)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise

# Klambauer et al. 2017 (arXiv:1706.02515), equation 14, as float64.
SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805

# The domain of means and variances in Theorem 1 of the same paper, as ((low, high), (low, high)).
THEOREM_1_BOX = ((-0.1, 0.1), (0.8, 1.5))
# Values of tau between which deep SELU networks neither die nor diverge: the slopes of the second-moment map at 0 and
# at infinity, inverted (0.4768 and 1.8116).
SURVIVAL_WINDOW = (2.0 / (SELU_SCALE**2 * (1.0 + SELU_ALPHA**2)), 2.0 / SELU_SCALE**2)
# Values of tau for which Theorems 2 and 3 of the paper still bound the variance from both sides.
SANE_WINDOW = (0.8, 1.25)

# E[selu'(z)^2] at the fixed point: by how much one layer changes the variance of gradients.
SELU_SLOPE2 = 1.07157499246

_ROOT_2 = math.sqrt(2.0)
_ROOT_PI = math.sqrt(math.pi)
_ROOT_2PI = math.sqrt(2.0 * math.pi)
# Below this variance the closed forms of ELU subtract nearly equal numbers.
_SMALL_VARIANCE = 0.01
# Nodes for each piece of the range of integration, and how many standard deviations the range extends.
_NODES = 24
_REACH = 9.0
# Where the tabulated functions bend most; pieces of the range end here.
_BENDS = (-20.0, -8.0, -4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 4.0, 8.0, 20.0)


@dataclass(frozen=True, slots=True)
class Moments:
    """Mean, second moment and mean squared slope of an activation's output."""

    first: float
    second: float
    slope2: float

    @property
    def variance(self) -> float:
        return max(0.0, self.second - self.first * self.first)


def moments(function: str, mean: float, variance: float, alpha: float | None = None) -> Moments | None:
    """The moments of `function` (as `frameworks.Spec.function` names it) at N(mean, variance); None where unknown.

    `alpha` is the activation's own parameter (negative slope, ELU's alpha, Softplus's beta), None for PyTorch's
    default. The results have the units of the input and of its square.
    Raises ValueError for a variance that is negative or an argument that is not finite.
    """
    if not (math.isfinite(mean) and math.isfinite(variance)) or variance < 0.0:
        raise ValueError(f"no normal law has mean {mean} and variance {variance}")
    return _moments(function, float(mean), float(variance), alpha)


@dataclass(frozen=True, slots=True)
class Shape:
    """A function itself: its value, its slope, and where it has kinks."""

    value: Callable[[float], float]
    slope: Callable[[float], float]
    kinks: tuple[float, ...]


@cache
def shape(function: str, alpha: float | None = None) -> Shape | None:
    """The function of that name (see `moments`); None where unknown."""
    if function in ("identity", "linear"):
        return Shape(lambda z: z, lambda z: 1.0, ())
    if function in ("selu", "elu"):
        scale, bend = (SELU_SCALE, SELU_ALPHA) if function == "selu" else (1.0, 1.0)
        return _elu_shape(bend if alpha is None else alpha, scale, 1.0)
    if function == "celu":
        width = 1.0 if alpha is None else alpha
        return _elu_shape(width, 1.0, width) if width > 0.0 else None
    if function in _SLOPES:
        below = _SLOPES[function] if alpha is None else alpha
        return Shape(lambda z: z if z > 0.0 else below * z, lambda z: 1.0 if z > 0.0 else below, (0.0,))
    pieces = _PIECES.get(function)
    if pieces is None:
        return None
    value, slope, kinks, default = pieces
    parameter = default if alpha is None else alpha
    return Shape(lambda z: value(z, parameter), lambda z: slope(z, parameter), kinks(parameter))


def _elu_shape(alpha: float, scale: float, width: float) -> Shape:
    return Shape(
        lambda z: scale * (z if z > 0.0 else alpha * math.expm1(z / width)),
        lambda z: scale * (1.0 if z > 0.0 else alpha / width * math.exp(z / width)),
        (0.0,),
    )


@lru_cache(maxsize=4096)
def _moments(function: str, mean: float, variance: float, alpha: float | None) -> Moments | None:
    if function in ("identity", "linear"):
        return Moments(mean, mean * mean + variance, 1.0)
    if function in ("selu", "elu"):
        scale, bend = (SELU_SCALE, SELU_ALPHA) if function == "selu" else (1.0, 1.0)
        return elu(mean, variance, bend if alpha is None else alpha, scale)
    if function == "celu":
        return _celu(mean, variance, 1.0 if alpha is None else alpha)
    if function in _SLOPES:
        return leaky_relu(mean, variance, _SLOPES[function] if alpha is None else alpha)
    found = shape(function, alpha)
    return _integrate(found, mean, variance) if found is not None else None


def alpha_dropout_slope(rate: float) -> float:
    """By how much AlphaDropout shrinks the variance of gradients: 1 / (1 + (lambda alpha)^2 rate), for rates in [0, 1)."""
    return 1.0 / (1.0 + (SELU_SCALE * SELU_ALPHA) ** 2 * rate)


def erfcx(x: float) -> float:
    """exp(x^2) erfc(x) for x >= 0, to 1e-15."""
    if x < 5.0:
        return math.exp(x * x) * math.erfc(x)
    # Laplace's continued fraction, from the inside; 30 terms are plenty from 5 on.
    tail = 0.0
    for order in range(30, 0, -1):
        tail = 0.5 * order / (x + tail)
    return 1.0 / (_ROOT_PI * (x + tail))


def _exponential_part(k: float, mean: float, variance: float) -> float:
    """E[exp(k z); z < 0], without overflow: only factors that are at most one are multiplied."""
    root = math.sqrt(2.0 * variance)
    edge = (mean + k * variance) / root
    if edge >= 0.0:
        return 0.5 * math.exp(-mean * mean / (2.0 * variance)) * erfcx(edge)
    return 0.5 * math.exp(k * mean + 0.5 * k * k * variance) * math.erfc(edge)


def _positive_part(mean: float, variance: float) -> tuple[float, float, float]:
    """P(z > 0), E[z; z > 0] and E[z^2; z > 0]."""
    sigma = math.sqrt(variance)
    chance = 0.5 * math.erfc(-mean / (sigma * _ROOT_2))
    density = sigma * math.exp(-mean * mean / (2.0 * variance)) / _ROOT_2PI
    first = max(0.0, mean * chance + density)
    return chance, first, max(0.0, (mean * mean + variance) * chance + mean * density)


def elu(mean: float, variance: float, alpha: float, scale: float = 1.0) -> Moments:
    """ELU times `scale`: with the two constants of the paper, SELU (its equations 4 and 5 in a form that is stable)."""
    if variance < _SMALL_VARIANCE:
        return _integrate(_elu_shape(alpha, scale, 1.0), mean, variance)
    chance, first, second = _positive_part(mean, variance)
    below = 0.5 * math.erfc(mean / math.sqrt(2.0 * variance))
    once, twice = _exponential_part(1.0, mean, variance), _exponential_part(2.0, mean, variance)
    return Moments(
        scale * (first + alpha * (once - below)),
        scale**2 * (second + alpha**2 * max(0.0, twice - 2.0 * once + below)),
        scale**2 * (chance + alpha**2 * twice),
    )


def _celu(mean: float, variance: float, alpha: float) -> Moments | None:
    if alpha <= 0.0:
        return None
    # CELU is ELU in units of alpha.
    unit = elu(mean / alpha, variance / alpha**2, 1.0)
    return Moments(alpha * unit.first, alpha**2 * unit.second, unit.slope2)


def leaky_relu(mean: float, variance: float, slope: float) -> Moments:
    """ReLU (slope 0) and its leaky kin."""
    if variance == 0.0:
        return _point(lambda z: z if z > 0.0 else slope * z, lambda z: 1.0 if z > 0.0 else slope, mean)
    chance, first, second = _positive_part(mean, variance)
    _, other, square = _positive_part(-mean, variance)
    return Moments(first - slope * other, second + slope**2 * square, chance + slope**2 * (1.0 - chance))


def _point(value: Callable[[float], float], slope: Callable[[float], float], mean: float) -> Moments:
    """The limit of variance zero: at a kink both sides count half."""
    step = 1e-12 * max(1.0, abs(mean))
    here = value(mean)
    return Moments(here, here * here, 0.5 * (slope(mean - step) ** 2 + slope(mean + step) ** 2))


def _integrate(found: Shape, mean: float, variance: float) -> Moments:
    """Gauss-Legendre on pieces that end at every kink: an unsplit rule needs thousands of nodes for the same digits."""
    sigma = math.sqrt(variance)
    low, high = mean - _REACH * sigma, mean + _REACH * sigma
    if not low < mean < high:
        return _point(found.value, found.slope, mean)
    inner = {mean - 3.0 * sigma, mean, mean + 3.0 * sigma, *_BENDS, *found.kinks}
    ends = [low, *sorted(end for end in inner if low < end < high), high]
    total = first = second = slope2 = 0.0
    for left, right in pairwise(ends):
        middle, half = 0.5 * (left + right), 0.5 * (right - left)
        for node, weight in legendre(_NODES):
            z = middle + half * node
            mass = half * weight * math.exp(-0.5 * ((z - mean) / sigma) ** 2)
            here, steep = found.value(z), found.slope(z)
            total += mass
            first += mass * here
            second += mass * here * here
            slope2 += mass * steep * steep
    return Moments(first / total, second / total, slope2 / total)


@cache
def legendre(count: int) -> tuple[tuple[float, float], ...]:
    """Nodes and weights on [-1, 1], by Newton's method from the usual first guess."""
    found = []
    for index in range(count):
        x = math.cos(math.pi * (index + 0.75) / (count + 0.5))
        for _ in range(100):
            value, derivative = _polynomial(count, x)
            step = value / derivative
            x -= step
            if abs(step) < 1e-16:
                break
        derivative = _polynomial(count, x)[1]
        found.append((x, 2.0 / ((1.0 - x * x) * derivative * derivative)))
    return tuple(found)


def _polynomial(count: int, x: float) -> tuple[float, float]:
    """Legendre's polynomial of that degree and its derivative."""
    before, here = 1.0, x
    for degree in range(2, count + 1):
        before, here = here, ((2 * degree - 1) * x * here - (degree - 1) * before) / degree
    return here, count * (x * here - before) / (x * x - 1.0)


def _sigmoid(z: float) -> float:
    if z >= 0.0:
        return 1.0 / (1.0 + math.exp(-z))
    small = math.exp(z)
    return small / (1.0 + small)


def _softplus(z: float) -> float:
    return max(z, 0.0) + math.log1p(math.exp(-abs(z)))


def _density(z: float) -> float:
    return math.exp(-0.5 * z * z) / _ROOT_2PI


def _normal(z: float) -> float:
    return 0.5 * math.erfc(-z / _ROOT_2)


def _gelu_tanh(z: float) -> tuple[float, float]:
    """The tanh approximation of GELU and its slope."""
    inner = math.sqrt(2.0 / math.pi) * (z + 0.044715 * z**3)
    bend = math.tanh(inner)
    steep = math.sqrt(2.0 / math.pi) * (1.0 + 3.0 * 0.044715 * z * z)
    return 0.5 * z * (1.0 + bend), 0.5 * (1.0 + bend) + 0.5 * z * (1.0 - bend * bend) * steep


def _mish_slope(z: float) -> float:
    bend = math.tanh(_softplus(z))
    return bend + z * (1.0 - bend * bend) * _sigmoid(z)


def _clip(z: float, low: float, high: float) -> float:
    return min(max(z, low), high)


def _inside(z: float, low: float, high: float) -> float:
    return 1.0 if low < z < high else 0.0


_Function = Callable[[float, float], float]
_Kinks = Callable[[float], tuple[float, ...]]


def _smooth(_: float) -> tuple[float, ...]:
    return ()


def _ends(*kinks: float) -> _Kinks:
    return lambda _: kinks


# Slopes below zero; RReLU in evaluation uses the mean of its bounds 1/8 and 1/3.
_SLOPES = {"relu": 0.0, "leaky_relu": 0.01, "prelu": 0.25, "rrelu": 11.0 / 48.0}
# Value, slope, kinks, and the default of the parameter p where there is one.
_PIECES: dict[str, tuple[_Function, _Function, _Kinks, float]] = {
    "tanh": (lambda z, p: math.tanh(z), lambda z, p: 1.0 - math.tanh(z) ** 2, _smooth, 0.0),
    "sigmoid": (lambda z, p: _sigmoid(z), lambda z, p: _sigmoid(z) * _sigmoid(-z), _smooth, 0.0),
    "logsigmoid": (lambda z, p: -_softplus(-z), lambda z, p: _sigmoid(-z), _smooth, 0.0),
    "softplus": (lambda z, p: _softplus(p * z) / p, lambda z, p: _sigmoid(p * z), _smooth, 1.0),
    "softsign": (lambda z, p: z / (1.0 + abs(z)), lambda z, p: (1.0 + abs(z)) ** -2, _smooth, 0.0),
    "silu": (lambda z, p: z * _sigmoid(z), lambda z, p: _sigmoid(z) * (1.0 + z * _sigmoid(-z)), _smooth, 0.0),
    "mish": (lambda z, p: z * math.tanh(_softplus(z)), lambda z, p: _mish_slope(z), _smooth, 0.0),
    "gelu": (lambda z, p: z * _normal(z), lambda z, p: _normal(z) + z * _density(z), _smooth, 0.0),
    "gelu_tanh": (lambda z, p: _gelu_tanh(z)[0], lambda z, p: _gelu_tanh(z)[1], _smooth, 0.0),
    "tanhshrink": (lambda z, p: z - math.tanh(z), lambda z, p: math.tanh(z) ** 2, _smooth, 0.0),
    "relu6": (lambda z, p: _clip(z, 0.0, 6.0), lambda z, p: _inside(z, 0.0, 6.0), _ends(0.0, 6.0), 0.0),
    "hardtanh": (lambda z, p: _clip(z, -1.0, 1.0), lambda z, p: _inside(z, -1.0, 1.0), _ends(-1.0, 1.0), 0.0),
    "hardsigmoid": (
        lambda z, p: _clip(z / 6.0 + 0.5, 0.0, 1.0),
        lambda z, p: _inside(z, -3.0, 3.0) / 6.0,
        _ends(-3.0, 3.0),
        0.0,
    ),
    "hardswish": (
        lambda z, p: z * _clip(z / 6.0 + 0.5, 0.0, 1.0),
        lambda z, p: 1.0 if z >= 3.0 else _inside(z, -3.0, 3.0) * (z / 3.0 + 0.5),
        _ends(-3.0, 3.0),
        0.0,
    ),
    "hardshrink": (
        lambda z, p: 0.0 if -p <= z <= p else z,
        lambda z, p: 1.0 - _inside(z, -p, p),
        lambda p: (-p, p),
        0.5,
    ),
    "softshrink": (
        lambda z, p: z - _clip(z, -p, p),
        lambda z, p: 1.0 - _inside(z, -p, p),
        lambda p: (-p, p),
        0.5,
    ),
}
