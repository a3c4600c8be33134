"""What a model is fed: random tensors of given or guessed shapes, or the user's data. Runs the user's code to guess."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from selulint.verify.running import blame, is_keras, is_memory, tensors_in
from selulint.verify.target import TargetError

# Inputs and weights are drawn from seeds this far apart: one shared seed correlates them.
INPUT_SEED = 1_000_003
# Shapes are tried with this many samples: enough for batch norms.
PROBE = 2
# Steps of sequences and sides of axes that a model leaves open.
_STEPS = 16
_TRIES = 40
# Sides of images and lengths of signals that models are commonly made for, by number of axes.
_SIDES = {1: (128, 1024, 16000), 2: (32, 28, 64, 16, 8, 20, 48, 84, 96, 128, 224, 299), 3: (16, 32, 64)}


@dataclass(frozen=True, slots=True)
class Shape:
    """One input: sizes with the batch first, the name of its dtype, the end of the range of integers, and the name of the
    parameter that takes it ("" for one by position)."""

    sizes: tuple[int, ...]
    dtype: str = "float32"
    limit: int = 2
    name: str = ""

    def with_batch(self, batch: int) -> Shape:
        return dataclasses.replace(self, sizes=(batch, *self.sizes[1:]))


@dataclass(frozen=True, slots=True)
class Feed:
    """Inputs of one model: `shapes` to draw from, or `data` (tensors by position, or by name) to take samples of."""

    batch: int
    shapes: tuple[Shape, ...] = ()
    data: tuple[torch.Tensor, ...] = ()
    names: tuple[str, ...] = ()

    def draw(self, seed: int, device: str) -> tuple[list[torch.Tensor], dict[str, torch.Tensor]]:
        """Positional and named inputs: standard normal (integers for integer dtypes), or samples of the data."""
        generator = torch.Generator().manual_seed(seed)
        if not self.data:
            drawn = [(shape.name, _drawn(shape, generator).to(device)) for shape in self.shapes]
            return [value for name, value in drawn if not name], {name: value for name, value in drawn if name}
        rows = min((each.shape[0] for each in self.data if each.dim()), default=1)
        chosen = torch.randperm(rows, generator=generator)[: self.batch] if rows > self.batch else slice(None)
        taken = [each[chosen].to(device) if each.dim() else each.to(device) for each in self.data]
        return ([], dict(zip(self.names, taken, strict=True))) if self.names else (taken, {})

    def smaller(self) -> Feed | None:
        """The same with half as many samples; None where there is only one."""
        batch = self.samples // 2
        if batch < 1:
            return None
        return dataclasses.replace(self, batch=batch, shapes=tuple(shape.with_batch(batch) for shape in self.shapes))

    @property
    def samples(self) -> int:
        if self.data:
            return min(self.batch, *(each.shape[0] for each in self.data if each.dim()), self.batch)
        return self.shapes[0].sizes[0]

    @property
    def sizes(self) -> list[list[int]]:
        if self.data:
            return [[min(self.batch, each.shape[0]), *each.shape[1:]] if each.dim() else [] for each in self.data]
        return [list(shape.sizes) for shape in self.shapes]


def _drawn(shape: Shape, generator: torch.Generator) -> torch.Tensor:
    dtype: torch.dtype = getattr(torch, shape.dtype)
    if dtype.is_floating_point or dtype.is_complex:
        return torch.randn(shape.sizes, generator=generator).to(dtype)
    return torch.randint(0, max(shape.limit, 1), shape.sizes, generator=generator).to(dtype)


def feed_of(model: Any, request: Mapping[str, Any], attempt: Callable[[Feed], Any], notes: list[str]) -> Feed:
    """The inputs that the request asks for, else the first guess that the model takes. Raises TargetError.

    `attempt` runs the model with a feed, or raises.
    """
    batch = min(request["batch"], request["limit"] or request["batch"])
    if request["data"]:
        return _loaded(model, request["data"], batch, notes)
    if request["inputs"]:
        return _asked(model, request, batch, attempt, notes)
    return _guessed(model, batch, attempt)


def _asked(
    model: Any, request: Mapping[str, Any], batch: int, attempt: Callable[[Feed], Any], notes: list[str]
) -> Feed:
    dtype = request["input_dtype"] or _floating(model)
    shapes = tuple(parse_shape(text, batch, dtype, _limit(model)) for text in request["inputs"])
    if request["limit"]:
        shapes = tuple(shape.with_batch(min(shape.sizes[0], batch)) for shape in shapes)
    asked = Feed(shapes[0].sizes[0], shapes)
    few = Feed(PROBE, tuple(shape.with_batch(min(PROBE, shape.sizes[0])) for shape in shapes))
    error = _refusal(attempt, few)
    if error is None or is_memory(error):
        return asked
    whole = tuple(dataclasses.replace(shape, sizes=(PROBE, *shape.sizes)) for shape in shapes)
    if _refusal(attempt, Feed(PROBE, whole)) is None:
        notes.append(f"the model takes {_said(shapes)} as one sample: fed {batch} of them")
        return Feed(batch, tuple(shape.with_batch(batch) for shape in whole))
    raise TargetError(f"the model does not take an input of {_said(shapes)}: {blame(error)}")


def parse_shape(text: str, batch: int, dtype: str, limit: int = 2) -> Shape:
    """`784` is one sample's size; `64x784` begins with the batch; `64x16:int64` has a dtype, `mask=64x16` a name.

    Raises TargetError.
    """
    parameter, named, rest = text.rpartition("=")
    head, _, tail = rest.partition(":")
    try:
        sizes = tuple(int(part) for part in head.lower().split("x"))
    except ValueError as error:
        raise TargetError(f"--input `{text}` is not of the form 64x784") from error
    if not sizes or min(sizes) < 1:
        raise TargetError(f"--input `{text}` has a size below 1")
    name = tail or dtype
    if not isinstance(getattr(torch, name, None), torch.dtype):
        raise TargetError(f"`{name}` is no dtype of torch")
    return Shape(sizes if len(sizes) > 1 else (batch, *sizes), name, limit, parameter if named else "")


def _guessed(model: Any, batch: int, attempt: Callable[[Feed], Any]) -> Feed:
    tried: list[tuple[tuple[Shape, ...], str]] = []
    seen: set[tuple[Shape, ...]] = set()
    for shapes in guesses(model):
        if shapes in seen or len(seen) >= _TRIES:
            continue
        seen.add(shapes)
        error = _refusal(attempt, Feed(PROBE, shapes))
        if error is None:
            return Feed(batch, tuple(shape.with_batch(batch) for shape in shapes))
        tried.append((shapes, blame(error)))
    wanted = _parameters(model)
    several = f" (once for each of {', '.join(wanted)})" if len(wanted) > 1 else ""
    if not tried:
        raise TargetError(
            f"the shape of the input cannot be told from the model: give it by --input, as in 64x784{several}"
        )
    said = ", ".join(_said(shapes) for shapes, _ in tried[:4]) + (", ..." if len(tried) > 4 else "")
    raise TargetError(f"give the input's shape by --input{several}: {said} do not fit: {tried[0][1]}")


def _refusal(attempt: Callable[[Feed], Any], feed: Feed) -> BaseException | None:
    """What the model raises when it gets these inputs."""
    try:
        attempt(feed)
    except Exception as error:  # user code: whatever it is, it means that these inputs do not fit
        return error
    return None


def _said(shapes: Sequence[Shape]) -> str:
    return " and ".join("x".join(map(str, shape.sizes)) for shape in shapes)


def _parameters(model: Any) -> list[str]:
    """The names of the inputs that a model must be given."""
    try:
        signature = inspect.signature(model.forward if isinstance(model, torch.nn.Module) else model.call)
    except (AttributeError, TypeError, ValueError):
        return []
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [
        each.name for each in signature.parameters.values() if each.kind in kinds and each.default is inspect._empty
    ]


def guesses(model: Any) -> Iterator[tuple[Shape, ...]]:
    """Inputs that the model may take, told from its first layers; the first that runs is right."""
    if is_keras(model):
        shape = getattr(model, "input_shape", None) if model.built else None
        if shape is not None:
            yield _keras_shapes(model, shape)
        else:
            for layer in model._flatten_layers(include_self=False):
                yield from ((each,) for each in _open_shapes(layer, channels_last=True))
        return
    example = getattr(model, "example_input_array", None)
    if example is not None:
        found = list(tensors_in(example))
        if found:
            yield tuple(Shape((PROBE, *each.shape[1:]), str(each.dtype).removeprefix("torch.")) for each in found)
    wanted = max(len(_parameters(model)), 1)
    dtype = _floating(model)
    if wanted == 1:
        for module in model.modules():
            yield from ((dataclasses.replace(shape, dtype=shape.dtype or dtype),) for shape in _shapes_of(module))
        # Weights that no layer holds: the first matrix multiplies the input, from one side or the other.
        matrix = next((each for each in model.parameters() if each.dim() == 2), None)
        for size in () if matrix is None else reversed(matrix.shape):
            yield (Shape((PROBE, size), dtype),)
        return
    # Several inputs: each of the model's parts takes one, in order.
    parts = [_first_shape(child) for child in model.children()]
    known = [dataclasses.replace(shape, dtype=shape.dtype or dtype) for shape in parts if shape is not None]
    if len(known) >= wanted:
        yield tuple(known[:wanted])
    yield from (((shape,) * wanted) for shape in known[:1])


def _first_shape(module: Any) -> Shape | None:
    return next((shape for each in module.modules() for shape in _shapes_of(each)), None)


def _shapes_of(module: Any) -> Iterator[Shape]:
    """The inputs that one layer takes; an empty dtype stands for the model's."""
    match module:
        case torch.nn.modules.lazy.LazyModuleMixin():
            yield from _open_shapes(module, channels_last=False)
        case torch.nn.Linear(in_features=size):
            yield Shape((PROBE, size), "")
            yield Shape((PROBE, _STEPS, size), "")
        case torch.nn.modules.conv._ConvNd() if module.in_channels:
            axes = len(module.kernel_size)
            for size in _SIDES.get(axes, ()):
                yield Shape((PROBE, module.in_channels, *(size,) * axes), "")
        case torch.nn.Embedding(num_embeddings=limit):
            yield Shape((PROBE, _STEPS), "int64", limit)
            yield Shape((PROBE,), "int64", limit)
        case torch.nn.RNNBase(input_size=size):
            yield Shape((PROBE, _STEPS, size), "")
        case torch.nn.MultiheadAttention(embed_dim=size):
            yield Shape((PROBE, _STEPS, size), "")
        case torch.nn.LayerNorm(normalized_shape=sizes):
            yield Shape((PROBE, *sizes), "")
            yield Shape((PROBE, _STEPS, *sizes), "")
        case torch.nn.modules.batchnorm._BatchNorm(num_features=size) if size:
            yield Shape((PROBE, size), "")


