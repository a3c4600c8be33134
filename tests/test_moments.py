"""The moment maps and the initialisers' gains against quadrature, the frameworks and the numbers of the paper."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selulint.moments import initial, maps
from selulint.moments.initial import calculate_gain, gain, truncated_second_moment
from selulint.moments.maps import Moments, erfcx, moments

# E f, E f^2, E f'^2 at N(0, 1), measured with adaptive quadrature to four digits.
AT_STANDARD_NORMAL = {
    "relu": (0.3989, 0.5000, 0.5000),
    "relu6": (0.3989, 0.5000, 0.5000),
    "leaky_relu": (0.3950, 0.5000, 0.5000),
    "prelu": (0.2992, 0.5312, 0.5312),
    "rrelu": (0.3075, 0.5263, 0.5263),
    "elu": (0.1605, 0.6449, 0.6681),
    "celu": (0.1605, 0.6449, 0.6681),
    "selu": (0.0, 1.0, 1.0716),
    "gelu": (0.2821, 0.4252, 0.4559),
    "silu": (0.2066, 0.3558, 0.3795),
    "mish": (0.2404, 0.4523, 0.4791),
    "hardswish": (0.1662, 0.3316, 0.3585),
    "hardtanh": (0.0, 0.5161, 0.6827),
    "hardsigmoid": (0.5, 0.2776, 0.0277),
    "sigmoid": (0.5, 0.2934, 0.0448),
    "tanh": (0.0, 0.3943, 0.4644),
    "softplus": (0.8061, 0.9212, 0.2934),
    "softsign": (0.0, 0.1830, 0.2277),
    "identity": (0.0, 1.0, 1.0),
}
# Where the closed forms, their limits and the joints between the pieces lie.
MEANS = (-20.0, -1.0, 0.0, 0.1, 3.0)
VARIANCES = (1e-6, 0.0099, 0.0101, 0.8, 1.5, 25.0)
FUNCTIONS = sorted(AT_STANDARD_NORMAL)

means = st.floats(-1e3, 1e3)
variances = st.floats(0.0, 1e8)


def simpson(function: Callable[[float], float], mean: float, variance: float, kinks: tuple[float, ...]) -> float:
    """E function(z) by Simpson's rule on a fine grid that respects kinks: another method than the one under test."""
    sigma = math.sqrt(variance)
    low, high = mean - 10.0 * sigma, mean + 10.0 * sigma
    ends = [low, *sorted(kink for kink in kinks if low < kink < high), high]
    total = 0.0
    for left, right in pairwise(ends):
        count = 4_000
        step = (right - left) / count
        for index in range(count + 1):
            weight = 1 if index in (0, count) else 4 if index % 2 else 2
            # Just inside the piece, where the function is smooth.
            z = min(max(left + index * step, left + 1e-13 * abs(left)), right - 1e-13 * abs(right))
            density = math.exp(-0.5 * ((z - mean) / sigma) ** 2) / (sigma * math.sqrt(2.0 * math.pi))
            total += weight * step / 3.0 * density * function(z)
    return total


def selu(z: float) -> float:
    return maps.SELU_SCALE * (z if z > 0.0 else maps.SELU_ALPHA * math.expm1(z))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_moments_at_the_standard_normal(function: str) -> None:
    found = moments(function, 0.0, 1.0)
    assert found is not None
    assert (found.first, found.second, found.slope2) == pytest.approx(AT_STANDARD_NORMAL[function], abs=6e-5)


def test_known_digits() -> None:
    selu_map, relu, gelu, tanh = (moments(name, 0.0, 1.0) for name in ("selu", "relu", "gelu", "tanh"))
    assert selu_map and relu and gelu and tanh
    assert selu_map.slope2 == pytest.approx(1.0715749924557991, abs=1e-13)
    assert relu.first == pytest.approx(1.0 / math.sqrt(2.0 * math.pi), abs=1e-15)
    # GELU at N(0, 1) in closed form: 1 / (2 sqrt(pi)) and 1/3 + 1 / (2 sqrt(3) pi).
    assert gelu.first == pytest.approx(0.5 / math.sqrt(math.pi), abs=1e-13)
    assert gelu.second == pytest.approx(1.0 / 3.0 + 1.0 / (2.0 * math.sqrt(3.0) * math.pi), abs=1e-13)
    assert gelu.slope2 == pytest.approx(0.455851, abs=1e-6)
    assert (tanh.second, tanh.slope2) == pytest.approx((0.394294, 0.464403), abs=1e-6)


