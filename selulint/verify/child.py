"""The process that runs the user's model: a request as JSON on stdin, the answer as JSON in a file."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import sys
import traceback
from collections.abc import Iterator
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import torch

from selulint.verify.measure import Recorder, parameter_names
from selulint.verify.readings import Reading
from selulint.verify.target import Shape, TargetError, builder, guesses, load, parse_shape, tensors

# Inputs and weights are drawn from seeds this far apart: one shared seed correlates them.
INPUT_SEED = 1_000_003
# Shapes are tried with this many samples: enough for batch norms.
_PROBE = 2
_MEMORY = ("out of memory", "not enough memory", "can't allocate")


def main() -> None:
    """Do what the request asks and write {"error": ...} or the measurements to the request's `answer` file."""
    request = json.load(sys.stdin)
    # What the user's code prints must not be taken for ours.
    sys.stdout = sys.stderr
    answer: dict[str, Any]
    try:
        answer = _measure(request)
    except TargetError as error:
        answer = {"error": str(error)}
    except SystemExit as error:
        answer = {"error": f"the model's code ended the process (exit status {error.code})"}
    except KeyboardInterrupt:
        answer = {"error": "interrupted"}
    except BaseException as error:
        answer = {"error": _blame(error)}
    with open(request["answer"], "w", encoding="utf-8") as file:
        json.dump(answer, file)


def _measure(request: dict[str, Any]) -> dict[str, Any]:
    device, notes = _device(request["device"])
    build, fresh = builder(load(request["target"]), request["args"])
    seeds = request["seeds"] if fresh else 1
    if not fresh and request["seeds"] > 1:
        notes.append("the target is a finished model: its weights are the same for every seed, so it ran once")
    torch.manual_seed(0)
    model = build()
    shapes, batch = _shapes(model, request, device, notes)
    runs, scaled = [], {}
    for seed in range(seeds):
        torch.manual_seed(seed)
        model = build() if fresh else model
        inputs = _inputs(request, shapes, seed, device)
        runs.append(_run(model, inputs, request, device, detail=seed == 0, gradients=seed == 0))
    for name, factor, shift in (("x2", 2.0, 0.0), ("x0.5", 0.5, 0.0), ("+0.5", 1.0, 0.5)):
        moved = [each * factor + shift if each.is_floating_point() else each for each in inputs]
        scaled[name] = _run(model, moved, request, device, detail=False, gradients=False)[-1:]
    return {
        "device": _device_name(device),
        "notes": notes,
        "shapes": [list(shape.sizes) for shape in shapes],
        "seeds": seeds,
        "batch": batch,
        "runs": [[dataclasses.asdict(each) for each in run] for run in runs],
        "moved": {name: [dataclasses.asdict(each) for each in run] for name, run in scaled.items()},
    }


def _run(
    model: Any, inputs: list[torch.Tensor], request: dict[str, Any], device: str, detail: bool, gradients: bool
) -> list[Reading]:
    if isinstance(model, torch.nn.Module):
        model.to(device)
        model.train(request["train"])
    keywords = {} if isinstance(model, torch.nn.Module) and not _is_keras(model) else {"training": request["train"]}
    recorder = Recorder(parameter_names(model), detail, gradients)
    with _precision(request["dtype"], device), contextlib.ExitStack() as stack:
        if not gradients:
            stack.enter_context(torch.no_grad())
        with recorder:
            output = model(*inputs, **keywords)
        if gradients:
            _backward(output)
    return recorder.readings()


def _is_keras(model: Any) -> bool:
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(model, keras.Model)


def _backward(output: Any) -> None:
    """The gradient of a random projection of the output: every unit of it counts alike."""
    loss: Any = 0.0
    for value in _tensors_in(output):
        if value.is_floating_point() and value.requires_grad:
            loss = loss + (value * torch.randn_like(value)).sum() / value.shape[0] ** 0.5
    if isinstance(loss, torch.Tensor):
        with contextlib.suppress(RuntimeError):  # a model without a gradient is measured all the same
            loss.backward()  # type: ignore[no-untyped-call]


