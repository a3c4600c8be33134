"""The walk over a model's graph against draws of the same model, and its single operations against tensors."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from drawn_networks import CNNS, cnn, compare, mlp

from selulint.moments import propagate
from selulint.moments.propagate import Layer, Statistics, activation, layer, standard
from selulint.moments.windows import Axis, even, slide, unevenness
from selulint.predict import activations, predictions
from selulint.run import models_in

torch = pytest.importorskip("torch")


@pytest.mark.parametrize(
    ("init", "act"),
    [("LeCun", "nn.SELU()"), ("torch default", "nn.SELU()"), ("gain 3/4", "nn.SELU()"), ("He", "nn.ReLU()")],
)
def test_a_chain_is_predicted(init: str, act: str, tmp_path: Path) -> None:
    found = compare(mlp(init, width=128, depth=12, activation=act), tmp_path, (64,), seeds=12)
    assert len(found.predicted) == 12
    assert abs(found.biases[0]) <= 0.02
    assert max(map(abs, found.biases[:4])) <= 0.12
    assert found.covered >= 0.8
    for index, one in enumerate(found.predicted):
        assert one.per_unit is not None
        measured = median(draw[index][2] for draw in found.drawn)
        assert measured == pytest.approx(one.per_unit, rel=0.35)
        assert median(draw[index][0] for draw in found.drawn) == pytest.approx(
            one.mean, abs=0.1 * math.sqrt(one.second)
        )


@pytest.mark.parametrize("kind", CNNS)
def test_small_networks_for_images_are_predicted(kind: str, tmp_path: Path) -> None:
    found = compare(cnn(kind, "LeCun"), tmp_path, (3, 16, 16), seeds=8)
    assert len(found.predicted) >= 4
    assert median(found.errors) <= 0.1
    assert max(map(abs, found.biases)) <= 0.15
    assert found.covered >= 0.7


EXTRAS = {
    "alpha dropout": ("nn.SELU(), nn.AlphaDropout(0.2)", True),
    "dropout": ("nn.SELU(), nn.Dropout(0.3)", True),
    "dropout off": ("nn.SELU(), nn.Dropout(0.3)", False),
    "batch norm": ("nn.BatchNorm1d(width), nn.ReLU()", True),
    "batch norm off": ("nn.BatchNorm1d(width), nn.ReLU()", False),
    "layer norm": ("nn.LayerNorm(width), nn.SELU()", False),
}


@pytest.mark.parametrize("name", EXTRAS)
def test_what_stands_between_layers(name: str, tmp_path: Path) -> None:
    act, train = EXTRAS[name]
    found = compare(mlp("LeCun", width=256, depth=4, activation=act), tmp_path, (64,), seeds=6, train=train)
    assert len(found.predicted) == 4
    assert max(map(abs, found.biases)) <= 0.06, found.biases


WHOLE = """import torch, torch.nn as nn, torch.nn.functional as F

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        {made}
        self.act = nn.SELU()
        for layer in self.modules():
            if isinstance(layer, (nn.Linear, nn.Conv2d)):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")
                nn.init.zeros_(layer.bias)

    def forward(self, x):
        {run}