def test_selu_constants_are_the_papers_closed_form() -> None:
    root_e = math.sqrt(math.e)
    one, two = math.erfc(1.0 / math.sqrt(2.0)), math.erfc(math.sqrt(2.0))
    alpha = -math.sqrt(2.0 / math.pi) / (one * root_e - 1.0)
    inner = 2.0 * two * math.e**2 + math.pi * one**2 * math.e - 2.0 * (2.0 + math.pi) * one * root_e + math.pi + 2.0
    scale = (1.0 - one * root_e) * math.sqrt(2.0 * math.pi) / math.sqrt(inner)
    assert alpha == pytest.approx(maps.SELU_ALPHA, rel=1e-14)
    assert scale == pytest.approx(maps.SELU_SCALE, rel=1e-14)


def test_windows() -> None:
    low, high = maps.SURVIVAL_WINDOW
    assert (low, high) == pytest.approx((0.476771, 1.811639), abs=1e-6)
    for tau, grows in ((0.47, False), (0.49, True)):
        found = moments("selu", 0.0, tau * 1e-8)
        assert found is not None and (found.second > 1e-8) == grows
    for tau, grows in ((1.80, False), (1.82, True)):
        found = moments("selu", 0.0, tau * 1e12)
        assert found is not None and (found.second > 1e12) == grows


def test_fixed_points_of_tau() -> None:
    """The variance at which zero-mean SELU layers of one tau settle, by the paper's map with omega = 0."""
    for tau, expected in ((0.8, 0.411), (0.9, 0.674), (0.95, 0.829), (1.0, 1.0), (1.1, 1.399), (1.25, 2.179)):
        variance = 1.0
        for _ in range(400):
            found = moments("selu", 0.0, tau * variance)
            assert found is not None
            variance = found.variance
        assert variance == pytest.approx(expected, abs=6e-4)


def test_jacobian_at_the_fixed_point() -> None:
    step = 1e-5
    up, down = moments("selu", 0.0, 1.0 + step), moments("selu", 0.0, 1.0 - step)
    assert up is not None and down is not None
    assert (up.first - down.first) / (2 * step) == pytest.approx(0.088834755, abs=1e-8)
    assert (up.variance - down.variance) / (2 * step) == pytest.approx(0.7826478832, abs=1e-8)


def test_theorem_1_maps_the_box_into_itself() -> None:
    (low_mean, high_mean), (low, high) = maps.THEOREM_1_BOX
    found = [
        moments("selu", mean * omega, variance * tau)
        for mean in (low_mean, 0.0, high_mean)
        for omega in (-0.1, 0.0, 0.1)
        for variance in (low, 1.0, high)
        for tau in (0.95, 1.0, 1.1)
    ]
    first = [each.first for each in found if each]
    variance = [each.variance for each in found if each]
    assert len(first) == 81
    assert (min(first), max(first)) == pytest.approx((-0.03106, 0.06773), abs=1e-5)
    assert (min(variance), max(variance)) == pytest.approx((0.80371, 1.48157), abs=1e-5)


@pytest.mark.parametrize("mean", MEANS)
@pytest.mark.parametrize("variance", VARIANCES)
def test_selu_against_another_quadrature(mean: float, variance: float) -> None:
    found = moments("selu", mean, variance)
    assert found is not None
    assert found.first == pytest.approx(simpson(selu, mean, variance, (0.0,)), rel=1e-9, abs=1e-12)
    assert found.second == pytest.approx(simpson(lambda z: selu(z) ** 2, mean, variance, (0.0,)), rel=1e-9, abs=1e-15)


