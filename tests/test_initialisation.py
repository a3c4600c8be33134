"""Gains against weights: each law of the frameworks, and each idiom of the fixtures, drawn and measured."""

from __future__ import annotations

import importlib.util
import math
import os
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selulint.evaluate.numbers import combined, formula, settled
from selulint.evaluate.roots import models_of
from selulint.evaluate.values import Const, Unknown, Value
from selulint.graph import Model
from selulint.moments.initial import gain
from selulint.source import Source
from selulint.syntax.lazy import File

GRAPHS = Path(__file__).parent.parent / "fixtures" / "graphs"
ROOMY = settings(max_examples=25, deadline=None, derandomize=True)

stds = st.floats(0.001, 3.0)
# Large enough that what is measured is within a few percent of what the law says.
shapes = st.one_of(
    st.tuples(st.integers(60, 400), st.integers(60, 400)),
    st.tuples(st.integers(30, 90), st.integers(10, 60), st.integers(2, 5), st.integers(2, 5)),
    st.tuples(st.integers(30, 90), st.integers(30, 60), st.integers(3, 7)),
)
KAIMING = st.fixed_dictionaries(
    {},
    optional={
        "a": st.floats(0.0, 3.0),
        "mode": st.sampled_from(["fan_in", "fan_out"]),
        "nonlinearity": st.sampled_from(["relu", "leaky_relu", "linear", "selu", "tanh", "sigmoid", "conv2d"]),
    },
)
GAIN = st.fixed_dictionaries({}, optional={"gain": st.floats(0.1, 3.0)})
NORMAL = st.fixed_dictionaries({}, optional={"mean": st.floats(-1.0, 1.0), "std": stds})
UNIFORM = st.fixed_dictionaries({}, optional={"a": st.floats(-2.0, 0.4), "b": st.floats(0.5, 2.0)})
# A cut far out in a tail is drawn by rejection, which takes for ever.
TRUNCATED = st.fixed_dictionaries({"std": stds}, optional={"a": st.floats(-5.0, -0.5), "b": st.floats(0.5, 5.0)})
TORCH_LAWS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "kaiming_normal_": KAIMING,
    "kaiming_uniform_": KAIMING,
    "xavier_normal_": GAIN,
    "xavier_uniform_": GAIN,
    "orthogonal_": GAIN,
    "normal_": NORMAL,
    "uniform_": UNIFORM,
    "trunc_normal_": TRUNCATED,
    "constant_": st.fixed_dictionaries({"val": st.floats(-2.0, 2.0)}),
    "ones_": st.just({}),
    "zeros_": st.just({}),
    "eye_": st.just({}),
    "dirac_": st.just({}),
    "sparse_": st.fixed_dictionaries({"sparsity": st.floats(0.05, 0.5)}, optional={"std": stds}),
}


def test_no_law_of_torch_is_missing() -> None:
    init = pytest.importorskip("torch").nn.init
    functions = {
        name for name, value in vars(init).items() if name.endswith("_") and name[0] != "_" and callable(value)
    }
    assert functions == set(TORCH_LAWS)


@pytest.mark.parametrize("law", sorted(TORCH_LAWS))
def test_law_of_torch(law: str) -> None:
    torch = pytest.importorskip("torch")

    @ROOMY
    @given(shapes, TORCH_LAWS[law], st.integers(0, 1_000))
    def check(shape: tuple[int, ...], args: dict[str, Any], seed: int) -> None:
        if law in ("eye_", "sparse_"):
            shape = shape[:2]
        if law == "dirac_" and len(shape) == 2:
            shape = (*shape, 3)
        torch.manual_seed(seed)
        weight = torch.empty(shape)
        getattr(torch.nn.init, law)(weight, **args)
        fan_in, fan_out = torch.nn.init._calculate_fan_in_and_fan_out(weight)
        measured = fan_in * weight.square().mean().item()
        assert gain(law, args, fan_in, fan_out, units=shape[0]) == pytest.approx(measured, rel=0.15, abs=1e-6)

    check()


SEEDED = ("Zeros", "Ones", "Constant", "Identity")
KERAS_LAWS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    **{
        name: st.just({})
        for name in "GlorotNormal GlorotUniform HeNormal HeUniform LecunNormal LecunUniform Zeros Ones".split()
    },
    "VarianceScaling": st.fixed_dictionaries(
        {},
        optional={
            "scale": st.floats(0.1, 3.0),
            "mode": st.sampled_from(["fan_in", "fan_out", "fan_avg"]),
            "distribution": st.sampled_from(["truncated_normal", "untruncated_normal", "uniform"]),
        },
    ),
    "RandomNormal": st.fixed_dictionaries({}, optional={"mean": st.floats(-1.0, 1.0), "stddev": stds}),
    "TruncatedNormal": st.fixed_dictionaries({}, optional={"mean": st.floats(-1.0, 1.0), "stddev": stds}),
    "RandomUniform": st.fixed_dictionaries(
        {}, optional={"minval": st.floats(-2.0, -0.1), "maxval": st.floats(0.1, 2.0)}
    ),
    "Orthogonal": GAIN,
    "Identity": GAIN,
    "Constant": st.fixed_dictionaries({}, optional={"value": st.floats(-2.0, 2.0)}),
}


