"""How well the statistics are predicted: against many draws of real networks. `pytest tests/benchmarks -m benchmark -s`."""

from __future__ import annotations

from pathlib import Path
from statistics import median

import pytest
from drawn_networks import CNNS, INITS, cnn, compare, mlp

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.benchmark

SETTLED = ("LeCun", "torch default", "Xavier", "gain 3/4")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize("width", [256, 1024])
def test_chains(width: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """To depth 32, from 64 inputs. "error": of the median draw; "one draw": what a single draw is away, its own luck."""
    seeds = 100 if width == 256 else 40
    errors = []
    for init in SETTLED:
        found = compare(mlp(init, width, 32), tmp_path, (64,), seeds)
        errors += list(map(abs, found.biases))
        with capsys.disabled():
            print(
                f"\nMLP, width {width}, {init:14} error of the variance: median {median(map(abs, found.biases)):.1%}, "
                f"worst layer {max(map(abs, found.biases)):.1%}; one draw {median(found.errors):.1%}; "
                f"band covers {found.covered:.1%} of {seeds} draws",
                end="",
            )
        assert median(map(abs, found.biases)) <= 0.02
        assert 0.9 <= found.covered <= 0.99
    assert median(errors) <= 0.02


@pytest.mark.parametrize("init", INITS)
def test_images(init: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Small networks with padding, strides, pools and groups on 3 x 16 x 16 inputs."""
    errors, draws, covered = [], [], []
    for kind in CNNS:
        found = compare(cnn(kind, init, "nn.ReLU()" if init == "He" else "nn.SELU()"), tmp_path, (3, 16, 16), 40)
        errors += list(map(abs, found.biases))
        draws += found.errors
        covered.append(found.covered)
    share = sum(covered) / len(covered)
    with capsys.disabled():
        print(
            f"\nCNNs, {init:14} error of the variance: median {median(errors):.1%}, worst layer {max(errors):.1%}; "
            f"one draw {median(draws):.1%}; band covers {share:.1%} of 40 draws",
            end="",
        )
    assert median(errors) <= 0.1
    assert share >= 0.85