@pytest.mark.parametrize(
    ("function", "value", "kinks"),
    [
        ("relu", lambda z: max(z, 0.0), (0.0,)),
        ("leaky_relu", lambda z: z if z > 0 else 0.01 * z, (0.0,)),
        ("elu", lambda z: z if z > 0 else math.expm1(z), (0.0,)),
        ("gelu", lambda z: 0.5 * z * math.erfc(-z / math.sqrt(2.0)), ()),
        ("tanh", math.tanh, ()),
        ("softsign", lambda z: z / (1.0 + abs(z)), (0.0,)),
        ("hardtanh", lambda z: max(-1.0, min(1.0, z)), (-1.0, 1.0)),
        ("hardswish", lambda z: z * max(0.0, min(6.0, z + 3.0)) / 6.0, (-3.0, 3.0)),
        ("relu6", lambda z: max(0.0, min(6.0, z)), (0.0, 6.0)),
    ],
)
def test_others_against_another_quadrature(
    function: str, value: Callable[[float], float], kinks: tuple[float, ...]
) -> None:
    for mean, variance in ((0.0, 0.3), (-2.0, 4.0), (1.5, 40.0)):
        found = moments(function, mean, variance)
        assert found is not None
        assert found.first == pytest.approx(simpson(value, mean, variance, kinks), rel=1e-9, abs=1e-10)
        assert found.second == pytest.approx(simpson(lambda z: value(z) ** 2, mean, variance, kinks), rel=1e-9)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_slope_is_the_slope_of_the_value(function: str) -> None:
    """d E f / d mean = E f', so E f'^2 at a tiny variance is the square of the first moment's derivative."""
    for mean in (-1.7, -0.4, 0.6, 2.5):
        step = 1e-5
        up, down, here = (moments(function, at, 0.0) for at in (mean + step, mean - step, mean))
        assert up and down and here
        assert here.slope2 == pytest.approx(((up.first - down.first) / (2 * step)) ** 2, rel=1e-6, abs=1e-9)


@given(st.sampled_from(FUNCTIONS), means, variances)
def test_moments_are_moments(function: str, mean: float, variance: float) -> None:
    found = moments(function, mean, variance)
    assert found is not None
    assert all(math.isfinite(each) for each in (found.first, found.second, found.slope2))
    assert found.second >= found.first**2 * (1.0 - 1e-9) - 1e-12
    assert found.slope2 >= 0.0


@given(means, st.floats(1e-12, 1e8))
def test_selu_never_loses_against_its_bounds(mean: float, variance: float) -> None:
    found = moments("selu", mean, variance)
    assert found is not None
    assert found.first >= -maps.SELU_SCALE * maps.SELU_ALPHA * (1.0 + 1e-12)
    # selu is Lipschitz with constant scale * alpha, so it stretches no variance by more than the square of that.
    assert found.variance <= (maps.SELU_SCALE * maps.SELU_ALPHA) ** 2 * variance * (1.0 + 1e-6) + 1e-6 * (1.0 + mean**2)
    assert found.slope2 <= (maps.SELU_SCALE * maps.SELU_ALPHA) ** 2 * (1.0 + 1e-12)


@given(st.floats(-3.0, 3.0))
def test_closed_form_meets_quadrature_at_the_joint(mean: float) -> None:
    below, above = moments("selu", mean, 0.01 * (1 - 1e-9)), moments("selu", mean, 0.01 * (1 + 1e-9))
    assert below is not None and above is not None
    assert (below.first, below.second, below.slope2) == pytest.approx(
        (above.first, above.second, above.slope2), rel=1e-6, abs=1e-9
    )


def test_alpha_selects_the_parameter() -> None:
    assert moments("leaky_relu", 0.3, 2.0, 0.0) == moments("relu", 0.3, 2.0)
    assert moments("leaky_relu", 0.3, 2.0, 1.0).second == pytest.approx(2.09)  # type: ignore[union-attr]
    assert moments("celu", 0.3, 2.0, 1.0) == moments("elu", 0.3, 2.0)
    celu = moments("celu", 0.2, 1.5, 2.0)
    wanted = simpson(lambda z: z if z > 0 else 2.0 * math.expm1(z / 2.0), 0.2, 1.5, (0.0,))
    assert celu is not None and celu.first == pytest.approx(wanted, rel=1e-9)
    elu = moments("elu", 0.0, 1.0, maps.SELU_ALPHA)
    assert elu is not None and maps.SELU_SCALE**2 * elu.second == pytest.approx(1.0)
    sharp = moments("softplus", 0.0, 1.0, 40.0)
    assert sharp is not None and sharp.first == pytest.approx(0.3989, abs=1e-3)


def test_what_has_no_moments() -> None:
    assert moments("softmax", 0.0, 1.0) is None
    assert moments("no such function", 0.0, 1.0) is None
    for mean, variance in ((0.0, -1.0), (math.nan, 1.0), (0.0, math.inf)):
        with pytest.raises(ValueError):
            moments("selu", mean, variance)


