"""Running a model once while it is measured, and what can be said of it when it fails. Runs the user's code."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import random
import re
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from selulint.verify import on_tensorflow
from selulint.verify.measure import Recorder, parameter_names
from selulint.verify.readings import Reading

_MEMORY = ("out of memory", "not enough memory", "can't allocate", "cannot allocate memory", "cuda_error_out_of_memory")
_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


@dataclass(frozen=True, slots=True)
class Mode:
    """How a model is run. `dropout` makes only what dropout does as in training; `train` everything."""

    train: bool = False
    device: str = "cpu"
    dtype: str = "float32"
    dropout: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """What one run showed; `drops` says whether the model has dropout, active or not."""

    readings: list[Reading]
    drops: bool


def run(
    model: Any,
    inputs: Sequence[torch.Tensor],
    named: Mapping[str, torch.Tensor],
    mode: Mode,
    detail: bool = False,
    gradients: bool = False,
) -> Run:
    """Run a model and measure its activations; `detail` and `gradients` as `Recorder` has them."""
    keras = is_keras(model)
    if keras and on_tensorflow.is_used():
        training = mode.train or mode.dropout
        return Run(on_tensorflow.run(model, inputs, training, detail, gradients), _has_dropout(model))
    if isinstance(model, torch.nn.Module) and not keras:
        _prepare(model, mode)
    if gradients and not keras and not any(each.requires_grad for each in model.parameters()):
        inputs = [each.requires_grad_() if each.is_floating_point() else each for each in inputs]
    arguments: Sequence[Any] = [list(inputs)] if keras and len(inputs) > 1 else inputs
    keywords = {"training": mode.train or mode.dropout} if keras else dict(named)
    recorder = Recorder(parameter_names(model), detail, gradients)
    with precision(mode), contextlib.ExitStack() as stack:
        if not gradients:
            stack.enter_context(torch.no_grad())
        with recorder:
            output = model(*arguments, **keywords)
        if gradients:
            backward(output)
    return Run(recorder.readings(), recorder.drops or (keras and _has_dropout(model)))


def _prepare(model: torch.nn.Module, mode: Mode) -> None:
    model.to(mode.device)
    model.train(mode.train or mode.dropout)
    if mode.dropout:
        for module in model.modules():
            if isinstance(module, (torch.nn.modules.batchnorm._NormBase,)):
                module.eval()


def _has_dropout(model: Any) -> bool:
    """Whether a Keras model has dropout whose effect can be told from that of batch norms, which training changes too."""
    names = [type(layer).__name__ for layer in model._flatten_layers()]
    return any("Dropout" in name for name in names) and "BatchNormalization" not in names


def is_keras(model: Any) -> bool:
    keras = sys.modules.get("keras")
    return keras is not None and hasattr(keras, "Model") and isinstance(model, keras.Model)


def backward(output: Any) -> None:
    """Give every value of the output a random gradient of variance 1."""
    values, gradients = [], []
    for value in tensors_in(output):
        if value.is_floating_point() and value.requires_grad:
            values.append(value)
            gradients.append(torch.randn_like(value))
    if values:
        with contextlib.suppress(RuntimeError):  # a model without a gradient is measured all the same
            torch.autograd.backward(values, gradients)


def tensors_in(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from tensors_in(each)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for each in value:
            yield from tensors_in(each)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from tensors_in(getattr(value, field.name))


def choose_device(wanted: str) -> tuple[str, list[str]]:
    """The device to run on, and notes about why not the one that was asked for. Raises ValueError for nonsense."""
    kind, _, index = wanted.partition(":")
    if kind not in ("auto", "cpu", "cuda", "mps") or (index and not index.isdigit()):
        raise ValueError(f"--device `{wanted}` is none of auto, cpu, cuda, cuda:1, mps")
    if kind == "auto":
        mps = torch.backends.mps.is_available()
        return "cuda" if torch.cuda.is_available() else "mps" if mps else "cpu", []
    if kind == "cuda" and not torch.cuda.is_available():
        built = torch.version.cuda is not None or torch.version.hip is not None
        why = "no CUDA device is visible" if built else "this build of torch has no CUDA"
        return "cpu", [f"{wanted} was asked for, but {why}: ran on the CPU"]
    if kind == "cuda" and int(index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        return "cuda", [
            f"{wanted} was asked for, but there {'is' if count == 1 else 'are'} only {count}: ran on cuda:0"
        ]
    if kind == "mps" and not torch.backends.mps.is_available():
        return "cpu", ["mps was asked for, but is not available: ran on the CPU"]
    return wanted, []


def device_name(device: str) -> str:
    return f"{device} ({torch.cuda.get_device_name(device)})" if device.startswith("cuda") else device


def precision(mode: Mode) -> contextlib.AbstractContextManager[Any]:
    if mode.dtype == "float32":
        return contextlib.nullcontext()
    return torch.autocast(mode.device.partition(":")[0], torch.bfloat16 if mode.dtype == "bf16" else torch.float16)


def seed_all(seed: int) -> None:
    """Seed every source of weights: Keras draws its seeds from Python's own."""
    torch.manual_seed(seed)
    random.seed(seed)
    if on_tensorflow.is_used():
        on_tensorflow.seed(seed)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed(seed)


def is_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or any(words in str(error).lower() for words in _MEMORY)


def blame(error: BaseException) -> str:
    """One line: what was raised, and the last line of the user's code on the way."""
    frames = [each for each in traceback.extract_tb(error.__traceback__) if not each.filename.startswith(_OURS)]
    own = [each for each in frames if "site-packages" not in each.filename and not each.filename.startswith("<frozen")]
    place = f" ({own[-1].filename}:{own[-1].lineno})" if own else ""
    said = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    return f"{type(error).__name__}: {' '.join(said.split())[:300]}{place}"