# What a layer of this name takes that leaves its number of channels open, by number of axes.
_AXES = {"Dense": 0, "Linear": 0, "Conv1D": 1, "Conv2D": 2, "Conv3D": 3, "Conv1d": 1, "Conv2d": 2, "Conv3d": 3}
_WIDTH, _CHANNELS = 64, 3


def _open_shapes(layer: Any, channels_last: bool) -> Iterator[Shape]:
    name = type(layer).__name__.removeprefix("Lazy")
    axes = _AXES.get(name)
    if name == "Embedding":
        yield Shape((PROBE, _STEPS), "int64", layer.input_dim)
    elif name in ("LSTM", "GRU", "SimpleRNN"):
        yield Shape((PROBE, _STEPS, _WIDTH), "float32")
    elif axes == 0:
        yield Shape((PROBE, _WIDTH), "float32")
        yield Shape((PROBE, _STEPS, _WIDTH), "float32")
    elif axes is not None:
        for side in _SIDES[axes]:
            sides = (side,) * axes
            yield Shape((PROBE, *sides, _CHANNELS) if channels_last else (PROBE, _CHANNELS, *sides), "float32")


def _keras_shapes(model: Any, shape: Any) -> tuple[Shape, ...]:
    several = isinstance(shape, list) or (isinstance(shape, tuple) and shape and isinstance(shape[0], (tuple, list)))
    shapes = list(shape.values()) if isinstance(shape, dict) else list(shape) if several else [shape]
    tensors = getattr(model, "inputs", None) or ()
    kinds = [str(getattr(each, "dtype", "float32")) for each in tensors]
    limit = _limit(model)
    fed = _fed_to_embeddings(model)
    return tuple(
        Shape(
            (PROBE, *(side or _STEPS for side in one[1:])),
            "int64" if index in fed else kinds[index] if len(kinds) == len(shapes) else "float32",
            limit,
        )
        for index, one in enumerate(shapes)
    )