@given(st.floats(0.0, 1e6))
def test_erfcx(x: float) -> None:
    # The bounds of Abramowitz & Stegun 7.1.13.
    low = 2.0 / (math.sqrt(math.pi) * (x + math.sqrt(x * x + 2.0)))
    high = 2.0 / (math.sqrt(math.pi) * (x + math.sqrt(x * x + 4.0 / math.pi)))
    assert low * (1.0 - 1e-14) <= erfcx(x) <= high * (1.0 + 1e-14)


def test_erfcx_where_the_two_forms_meet() -> None:
    for x in (4.999999, 5.0, 5.000001, 8.0, 20.0):
        assert erfcx(x) == pytest.approx(math.exp(x * x) * math.erfc(x), rel=1e-12)


SHAPES = ((500, 1000), (1000, 500), (400, 400))
# Law, arguments and gain for fan_in 500 and fan_out 1000.
TORCH_GAINS: tuple[tuple[str, Mapping[str, Any], float], ...] = (
    ("kaiming_normal_", {}, 2.0),
    ("kaiming_uniform_", {}, 2.0),
    ("kaiming_normal_", {"nonlinearity": "linear"}, 1.0),
    ("kaiming_uniform_", {"nonlinearity": "linear"}, 1.0),
    ("kaiming_normal_", {"nonlinearity": "sigmoid"}, 1.0),
    ("kaiming_normal_", {"a": 1}, 1.0),
    ("kaiming_normal_", {"a": 1, "nonlinearity": "relu"}, 2.0),
    ("kaiming_uniform_", {"a": math.sqrt(5)}, 1.0 / 3.0),
    ("kaiming_normal_", {"nonlinearity": "selu"}, 0.5625),
    ("kaiming_normal_", {"nonlinearity": "tanh"}, 25.0 / 9.0),
    ("kaiming_normal_", {"mode": "fan_out", "nonlinearity": "linear"}, 0.5),
    ("kaiming_uniform_", {"mode": "fan_out", "nonlinearity": "relu"}, 1.0),
    ("xavier_normal_", {}, 2.0 / 3.0),
    ("xavier_uniform_", {}, 2.0 / 3.0),
    ("xavier_normal_", {"gain": math.sqrt(2)}, 4.0 / 3.0),
    ("orthogonal_", {}, 0.5),
    ("orthogonal_", {"gain": 2.0}, 2.0),
    ("normal_", {}, 500.0),
    ("normal_", {"std": 0.02}, 0.2),
    ("normal_", {"mean": 0.03, "std": 0.04}, 1.25),
    ("trunc_normal_", {"std": 0.02}, 0.2),
    ("trunc_normal_", {"std": 0.1, "a": -0.2, "b": 0.2}, 500 * 0.01 * 0.7737413),
    ("uniform_", {}, 500.0 / 3.0),
    ("uniform_", {"a": -0.1, "b": 0.1}, 500 * 0.01 / 3.0),
    ("constant_", {"val": 0.1}, 5.0),
    ("ones_", {}, 500.0),
    ("zeros_", {}, 0.0),
    ("eye_", {}, 0.5),
    ("sparse_", {"sparsity": 0.1}, 0.045),
)
KERAS_GAINS: tuple[tuple[str, Mapping[str, Any], float], ...] = (
    ("LecunNormal", {}, 1.0),
    ("lecun_uniform", {}, 1.0),
    ("HeNormal", {}, 2.0),
    ("he_uniform", {}, 2.0),
    ("GlorotNormal", {}, 2.0 / 3.0),
    ("glorot_uniform", {}, 2.0 / 3.0),
    ("VarianceScaling", {}, 1.0),
    ("VarianceScaling", {"scale": 2.0, "mode": "fan_out", "distribution": "uniform"}, 1.0),
    ("VarianceScaling", {"scale": 1.0, "mode": "fan_avg", "distribution": "untruncated_normal"}, 2.0 / 3.0),
    ("RandomNormal", {}, 1.25),
    ("TruncatedNormal", {}, 0.7737413 * 1.25),
    ("RandomUniform", {}, 500 * 0.0025 / 3.0),
    ("Orthogonal", {}, 0.5),
    ("Identity", {}, 0.5),
    ("Constant", {"value": 0.1}, 5.0),
    ("Zeros", {}, 0.0),
    ("Ones", {}, 500.0),
)


@pytest.mark.parametrize(("law", "args", "expected"), TORCH_GAINS + KERAS_GAINS)
def test_gain(law: str, args: Mapping[str, Any], expected: float) -> None:
    assert gain(law, args, 500, 1000) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("law", "args", "expected"), TORCH_GAINS)
