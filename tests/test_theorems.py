"""The numbers of Klambauer et al. 2017 (arXiv:1706.02515), computed again, and the closed forms against quadrature."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selulint.moments.maps import Moments, moments
from selulint.moments.maps import shape as shape_of
from selulint.moments.propagate import Layer, Statistics, activation, layer

numpy = pytest.importorskip("numpy")
# The theorem's domain: omega, tau, and the box of means and variances.
OMEGAS, TAUS = (-0.1, 0.0, 0.1), (0.95, 1.0, 1.1)
MEANS, VARIANCES = (-0.1, -0.05, 0.0, 0.05, 0.1), (0.8, 0.9, 1.0, 1.15, 1.3, 1.5)


def step(mean: float, variance: float, omega: float = 0.0, tau: float = 1.0) -> Moments:
    """The paper's map: one unit whose weights have sum omega and sum of squares tau."""
    found = moments("selu", mean * omega, variance * tau)
    assert found is not None
    return found


def jacobian(mean: float, variance: float, omega: float, tau: float) -> list[list[float]]:
    h = 1e-5

    def slope(along: tuple[float, float]) -> tuple[float, float]:
        up = step(mean + h * along[0], variance + h * along[1], omega, tau)
        down = step(mean - h * along[0], variance - h * along[1], omega, tau)
        return (up.first - down.first) / (2 * h), (up.variance - down.variance) / (2 * h)

    by_mean, by_variance = slope((1.0, 0.0)), slope((0.0, 1.0))
    return [[by_mean[0], by_variance[0]], [by_mean[1], by_variance[1]]]


def test_jacobian_at_the_fixed_point() -> None:
    assert numpy.linalg.norm(jacobian(0.0, 1.0, 0.0, 1.0), 2) == pytest.approx(0.787673, abs=1e-6)


def test_the_map_contracts_on_the_whole_domain() -> None:
    largest = max(
        numpy.linalg.svd(numpy.array(jacobian(*each)), compute_uv=False)[0]
        for each in product(MEANS, VARIANCES, OMEGAS, TAUS)
    )
    assert largest == pytest.approx(0.8976, abs=2e-3)
    assert largest < 1.0


@given(st.floats(-1.0, 1.0), st.floats(3.0, 16.0), st.floats(-0.1, 0.1), st.floats(0.8, 1.25))
def test_theorem_2_high_variance_falls(mean: float, variance: float, omega: float, tau: float) -> None:
    assert step(mean, variance, omega, tau).variance < variance


@given(st.floats(-0.1, 0.1), st.floats(0.02, 0.24), st.floats(-0.1, 0.1), st.floats(0.8, 1.25))
def test_theorem_3_low_variance_rises(mean: float, variance: float, omega: float, tau: float) -> None:
    if variance <= 0.16 or tau >= 0.9:
        assert step(mean, variance, omega, tau).variance > variance


def test_theorem_3_ends_where_it_says() -> None:
    """Beyond the domain it need not hold: the numbers above are not there by chance."""
    assert step(0.0, 0.5, 0.0, 0.8).variance < 0.5


@pytest.mark.parametrize(("start", "layers"), [(0.02, 20), (16.0, 17)])
def test_so_many_layers_bring_the_variance_back(start: float, layers: int) -> None:
    here, count = Statistics(0.0, start), 0
    while abs(here.variance - 1.0) > 0.05:
        after = activation(layer(here, Layer(1.0)), "selu")
        assert after is not None
        here, count = after, count + 1
    assert abs(count - layers) <= 1


@cache
def gauss(count: int) -> list[tuple[float, float]]:
    nodes, weights = numpy.polynomial.legendre.leggauss(count)
    return list(zip(nodes.tolist(), weights.tolist(), strict=True))


def pieces(function: Callable[[float], float], left: float, right: float, depth: int = 0) -> Iterator[float]:
    """Adaptive quadrature: a piece is halved until two rules agree on it."""
    middle, half = 0.5 * (left + right), 0.5 * (right - left)
    fine, coarse = (
        math.fsum(half * weight * function(middle + half * node) for node, weight in gauss(count)) for count in (30, 20)
    )
    if abs(fine - coarse) <= 1e-16 + 1e-15 * abs(fine) or depth > 8:
        yield fine
    else:
        yield from pieces(function, left, middle, depth + 1)
        yield from pieces(function, middle, right, depth + 1)


def expected(function: Callable[[float], float], kinks: tuple[float, ...], mean: float, variance: float) -> float:
    sigma = math.sqrt(variance)
    inner = sorted({each for kink in kinks if -11.0 < (each := (kink - mean) / sigma) < 11.0} | {-4.0, -1.0, 1.0, 4.0})
    ends = [-11.0, *inner, 11.0]
    weighted = lambda x: function(mean + sigma * x) * math.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)  # noqa: E731
    return math.fsum(part for left, right in pairwise(ends) for part in pieces(weighted, left, right))


CLOSED = ("selu", "elu", "relu", "leaky_relu")


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(CLOSED), st.floats(-3.0, 3.0), st.floats(0.011, 50.0))
def test_closed_forms_agree_with_adaptive_quadrature(function: str, mean: float, variance: float) -> None:
    found, form = moments(function, mean, variance), shape_of(function)
    assert found is not None and form is not None
    kinks = (0.0,)
    first = expected(form.value, kinks, mean, variance)
    second = expected(lambda z: form.value(z) ** 2, kinks, mean, variance)
    slope2 = expected(lambda z: form.slope(z) ** 2, kinks, mean, variance)
    scale = max(1.0, second)
    assert abs(found.first - first) <= 4e-14 * scale
    assert abs(found.second - second) <= 4e-14 * scale
    assert abs(found.slope2 - slope2) <= 4e-14 * max(1.0, slope2)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(("gelu", "tanh", "silu", "mish", "softplus")), st.floats(-3.0, 3.0), st.floats(0.01, 50.0))
def test_split_quadrature_is_good_for_the_rest(function: str, mean: float, variance: float) -> None:
    found, form = moments(function, mean, variance), shape_of(function)
    assert found is not None and form is not None
    second = expected(lambda z: form.value(z) ** 2, form.kinks, mean, variance)
    assert abs(found.second - second) <= 1e-12 * max(1.0, second)


@pytest.mark.parametrize("variance", [400.0, 1e4, 1e6, 1e8])
@pytest.mark.parametrize("mean", [-50.0, 0.0, 50.0])
def test_the_closed_form_is_stable_where_the_literal_one_overflows(mean: float, variance: float) -> None:
    if mean + variance > 355.0:  # what the paper's formula raises e to, twice
        with pytest.raises(OverflowError):
            math.exp(2.0 * (mean + variance))
    found, form = moments("selu", mean, variance), shape_of("selu")
    assert found is not None and form is not None
    # Where z < 0, SELU is -lambda alpha but for a sliver at 0: pieces must end near it.
    kinks = (0.0, -1.0, -5.0, -40.0)
    first = expected(form.value, kinks, mean, variance)
    second = expected(lambda z: form.value(z) ** 2, kinks, mean, variance)
    assert found.first == pytest.approx(first, rel=1e-12)
    assert found.second == pytest.approx(second, rel=1e-12)