def _fed_to_embeddings(model: Any) -> set[int]:
    """Which inputs of a Keras model an embedding reads: Keras lets them be floats."""
    found: set[int] = set()
    for layer in _layers(model):
        if type(layer).__name__ == "Embedding":
            source = getattr(layer, "input", None)
            found.update(i for i, each in enumerate(getattr(model, "inputs", None) or ()) if each is source)
            if not found and len(getattr(model, "inputs", None) or ()) == 1 and _layers(model)[0] is layer:
                found.add(0)
    return found


def _layers(model: Any) -> list[Any]:
    return list(getattr(model, "layers", ()))


def _limit(model: Any) -> int:
    """The end of the range of integers that the model's tables have: the smallest of them."""
    if is_keras(model):
        sizes = [each.input_dim for each in _layers(model) if type(each).__name__ == "Embedding"]
    else:
        sizes = [each.num_embeddings for each in model.modules() if isinstance(each, torch.nn.Embedding)]
    return min(sizes, default=2)


def _floating(model: Any) -> str:
    """The dtype of the model's weights, which its inputs share."""
    if isinstance(model, torch.nn.Module) and not is_keras(model):
        for parameter in model.parameters():
            if parameter.is_floating_point() or parameter.is_complex():
                return str(parameter.dtype).removeprefix("torch.")
    return "float32"


