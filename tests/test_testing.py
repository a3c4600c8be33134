"""`selulint.testing`: the assertion, the pytest fixture, and the callbacks for training loops."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
os.environ.setdefault("KERAS_BACKEND", "torch")

import torch
from torch import nn

from selulint.testing import assert_self_normalizing
from selulint.verify.drift import Drift, figures
from selulint.verify.readings import Reading

ROOT = Path(__file__).parent.parent


def snn(gain: float = 1.0, depth: int = 6, width: int = 256) -> nn.Sequential:
    net = nn.Sequential()
    for _ in range(depth):
        layer = nn.Linear(width, width)
        nn.init.normal_(layer.weight, 0, (gain / width) ** 0.5)
        nn.init.zeros_(layer.bias)
        net.extend([layer, nn.SELU()])
    return net.append(nn.Linear(width, 3))


def default() -> nn.Sequential:
    return nn.Sequential(nn.Linear(256, 256), nn.SELU(), nn.Linear(256, 3))


@pytest.mark.parametrize("inputs", [None, (128, 256), "128x256", torch.randn(128, 256), [torch.randn(128, 256)]])
def test_a_self_normalizing_network_passes(inputs: Any) -> None:
    found = assert_self_normalizing(snn, inputs, seeds=3)
    assert len(found.runs) == 3 and found.shapes == ((256 if inputs is None else 128, 256),)
    assert found.verdict.normalizing


def test_inputs_by_name_and_arrays() -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = snn()

        def forward(self, *, values: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = self.net(values)
            return found

    assert_self_normalizing(Named, {"values": torch.randn(64, 256).numpy()})


def test_the_failure_shows_the_table_and_the_line_that_explains_it() -> None:
    with pytest.raises(AssertionError) as error:
        assert_self_normalizing(default)
    message = str(error.value)
    assert message.startswith("default is not self-normalizing\n\n   activation  layer")
    assert "\n0  selu        0" in message and "  outside\n" in message
    line = Path(__file__).read_text().splitlines().index(default_line()) + 1
    assert f"because of tests/test_testing.py:{line}:" in message.replace(f"{ROOT}/", "")
    assert "SELU201 selu-default-init" in message


def default_line() -> str:
    return "    return nn.Sequential(nn.Linear(256, 256), nn.SELU(), nn.Linear(256, 3))"


def test_one_model_keeps_its_weights_modes_buffers_and_the_random_numbers() -> None:
    net = snn()
    net.insert(0, nn.BatchNorm1d(256))
    net[3].eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    modes = [module.training for module in net.modules()]
    torch.manual_seed(3)
    random.seed(3)
    expected = (torch.rand(1).item(), random.random())
    torch.manual_seed(3)
    random.seed(3)
    assert len(assert_self_normalizing(net, seeds=2, train=True).runs) == 2
    assert (torch.rand(1).item(), random.random()) == expected
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert [module.training for module in net.modules()] == modes
    assert all(parameter.grad is None for parameter in net.parameters())


def test_one_model_and_given_inputs_run_once() -> None:
    assert len(assert_self_normalizing(snn(), torch.randn(256, 256)).runs) == 1


@pytest.mark.parametrize(
    ("model", "inputs", "message"),
    [
        (3, None, "a int is no model and no function that builds one"),
        (lambda: 3, None, "`model` gave a int, not a PyTorch or Keras model"),
        (nn.Flatten, None, "the shape of the input cannot be told from the model: give it by `inputs`"),
        (snn, "7xx", "`inputs` `7xx` is not of the form 64x784"),
    ],
)
def test_what_cannot_be_run_is_a_value_error(model: Any, inputs: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        assert_self_normalizing(model, inputs)


def _keras() -> Any:
    try:
        import keras
    except ImportError:
        pytest.skip("keras is not installed")
    if keras.backend.backend() != "torch":
        pytest.skip("keras runs on another backend")
    return keras


def _keras_snn(keras: Any, initialiser: str = "lecun_normal") -> Any:
    dense = [keras.layers.Dense(128, activation="selu", kernel_initializer=initialiser) for _ in range(4)]
    return keras.Sequential([keras.Input((64,)), *dense, keras.layers.Dense(3, activation="softmax")])


def test_keras_models() -> None:
    keras = _keras()
    assert_self_normalizing(lambda: _keras_snn(keras))
    with pytest.raises(AssertionError, match="is not self-normalizing"):
        assert_self_normalizing(_keras_snn(keras, "he_normal"))


USER_TEST = """
import sys
assert "torch" not in sys.modules and "libcst" not in sys.modules

def test_net(assert_self_normalizing):
    from torch import nn
    assert_self_normalizing(lambda: nn.Sequential(nn.Linear(256, 256), nn.SELU(), nn.Linear(256, 3)), seeds=1)
