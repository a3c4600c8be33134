"""`selulint verify` where TensorFlow is installed: Keras models that use TensorFlow's own operations run on it."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from selulint.explain import explain
from selulint.verify.parent import Outcome, Request, verify
from selulint.verify.readings import HANDWRITTEN

pytestmark = pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="TensorFlow is not installed")
SMALL: dict[str, Any] = {"seeds": 2, "batch": 256, "timeout": 240.0}
MODELS = """
import tensorflow as tf
from tensorflow.keras import layers


def dense(units, activation=None):
    return layers.Dense(units, activation=activation, kernel_initializer="lecun_normal")


def handwritten(x):
    return 1.0507009873554805 * tf.where(x > 0.0, x, 1.6732632423543772 * (tf.exp(x) - 1.0))


def scaled_elu(x):
    return 1.0507009873554805 * tf.where(x >= 0.0, x, 1.6732632423543772 * tf.nn.elu(x))


class Net(tf.keras.Model):
    def __init__(self, activation=tf.nn.selu):
        super().__init__()
        self.one, self.two, self.head = dense(256), dense(256), dense(10)
        self.activation = activation

    @tf.function
    def call(self, x):
        return self.head(self.activation(self.two(self.activation(self.one(x)))))


def by_hand():
    return Net(handwritten)


def by_elu():
    return Net(scaled_elu)


def mixed():
    hidden = [dense(128, tf.nn.gelu), dense(128, tf.nn.silu), dense(128, "relu")]
    return tf.keras.Sequential([tf.keras.Input((64,)), *hidden, dense(3)])


def images():
    conv = layers.Conv2D(64, 3, kernel_initializer="lecun_normal")
    last = [layers.Lambda(lambda x: tf.nn.selu(x)), layers.GlobalAveragePooling2D(), dense(3)]
    return tf.keras.Sequential([tf.keras.Input((16, 16, 3)), conv, *last])


def wrong():
    inputs = tf.keras.Input((64,))
    x = layers.Activation(tf.nn.selu)(layers.Dense(256, kernel_initializer="he_normal")(inputs))
    x = layers.Dense(256, activation=tf.nn.selu, kernel_initializer="he_normal")(x)
    return tf.keras.Model(inputs, layers.Dense(3)(x))
"""


@pytest.fixture
def run(tmp_path: Path) -> Any:
    (tmp_path / "nets.py").write_text(MODELS)

    def run(name: str, **asked: Any) -> Outcome:
        return verify(Request(f"{tmp_path / 'nets.py'}:{name}", **{**SMALL, **asked}))

    return run


def test_operations_of_tensorflow_are_measured(run: Any) -> None:
    found = run("Net")
    assert found.verdict.normalizing and found.shapes == ((256, 64),)
    assert [each.function for each in found.runs[0]] == ["selu", "selu"]
    assert [each.layer.rpartition("/")[2] for each in found.runs[0]] == ["dense", "dense_1"]
    line = MODELS[: MODELS.index("return self.head")].count("\n") + 1
    assert all(each.gradient and each.unit_variance and each.line.endswith(f"nets.py:{line}") for each in found.runs[0])
    assert found.runs[0][0].variance != found.runs[1][0].variance


@pytest.mark.parametrize("name", ["by_hand", "by_elu"])
def test_selus_that_are_written_by_hand(run: Any, name: str) -> None:
    found = run(name)
    assert found.verdict.normalizing
    assert [each.function for each in found.runs[0]] == [HANDWRITTEN, HANDWRITTEN]
    assert all(each.gradient for each in found.runs[0])


def test_composed_activations_are_one(run: Any) -> None:
    assert [each.function for each in run("mixed").runs[0]] == ["gelu", "silu", "relu"]


def test_images(run: Any) -> None:
    (seen,) = run("images").runs[0]
    assert seen.function == "selu" and abs(seen.variance - 1) < 0.2


def test_the_line_explains(run: Any) -> None:
    found = run("wrong")
    assert not found.verdict.normalizing
    assert explain(found)[1][0].code == "SELU202"


def test_what_was_asked_for_and_is_not_there_is_said(run: Any) -> None:
    found = run("Net", device="cuda")
    assert found.device == "cpu" and "TensorFlow sees no GPU" in found.notes[0]
    assert run("Net", dtype="bf16").verdict.normalizing


def test_models_in_tests(tmp_path: Path) -> None:
    """In one process, also where a model compiles its parts."""
    code = (
        MODELS
        + """
from selulint.testing import assert_self_normalizing

assert_self_normalizing(Net, (256, 64))
try:
    assert_self_normalizing(wrong(), (256, 64))
except AssertionError as error:
    print("caught", "outside" in str(error))
"""
    )
    (tmp_path / "nets.py").write_text(code)
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, str(tmp_path / "nets.py")]
    done = subprocess.run(command, env=environment, text=True, capture_output=True, check=False)
    assert done.stdout == "caught True\n", done.stderr[-2_000:]