def _loaded(model: Any, path: str, batch: int, notes: list[str]) -> Feed:
    loaded: Any
    try:
        if path.endswith((".npy", ".npz")):
            import numpy

            loaded = numpy.load(path)
            loaded = {name: loaded[name] for name in loaded.files} if path.endswith(".npz") else loaded
        else:
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a broken file makes the loaders raise
        raise TargetError(f"{path}: {' '.join(str(error).split())[:300]}") from error
    dtype = getattr(torch, _floating(model))
    found = [(name, _as_tensor(path, each, dtype)) for name, each in _pieces(loaded)]
    if not found:
        raise TargetError(f"{path}: holds no tensor")
    wanted = _parameters(model)
    names = tuple(name for name, _ in found)
    named = all(names) and not is_keras(model) and set(wanted) <= set(names)
    data = tuple(each for _, each in found)
    rows = max((each.shape[0] for each in data if each.dim()), default=1)
    if rows > batch:
        notes.append(f"{path} has {rows} samples: {batch} of them were used, others for each seed (--batch)")
    return Feed(batch, (), data, names if named else ())


def _pieces(loaded: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(loaded, Mapping):
        yield from ((str(name), value) for name, value in loaded.items())
    elif isinstance(loaded, (list, tuple)):
        yield from (("", value) for value in loaded)
    else:
        yield "", loaded


def _as_tensor(path: str, value: Any, dtype: torch.dtype) -> torch.Tensor:
    try:
        tensor = torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TargetError(f"{path}: {' '.join(str(error).split())[:300]}") from error
    return tensor.to(dtype) if tensor.is_floating_point() else tensor
