"""What `selulint verify` shows as predicted, beside what it measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from drawn_networks import cnn, mlp

ROOT = Path(__file__).parent.parent
pytest.importorskip("torch")


def _layers(*arguments: str) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "selulint", "verify", *arguments, "--output-format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=ROOT)
    assert done.returncode in (0, 1), done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)["layers"]
    return found


@pytest.mark.parametrize(
    ("source", "inputs"),
    [
        (mlp("torch default", 128, 6), "256x64"),
        (cnn("padded", "LeCun"), "64x3x16x16"),
        (mlp("He", 128, 4, "nn.ReLU()"), "256x64"),
    ],
    ids=["chain", "images", "relu"],
)
def test_measured_and_predicted_agree(source: str, inputs: str, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(source)
    layers = _layers(f"{tmp_path / 'net.py'}:Net", "--input", inputs)
    assert len(layers) >= 4
    for each in layers:
        told = each["predicted"]
        assert told["low"] < told["variance"] < told["high"]
        # The median of five draws scatters less than one.
        assert told["low"] * 0.97 <= each["variance"] <= told["high"] * 1.03, each
        assert each["mean"] == pytest.approx(told["mean"], abs=0.1 * told["variance"] ** 0.5 + 0.01)


def test_what_a_function_builds_is_predicted_by_its_class() -> None:
    layers = _layers("fixtures/models/torch_selu_cnn.py:build", "--seeds", "2", "--batch", "64")
    assert all(each["predicted"] is not None for each in layers)


def test_other_arguments_and_inputs_are_not_predicted(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(mlp("LeCun", 64, 3))
    target = f"{tmp_path / 'net.py'}:Net"
    assert all(each["predicted"] is None for each in _layers(target, "--seeds", "1", "--args", '{"depth": 3}'))
    assert all(each["predicted"] is not None for each in _layers(target, "--seeds", "1"))


def test_a_graph_that_is_not_what_ran_predicts_nothing(tmp_path: Path) -> None:
    source = mlp("LeCun", 64, 3).replace(
        "self.apply(init)", "self.apply(init); self.body = globals()['twice'](self.body)"
    )
    (tmp_path / "net.py").write_text(
        source + "\n\ndef twice(body):\n    return eval('nn.Sequential(*body, nn.SELU())')\n"
    )
    layers = _layers(f"{tmp_path / 'net.py'}:Net", "--seeds", "1", "--input", "64x64")
    assert len(layers) == 4 and all(each["predicted"] is None for each in layers)
