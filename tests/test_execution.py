"""Executed proof: every model under fixtures/models is fixed, imported, run, and measured at every SELU."""

from __future__ import annotations

import importlib.util
import os
import statistics
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
torch = pytest.importorskip("torch")

from fixture_files import ROOT, Fixture, fixtures  # noqa: E402
from torch.overrides import TorchFunctionMode  # noqa: E402

from selulint.diagnostic import Severity  # noqa: E402
from selulint.run import lint_bytes  # noqa: E402
from selulint.settings import Settings  # noqa: E402

MODELS = Path(__file__).resolve().parent.parent / "fixtures" / "models"
ROWS = 2_048
SEEDS = (0, 1, 2)
MEAN_TOLERANCE = 0.1
VARIANCE_RANGE = (0.8, 1.5)


@dataclass(frozen=True, slots=True)
class Start:
    """A model file, the shape of one input row, and what it takes to repair it."""

    name: str
    shape: tuple[int, ...]
    unsafe: bool = False
    selu: bool = False


STARTS = (
    Start("torch_relu_sequential", (64,)),
    Start("torch_relu_deep", (128,)),
    Start("torch_relu_dropout", (100,)),
    Start("torch_relu_he_init", (80,)),
    Start("torch_relu_batchnorm", (60,), unsafe=True),
    Start("torch_relu_cnn", (3, 16, 16)),
    Start("torch_relu_alpha_dropout", (40,)),
    Start("torch_selu_default_init", (50,), selu=True),
    Start("torch_selu_wrong_inits", (100,), selu=True),
    Start("torch_selu_gain", (64,), selu=True),
    Start("torch_selu_dropout", (160,), selu=True),
    Start("torch_selu_batchnorm", (128,), unsafe=True),
    Start("torch_selu_cnn", (1, 16, 16), selu=True),
    Start("torch_handwritten_selu", (64,), selu=True),
    Start("torch_selu_residual", (64,), unsafe=True, selu=True),
    Start("keras_relu_sequential", (128,)),
    Start("keras_relu_dropout_add", (200,)),
    Start("keras_relu_batchnorm", (100,), unsafe=True),
    Start("keras_relu_deep_functional", (64,)),
    Start("keras_selu_funnel", (1024,), selu=True),
    Start("keras_selu_batchnorm_subclass", (128,), unsafe=True),
)
SAFE = [start for start in STARTS if not start.unsafe]


def _id(start: Start) -> str:
    return start.name


def _source(start: Start) -> bytes:
    return (MODELS / f"{start.name}.py").read_bytes()


@cache
def _fixed(start: Start) -> bytes:
    settings = Settings(fix=True, unsafe_fixes=start.unsafe)
    result = lint_bytes(start.name, _source(start), settings)
    assert not result.failed, [each.message for each in result.diagnostics]
    assert result.after is not None, "nothing was fixed"
    return result.after