"""
GRAPHS = {
    "residual sum": (
        "self.a, self.b, self.c = (nn.Linear(128, 128) for _ in range(3))",
        "x = self.a(x); x = x + self.b(self.act(x)); return self.c(self.act(x))",
        (128,),
    ),
    "concatenation of unequal parts": (
        "self.a, self.b, self.c = nn.Linear(64, 32), nn.Linear(64, 224), nn.Linear(256, 128)",
        "x = torch.cat([self.a(x), 2 * self.b(x)], dim=1); return self.c(self.act(x))",
        (64,),
    ),
    "factor and offset": (
        "self.a, self.b = nn.Linear(64, 256), nn.Linear(256, 256)",
        "x = self.act(self.a(0.5 * x)) * 2 + 0.25; return self.act(self.b(x))",
        (64,),
    ),
    "gate": (
        "self.a, self.b, self.c = (nn.Linear(128, 256), nn.Linear(128, 256), nn.Linear(256, 256))",
        "x = torch.sigmoid(self.a(x)) * self.b(x); return self.act(self.c(x))",
        (128,),
    ),
    "mean over places": (
        "self.a, self.b = nn.Conv2d(3, 128, 3), nn.Linear(128, 128)",
        "x = F.adaptive_avg_pool2d(self.act(self.a(x)), 1).flatten(1); return self.act(self.b(x))",
        (3, 10, 10),
    ),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_branches_and_what_else_a_forward_does(name: str, tmp_path: Path) -> None:
    made, run, shape = GRAPHS[name]
    found = compare(WHOLE.format(made=made, run=run), tmp_path, shape, seeds=8, extra="sigmoid" not in run)
    assert found.predicted
    assert max(map(abs, found.biases)) <= 0.08, found.biases


def test_tables_of_random_rows(tmp_path: Path) -> None:
    source = (
        "import torch.nn as nn\n\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.rows, self.a = nn.Embedding(100, 64), nn.Linear(64, 64)\n"
        "        nn.init.normal_(self.rows.weight, std=0.5)\n"
        "        self.act = nn.SELU()\n\n    def forward(self, x):\n        return self.act(self.a(self.rows(x)))\n"
    )
    (tmp_path / "net.py").write_text(source)
    (model,) = models_in(str(tmp_path / "net.py"))
    found = predictions(model)
    table = next(op for op in model.ops if op.function == "embedding")
    assert found[table.index] is not None and found[table.index].second == pytest.approx(0.25)  # type: ignore[union-attr]


def _statistics(source: str, tmp_path: Path) -> list[Statistics | None]:
    (tmp_path / "net.py").write_text(source)
    (model,) = models_in(str(tmp_path / "net.py"))
    return predictions(model)


def test_a_prediction_ends_at_what_is_not_understood(tmp_path: Path) -> None:
    source = WHOLE.format(
        made="self.a, self.b = nn.Linear(64, 64), nn.Linear(64, 64)",
        run="x = self.act(self.a(x)); x = torch.cumsum(x, 1); return self.act(self.b(x))",
    )
    found = _statistics(source, tmp_path)
    known = [each is not None for each in found]
    assert known == [True, True, True, False, False, False]


def test_what_depends_on_itself_is_no_independent_sum(tmp_path: Path) -> None:
    for run in ("x + self.act(x)", "x * torch.sigmoid(x)"):
        source = WHOLE.format(
            made="self.a, self.b = nn.Linear(64, 64), nn.Linear(64, 64)",
            run=f"x = self.a(x); x = {run}; return self.act(self.b(x))",
        )
        assert _statistics(source, tmp_path)[-1] is None


def test_an_unknown_width_leaves_the_gain_and_no_band(tmp_path: Path) -> None:
    source = WHOLE.replace("__init__(self)", "__init__(self, width)", 1).format(
        made="self.a = nn.Linear(64, width); self.b = nn.Linear(width, width); self.c = nn.Linear(width, width)",
        run="return self.c(self.act(self.b(self.act(self.a(x)))))",
    )
    (tmp_path / "net.py").write_text(source)
    (model,) = models_in(str(tmp_path / "net.py"))
    first, second = activations(model, predictions(model))
    assert first.layer == "a" and second.layer == "b"
    assert second.statistics.variance == pytest.approx(1.0, abs=0.02)
    assert second.statistics.band is None


def test_the_band_of_a_correct_network_is_as_wide_as_was_measured() -> None:
    """Relative deviations of the variance at depth 32, measured: 14 % at width 64, 2.9 % at 256, 0.8 % at 1024."""
    for width, deviation in ((64, 0.14), (256, 0.029), (1024, 0.008)):
        here: Statistics = standard(256.0)
        fan_in = 64.0
        for _ in range(32):
            after = activation(layer(here, Layer(1.0, fan_in, width)), "selu")
            assert after is not None
            here, fan_in = after, float(width)
        assert here.noise is not None
        assert math.sqrt(here.noise.spread) == pytest.approx(deviation, rel=0.25)
        assert here.noise.pair + here.noise.own_pair / width == pytest.approx(17.3 / width, rel=0.25)


def test_relu_shares_the_arc_cosine_kernel() -> None:
    """Cho & Saul 2009: E relu(z) relu(z') = (sin t + (pi - t) cos t) / 2 pi for correlation cos t."""
    for correlation in (0.0, 0.3, 0.7, 0.95, 1.0):
        angle = math.acos(correlation)
        found = activation(Statistics(0.0, 1.0, between=correlation), "relu")
        assert found is not None and found.between is not None
        shared = (math.sin(angle) + (math.pi - angle) * math.cos(angle)) / (2.0 * math.pi)
        assert found.between + found.mean**2 == pytest.approx(shared, abs=3e-4)


OPERATIONS: dict[str, tuple[Callable[[Statistics], Statistics | None], Callable[[Any], Any]]] = {
    "max pool": (lambda s: propagate.max_pool(s, 4.0), lambda x: torch.nn.functional.max_pool2d(x, 2)),
    "average pool": (lambda s: propagate.average_pool(s, 9.0), lambda x: torch.nn.functional.avg_pool2d(x, 3)),
    "alpha dropout": (
        lambda s: propagate.alpha_dropout(s, 0.3),
        lambda x: torch.nn.functional.alpha_dropout(x, 0.3, True),
    ),
    "dropout": (lambda s: propagate.dropout(s, 0.3), lambda x: torch.nn.functional.dropout(x, 0.3, True)),
    "affine": (lambda s: propagate.affine(s, -1.5, 0.5), lambda x: -1.5 * x + 0.5),
}


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("function", ["selu", "relu"])
def test_single_operations_on_tensors(name: str, function: str) -> None:
    torch.manual_seed(4)
    shared = torch.randn(1, 4000, 1, 1) * 0.6
    normal = 0.3 + shared + torch.randn(24, 4000, 6, 6) * 0.9
    values = getattr(torch, function)(normal)
    before = activation(Statistics(0.3, 0.36 + 0.81, between=0.36), function)
    assert before is not None
    change, apply = OPERATIONS[name]
    found = change(before)
    after = apply(values)
    assert found is not None and found.per_unit is not None
    assert found.mean == pytest.approx(after.mean().item(), abs=0.03)
    assert found.variance == pytest.approx(after.var().item(), rel=0.04)
    assert found.per_unit == pytest.approx(after.movedim(1, -1).reshape(-1, 4000).var(dim=0).mean().item(), rel=0.05)


def test_windows_over_the_edge() -> None:
    image = even((8, 8))
    found = slide(image, (Axis(3, 1, 1, 1), Axis(3, 1, 1, 1)))
    assert found is not None
    inside = torch.nn.functional.conv2d(torch.ones(1, 1, 8, 8), torch.full((1, 1, 3, 3), 1 / 9), padding=1)
    assert found[1] == pytest.approx(inside.mean().item())
    assert unevenness(found[0]) == pytest.approx((inside.var(unbiased=False) / inside.mean() ** 2).item(), rel=1e-4)
    assert slide(image, (Axis(9), Axis(9))) is None
    assert slide(even((9, 9)), (Axis(3, 2), Axis(2, 3))) == (even((4, 3)), 1.0)


def test_correct_networks_are_not_accused_and_faulty_ones_are() -> None:
    """A small version of `benchmarks/test_verdicts.py`."""
    from faulty_networks import FAULTS, readings

    from selulint.verify.readings import judge

    for seed in range(10):
        assert judge([readings("correct", 256, 8, seed)]).normalizing, seed
    for fault in FAULTS:
        assert not judge([readings(fault, 128, 8, seed) for seed in range(3)]).normalizing, fault


SWITCHES = {
    "a dropout function is on unless it is told otherwise": ("F.dropout(self.act(self.a(x)), 0.5)", 2.0),
    "a dropout layer is off": ("F.dropout(self.act(self.a(x)), 0.5, False)", 1.0),
    "another threshold": ("F.hardtanh(self.a(x), -2.0, 2.0)", None),
    "a slope": ("F.leaky_relu(self.a(x), 1.0)", 1.0),
}


@pytest.mark.parametrize("name", SWITCHES)
def test_arguments_of_functions_count(name: str, tmp_path: Path) -> None:
    run, second = SWITCHES[name]
    source = WHOLE.format(
        made="self.a, self.b = nn.Linear(64, 64), nn.Linear(64, 64)", run=f"return self.act(self.b({run}))"
    )
    found = _statistics(source, tmp_path)[-2]
    assert (None if found is None else round(found.second, 1)) == second