"""


def test_the_fixture_comes_with_the_plugin_and_imports_torch_only_when_used(tmp_path: Path) -> None:
    entry_points = (ROOT / "pyproject.toml").read_text()
    assert '[project.entry-points.pytest11]\nselulint = "selulint.pytest_plugin"\n' in entry_points
    (tmp_path / "test_user.py").write_text(USER_TEST)
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "selulint.pytest_plugin", "-p", "no:cacheprovider", "."]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert "1 failed" in done.stdout, done.stdout + done.stderr
    assert "is not self-normalizing" in done.stdout and "inprocess.py" not in done.stdout


def _reading(mean: float, variance: float, layer: str = "fc") -> Reading:
    return Reading("selu", layer, "", True, mean, variance)


def test_the_figures_of_a_step_are_the_farthest_ones() -> None:
    found = figures([_reading(0.05, 1.1), _reading(-0.2, 0.5), _reading(0.1, 1.6)], per_layer=False)
    assert found == {"drift/mean": -0.2, "drift/variance": 0.5, "drift/inside": pytest.approx(1 / 3)}
    assert figures([_reading(0, 1), _reading(float("nan"), 0.0)], False)["drift/variance"] == 0.0
    assert figures([_reading(0, 1)], True)["drift/variance/0.fc"] == 1
    assert figures([], True) == {}


def test_only_every_nth_step_is_measured_and_a_step_that_fails_ends_its_measurement() -> None:
    drift, net = Drift(3, False), snn()
    for step in range(7):
        drift.start(net, step)
        net(torch.randn(32, 256)).sum().backward()
        assert bool(drift.stop()) == (step % 3 == 0)
    assert [(step, len(readings)) for step, readings in drift.history] == [(0, 6), (3, 6), (6, 6)]
    drift.start(net, 0)
    drift.start(net, 1)
    assert drift.stop() == {}
    with pytest.raises(ValueError, match="every must be at least 1"):
        Drift(0, False)


def test_keras_training_logs_drift() -> None:
    keras = _keras()
    from selulint.testing import KerasDrift

    net = _keras_snn(keras)
    net.compile("sgd", "sparse_categorical_crossentropy")
    drift = KerasDrift(every=2)
    values, classes = torch.randn(160, 64).numpy(), torch.randint(0, 3, (160,)).numpy()
    logs = net.fit(values, classes, epochs=2, batch_size=32, verbose=0, callbacks=[drift]).history
    assert [step for step, _ in drift.history] == [0, 2, 4, 6, 8]
    assert all(len(readings) == 4 for _, readings in drift.history)
    assert len(logs["drift/variance"]) == 2 and 0.8 < logs["drift/variance"][0] < 1.5


@pytest.fixture
def lightning(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Lightning, or, where it is not installed, as much of it as a callback sees."""
    try:
        import lightning.pytorch as found
    except ImportError:
        found = None
    if found is not None:
        yield found
        return
    import types

    package, stand_in = types.ModuleType("lightning"), types.ModuleType("lightning.pytorch")
    stand_in.Callback = type("Callback", (), {})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lightning", package)
    monkeypatch.setitem(sys.modules, "lightning.pytorch", stand_in)
    monkeypatch.delitem(sys.modules, "selulint.verify.lightning_drift", raising=False)
    yield None
    sys.modules.pop("selulint.verify.lightning_drift", None)


def test_lightning_training_logs_drift(lightning: Any) -> None:
    from selulint.testing import LightningDrift

    drift = LightningDrift(every=3)
    assert (_fit if lightning else _pretend)(lightning, drift)["drift/inside"] == 1
    assert [step for step, _ in drift.history] == [0, 3, 6, 9]


def _fit(lightning: Any, drift: Any) -> dict[str, float]:
    class Module(lightning.LightningModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.net = snn()

        def training_step(self, batch: Any, index: int) -> Any:
            return nn.functional.cross_entropy(self.net(batch[0]), batch[1])

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=0.01)

    data = torch.utils.data.TensorDataset(torch.randn(160, 256), torch.randint(0, 3, (160,)))
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu"}
    trainer = lightning.Trainer(max_epochs=2, callbacks=[drift], enable_model_summary=False, **quiet)
    trainer.fit(Module(), torch.utils.data.DataLoader(data, batch_size=32))
    return {name: float(value) for name, value in trainer.logged_metrics.items()}


def _pretend(_: Any, drift: Any) -> dict[str, float]:
    """The calls that Lightning makes, in its order."""

    class Logged(nn.Sequential):
        def log_dict(self, values: dict[str, float], on_step: bool, on_epoch: bool) -> None:
            logged.update(values)

    logged: dict[str, float] = {}
    net = Logged(*snn())
    for step in range(10):
        trainer = type("Trainer", (), {"global_step": step})()
        drift.on_train_batch_start(trainer, net, None, step)
        loss = net(torch.randn(32, 256)).sum()
        drift.on_before_backward(trainer, net, loss)
        loss.backward()
        drift.on_train_batch_end(trainer, net, loss, None, step)
    return logged


def test_names_that_are_not_there_are_attribute_errors() -> None:
    import selulint.testing

    with pytest.raises(AttributeError, match="has no attribute 'TensorFlowDrift'"):
        _: Callable[..., Any] = selulint.testing.TensorFlowDrift
