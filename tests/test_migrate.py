"""`selulint migrate`: what it predicts, what it writes, and what it says of what it does not do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DEEP = """import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 2))

    def forward(self, x):
        return self.body(x)
"""
NORMED = DEEP.replace("nn.ReLU(), nn.Linear(128, 128)", "nn.BatchNorm1d(128), nn.ReLU(), nn.Linear(128, 128)")
REFUSED = DEEP.replace("nn.ReLU(), nn.Linear(128, 128)", "nn.LayerNorm(128), nn.ReLU(), nn.Linear(128, 128)")


def migrate(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "selulint", "migrate", "--isolated", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    return subprocess.run(command, cwd=folder, env=environment, text=True, capture_output=True, check=False)


def test_it_shows_and_writes_only_when_told(tmp_path: Path) -> None:
    net = tmp_path / "net.py"
    net.write_text(DEEP)
    shown = migrate(tmp_path, "net.py")
    assert shown.returncode == 1 and net.read_text() == DEEP
    assert "relu -> selu" in shown.stdout and "+        self.apply(_init_weights)" in shown.stdout
    written = migrate(tmp_path, "net.py", "--apply")
    assert written.returncode == 0 and "nn.SELU()" in net.read_text() and "Migrated 1 of 1 file" in written.stderr
    assert migrate(tmp_path, "net.py", "--apply").returncode == 0


def test_before_and_after_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(DEEP)
    (model,) = json.loads(migrate(tmp_path, "net.py", "--output-format", "json").stdout)
    assert model["name"] == "Net" and model["changed"]
    for step in model["steps"]:
        assert step["before"]["variance"] < 0.4 and step["before"]["mean"] > 0.05
        assert abs(step["after"]["mean"]) < 0.01 and step["after"]["variance"] == pytest.approx(1.0, abs=0.02)


def test_what_is_unsafe_waits_for_the_option_and_says_why(tmp_path: Path) -> None:
    net = tmp_path / "net.py"
    net.write_text(NORMED)
    held = migrate(tmp_path, "net.py", "--apply")
    assert held.returncode == 1 and net.read_text() == NORMED
    assert "unsafe: net.py:7:" in held.stdout and "removing the norm removes its keys" in held.stdout
    made = migrate(tmp_path, "net.py", "--apply", "--unsafe-fixes")
    assert made.returncode == 0 and "nn.Identity()" in net.read_text()
    assert "unsafe, made all the same: removing the norm" in made.stdout


def test_a_refusal_has_its_reason(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(REFUSED)
    done = migrate(tmp_path, "net.py", "--apply", "--unsafe-fixes")
    assert done.returncode == 1 and (tmp_path / "net.py").read_text() == REFUSED
    assert "SELU101 relu-activation: layer_norm stays in the chain" in done.stdout


def test_one_model_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(DEEP + DEEP.replace("class Net", "class Other"))
    done = migrate(tmp_path, "net.py::Other", "--apply")
    text = (tmp_path / "net.py").read_text()
    assert "Other (net.py:" in done.stdout and "Net (net.py:" not in done.stdout
    assert text.count("nn.ReLU()") == text.count("nn.SELU()") == 2
    assert migrate(tmp_path, "net.py::Absent").returncode == 2


def test_what_is_not_known_is_not_predicted(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(DEEP.replace("return self.body(x)", "return self.body(strange(self.body[0](x)))"))
    (model,) = json.loads(migrate(tmp_path, "net.py", "--output-format", "json").stdout)
    assert model["steps"] and all(step["before"] is None for step in model["steps"])


def test_places_in_notebooks_are_cells(tmp_path: Path) -> None:
    cells = ["import torch.nn as nn\n", "x = 1\n", NORMED.partition("\n")[2]]
    tree = {
        "cells": [{"cell_type": "code", "metadata": {}, "outputs": [], "source": each} for each in cells],
        "metadata": {"kernelspec": {"language": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    (tmp_path / "net.ipynb").write_text(json.dumps(tree))
    shown = migrate(tmp_path, "net.ipynb").stdout
    assert "Net (net.ipynb:cell 3:3) stays as it is" in shown and "unsafe: net.ipynb:cell 3:6:" in shown
    (model,) = json.loads(migrate(tmp_path, "net.ipynb", "--output-format", "json").stdout)
    assert (model["cell"], model["line"], model["steps"][0]["cell"], model["steps"][0]["line"]) == (3, 3, 3, 6)