def _load(start: Start, data: bytes, directory: Path) -> Any:
    """Import a model file from bytes; the module object."""
    if start.name.startswith("keras"):
        pytest.importorskip("keras")
    path = directory / f"{start.name}.py"
    path.write_bytes(data)
    spec = importlib.util.spec_from_file_location(f"measured_{start.name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _build(module: Any, start: Start, seed: int) -> Any:
    torch.manual_seed(seed)
    if start.name.startswith("keras"):
        import keras

        keras.backend.clear_session()
        keras.utils.set_random_seed(seed)
    return module.build()


class Selus(TorchFunctionMode):
    """Keeps mean and variance of every SELU's output while it is active."""

    def __init__(self) -> None:
        super().__init__()
        self.statistics: list[tuple[float, float]] = []

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        if getattr(function, "__name__", "") in ("selu", "selu_"):
            self.keep(result)
        return result

    def keep(self, tensor: Any) -> None:
        values = tensor.detach().double()
        self.statistics.append((values.mean().item(), values.var().item()))


def _measure(module: Any, start: Start, seed: int, training: bool) -> list[tuple[float, float]]:
    """Mean and variance of every SELU output, in order, on standard-normal rows."""
    model = _build(module, start, seed)
    # Another generator than the weights': drawn from one seed the two would be correlated.
    rows = torch.randn(ROWS, *start.shape, generator=torch.Generator().manual_seed(1_000 + seed))
    selus = Selus()
    with torch.no_grad(), selus:
        if start.name.startswith("keras"):
            model(rows, training=training)
        else:
            for part in model.modules():
                if type(part).__name__ == "HandwrittenSELU":
                    part.register_forward_hook(lambda _module, _inputs, output: selus.keep(output))
            model.train(training)(rows)
    return selus.statistics


def _medians(module: Any, start: Start, training: bool) -> list[tuple[float, float]]:
    runs = [_measure(module, start, seed, training) for seed in SEEDS]
    assert len({len(run) for run in runs}) == 1
    return [
        (statistics.median(mean for mean, _ in place), statistics.median(variance for _, variance in place))
        for place in zip(*runs, strict=True)
    ]


def _is_normal(mean: float, variance: float) -> bool:
    return abs(mean) <= MEAN_TOLERANCE and VARIANCE_RANGE[0] <= variance <= VARIANCE_RANGE[1]


def test_every_model_file_is_measured() -> None:
    assert {path.stem for path in MODELS.glob("*.py")} == {start.name for start in STARTS}
    assert len(STARTS) >= 12


@pytest.mark.parametrize("start", STARTS, ids=_id)
def test_the_fixed_model_is_self_normalizing(start: Start, tmp_path: Path) -> None:
    fixed = _fixed(start)
    module = _load(start, fixed, tmp_path)
    # Without dropout (and with the norms gone) training and inference compute the same.
    for training in (True, False) if b"dropout" in fixed.lower() else (True,):
        medians = _medians(module, start, training)
        assert len(medians) >= 2
        wrong = [(place, *values) for place, values in enumerate(medians) if not _is_normal(*values)]
        assert not wrong, f"SELUs outside the box (place, mean, variance), training {training}: {wrong}"


@pytest.mark.parametrize("start", [each for each in STARTS if each.selu], ids=_id)
def test_the_model_was_not_self_normalizing_before(start: Start, tmp_path: Path) -> None:
    medians = _medians(_load(start, _source(start), tmp_path), start, training=True)
    assert any(not _is_normal(*values) for values in medians)


@pytest.mark.parametrize("start", STARTS, ids=_id)
def test_nothing_to_complain_about_is_left(start: Start) -> None:
    before = lint_bytes(start.name, _source(start), Settings())
    after = lint_bytes(start.name, _fixed(start), Settings())
    assert before.faulty
    assert not [each.message for each in after.diagnostics if each.severity > Severity.NOTE]


@pytest.mark.parametrize("start", [each for each in STARTS if "batchnorm" in each.name], ids=_id)
def test_safe_fixes_leave_models_with_norms_alone(start: Start) -> None:
    result = lint_bytes(start.name, _source(start), Settings(fix=True))
    text = (result.after or _source(start)).decode()
    assert "BatchNorm" in text


@pytest.mark.parametrize("start", SAFE, ids=_id)
def test_a_safely_fixed_model_loads_its_old_weights(start: Start, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    old = _build(_load(start, _source(start), tmp_path / "old"), start, seed=7)
    new = _build(_load(start, _fixed(start), tmp_path), start, seed=8)
    if start.name.startswith("keras"):
        rows = torch.zeros(2, *start.shape)
        old(rows), new(rows)
        assert [weight.path for weight in new.weights] == [weight.path for weight in old.weights]
        new.set_weights(old.get_weights())
    else:
        new.load_state_dict(old.state_dict(), strict=True)


def _builds(text: str, directory: Path) -> set[str]:
    """Run a file and build what it defines without arguments; the names of what works, empty where it does not import."""
    path = directory / "fixture.py"
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("fixture", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception:
        return set()
    working = {"import"}
    for name, value in vars(module).items():
        if callable(value) and getattr(value, "__module__", None) == "fixture":
            try:
                value()
            except (Exception, SystemExit):
                continue
            working.add(name)
    return working


CHANGED = [
    (each, result) for each in fixtures() for result in map(each.result, (".fixed.py", ".unsafe.py")) if result.exists()
]


@pytest.mark.parametrize(("fixture", "result"), CHANGED, ids=[str(result.relative_to(ROOT)) for _, result in CHANGED])
def test_what_could_be_built_can_be_built_after_the_fix(fixture: Fixture, result: Path, tmp_path: Path) -> None:
    before = _builds(fixture.text, tmp_path)
    assert before <= _builds(result.read_text(encoding="utf-8"), tmp_path)


def test_most_fixtures_can_be_run(tmp_path: Path) -> None:
    assert sum(bool(_builds(fixture.text, tmp_path)) for fixture, _ in CHANGED if fixture.framework == "torch") > 40
