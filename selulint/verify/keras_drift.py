"""The callback for Keras on torch. Importing this imports Keras."""

from __future__ import annotations

import importlib
from typing import Any

from selulint.verify.drift import Drift

keras: Any = importlib.import_module("keras")


class KerasDrift(keras.callbacks.Callback):  # type: ignore[misc]
    """Adds to the logs of each epoch how far the hidden activations have drifted from mean 0 and variance 1.

    Every `every`-th training step is measured. The logs get `drift/mean`, `drift/variance` (the farthest of all activations)
    and `drift/inside` (the share inside the box of Theorem 1) of the last measured step, with `per_layer` also each
    activation's; `history` keeps the readings of all measured steps. Raises RuntimeError on other backends than torch.
    """

    def __init__(self, every: int = 100, per_layer: bool = False) -> None:
        super().__init__()
        if keras.backend.backend() != "torch":
            raise RuntimeError(f"KerasDrift measures on the torch backend, not on {keras.backend.backend()}")
        self._drift = Drift(every, per_layer)
        self._figures: dict[str, float] = {}
        self._step = 0

    @property
    def history(self) -> Any:
        return self._drift.history

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._drift.start(self.model, self._step)
        self._step += 1

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._figures = self._drift.stop() or self._figures

    def on_train_end(self, logs: Any = None) -> None:
        self._drift.stop()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if logs is not None:
            logs.update(self._figures)