def test_gain_is_what_torch_gives(law: str, args: Mapping[str, Any], expected: float) -> None:
    torch = pytest.importorskip("torch")
    for fan_in, fan_out in SHAPES:
        weight = torch.empty(fan_out, fan_in)
        torch.manual_seed(7)
        getattr(torch.nn.init, law)(weight, **args)
        measured = fan_in * weight.double().square().mean().item()
        assert gain(law, args, fan_in, fan_out) == pytest.approx(measured, rel=0.01, abs=1e-9), (fan_in, fan_out)


@pytest.mark.parametrize(("law", "args", "expected"), KERAS_GAINS)
def test_gain_is_what_keras_gives(law: str, args: Mapping[str, Any], expected: float) -> None:
    pytest.importorskip("torch")
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    for fan_in, fan_out in SHAPES:
        made = getattr(keras.initializers, law)(**args)
        if hasattr(made, "seed"):
            made = getattr(keras.initializers, law)(**args, seed=7)
        weight = keras.ops.convert_to_numpy(made((fan_in, fan_out))).astype("float64")
        measured = fan_in * float((weight**2).mean())
        assert gain(law, args, fan_in, fan_out) == pytest.approx(measured, rel=0.01, abs=1e-9), (fan_in, fan_out)


@pytest.mark.parametrize(
    ("name", "args", "fans"),
    [
        ("Linear", (300, 400), (300, 400)),
        ("Conv2d", (32, 64, 3), (288, 576)),
        ("ConvTranspose2d", (32, 64, 3), (576, 288)),
        ("Conv1d", (64, 64, 5, 1, 0, 1, 64), (5, 320)),
        ("Embedding", (500, 400), (500, 400)),
    ],
)
def test_default_laws_are_what_torch_gives(name: str, args: tuple[int, ...], fans: tuple[int, int]) -> None:
    torch = pytest.importorskip("torch")
    from selulint.frameworks import SPECS

    torch.manual_seed(3)
    weight = getattr(torch.nn, name)(*args).weight.detach()
    shown = torch.nn.init._calculate_fan_in_and_fan_out(weight)
    if name == "Embedding":
        # One row is looked up: the unit's fan_in is 1.
        assert gain(SPECS["torch.nn.Embedding"].init, {}, None, None) == pytest.approx(weight.var().item(), rel=0.02)
        return
    assert shown == fans
    measured = fans[0] * weight.square().mean().item()
    assert gain(SPECS[f"torch.nn.{name}"].init, {}, *fans) == pytest.approx(
        measured, rel=0.15 if fans[0] < 10 else 0.03
    )


def test_other_default_laws() -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(3)
    bilinear = torch.nn.Bilinear(40, 60, 50).weight.detach()
    # 40 * 60 products go into one unit.
    measured = 2400 * bilinear.square().mean().item()
    assert gain("bilinear", {"in1_features": 40, "in2_features": 60}, None, None) == pytest.approx(measured, rel=0.02)
    recurrent = torch.nn.LSTM(100, 200).weight_ih_l0.detach()
    measured = 100 * recurrent.square().mean().item()
    assert gain("rnn_uniform", {"hidden_size": 200}, 100, None) == pytest.approx(measured, rel=0.02)
    attention = torch.nn.MultiheadAttention(128, 4).in_proj_weight.detach()
    measured = 128 * attention.square().mean().item()
    assert gain("multihead_attention", {"kdim": None, "vdim": None}, None, None) == pytest.approx(measured, rel=0.02)
    assert gain("multihead_attention", {"kdim": 64, "vdim": None}, None, None) is None


def test_orthogonal_convolution_counts_units() -> None:
    torch = pytest.importorskip("torch")
    weight = torch.empty(128, 16, 3, 3)
    torch.nn.init.orthogonal_(weight)
    measured = 144 * weight.square().mean().item()
    assert gain("orthogonal_", {}, 144, 1152, units=128) == pytest.approx(measured, rel=1e-3)


@pytest.mark.parametrize("groups", [1, 2])
def test_dirac(groups: int) -> None:
    torch = pytest.importorskip("torch")
    for out, size in ((8, 4), (4, 8), (6, 6)):
        weight = torch.empty(out, size, 3, 3)
        torch.nn.init.dirac_(weight, groups)
        measured = size * 9 * weight.square().mean().item()
        assert gain("dirac_", {"groups": groups}, size * 9, out * 9) == pytest.approx(measured)


