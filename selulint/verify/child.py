"""The process that runs the user's model: a request in a JSON file, the answer in another."""

from __future__ import annotations

import dataclasses
import gc
import json
import os
import sys
from collections.abc import Callable
from typing import Any

import torch

from selulint.verify import on_tensorflow, stand_in
from selulint.verify.feeding import INPUT_SEED, Feed, feed_of
from selulint.verify.origin import files_of, owners_of, recorded
from selulint.verify.running import Mode, blame, choose_device, device_name, is_keras, is_memory, run, seed_all
from selulint.verify.target import TargetError, builder, load, replace_sources

# How inputs are moved: names, factors and shifts.
_MOVES = (("x2", 2.0, 0.0), ("x0.5", 0.5, 0.0), ("+0.5", 1.0, 0.5))


def main() -> None:
    """Do what the request asks and write {"error": ...} or the measurements to the request's `answer` file."""
    asked = sys.argv[1]
    with open(asked, encoding="utf-8") as file:
        request = json.load(file)
    # What the user's code sees as its command line is not ours.
    sys.argv[:] = [request["target"]]
    answer: dict[str, Any]
    try:
        answer = _measure(request, asked)
    except TargetError as error:
        answer = {"error": str(error)}
    except SystemExit as error:
        answer = {"error": f"the model's code ended the process (exit status {error.code})"}
    except KeyboardInterrupt:
        answer = {"error": "interrupted"}
    except BaseException as error:
        answer = {"error": blame(error)}
    with open(request["answer"] + ".part", "w", encoding="utf-8") as file:
        json.dump(answer, file)
    os.replace(request["answer"] + ".part", request["answer"])
    os._exit(0)  # threads that the user's code left behind, and what it wants done at the exit, must not hold us up


def _measure(request: dict[str, Any], asked: str) -> dict[str, Any]:
    try:
        device, notes = choose_device(request["device"])
    except ValueError as error:
        raise TargetError(str(error)) from error
    os.environ["KERAS_TORCH_DEVICE"] = device
    replace_sources(request["sources"])
    stand_in.install()
    on_tensorflow.install()
    with recorded():
        target, module = load(request["target"])
    if on_tensorflow.is_wanted():
        on_tensorflow.restart(("-m", "selulint.verify.child", asked))
    if on_tensorflow.is_used():
        device, notes = on_tensorflow.prepare(request["device"], request["dtype"])
    build, fresh = builder(target, request["args"])
    if not fresh and request["seeds"] > 1:
        notes.append("the target is a finished model: its weights are the same for every seed, so it ran once")
    mode = Mode(request["train"], device, request["dtype"])
    _renew(0)
    with recorded():
        model = build()
    # A model whose weights come with its first input is spoilt by an input that does not fit.
    anew = build if fresh and _is_unfinished(model) else lambda: model
    feed = feed_of(model, request, lambda few: run(anew(), *few.draw(0, device), mode), notes)
    again = build if fresh else lambda: model
    seeds = request["seeds"] if fresh else 1
    found = None
    while found is None:
        found = _runs(again, feed, seeds, mode, notes)
        if found is None:
            notes.append(f"out of memory with a batch of {feed.samples}: halved")
            smaller = feed.smaller()
            if smaller is None:
                raise TargetError("out of memory, even with one sample")
            feed = smaller
            gc.collect()
            if device.startswith("cuda"):
                torch.cuda.empty_cache()
    if not mode.train and _has_fresh_norms(model):
        notes.append(
            "batch norms that were never trained pass values on as they are: --train measures with the batch's"
        )
    if stand_in.is_used():
        notes.append(stand_in.NOTE)
    layers = [each["layer"] for each in found["runs"][0]]
    return {
        **found,
        "device": device_name(device),
        "notes": notes,
        "shapes": feed.sizes,
        "owners": owners_of(model, target, layers),
        "files": files_of(target, module),
    }


def _runs(build: Callable[[], Any], feed: Feed, seeds: int, mode: Mode, notes: list[str]) -> dict[str, Any] | None:
    """The readings of all runs, None where memory did not do."""
    try:
        return _all_runs(build, feed, seeds, mode, notes)
    except Exception as error:
        if not is_memory(error):
            raise
    return None


def _all_runs(build: Callable[[], Any], feed: Feed, seeds: int, mode: Mode, notes: list[str]) -> dict[str, Any]:
    runs, weights = [], set()
    drops = False
    for seed in range(seeds):
        _renew(seed)
        model = build()
        inputs, named = feed.draw(INPUT_SEED + seed, mode.device)
        if _is_unfinished(model):
            run(model, inputs, named, mode)
        weights.add(_fingerprint(model))
        found = run(model, inputs, named, mode, detail=seed == 0, gradients=seed == 0)
        runs.append(found.readings)
        drops |= found.drops
    if seeds > 1 and len(weights) == 1 and None not in weights:
        notes.append("the target makes the same weights for every seed: it seems to set its own seed, or to load them")
    moved = {}
    everything = [*inputs, *named.values()]
    if any(each.is_floating_point() for each in everything):
        for name, factor, shift in _MOVES:
            moves = [_moved(each, factor, shift) for each in inputs]
            named_moves = {key: _moved(each, factor, shift) for key, each in named.items()}
            moved[name] = _plain(run(model, moves, named_moves, mode).readings)
    dropped = []
    if drops and not mode.train:
        dropped = _plain(run(model, inputs, named, dataclasses.replace(mode, dropout=True)).readings)
    return {"runs": [_plain(each) for each in runs], "moved": moved, "dropped": dropped}


def _moved(value: torch.Tensor, factor: float, shift: float) -> torch.Tensor:
    return value * factor + shift if value.is_floating_point() else value


def _plain(readings: list[Any]) -> list[dict[str, Any]]:
    return [dataclasses.asdict(each) for each in readings]


def _renew(seed: int) -> None:
    """As if nothing had been drawn or built yet: else Keras calls the layers of every model differently."""
    seed_all(seed)
    keras = sys.modules.get("keras")
    if keras is not None and hasattr(keras, "utils"):
        keras.utils.clear_session()
        keras.utils.set_random_seed(seed)


def _is_unfinished(model: Any) -> bool:
    """Whether weights come into being only when the model first runs."""
    if is_keras(model):
        return not model.built
    return any(isinstance(each, torch.nn.parameter.UninitializedParameter) for each in model.parameters())


def _has_fresh_norms(model: Any) -> bool:
    """Whether there are batch norms whose running statistics are still those of the initialisation."""
    if is_keras(model):
        norms = [each for each in model._flatten_layers() if type(each).__name__ == "BatchNormalization"]
        return any(not each.moving_mean.numpy().any() for each in norms if each.built)
    norms = [each for each in model.modules() if isinstance(each, torch.nn.modules.batchnorm._BatchNorm)]
    return any(each.running_mean is not None and not float(each.running_mean.abs().sum()) for each in norms)


def _fingerprint(model: Any) -> tuple[float, ...] | None:
    """A few sums of weights, by which two draws of them differ; None for a model that has none."""
    if is_keras(model):
        sums = [float(variable.numpy().astype("float64").sum()) for variable in model.variables[:8]]
    else:
        sums = [value.detach().float().sum().item() for value in [*model.parameters()][:8]]
    return tuple(sums) or None


if __name__ == "__main__":
    main()
