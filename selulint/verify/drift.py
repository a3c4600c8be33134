"""What mean and variance of the hidden activations do while a model is trained: measured in some steps, told as numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from selulint.verify.measure import Recorder, parameter_names
from selulint.verify.readings import Reading, is_hidden, is_inside


class Drift:
    """Measures the steps between `start` and `stop`; `history` keeps (step, readings) of all of them."""

    def __init__(self, every: int, per_layer: bool) -> None:
        if every < 1:
            raise ValueError(f"every must be at least 1, not {every}")
        self.every, self.per_layer = every, per_layer
        self.history: list[tuple[int, list[Reading]]] = []
        self._recorder: Recorder | None = None
        self._step = 0

    def start(self, model: Any, step: int) -> None:
        """Measure from here on, if it is this step's turn."""
        self.stop()
        if step % self.every == 0:
            self._step = step
            self._recorder = Recorder(parameter_names(model))
            self._recorder.__enter__()  # type: ignore[no-untyped-call]

    def stop(self) -> dict[str, float]:
        """End the measurement; the figures of the step, none where it was not its turn."""
        recorder, self._recorder = self._recorder, None
        if recorder is None:
            return {}
        recorder.__exit__(None, None, None)  # type: ignore[no-untyped-call]
        readings = [each for each in recorder.readings() if is_hidden(each)]
        self.history.append((self._step, readings))
        return figures(readings, self.per_layer)


def figures(readings: Sequence[Reading], per_layer: bool) -> dict[str, float]:
    """The mean and the variance that are farthest from 0 and 1, the share of activations inside Theorem 1's box, and
    with `per_layer` mean and variance of each."""
    if not readings:
        return {}
    found = {
        "drift/mean": max((each.mean for each in readings), key=_size),
        "drift/variance": max((each.variance for each in readings), key=_strangeness),
        "drift/inside": sum(is_inside(each.mean, each.variance) for each in readings) / len(readings),
    }
    if per_layer:
        for index, each in enumerate(readings):
            name = f"{index}.{each.layer or each.function}"
            found[f"drift/mean/{name}"] = each.mean
            found[f"drift/variance/{name}"] = each.variance
    return found


def _size(mean: float) -> float:
    return math.inf if math.isnan(mean) else abs(mean)


def _strangeness(variance: float) -> float:
    return abs(math.log(variance)) if variance > 0 and math.isfinite(variance) else math.inf
