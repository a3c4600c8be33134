"""What self-normalization buys, on scikit-learn's digits: `python tests/benchmarks/digits.py` prints the tables of README.

Fully connected networks of width 128, SGD with momentum, 12 epochs, the best of four learning rates by a part of the
training set that is held out, the median of the seeds. The two SELU rows differ only in what selulint repairs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy
import torch
from sklearn.datasets import load_digits
from torch import nn

WIDTH, BATCH, EPOCHS = 128, 64, 12
RATES = (0.1, 0.03, 0.01, 0.003)
DEPTHS = (8, 16, 32)
SEEDS = (0, 1)
KINDS = ("SELU + LeCun", "SELU + torch default", "ReLU + He", "ReLU + He + BatchNorm")


@dataclass(frozen=True)
class Result:
    """Test accuracy, share of hidden units that are 0 for every test sample, and gradient at the first hidden layer
    relative to the last before training."""

    accuracy: float
    dead: float
    gradient: float


def network(kind: str, depth: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for index in range(depth):
        layers.append(nn.Linear(64 if index == 0 else WIDTH, WIDTH))
        if "BatchNorm" in kind:
            layers.append(nn.BatchNorm1d(WIDTH))
        layers.append(nn.SELU() if kind.startswith("SELU") else nn.ReLU())
    made = nn.Sequential(*layers, nn.Linear(WIDTH, 10))
    law = "linear" if "LeCun" in kind else "relu" if "He" in kind else None
    for layer in made:
        if law is not None and isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity=law)
            nn.init.zeros_(layer.bias)
    return made


def data() -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Standardised images and their labels: to train on, to choose the learning rate by, to test on."""
    digits = load_digits()
    order = numpy.random.RandomState(0).permutation(len(digits.target))
    images, labels = digits.data[order].astype("float32"), digits.target[order]
    train, held, test = slice(0, 1200), slice(1200, 1437), slice(1437, None)
    mean, deviation = images[train].mean(0), images[train].std(0) + 1e-6
    values, targets = torch.from_numpy((images - mean) / deviation), torch.from_numpy(labels)
    return {name: (values[part], targets[part]) for name, part in (("train", train), ("held", held), ("test", test))}


def hidden(net: nn.Sequential, x: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
    """The output of every activation, and of the network."""
    found = []
    for layer in net:
        x = layer(x)
        if isinstance(layer, nn.SELU | nn.ReLU):
            found.append(x)
    return found, x


def relative_gradient(net: nn.Sequential, x: torch.Tensor, y: torch.Tensor) -> float:
    values, output = hidden(net, x)
    gradients = torch.autograd.grad(nn.functional.cross_entropy(output, y), [values[0], values[-1]])
    first, last = (each.square().mean().sqrt().item() for each in gradients)
    return first / last if last > 0.0 else 0.0


def accuracy(net: nn.Sequential, x: torch.Tensor, y: torch.Tensor) -> float:
    net.eval()
    with torch.no_grad():
        return (net(x).argmax(1) == y).float().mean().item()


def train(kind: str, depth: int, rate: float, seed: int, parts: Any) -> tuple[float, Result]:
    """Accuracy on the part held out, and the rest on the test set."""
    torch.manual_seed(seed)
    net = network(kind, depth)
    images, labels = parts["train"]
    gradient = relative_gradient(net, images[:256], labels[:256])
    optimiser = torch.optim.SGD(net.parameters(), rate, momentum=0.9)
    for _ in range(EPOCHS):
        net.train()
        for chosen in torch.randperm(len(labels)).split(BATCH):
            optimiser.zero_grad()
            loss = nn.functional.cross_entropy(net(images[chosen]), labels[chosen])
            if not torch.isfinite(loss):
                return 0.0, Result(0.1, 0.0, gradient)
            loss.backward()
            optimiser.step()
    net.eval()
    with torch.no_grad():
        values, _ = hidden(net, parts["test"][0])
    dead = torch.stack([(each == 0).all(0).float().mean() for each in values]).mean().item()
    return accuracy(net, *parts["held"]), Result(accuracy(net, *parts["test"]), dead, gradient)


def best(kind: str, depth: int, parts: Any, seeds: Sequence[int] = SEEDS, rates: Sequence[float] = RATES) -> Result:
    """The medians over the seeds at the learning rate that does best on what is held out."""
    runs = [[train(kind, depth, rate, seed, parts) for seed in seeds] for rate in rates]
    chosen = [result for _, result in max(runs, key=lambda each: median(held for held, _ in each))]
    return Result(*(median(getattr(each, name) for each in chosen) for name in ("accuracy", "dead", "gradient")))


def main() -> None:
    torch.set_num_threads(1)
    parts = data()
    found = {}
    for kind in KINDS:
        for depth in DEPTHS:
            found[kind, depth] = best(kind, depth, parts)
            print(f"{kind}, depth {depth}: {found[kind, depth]}", file=sys.stderr)
    print(
        f"| test accuracy at depth | {' | '.join(map(str, DEPTHS))} | dead units at 32 | gradient, first / last layer at 32 |"
    )
    print(f"| --- |{' --- |' * (len(DEPTHS) + 2)}")
    for kind in KINDS:
        cells = [f"{found[kind, depth].accuracy:.3f}" for depth in DEPTHS]
        deep = found[kind, DEPTHS[-1]]
        print(f"| {kind} | {' | '.join(cells)} | {deep.dead:.0%} | {deep.gradient:.2g} |")


if __name__ == "__main__":
    main()
