"""The tables against the frameworks that they describe: nothing is missing, no signature has drifted."""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Callable, Iterable
from typing import Any
from unittest.mock import MagicMock

import pytest

from selulint.frameworks import SPECS, Spec
from selulint.frameworks.keras import ACTIVATION_STRINGS, INITIALISER_STRINGS
from selulint.frameworks.torch import TENSOR_METHODS
from selulint.graph import Kind

KINDS = {kind.value for kind in Kind} | {"container", "initialiser", "loss", "other"}
# Extras of a framework that say nothing about what is computed.
EXTRAS = frozenset({"device", "dtype", "generator", "out"})
# Initialisers of these do not share their names with PyTorch's and Keras's laws: only the table tells the law.
OWN_NAMES = ("tensorflow.contrib.", "jax.", "flax.", "haiku.")
OWN_ARGUMENTS = {"constant": 0.5, "scale": 1.0, "mode": "fan_in", "distribution": "normal"}
# PyTorch spells these as (*args, **kwargs); here they are spelled out, as its documentation does.
VARIADIC = frozenset({"RNN", "LSTM", "GRU", "NLLLoss2d", "Identity", "Module"})


def parse(signature: str) -> inspect.Signature:
    """A signature of the tables as Python reads it."""
    # Defaults that are functions are spelled by their canonical names.
    scope: dict[str, Any] = {"tensorflow": MagicMock(), "jax": MagicMock()}
    exec(f"def spelled({signature}): ...", scope)
    return inspect.signature(scope["spelled"])


def described(function: Callable[..., Any]) -> inspect.Signature | None:
    """The signature that the framework shows, None where it is written in C or hidden behind a wrapper."""
    try:
        shown = inspect.signature(function)
    except (TypeError, ValueError):
        return None
    kinds = [parameter.kind for parameter in shown.parameters.values()]
    return None if kinds == [inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD] else shown


