"""Which initialisers fit which activation, and what biases do: against the matrix, the framework and a real network."""

from __future__ import annotations

import pytest

from selulint.moments.chains import after_biases
from selulint.moments.fitting import bias_moments, misfit

LECUN = ("kaiming_normal_", {"nonlinearity": "linear", "a": 0.0, "mode": "fan_in"}, 1.0)
HE = ("kaiming_normal_", {"nonlinearity": "relu", "a": 0.0, "mode": "fan_in"}, 2.0)
FAN_OUT = ("kaiming_normal_", {"nonlinearity": "relu", "a": 0.0, "mode": "fan_out"}, 0.3)
SELU_GAIN = ("kaiming_uniform_", {"nonlinearity": "selu", "a": 0.0, "mode": "fan_in"}, 0.5625)
XAVIER = ("xavier_uniform_", {"gain": 1.0}, 1.0)
NARROW = ("normal_", {"mean": 0.0, "std": 0.02}, 0.1)
WIDE = ("normal_", {"mean": 0.0, "std": 1.0}, 512.0)
UNKNOWN_WIDTH = ("normal_", {"mean": 0.0, "std": 1.0}, None)


@pytest.mark.parametrize(
    ("init", "function", "expected"),
    [
        (LECUN, "relu", "lecun"),
        (LECUN, "tanh", ""),
        (LECUN, "gelu", ""),
        (("LecunNormal", {}, 1.0), "leaky_relu", "lecun"),
        (("lecun_uniform", {}, 1.0), "prelu", "lecun"),
        (("VarianceScaling", {"scale": 1.0, "mode": "fan_in"}, 1.0), "relu", "lecun"),
        (("VarianceScaling", {"scale": 2.0, "mode": "fan_in"}, 2.0), "relu", ""),
        (("VarianceScaling", {"scale": 1.0, "mode": "fan_avg"}, 1.0), "relu", ""),
        (HE, "relu", ""),
        (HE, "tanh", "he"),
        (HE, "gelu", ""),
        (("he_normal", {}, 2.0), "sigmoid", "he"),
        (FAN_OUT, "relu", ""),
        (SELU_GAIN, "rrelu", "selu"),
        (SELU_GAIN, "tanh", ""),
        (XAVIER, "relu", ""),
        (("orthogonal_", {"gain": 1.0}, 1.0), "relu", ""),
        (NARROW, "relu", ""),
        (WIDE, "relu", "wild"),
        (WIDE, "silu", "wild"),
        (WIDE, "softmax", ""),
        (UNKNOWN_WIDTH, "relu", ""),
        (("uniform_", {"a": 0.0, "b": 1.0}, 42.7), "tanh", "wild"),
        (("zeros_", {}, 0.0), "elu", "equal"),
        (("Constant", {"value": 0.5}, 2.0), "relu", "equal"),
        (("kaiming_normal_", {"unknown": ("a",)}, None), "relu", ""),
        (LECUN, "selu", ""),
        (LECUN, "relu6", ""),
    ],
)
def test_only_what_is_beyond_doubt(
    init: tuple[str, dict[str, object], float | None], function: str, expected: str
) -> None:
    assert misfit(*init, function) == expected


@pytest.mark.parametrize(
    ("law", "args", "expected"),
    [
        ("zeros_", {}, (0.0, 0.0)),
        ("ones", {}, (1.0, 0.0)),
        ("constant_", {"val": 0.1}, (0.1, 0.0)),
        ("Constant", {"value": -2.0}, (-2.0, 0.0)),
        ("normal_", {"mean": 1.0, "std": 0.5}, (1.0, 0.25)),
        ("uniform_", {"a": 0.0, "b": 1.0}, (0.5, 1 / 12)),
        ("RandomUniform", {"minval": -0.3, "maxval": 0.3}, (0.0, 0.03)),
        ("constant_", {"unknown": ("val",)}, None),
        ("kaiming_normal_", {}, None),
        ("glorot_uniform", {}, None),
    ],
)
def test_moments_of_biases(law: str, args: dict[str, object], expected: tuple[float, float] | None) -> None:
    found = bias_moments(law, args)
    assert found == (expected if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 0.0), (0.1, 0.0), (1.0, 0.0), (0.0, 0.5), (0.5, 0.3)])
def test_biases_move_the_statistics_as_in_a_real_network(mean: float, deviation: float) -> None:
    torch = pytest.importorskip("torch")
    depth, width, found = 6, 256, []
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        x = torch.randn(512, width, generator=generator)
        for _ in range(depth):
            weight = torch.randn(width, width, generator=generator) * width**-0.5
            bias = mean + deviation * torch.randn(width, generator=generator)
            x = torch.nn.functional.selu(x @ weight.T + bias)
        found.append((float(x.mean()), float(x.var())))
    predicted = after_biases(mean, deviation**2, depth)
    assert sum(each[0] for each in found) / len(found) == pytest.approx(predicted[0], abs=0.06)
    assert sum(each[1] for each in found) / len(found) == pytest.approx(predicted[1], rel=0.1)
