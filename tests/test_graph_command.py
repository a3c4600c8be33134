"""`selulint graph`: what is understood of a model, in every format."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from selulint.report.graphs import FORMATS
from selulint.run import models_in

ROOT = Path(__file__).parent.parent
NETS = ROOT / "fixtures" / "projects" / "survival" / "survival" / "nets.py"
GRAPHS = sorted((ROOT / "fixtures" / "graphs").glob("*.py"))


def _graph(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "selulint", "graph", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_text_shows_ops_sizes_gains_and_what_is_not_understood(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(
        "import torch.nn as nn\nimport mystery\n\n\nclass Net(nn.Module):\n    def __init__(self):\n"
        "        super().__init__()\n        self.fc = nn.Linear(9, 81)\n        self.out = nn.Linear(81, 1)\n"
        "        nn.init.xavier_normal_(self.fc.weight)\n\n    def forward(self, x):\n"
        "        return self.out(mystery.stir(nn.functional.selu(self.fc(x))))\n"
    )
    done = _graph(f"{path}:Net")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [" ".join(line.split()) for line in lines] == [
        "Net (torch, 5 ops, 1 not understood)",
        "0 input",
        "1 linear 9 -> 81 fc line 8 xavier_normal_ init, gain 0.2 <- 0",
        "2 selu line 13 mean -0.053, variance 0.309 (0.28 to 0.34) <- 1",
        "3 ? call of `mystery.stir` line 13 <- 2",
        "4 linear 81 -> 1 out line 9 default init, gain 0.333 <- 3",
    ]
    assert len({line.index("<-") for line in lines[2:]}) == 1


def test_biases_are_shown_and_why_a_gain_is_not_known(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(
        "import torch\nfrom torch import nn\n\n\nclass Net(nn.Module):\n    def __init__(self, width, std):\n"
        "        super().__init__()\n        self.a = nn.Linear(width, 64)\n        self.b = nn.Linear(64, 64)\n"
        "        self.c = nn.Linear(64, 1)\n        nn.init.xavier_normal_(self.a.weight)\n"
        "        nn.init.constant_(self.a.bias, 0.1)\n        nn.init.normal_(self.b.weight, std=std)\n"
        "        nn.init.zeros_(self.b.bias)\n        my_init_weights(self.c)\n\n    def forward(self, x):\n"
        "        return self.c(torch.selu(self.b(torch.selu(self.a(x)))))\n"
    )
    lines = [" ".join(line.split()) for line in _graph(str(path)).stdout.splitlines()]
    assert "xavier_normal_ init, gain unknown (fan_in not known), bias constant_ 0.1 <- 0" in lines[2]
    assert "normal_ init, gain unknown (std not known) <- 2" in lines[4]
    assert "unknown init, gain unknown (something that is not understood writes it), bias unknown <- 4" in lines[6]
    (net,) = json.loads(_graph(str(path), "--output-format", "json").stdout)
    laws = {op["label"]: (op["weight"], op["bias"]) for op in net["ops"] if op["label"]}
    assert laws["a"][0]["unknown"] == "fan_in not known"
    assert laws["a"][1]["args"] == {"val": 0.1}
    assert laws["b"][0]["unknown"] == "std not known"


def test_a_part_of_another_model_is_shown_when_it_is_asked_for() -> None:
    blocks = NETS.parent / "blocks.py"
    assert "Dense (" not in _graph(str(blocks)).stdout
    assert "Dense (torch, 4 ops, part of another model)" in _graph(f"{blocks}:Dense").stdout


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("nowhere.py", "nowhere.py: no such file or directory"),
        (f"{NETS}:Nobody", f"{NETS}: no model called `Nobody`: it has Risk, Careless"),
    ],
)
def test_what_cannot_be_shown_is_said_in_one_line(target: str, message: str) -> None:
    done = _graph(target)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"error: {message}\n")


def test_a_file_that_is_no_python_is_said_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "bad.py"
    path.write_text("relu = (\n")
    done = _graph(str(path))
    assert done.returncode == 2
    assert done.stderr == f"error: {path}:1:8: '(' was never closed\n"


def test_json_has_every_fact(tmp_path: Path) -> None:
    report = tmp_path / "graph.json"
    assert _graph(str(NETS), "--output-format", "json", "--output-file", str(report)).returncode == 0
    risk, careless = json.loads(report.read_text())
    assert (risk["name"], risk["framework"], risk["unfinished"]) == ("Risk", "torch", False)
    first = careless["ops"][1]
    assert first["location"] == {"row": 24, "column": 22}
    assert first["weight"] == {"name": "default", "gain": pytest.approx(1 / 3), "default": True}
    assert [op["function"] for op in careless["ops"] if op["kind"] == "activation"] == ["selu", "relu", "selu", "selu"]
    assert risk["ops"][1]["weight"]["gain"] == pytest.approx(1)


@pytest.mark.parametrize("path", GRAPHS, ids=lambda path: path.stem)
def test_pictures_are_well_formed_and_complete(path: Path) -> None:
    models = models_in(str(path), parts=True)
    ops = sum(len(model.ops) for model in models)
    picture = ElementTree.fromstring("".join(FORMATS["svg"](models)))
    assert len(list(picture.iter("{http://www.w3.org/2000/svg}circle"))) == ops
    edges = sum(len(op.inputs) for model in models for op in model.ops)
    assert len(list(picture.iter("{http://www.w3.org/2000/svg}path"))) == edges
    dot = "".join(FORMATS["dot"](models))
    assert dot.count(" -> m") == edges
    assert dot.count("{") == dot.count("}") == len(models) + 1
