"""`selulint verify`: models are run in a process of their own, measured, and judged."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selulint.verify.readings import Reading, is_inside, judge

ROOT = Path(__file__).parent.parent
MODELS = ROOT / "fixtures" / "models"
SNN = """
import torch, torch.nn as nn, torch.nn.functional as F

class Net(nn.Module):
    def __init__(self, width=256, depth=8, gain=1.0, rate=0.05):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(64 if i == 0 else width, width) for i in range(depth))
        self.head = nn.Linear(width, 10)
        self.drop = nn.AlphaDropout(rate)
        for layer in self.layers:
            nn.init.normal_(layer.weight, 0, (gain / layer.in_features) ** 0.5)
            nn.init.zeros_(layer.bias)

    def forward(self, x):
        for layer in self.layers:
            x = self.drop(F.selu(layer(x)))
        return torch.softmax(self.head(x), dim=-1)

def finished():
    return Net()

net = Net(depth=2)
"""


def _verify(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "selulint", "verify", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=cwd)


@pytest.fixture
def snn(tmp_path: Path) -> Path:
    path = tmp_path / "snn.py"
    path.write_text(SNN)
    return path


def test_a_self_normalizing_network_is_confirmed(snn: Path) -> None:
    done = _verify(f"{snn}:Net", "--output-format", "json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["self_normalizing"]
    assert (found["seeds"], found["inputs"], found["device"]) == (5, [[256, 64]], "cpu")
    selus = [each for each in found["layers"] if each["function"] == "selu"]
    assert [each["layer"] for each in selus] == [f"layers.{index}" for index in range(8)]
    assert all(each["hidden"] and each["inside"] and each["dead"] == 0 for each in selus)
    assert all(each["line"] == f"{snn}:16" for each in selus)
    assert all(0.6 < each["layers"][-2]["variance"] < 1.9 for each in found["moved"].values())  # from 4, 0.25 and 1
    assert all(each["returns"] for each in found["moved"].values())


@pytest.mark.parametrize("gain", [1 / 3, 9 / 16, 2.0])
def test_a_wrong_gain_is_caught_where_it_first_shows(snn: Path, gain: float) -> None:
    done = _verify(f"{snn}:Net", "--args", json.dumps({"gain": gain}), "--seeds", "3", "--output-format", "json")
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["first_outside"] == (0 if gain < 1 else json.loads(done.stdout)["first_outside"])


def test_alpha_dropout_in_training_keeps_the_statistics(snn: Path) -> None:
    assert _verify(f"{snn}:Net", "--train", "--args", '{"rate": 0.1}').returncode == 0


def test_the_table_names_layers_lines_and_the_linters_findings() -> None:
    done = _verify("fixtures/models/torch_selu_cnn.py:build")
    assert done.returncode == 1
    assert "selu        features.0  torch_selu_cnn.py:26" in done.stdout
    assert "5 seeds on cpu, input 256x1x16x16\n" in done.stdout
    assert "not self-normalizing: activation 0 (selu behind `features.0`) is the first outside" in done.stdout
    assert "\nbecause of fixtures/models/torch_selu_cnn.py:22:17: SELU202 selu-wrong-init" in done.stdout


def test_keras_models_run_on_torch() -> None:
    done = _verify("fixtures/models/keras_relu_sequential.py:build", "--output-format", "json", "--seeds", "2")
    assert done.returncode == 1, done.stderr
    assert [each["function"] for each in json.loads(done.stdout)["layers"]] == ["relu"] * 3


def test_a_finished_model_runs_once(snn: Path) -> None:
    done = _verify(f"{snn}:net")
    assert done.returncode == 0, done.stdout
    assert (
        "note: the target is a finished model: its weights are the same for every seed, so it ran once\n" in done.stdout
    )
    assert "\n1 seed on cpu" in done.stdout


def test_a_module_by_its_name(snn: Path) -> None:
    assert _verify("snn:finished", cwd=snn.parent).returncode == 0


def test_inputs_may_be_given_by_shape_and_by_file(snn: Path, tmp_path: Path) -> None:
    import torch

    torch.save(torch.randn(100, 64) * 5, tmp_path / "data.pt")
    assert _verify(f"{snn}:Net", "--input", "512x64").returncode == 0
    assert "input 32x64" in _verify(f"{snn}:Net", "--input", "64", "--batch", "32").stdout
    assert _verify(f"{snn}:Net", "--data", str(tmp_path / "data.pt")).returncode == 1


def test_cuda_that_is_not_there_is_said(snn: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    done = _verify(f"{snn}:Net", "--device", "cuda")
    assert done.returncode == 0
    assert "note: cuda was asked for, but" in done.stdout


HOSTILE = {
    "exit": ("import sys; sys.exit(3)", "the model's code ended the process (exit status 3)"),
    "hard_exit": ("import os; os._exit(7)", "the model's process ended with status 7"),
    "crash": ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "the model's process was ended by SIGSEGV"),
    "raises": ("raise ValueError('no such\\nthing')", "ValueError: no such thing"),
    "hang": ("import time; time.sleep(60)", "not done after 10 s (--timeout)"),
    "no_model": ("pass", "the target gave a NoneType, not a PyTorch or Keras model"),
    "recursion": ("build()", "RecursionError: maximum recursion depth exceeded"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_whatever_the_model_does_ends_in_one_line(name: str, tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    code, message = HOSTILE[name]
    path.write_text(f"def build():\n    print('hello')\n    {code}\n")
    done = _verify(f"{path}:build", "--timeout", "10")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {path}:build: {message}"), done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{}:Nobody"], "has no `Nobody`: it has Net, finished, net"),
        (["nowhere.py:Net"], "nowhere.py: no such file"),
        (["{}"], "is not of the form path/file.py:Name or package.module:name"),
        (["{}:Net", "--args", "{{"], "--args is no JSON"),
        (["{}:Net", "--args", '{{"colour": 1}}'], "unexpected keyword argument 'colour': give the arguments by --args"),
        (["{}:Net", "--input", "64xx3"], "--input `64xx3` is not of the form 64x784"),
        (["{}:Net", "--input", "8x9"], "the model does not take an input of 8x9: RuntimeError"),
        (["{}:Net", "--data", "nowhere.pt"], "nowhere.pt: "),
    ],
)
def test_what_cannot_be_run_is_said(snn: Path, arguments: list[str], message: str) -> None:
    done = _verify(*(each.format(snn) for each in arguments))
    assert done.returncode == 2, done.stdout
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def _reading(mean: float, variance: float, function: str = "selu", inner: bool = True) -> Reading:
    return Reading(function, "fc", "net.py:1", inner, mean, variance)


def test_outputs_and_gates_are_not_judged() -> None:
    good, output, gate = _reading(0, 1), _reading(5, 9, inner=False), _reading(0.5, 0.04, "sigmoid")
    assert judge([[good, output]]).normalizing
    assert judge([[good, gate]]).normalizing
    assert not judge([[output]]).normalizing
    assert judge([[good, _reading(0, 0.5), _reading(0, 0.4)]]).first_outside == 1


def test_the_median_of_the_seeds_decides() -> None:
    lucky, unlucky = [_reading(0, 1)], [_reading(0, 3)]
    assert judge([lucky, unlucky, lucky]).normalizing
    assert not judge([lucky, unlucky, unlucky]).normalizing
    assert not judge([[_reading(0, math.inf)]]).normalizing
    assert not judge([[_reading(math.nan, math.nan)]]).normalizing


@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(0, 3)), min_size=1, max_size=8))
def test_a_verdict_is_the_box_applied_to_every_layer(moments: list[tuple[float, float]]) -> None:
    verdict = judge([[_reading(*each) for each in moments]])
    outside = [index for index, each in enumerate(moments) if not is_inside(*each)]
    assert verdict.normalizing == (not outside)
    assert verdict.first_outside == (outside[0] if outside else None)


def test_the_command_line_imports_nothing_of_this_before_it_is_used() -> None:
    code = (
        "import sys, selulint.cli as cli\n"
        "try: cli.main(['verify', '--help'])\n"
        "except SystemExit: pass\n"
        "names = ('selulint.verify.', 'selulint.explain', 'selulint.report.verify', 'selulint.moments', 'libcst', 'torch')\n"
        "print([name for name in sys.modules if name.startswith(names)])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.stdout.endswith("\n[]\n"), done.stdout[-300:] + done.stderr
    assert "--compare" in done.stdout and "--html" in done.stdout