def _tensors_in(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _tensors_in(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _tensors_in(each)


def _shapes(model: Any, request: dict[str, Any], device: str, notes: list[str]) -> tuple[tuple[Shape, ...], int]:
    """The inputs: as asked for, else the first guess that the model takes; smaller where memory does not do."""
    batch = request["batch"]
    if request["data"]:
        return (), batch
    shapes = tuple(parse_shape(text, batch, request["input_dtype"]) for text in request["inputs"])
    if not shapes:
        shapes = tuple(_with_batch(shape, batch) for shape in _guess(model, request, device))
    while (error := _refusal(model, shapes, request, device)) is not None:
        batch = shapes[0].sizes[0]
        if batch == 1 or not _is_memory(error):
            raise TargetError(f"the model does not take an input of {_said(shapes)}: {_blame(error)}")
        notes.append(f"out of memory with a batch of {batch}: halved")
        shapes = tuple(_with_batch(shape, batch // 2) for shape in shapes)
    return shapes, shapes[0].sizes[0]


def _guess(model: Any, request: dict[str, Any], device: str) -> tuple[Shape, ...]:
    tried: list[tuple[tuple[Shape, ...], BaseException]] = []
    for shapes in guesses(model, _PROBE):
        error = _refusal(model, shapes, request, device)
        if error is None:
            return shapes
        tried.append((shapes, error))
    if not tried:
        raise TargetError("the shape of the input cannot be told from the model: give it by --input, as in 64x784")
    said = ", ".join(_said(shapes) for shapes, _ in tried)
    raise TargetError(f"give the input's shape by --input: {said} do not fit: {_blame(tried[0][1])}")


def _refusal(model: Any, shapes: tuple[Shape, ...], request: dict[str, Any], device: str) -> BaseException | None:
    """What the model raises when it gets inputs of these shapes."""
    try:
        _run(model, tensors(shapes, 0, device), request, device, detail=False, gradients=False)
    except (RuntimeError, MemoryError, ValueError, TypeError, IndexError, AssertionError) as error:
        return error
    return None


def _with_batch(shape: Shape, batch: int) -> Shape:
    return dataclasses.replace(shape, sizes=(batch, *shape.sizes[1:]))


def _said(shapes: tuple[Shape, ...]) -> str:
    return " and ".join("x".join(map(str, shape.sizes)) for shape in shapes)


def _inputs(request: dict[str, Any], shapes: tuple[Shape, ...], seed: int, device: str) -> list[torch.Tensor]:
    if not request["data"]:
        return tensors(shapes, INPUT_SEED + seed, device)
    path = request["data"]
    try:
        if path.endswith(".npy"):
            import numpy

            loaded: Any = torch.from_numpy(numpy.load(path))
        else:
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        raise TargetError(f"{path}: {' '.join(str(error).split())}") from error
    found = [each.to(device) for each in _tensors_in(loaded)]
    if not found:
        raise TargetError(f"{path}: holds no tensor")
    return found


def _device(wanted: str) -> tuple[str, list[str]]:
    notes = []
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    elif wanted.startswith("cuda") and not torch.cuda.is_available():
        built = torch.version.cuda is not None
        why = "no CUDA device is visible" if built else "this build of torch has no CUDA"
        notes.append(f"{wanted} was asked for, but {why}: ran on the CPU")
        wanted = "cpu"
    elif wanted == "mps" and not torch.backends.mps.is_available():
        notes.append("mps was asked for, but is not available: ran on the CPU")
        wanted = "cpu"
    return wanted, notes


def _device_name(device: str) -> str:
    return f"{device} ({torch.cuda.get_device_name(device)})" if device.startswith("cuda") else device


def _precision(dtype: str, device: str) -> contextlib.AbstractContextManager[Any]:
    if dtype == "float32":
        return contextlib.nullcontext()
    return torch.autocast(device.partition(":")[0], torch.bfloat16 if dtype == "bf16" else torch.float16)


def _is_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or any(words in str(error).lower() for words in _MEMORY)


def _blame(error: BaseException) -> str:
    """One line: what was raised, and the last line of the user's code on the way."""
    frames = [each for each in traceback.extract_tb(error.__traceback__) if "/selulint/" not in each.filename]
    own = [each for each in frames if "/site-packages/" not in each.filename and "importlib" not in each.filename]
    place = f" ({own[-1].filename}:{own[-1].lineno})" if own else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}{place}"


if __name__ == "__main__":
    main()