FAN_FREE = (
    "kaiming_normal_",
    "kaiming_uniform",
    "LecunNormal",
    "he_uniform",
    "kaiming_uniform_sqrt5",
    "VarianceScaling",
)
NEEDS_FANS = ("xavier_uniform_", "glorot_normal", "GlorotUniform", "orthogonal_", "normal_", "random_normal", "ones_")


@pytest.mark.parametrize("law", FAN_FREE)
def test_fan_free_laws_need_no_fans(law: str) -> None:
    assert gain(law, {}, None, None) == gain(law, {}, 3, 7) is not None


@pytest.mark.parametrize("law", NEEDS_FANS)
def test_other_laws_are_silent_without_fans(law: str) -> None:
    assert gain(law, {}, None, None) is None
    assert gain(law, {}, None, 7) is None
    assert gain(law, {}, 7, 7) is not None


def test_square_glorot_is_lecun() -> None:
    for law in ("xavier_normal_", "xavier_uniform_", "glorot_uniform", "GlorotNormal"):
        assert gain(law, {}, 256, 256) == 1.0


def test_unknown_arguments_give_no_gain() -> None:
    for law, args in (
        ("kaiming_normal_", {"nonlinearity": None}),
        ("kaiming_normal_", {"nonlinearity": "gelu"}),
        ("kaiming_normal_", {"mode": None}),
        ("kaiming_normal_", {"a": None}),
        ("xavier_normal_", {"gain": None}),
        ("normal_", {"std": None}),
        ("constant_", {}),
        ("VarianceScaling", {"mode": "fan_somewhere"}),
        ("VarianceScaling", {"distribution": "cauchy"}),
        ("LecunNormal", {"input_axes": (0, 1)}),
        ("random_normal_initializer", {"stddev": None}),
        ("no_such_law", {}),
        ("", {}),
    ):
        assert gain(law, args, 100, 200) is None, (law, args)


def test_initialiser_suffixes_of_tensorflow() -> None:
    assert gain("variance_scaling_initializer", {"scale": 2.0}, None, None) == 2.0
    assert gain("truncated_normal_initializer", {"stddev": 0.1}, 100, 1) == pytest.approx(0.7737413)
    assert gain("uniform_unit_scaling_initializer", {"factor": 1.43}, None, None) == pytest.approx(1.43**2)


@given(st.floats(-3.0, 3.0), st.floats(0.01, 3.0), st.floats(-4.0, 4.0), st.floats(0.05, 5.0))
def test_truncated_second_moment(mean: float, std: float, low: float, width: float) -> None:
    found = truncated_second_moment(mean, std, low, low + width)
    if math.isnan(found):
        return
    count, mass, total = 2_000, 0.0, 0.0
    peak = min(max(mean, low), low + width)
    for index in range(count):
        w = low + width * (index + 0.5) / count
        # Relative to the peak inside the interval, so that far tails do not underflow.
        density = math.exp(0.5 * ((peak - mean) / std) ** 2 - 0.5 * ((w - mean) / std) ** 2)
        mass += density
        total += density * w * w
    assert found == pytest.approx(total / mass, rel=1e-2, abs=1e-3)


def test_truncated_variance() -> None:
    exact = truncated_second_moment(0.0, 1.0, -2.0, 2.0)
    assert exact == pytest.approx(0.7737413, abs=1e-7)
    assert exact == pytest.approx(initial.TRUNCATED_VARIANCE, abs=1e-12)
    assert truncated_second_moment(0.0, 0.02, -2.0, 2.0) == pytest.approx(4e-4)
    assert truncated_second_moment(0.0, 1.0, -math.inf, math.inf) == 1.0


def test_calculate_gain_is_torchs() -> None:
    init = pytest.importorskip("torch").nn.init
    for name in ("linear", "conv1d", "conv_transpose3d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"):
        assert calculate_gain(name) == pytest.approx(init.calculate_gain(name))
    assert calculate_gain("leaky_relu", 0.2) == pytest.approx(init.calculate_gain("leaky_relu", 0.2))
    for refused in ("elu", "gelu", "silu", "SELU"):
        assert calculate_gain(refused) is None
        with pytest.raises(ValueError):
            init.calculate_gain(refused)


def test_variance_of_moments_is_never_negative() -> None:
    assert Moments(1.0, 1.0 - 1e-16, 0.0).variance == 0.0
    assert Moments(0.5, 1.0, 0.0).variance == 0.75
