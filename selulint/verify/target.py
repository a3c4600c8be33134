"""From `path/file.py:Name` or `package.module:name` to a model, and the inputs that fit it. Runs the user's code."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch


class TargetError(Exception):
    """The target cannot be loaded, built or fed; the message is one line that says why."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One input: sizes with the batch first, and the name of its dtype."""

    sizes: tuple[int, ...]
    dtype: str = "float32"
    limit: int = 2


def load(target: str) -> Any:
    """The object that a target names. Raises TargetError."""
    place, colon, name = target.rpartition(":")
    if not colon or not place or not name:
        raise TargetError(f"`{target}` is not of the form path/file.py:Name or package.module:name")
    module = _load_file(place) if place.endswith(".py") else _load_module(place)
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            raise TargetError(
                f"`{place}` has no `{name}`: it has {', '.join(_candidates(module)) or 'nothing to build'}"
            )
        found = getattr(found, part)
    return found


def _load_file(path: str) -> Any:
    if not os.path.isfile(path):
        raise TargetError(f"{path}: no such file")
    directory = os.path.dirname(os.path.abspath(path))
    parts = [os.path.basename(path).removesuffix(".py")]
    while os.path.isfile(os.path.join(directory, "__init__.py")):
        parts.insert(0, os.path.basename(directory))
        directory = os.path.dirname(directory)
    sys.path.insert(0, directory)
    if len(parts) > 1:
        return _load_module(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    spec = importlib.util.spec_from_file_location(parts[0], path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[parts[0]] = module
    spec.loader.exec_module(module)
    return module


def _load_module(name: str) -> Any:
    sys.path.insert(0, os.getcwd())
    return importlib.import_module(name)


def _candidates(module: Any) -> list[str]:
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and (is_model(value) or (callable(value) and value.__module__ == module.__name__))
    ]


def is_model(value: Any) -> bool:
    return isinstance(value, torch.nn.Module) or _is_keras(value)


def _is_keras(value: Any) -> bool:
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(value, keras.Model)


def builder(found: Any, args: Any) -> tuple[Callable[[], Any], bool]:
    """A function that builds the model anew, and whether it can: a finished model is always the same one.

    `args` is None, a list of positional or a dict of keyword arguments, or {"args": [...], "kwargs": {...}}.
    """
    if is_model(found):
        return (lambda: found), False
    if not callable(found):
        raise TargetError(f"the target is a {type(found).__name__}, not a model, a class or a function that builds one")
    positional, keywords = _split(args)
    try:
        inspect.signature(found).bind(*positional, **keywords)
    except TypeError as error:
        raise TargetError(f"{error}: give the arguments by --args, as JSON") from error
    except ValueError:
        pass

    def build() -> Any:
        model = found(*positional, **keywords)
        if not is_model(model):
            raise TargetError(f"the target gave a {type(model).__name__}, not a PyTorch or Keras model")
        return model

    return build, True


def _split(args: Any) -> tuple[Sequence[Any], dict[str, Any]]:
    if args is None:
        return (), {}
    if isinstance(args, list):
        return args, {}
    if isinstance(args, dict) and set(args) <= {"args", "kwargs"} and args:
        return args.get("args", ()), args.get("kwargs", {})
    if isinstance(args, dict):
        return (), args
    raise TargetError("--args must be a JSON list or object")


# Sides of images and lengths of signals that models are commonly made for, by number of axes.
_SIDES = {1: (128, 1024, 16000), 2: (32, 28, 64, 16, 8, 20, 48, 84, 96, 128, 224, 299), 3: (16, 32, 64)}


def guesses(model: Any, batch: int) -> Iterator[tuple[Shape, ...]]:
    """Inputs that the model may take, told from its first layer; the first that runs is right."""
    if _is_keras(model):
        yield from _keras_guesses(model, batch)
        return
    example = getattr(model, "example_input_array", None)
    if isinstance(example, torch.Tensor):
        yield (Shape((batch, *example.shape[1:]), str(example.dtype).removeprefix("torch.")),)
    for module in model.modules():
        name = type(module).__name__
        if isinstance(module, torch.nn.Linear):
            yield (Shape((batch, module.in_features)),)
            yield (Shape((batch, 16, module.in_features)),)
            return
        if isinstance(module, torch.nn.modules.conv._ConvNd):
            axes = len(module.kernel_size)
            for size in _SIDES[axes]:
                yield (Shape((batch, module.in_channels, *(size,) * axes)),)
            return
        if isinstance(module, torch.nn.Embedding):
            yield (Shape((batch, 16), "int64", module.num_embeddings),)
            return
        if name in ("LSTM", "GRU", "RNN"):
            yield (Shape((batch, 16, module.input_size)),)
            return
        if isinstance(module, (torch.nn.modules.batchnorm._BatchNorm, torch.nn.LayerNorm)):
            sizes = getattr(module, "normalized_shape", None) or (module.num_features,)
            yield (Shape((batch, *sizes)),)


def _keras_guesses(model: Any, batch: int) -> Iterator[tuple[Shape, ...]]:
    shape = getattr(model, "input_shape", None)
    if shape is None:
        return
    shapes = shape if isinstance(shape, list) else [shape]
    yield tuple(Shape((batch, *(each or 16 for each in one[1:]))) for one in shapes)


def parse_shape(text: str, batch: int, dtype: str) -> Shape:
    """`784` is one sample's size; `64x784` begins with the batch. Raises TargetError."""
    head, _, tail = text.partition(":")
    try:
        sizes = tuple(int(part) for part in head.lower().split("x"))
    except ValueError as error:
        raise TargetError(f"--input `{text}` is not of the form 64x784") from error
    if not sizes or min(sizes) < 1:
        raise TargetError(f"--input `{text}` has a size below 1")
    return Shape(sizes if len(sizes) > 1 else (batch, *sizes), tail or dtype)


def tensors(shapes: Sequence[Shape], seed: int, device: str) -> list[torch.Tensor]:
    """Standard normal inputs (integers for integer dtypes), from a seed of their own."""
    generator = torch.Generator().manual_seed(seed)
    found = []
    for shape in shapes:
        dtype = getattr(torch, shape.dtype, None)
        if not isinstance(dtype, torch.dtype):
            raise TargetError(f"`{shape.dtype}` is no dtype of torch")
        if dtype.is_floating_point:
            value = torch.randn(shape.sizes, generator=generator).to(dtype)
        else:
            value = torch.randint(0, shape.limit, shape.sizes, generator=generator).to(dtype)
        found.append(value.to(device))
    return found
