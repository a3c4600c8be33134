"""Networks as source text, what is predicted of them, and what draws of them show: for tests and benchmarks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any

from selulint.moments.propagate import Statistics
from selulint.predict import BATCH, activations, predictions
from selulint.run import models_in

# Which lines come behind the layers, by the name of the initialisation.
INITS = {
    "LeCun": "nn.init.normal_(m.weight, 0.0, (1 / m.weight[0].numel()) ** 0.5); nn.init.zeros_(m.bias)",
    "torch default": "pass",
    "Xavier": "nn.init.xavier_normal_(m.weight); nn.init.zeros_(m.bias)",
    "gain 3/4": 'nn.init.kaiming_normal_(m.weight, nonlinearity="selu"); nn.init.zeros_(m.bias)',
    "He": 'nn.init.kaiming_normal_(m.weight, nonlinearity="relu"); nn.init.zeros_(m.bias)',
}
LECUN_CALL = 'nn.init.kaiming_normal_(m.weight, nonlinearity="linear"); nn.init.zeros_(m.bias)'

_HEAD = """import torch
import torch.nn as nn
import torch.nn.functional as F


def init(m):
    if isinstance(m, (nn.Linear, nn.Conv2d)):
        {init}


"""
_MLP = """class Net(nn.Module):
    def __init__(self, inputs={inputs}, width={width}, depth={depth}):
        super().__init__()
        layers = []
        for index in range(depth):
            layers += [nn.Linear(inputs if index == 0 else width, width), {activation}]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(width, 10)
        self.apply(init)

    def forward(self, x):
        return self.head(self.body(x))
"""
# Small networks for images: what each is there for, and its body.
_CNNS = {
    "padded": """
        self.body = nn.Sequential(
            nn.Conv2d(3, 32, 3, padding=1), {act}, nn.Conv2d(32, 32, 3, padding=1), {act},
            nn.Conv2d(32, 64, 3, stride=2, padding=1), {act}, nn.Conv2d(64, 64, 3, padding=1), {act},
            nn.Conv2d(64, 64, 3, padding=1), {act}, nn.Flatten(), nn.Linear(64 * 8 * 8, 128), {act}, nn.Linear(128, 10),
        )""",
    "pooled": """
        self.body = nn.Sequential(
            nn.Conv2d(3, 32, 5), {act}, nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), {act}, nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(64 * 2 * 2, 256), {act}, nn.Linear(256, 256), {act}, nn.Linear(256, 10),
        )""",
    "averaged": """
        self.body = nn.Sequential(
            nn.Conv2d(3, 48, 3, padding=1), {act}, nn.AvgPool2d(2), nn.Conv2d(48, 96, 3, padding=1), {act},
            nn.Conv2d(96, 96, 3), {act}, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(96, 96), {act}, nn.Linear(96, 10),
        )""",
    "grouped": """
        self.body = nn.Sequential(
            nn.Conv2d(3, 64, 3), {act}, nn.Conv2d(64, 64, 3, groups=4), {act}, nn.Conv2d(64, 64, 3, stride=2), {act},
            nn.Conv2d(64, 64, 1), {act}, nn.Flatten(), nn.Linear(64 * 5 * 5, 64), {act}, nn.Linear(64, 10),
        )""",
}
_CNN = """class Net(nn.Module):
    def __init__(self):
        super().__init__(){body}
        self.apply(init)

    def forward(self, x):
        return self.body(x)
"""
CNNS = tuple(_CNNS)


def mlp(init: str, width: int, depth: int, activation: str = "nn.SELU()", inputs: int = 64) -> str:
    """A chain of layers of one width."""
    body = _MLP.format(inputs=inputs, width=width, depth=depth, activation=activation)
    return _HEAD.format(init=LECUN_CALL if init == "LeCun" else INITS[init]) + body


def cnn(kind: str, init: str, activation: str = "nn.SELU()") -> str:
    """A small network for 16 x 16 images."""
    body = _CNN.format(body=_CNNS[kind].format(act=activation))
    return _HEAD.format(init=LECUN_CALL if init == "LeCun" else INITS[init]) + body


@dataclass(frozen=True)
class Comparison:
    """For each activation what is predicted, and mean, variance and variance per unit of every draw."""

    predicted: list[Statistics]
    drawn: list[list[tuple[float, float, float]]]

    @property
    def errors(self) -> list[float]:
        """Relative errors of the variance, of all draws and activations."""
        return [
            abs(variance / one.variance - 1.0)
            for draw in self.drawn
            for one, (_, variance, _) in zip(self.predicted, draw, strict=True)
        ]

    @property
    def biases(self) -> list[float]:
        """For each activation the relative error of the median over the draws."""
        medians = [median(draw[index][1] for draw in self.drawn) for index in range(len(self.predicted))]
        return [found / one.variance - 1.0 for found, one in zip(medians, self.predicted, strict=True)]

    @property
    def covered(self) -> float:
        """The share of all draws and activations that lie in the band."""
        inside = total = 0
        for draw in self.drawn:
            for one, (_, variance, _) in zip(self.predicted, draw, strict=True):
                assert one.band is not None
                inside += one.band[0] <= variance <= one.band[1]
                total += 1
        return inside / total


def compare(
    source: str, place: Path, shape: tuple[int, ...], seeds: int, train: bool = False, extra: bool = True
) -> Comparison:
    """Predict from the text and run it: `shape` is that of one input, without the batch.

    Without `extra` activations that are no layers, and so are not measured, are left out.
    """
    path = place / "net.py"
    path.write_text(source)
    (model,) = models_in(str(path))
    found = predictions(model, [(BATCH, *shape)], training=train)
    predicted = [each.statistics for each in activations(model, found) if extra or each.function != "sigmoid"]
    return Comparison(predicted, [draw(source, shape, seed, train) for seed in range(seeds)])


def draw(source: str, shape: tuple[int, ...], seed: int, train: bool = False) -> list[tuple[float, float, float]]:
    """Mean, variance and variance per unit of every activation of one draw of weights and inputs."""
    import torch

    torch.manual_seed(seed)
    module = ModuleType("net")
    exec(compile_cached(source), module.__dict__)
    net: Any = module.__dict__["Net"]().train(train)
    inputs = torch.randn(BATCH, *shape, generator=torch.Generator().manual_seed(1_000_003 + seed))
    readings: list[tuple[float, float, float]] = []

    def note(_: Any, __: Any, output: Any) -> None:
        units = output.movedim(1, -1).reshape(-1, output.shape[1]).double()
        readings.append(
            (units.mean().item(), units.var(unbiased=False).item(), units.var(dim=0, unbiased=False).mean().item())
        )

    for each in net.modules():
        if type(each).__module__ == "torch.nn.modules.activation":
            each.register_forward_hook(note)
    with torch.no_grad():
        net(inputs)
    return readings


def compile_cached(source: str) -> Any:
    if source not in _COMPILED:
        _COMPILED[source] = compile(source, "net.py", "exec")
    return _COMPILED[source]


_COMPILED: dict[str, Any] = {}
