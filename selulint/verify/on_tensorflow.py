"""Measuring Keras models that run on TensorFlow itself: every operation is seen by a callback. Runs the user's code."""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import numpy
import torch

from selulint.verify.measure import COMPOSING, Recorder
from selulint.verify.readings import HIDDEN, Reading

# TensorFlow's operations by the names under which PyTorch's are measured.
_NAMES = {
    "Selu": "selu",
    "Relu": "relu",
    "Relu6": "relu6",
    "Elu": "elu",
    "LeakyRelu": "leaky_relu",
    "Tanh": "tanh",
    "Sigmoid": "sigmoid",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Exp": "exp",
    "Expm1": "expm1",
    "Maximum": "maximum",
    "Minimum": "minimum",
    "Select": "where",
    "SelectV2": "where",
    "Add": "add",
    "AddV2": "add",
    "Mul": "mul",
    "MatMul": "matmul",
    "BatchMatMulV2": "matmul",
    "Einsum": "einsum",
    "Conv2D": "conv2d",
    "Conv3D": "conv3d",
    "DepthwiseConv2dNative": "conv2d",
    "Conv2DBackpropInput": "conv_transpose2d",
    "Conv3DBackpropInputV2": "conv_transpose3d",
    "ResourceGather": "embedding",
}
# Activations that TensorFlow composes of several operations: functions of `tf.nn`, under these names.
_COMPOSED = {"gelu": "gelu", "silu": "silu", "swish": "silu"}
BACKEND = "KERAS_BACKEND"


def _tensorflow() -> Any:
    return importlib.import_module("tensorflow")


def is_used() -> bool:
    """Whether Keras runs on TensorFlow in this process."""
    keras = sys.modules.get("keras")
    return keras is not None and keras.config.backend() == "tensorflow"


def install() -> None:
    """Before the model's code takes them: functions of TensorFlow that are activations, so that they are seen as one."""
    if os.environ.get(BACKEND) == "tensorflow":
        tf = _tensorflow()

        for name, whole in _COMPOSED.items():
            setattr(tf.nn, name, _whole(getattr(tf.nn, name), whole))


def _whole(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    @functools.wraps(function)
    def measured(*args: Any, **kwargs: Any) -> Any:
        recorder = _Recorder.current
        if recorder is None:
            return function(*args, **kwargs)
        _Recorder.current = None
        try:
            output = function(*args, **kwargs)
        finally:
            _Recorder.current = recorder
        recorder.told(name, output, ())
        return output

    return measured


def is_wanted() -> bool:
    """Whether the model's code has loaded TensorFlow, so that Keras on torch would not understand its tensors."""
    return hasattr(sys.modules.get("tensorflow"), "__version__") and not is_used()


def restart(arguments: Sequence[str]) -> None:
    """This process anew, with Keras on TensorFlow."""
    os.environ[BACKEND] = "tensorflow"
    os.execv(sys.executable, [sys.executable, *arguments])


def prepare(wanted: str, dtype: str) -> tuple[str, list[str]]:
    """The device that TensorFlow will use, and notes about why not the one that was asked for."""
    tf = _tensorflow()

    if dtype != "float32":
        sys.modules["keras"].config.set_dtype_policy({"bf16": "mixed_bfloat16", "fp16": "mixed_float16"}[dtype])
    kind = wanted.partition(":")[0]
    found = tf.config.list_physical_devices("GPU")
    if kind == "cpu" or not found:
        tf.config.set_visible_devices([], "GPU")
        why = [] if kind in ("cpu", "auto") else [f"{wanted} was asked for, but TensorFlow sees no GPU: ran on the CPU"]
        return "cpu", why
    return "gpu", []


def seed(value: int) -> None:
    tf = _tensorflow()

    tf.random.set_seed(value)


def run(model: Any, inputs: Sequence[torch.Tensor], training: bool, detail: bool, gradients: bool) -> list[Reading]:
    """Run a Keras model on TensorFlow and measure its activations."""
    tf = _tensorflow()

    values = [tf.convert_to_tensor(each.numpy()) for each in inputs]
    names = {id(each.value.handle): each.path.rpartition("/")[0] for each in model.variables if len(each.shape) > 1}
    recorder = _Recorder(names, detail)
    with tf.GradientTape() if gradients else contextlib.nullcontext() as tape:
        with recorder.measuring():
            output = model(values if len(values) > 1 else values[0], training=training)
        if tape is not None:
            loss = tf.add_n([_projected(tf, each) for each in tf.nest.flatten(output) if each.dtype.is_floating])
    if tape is not None:
        found = tape.gradient(loss, [each.source for each in recorder.seen])
        for seen, gradient in zip(recorder.seen, found, strict=True):
            if gradient is not None:
                seen.gradients.append(_as_torch(gradient).square().mean().sqrt())
    return recorder.readings()


def _as_torch(value: Any) -> torch.Tensor:
    array = numpy.asarray(value.numpy())
    return torch.from_numpy(array if array.dtype == numpy.float64 else array.astype(numpy.float32))


def _projected(tf: Any, value: Any) -> Any:
    """A sum of a tensor's values with random weights of variance 1."""
    return tf.reduce_sum(tf.cast(value, tf.float32) * tf.random.normal(tf.shape(value)))


class _Recorder(Recorder):
    """Is told of TensorFlow's operations; `current` is the one that measures now."""

    current: ClassVar[_Recorder | None] = None

    def __init__(self, names: dict[int, str], detail: bool) -> None:
        super().__init__({}, detail)
        self._handles = names
        self._twins: dict[int, tuple[Any, torch.Tensor]] = {}

    @contextlib.contextmanager
    def measuring(self) -> Iterator[None]:
        tf = _tensorflow()
        op_callbacks = importlib.import_module("tensorflow.python.framework.op_callbacks")

        eager = tf.config.functions_run_eagerly()
        tf.config.run_functions_eagerly(True)
        op_callbacks.add_op_callback(self._called)
        _Recorder.current = self
        try:
            yield
        finally:
            _Recorder.current = None
            op_callbacks.remove_op_callback(self._called)
            tf.config.run_functions_eagerly(eager)

    def _called(self, kind: str, inputs: Any, attrs: Any, outputs: Any, op_name: Any = None, graph: Any = None) -> None:
        if kind == "ReadVariableOp":
            self.layer = self._handles.get(id(inputs[0]), self.layer)
        name = _NAMES.get(kind)
        if name is None or graph is not None or _Recorder.current is not self:
            return
        self.told(name, outputs[0], inputs if name in COMPOSING else ())

    def told(self, name: str, output: Any, inputs: Sequence[Any]) -> None:
        result = self._twin(output) if name in COMPOSING or name in HIDDEN or name == "sigmoid" else None
        self.ran(name, result, [self._twin(each) for each in inputs], {})
        if self.seen and self.seen[-1].source is None:
            self.seen[-1].source = output

    def _twin(self, value: Any) -> torch.Tensor:
        """The same tensor for PyTorch: one object for one tensor, which is kept so that no other gets its place."""
        kept = self._twins.get(id(value))
        if kept is None:
            twin = _as_torch(value) if value.dtype.is_floating else torch.empty(tuple(value.shape), dtype=torch.bool)
            kept = self._twins[id(value)] = value, twin
        return kept[1]