def parameters(signature: inspect.Signature, extras: frozenset[str]) -> list[tuple[str, Any, Any]]:
    """Name, default and whether it is keyword-only, of every parameter but the extras."""
    return [
        (name, _default(parameter.default), parameter.kind is inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in signature.parameters.items()
        if name not in extras
    ]


def _default(value: Any) -> Any:
    if value is inspect.Parameter.empty:
        return "required"
    return value.__name__ if callable(value) else value


def assert_same(name: str, spec: Spec, function: Callable[..., Any], extras: frozenset[str] = EXTRAS) -> bool:
    shown = described(function)
    if shown is None:
        return False
    assert parameters(parse(spec.signature), extras) == parameters(shown, extras), name
    return True


def public(module: Any) -> dict[str, Any]:
    return {name: getattr(module, name) for name in dir(module) if not name.startswith("_")}


def under(prefix: str) -> Iterable[tuple[str, Spec]]:
    """The table's entries directly below a dotted prefix."""
    for name, spec in SPECS.items():
        if name.startswith(prefix) and "." not in name[len(prefix) :]:
            yield name[len(prefix) :], spec


@pytest.mark.parametrize("name", sorted(SPECS))
def test_entry_is_well_formed(name: str) -> None:
    spec = SPECS[name]
    assert spec.kind in KINDS
    assert spec.function and spec.function == spec.function.lower()
    parse(spec.signature)


def test_initialisers_name_their_law() -> None:
    from selulint.moments.initial import gain

    # These need what a call gives: a value, a share of zeros, a default that TF 1 and TF 2 do not share.
    given = {"val": 0.5, "sparsity": 0.1, "stddev": 0.1, "minval": -0.1, "maxval": 0.1, "value": 0.5}
    for name, spec in SPECS.items():
        if spec.kind == "initialiser" and spec.function != "stft":
            assert spec.init, name
            last = name.rpartition(".")[2]
            told = given | ({} if not name.startswith(OWN_NAMES) else OWN_ARGUMENTS)
            assert gain(spec.init, told, 100, 100) is not None, name
            if name.startswith(OWN_NAMES):
                continue
            assert last.startswith("_") or gain(spec.init, given, 100, 100) == gain(last, given, 100, 100), name


def test_default_laws_are_known() -> None:
    from selulint.moments.initial import gain

    args = {"in2_features": 3, "hidden_size": 4, "kdim": None, "vdim": None}
    for name, spec in SPECS.items():
        if spec.kind == "parametric" and spec.init and spec.init != "transformer":
            assert gain(spec.init, args, 100, 100) is not None, name


class TestTorch:
    def test_every_class_is_classified(self) -> None:
        nn = pytest.importorskip("torch").nn
        classes = {name for name, value in public(nn).items() if inspect.isclass(value)}
        table = {name for name, spec in under("torch.nn.") if not spec.functional}
        assert table == classes
        assert len(classes) >= 168

    def test_signatures_of_classes(self) -> None:
        nn = pytest.importorskip("torch").nn
        compared = {
            name
            for name, spec in under("torch.nn.")
            if name not in VARIADIC and assert_same(name, spec, getattr(nn, name), EXTRAS - {"out"})
        }
        assert len(compared) > 140

    def test_recurrent_signatures_build_the_layer(self) -> None:
        nn = pytest.importorskip("torch").nn
        for name in ("RNN", "LSTM", "GRU"):
            spelled = parse(SPECS[f"torch.nn.{name}"].signature)
            arguments = {
                key: 2 if parameter.default is inspect.Parameter.empty else parameter.default
                for key, parameter in spelled.parameters.items()
            }
            built = getattr(nn, name)(**arguments)
            for key, value in arguments.items():
                if key not in EXTRAS:
                    shown = getattr(built, key)
                    assert shown == value, (name, key)

    def test_signatures_of_functional_forms(self) -> None:
        functional = pytest.importorskip("torch").nn.functional
        compared = [name for name, spec in under("torch.nn.functional.") if _same_function(name, spec, functional)]
        assert len(compared) > 55

    def test_every_activation_and_dropout_function_is_there(self) -> None:
        torch = pytest.importorskip("torch")
        for _, spec in under("torch.nn."):
            forms = {function for _, each in under("torch.nn.functional.") for function in (each.function,)}
            if spec.kind in ("activation", "dropout", "norm"):
                assert spec.function in forms, spec
        assert all(hasattr(torch.nn.functional, name) for name, _ in under("torch.nn.functional."))

    def test_functions_and_methods_exist(self) -> None:
        torch = pytest.importorskip("torch")
        missing = [name for name, spec in under("torch.") if spec.functional and not hasattr(torch, name)]
        assert missing == []
        assert [name for name in TENSOR_METHODS if not hasattr(torch.Tensor, name)] == []
        assert "selu" not in TENSOR_METHODS and not hasattr(torch.Tensor, "selu")

    def test_activations_compute_what_their_class_computes(self) -> None:
        torch = pytest.importorskip("torch")
        x = torch.linspace(-3.0, 3.0, 8).reshape(2, 4)
        checked = 0
        for name, spec in under("torch.nn.functional."):
            classes = [
                each
                for each, other in under("torch.nn.")
                if (other.kind, other.function) == ("activation", spec.function)
            ]
            if (
                spec.kind != "activation"
                or spec.signature.count("=") + 1 < len(spec.signature.split(","))
                or not classes
            ):
                continue
            function, layer = getattr(torch.nn.functional, name), getattr(torch.nn, classes[-1])
            dim = {"dim": -1} if "dim=" in SPECS[f"torch.nn.{classes[-1]}"].signature else {}
            expected = layer(**dim).eval()(x.clone())
            assert torch.allclose(function(x.clone(), **dim), expected), name
            checked += 1
        assert checked > 25

    def test_initialisers_are_complete(self) -> None:
        init = pytest.importorskip("torch").nn.init
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            functions = {name for name, value in public(init).items() if inspect.isfunction(value)}
        table = {name: spec for name, spec in under("torch.nn.init.") if not name.startswith("_")}
        assert set(table) == functions
        assert all(
            described(getattr(init, name)) is None or assert_same(name, spec, getattr(init, name))
            for name, spec in table.items()
        )

    def test_deprecated_initialisers_have_the_signature_of_their_successor(self) -> None:
        table = dict(under("torch.nn.init."))
        for name, spec in table.items():
            if spec.kind == "initialiser" and not name.endswith("_"):
                assert spec.signature == table[f"{name}_"].signature


def _same_function(name: str, spec: Spec, functional: Any) -> bool:
    function = getattr(functional, name)
    # `max_pool2d` and its kin choose between two functions of one signature.
    function = getattr(functional, f"{name}_with_indices", function)
    return assert_same(name, spec, function, EXTRAS - {"out"})


@pytest.fixture(scope="module")
def keras() -> Any:
    if "KERAS_BACKEND" not in os.environ:
        pytest.importorskip("torch")
        os.environ["KERAS_BACKEND"] = "torch"
    return pytest.importorskip("keras")


class TestKeras:
    def test_every_layer_is_classified(self, keras: Any) -> None:
        table = dict(under("keras.layers."))
        classes = {name for name, value in public(keras.layers).items() if inspect.isclass(value)}
        assert classes - set(table) == set()
        functions = {"Input", "add", "average", "concatenate", "dot", "maximum", "minimum", "multiply", "subtract"}
        assert functions <= set(table)

    def test_signatures_of_layers(self, keras: Any) -> None:
        grouped = {"augment", "preprocess", "foreign"}
        compared = [
            name
            for name, spec in under("keras.layers.")
            if hasattr(keras.layers, name)
            and spec.signature != "**kwargs"
            and spec.function not in grouped
            and spec.kind != "other"
            and assert_same(name, spec, getattr(keras.layers, name), frozenset())
        ]
        assert len(compared) > 90

    def test_aliases_are_the_same(self, keras: Any) -> None:
        table = dict(under("keras.layers."))
        for name, value in public(keras.layers).items():
            if inspect.isclass(value) and value.__name__ != name and value.__name__ in table:
                assert table[name] == table[value.__name__], name

    def test_activations(self, keras: Any) -> None:
        helpers = {"get", "serialize", "deserialize"}
        table = dict(under("keras.activations."))
        assert set(table) == {name for name, value in public(keras.activations).items() if callable(value)} - helpers
        for name, spec in table.items():
            assert_same(name, spec, getattr(keras.activations, name))

    def test_activation_strings(self, keras: Any) -> None:
        for string, name in ACTIVATION_STRINGS.items():
            assert keras.activations.get(string) is getattr(keras.activations, name.rpartition(".")[2])
        for refused in ("SELU", "Selu", "ReLU", "LeakyReLU"):
            assert refused not in ACTIVATION_STRINGS
            with pytest.raises(ValueError):
                keras.activations.get(refused)

    def test_initialisers(self, keras: Any) -> None:
        helpers = {"get", "serialize", "deserialize"}
        table = dict(under("keras.initializers."))
        assert set(table) == {name for name, value in public(keras.initializers).items() if callable(value)} - helpers
        for name, spec in table.items():
            assert_same(name, spec, getattr(keras.initializers, name), frozenset())

    def test_initialiser_strings(self, keras: Any) -> None:
        for string, name in INITIALISER_STRINGS.items():
            if string in ("constant", "Constant") or SPECS[name].function == "stft":
                continue  # Keras 3 wants a value for the one and SciPy for the other; Keras 2 takes the first.
            expected = getattr(keras.initializers, name.rpartition(".")[2])
            assert type(keras.initializers.get(string)) is expected, string
        for refused in (
            "lecunnormal",
            "LeCunNormal",
            "LECUN_NORMAL",
            "lecun_normal_v2",
            "xavier_uniform",
            "kaiming_normal",
        ):
            assert refused not in INITIALISER_STRINGS
            with pytest.raises(ValueError):
                keras.initializers.get(refused)

    def test_ops(self, keras: Any) -> None:
        compared = [
            name
            for name, spec in under("keras.ops.")
            if assert_same(name, spec, getattr(keras.ops, name), frozenset({"dtype"}))
        ]
        assert len(compared) > 60
        assert all(hasattr(keras.ops.nn, name) for name, _ in under("keras.ops.nn."))

    def test_ops_and_activations_agree_on_what_is_computed(self) -> None:
        activations = dict(under("keras.activations."))
        for name, spec in under("keras.ops."):
            if spec.kind == "activation":
                assert activations[name].function == spec.function, name


class TestTensorflow:
    def test_selu_has_its_own_entries(self) -> None:
        assert SPECS["tensorflow.nn.selu"].function == "selu"
        assert SPECS["tensorflow.nn.relu"].functional

    def test_functional_layers_take_what_their_classes_take(self) -> None:
        pairs = {"Dense": "dense", "Conv2D": "conv2d", "MaxPooling2D": "max_pooling2d", "Dropout": "dropout"}
        for cls, function in pairs.items():
            one, two = SPECS[f"tensorflow.layers.{cls}"], SPECS[f"tensorflow.layers.{function}"]
            assert (one.kind, one.function, one.init) == (two.kind, two.function, two.init)
            assert set(parse(one.signature).parameters) < set(parse(two.signature).parameters)
            assert two.functional and not one.functional

    def test_signatures_where_tensorflow_is_installed(self) -> None:
        tensorflow = pytest.importorskip("tensorflow")
        for name, spec in under("tensorflow.nn."):
            if spec.kind == "activation":
                assert hasattr(tensorflow.nn, name), name
                assert set(parse(spec.signature).parameters) == set(
                    inspect.signature(getattr(tensorflow.nn, name)).parameters
                ), name