def test_no_law_of_keras_is_missing() -> None:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    initializers = pytest.importorskip("keras").initializers
    # What is no weight's law: the abstract class, and windowed Fourier bases.
    others = {"Initializer", "STFT"}
    # Two classes have a second name.
    seconds = {"IdentityInitializer", "OrthogonalInitializer", "STFTInitializer"}
    classes = {name for name, value in vars(initializers).items() if isinstance(value, type) and name[0].isupper()}
    assert classes - others - seconds == set(KERAS_LAWS)


@pytest.mark.parametrize("law", sorted(KERAS_LAWS))
def test_law_of_keras(law: str) -> None:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")

    @ROOMY
    @given(shapes, KERAS_LAWS[law], st.integers(0, 1_000))
    def check(shape: tuple[int, ...], args: dict[str, Any], seed: int) -> None:
        # Channels come last: (kernel..., in, out).
        kernel = (*shape[2:], shape[1], shape[0])
        if law == "Identity":
            kernel = kernel[-2:]
        seeded = {} if law in SEEDED else {"seed": seed}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            weight = keras.ops.convert_to_numpy(getattr(keras.initializers, law)(**args, **seeded)(kernel))
        window = math.prod(kernel[:-2])
        fan_in, fan_out = window * kernel[-2], window * kernel[-1]
        measured = fan_in * float((weight**2).mean())
        assert gain(law, args, fan_in, fan_out, units=kernel[-1]) == pytest.approx(measured, rel=0.15, abs=1e-6)

    check()


def run(name: str) -> ModuleType:
    """A graph fixture, imported and run."""
    spec = importlib.util.spec_from_file_location(name, GRAPHS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(name: str) -> list[Model]:
    path = GRAPHS / f"{name}.py"
    return models_of(File(Source.decode(path.name, path.read_bytes())))


@pytest.mark.parametrize("sizes", [(40, 64), (64, 40), (50, 50)])
def test_formulas_give_the_gain_that_the_running_code_has(sizes: tuple[int, int]) -> None:
    torch = pytest.importorskip("torch")
    module, checked = run("init_formulas"), 0
    torch.manual_seed(1)
    for model in read("init_formulas"):
        layers = dict(getattr(module, model.name)(*sizes).named_modules())
        for op in model.ops:
            if op.weight is None or op.weight.gain is None:
                continue
            weight = layers[op.label].weight
            measured = weight[0].numel() * weight.square().mean().item()
            assert op.weight.gain == pytest.approx(measured, rel=0.12), (model.name, op.label)
            checked += 1
    assert checked >= 30


def test_arrays_give_the_gain_that_the_running_code_has() -> None:
    torch = pytest.importorskip("torch")
    module = run("init_arrays")
    for model in read("init_arrays")[:3]:
        torch.manual_seed(2)
        seen: list[Any] = []
        module.F.selu, kept = lambda z, seen=seen: seen.append(z) or z, module.F.selu
        try:
            # Without activations in between, variances multiply.
            with torch.no_grad():
                getattr(module, model.name)(300, 100)(torch.randn(2_000, 300))
        finally:
            module.F.selu = kept
        taus = [op.weight.gain for op in model.ops if op.weight is not None]
        measured, before = [], 1.0
        for z in seen:
            measured.append(z.square().mean().item() / before)
            before = z.square().mean().item()
        assert taus == pytest.approx(measured, rel=0.1), model.name


def test_what_unknown_sizes_do_not_matter_for() -> None:
    n, m = Unknown("n"), Unknown("m")

    def number_of(value: Value) -> float | None:
        return settled(lambda number: number(value))

    assert number_of(Const(3)) == 3
    assert number_of(n) is None
    assert number_of(formula(lambda a, b: a / b, n, n)) == 1
    assert number_of(formula(lambda a, b: a / b, n, m)) is None
    root = formula(lambda a: math.sqrt(2.0 / a), n)
    assert number_of(formula(lambda a, s: a * s * s, n, root)) == pytest.approx(2.0)
    # What hangs on which of two sizes is the larger is not settled, nor is what fails.
    for unsettled in (
        formula(min, n, m),
        formula(lambda a, b: min(1.0, 9 * a / b), n, m),
        formula(lambda a, b: 1.0 if a < 9 * b else 0.0, n, m),
        formula(lambda a: a / 0, n),
        formula(lambda a: min(a, 64), n),
        combined(lambda a, b: a + b, n, Const("text")),
    ):
        assert number_of(unsettled) is None


def test_formulas_do_not_grow_without_end() -> None:
    grown: Value = Unknown("n")
    for _ in range(1_000):
        grown = formula(lambda a, b: a + b, grown, grown)
    assert settled(lambda number: number(grown)) is None
