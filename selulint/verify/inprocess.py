"""Measuring a model in this process, for tests: the model is left as it was, and so are the random numbers."""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from selulint.verify.feeding import INPUT_SEED, Feed, feed_of, parse_shape
from selulint.verify.origin import files_of, owners_of, recorded
from selulint.verify.parent import Outcome, Owner, located
from selulint.verify.readings import judge
from selulint.verify.running import Mode, device_name, is_keras, run, seed_all
from selulint.verify.target import TargetError, is_model

_BATCH = 256


def measure(model: Any, inputs: Any, seeds: int, train: bool) -> Outcome:
    """Run a model, or a function that builds one, and judge it. Raises ValueError where it cannot be run.

    `inputs` is as `selulint.testing.assert_self_normalizing` has it. A model that is built keeps its weights; it is run
    once for inputs that are given, `seeds` times for inputs that are drawn.
    """
    fresh = not is_model(model)
    if fresh and not callable(model):
        raise ValueError(f"a {type(model).__name__} is no model and no function that builds one")
    with _kept_random_numbers():
        seed_all(0)
        with recorded():
            first = _built(model) if fresh else model
        mode = Mode(train, _device(first))
        with _kept(first):
            try:
                feed = _feed(first, inputs, mode)
            except TargetError as error:
                raise ValueError(str(error).replace("--input", "`inputs`")) from error
        times = seeds if fresh or feed.shapes else 1
        runs = []
        for seed in range(times):
            seed_all(seed)
            built = _built(model) if fresh else model
            drawn, named = feed.draw(INPUT_SEED + seed, mode.device)
            with _kept(built):
                runs.append(run(built, drawn, named, mode, detail=seed == 0).readings)
    layers = [each.layer for each in runs[0]]
    owners = {
        name: tuple(Owner(*each) for each in lines)
        for name, lines in owners_of(first, model if fresh else type(first), layers).items()
    }
    placed = located(runs, owners)
    return Outcome(
        getattr(model, "__name__", type(model).__name__),
        judge(placed),
        placed,
        (),
        None,
        device_name(mode.device),
        tuple(tuple(sizes) for sizes in feed.sizes),
        (),
        train,
        owners=owners,
        files=tuple(files_of(model if fresh else type(first), sys.modules.get(type(first).__module__))),
    )


def _built(build: Callable[[], Any]) -> Any:
    model = build()
    if not is_model(model):
        raise ValueError(f"`model` gave a {type(model).__name__}, not a PyTorch or Keras model")
    return model


def _device(model: Any) -> str:
    """Where the model is; Keras keeps track of that itself."""
    if is_keras(model):
        return next((str(each.value.device) for each in model.variables if isinstance(each.value, torch.Tensor)), "cpu")
    return next((str(each.device) for each in model.parameters()), "cpu")


def _feed(model: Any, inputs: Any, mode: Mode) -> Feed:
    notes: list[str] = []

    def attempt(few: Feed) -> Any:
        return run(model, *few.draw(0, mode.device), mode)

    asked = {"batch": _BATCH, "limit": None, "data": "", "inputs": (), "input_dtype": ""}
    if inputs is None:
        return feed_of(model, asked, attempt, notes)
    if isinstance(inputs, str):
        return feed_of(model, {**asked, "inputs": (inputs,)}, attempt, notes)
    if _is_shape(inputs):
        shape = parse_shape("x".join(map(str, inputs)), _BATCH, "float32")
        return Feed(shape.sizes[0], (shape,))
    if isinstance(inputs, Mapping):
        return _given(list(inputs.values()), tuple(map(str, inputs)))
    return _given(list(inputs) if isinstance(inputs, (list, tuple)) else [inputs], ())


def _is_shape(inputs: Any) -> bool:
    return isinstance(inputs, (tuple, list)) and bool(inputs) and all(type(each) is int for each in inputs)


def _given(values: list[Any], names: tuple[str, ...]) -> Feed:
    data = tuple(torch.as_tensor(value) for value in values)
    rows = max((each.shape[0] for each in data if each.dim()), default=1)
    return Feed(rows, (), data, names)


@contextlib.contextmanager
def _kept_random_numbers() -> Iterator[None]:
    state = random.getstate()
    numpy = sys.modules.get("numpy")
    drawn = numpy.random.get_state() if numpy is not None else None
    with torch.random.fork_rng():
        try:
            yield
        finally:
            random.setstate(state)
            if numpy is not None:
                numpy.random.set_state(drawn)


@contextlib.contextmanager
def _kept(model: Any) -> Iterator[None]:
    """The model's modes and buffers (running statistics) are afterwards what they were."""
    if is_keras(model) or not isinstance(model, torch.nn.Module):
        yield
        return
    modes = [(module, module.training) for module in model.modules()]
    buffers = [(buffer, buffer.detach().clone()) for buffer in model.buffers()]
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
        with torch.no_grad():
            for buffer, value in buffers:
                buffer.copy_(value)
