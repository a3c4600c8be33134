"""The callback for Lightning. Importing this imports Lightning: `lightning`, or `pytorch_lightning` where that is in use."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from selulint.verify.drift import Drift

_NAMES = ("lightning.pytorch", "pytorch_lightning")


def _callback() -> Any:
    loaded = [name for name in _NAMES if name in sys.modules]
    for name in dict.fromkeys((*loaded, *_NAMES)):
        try:
            return importlib.import_module(name).Callback
        except ImportError:
            continue
    raise ImportError("Lightning is not installed: pip install lightning")


class LightningDrift(_callback()):  # type: ignore[misc]
    """Logs how far the hidden activations have drifted from mean 0 and variance 1, in every `every`-th training step.

    Logged are `drift/mean`, `drift/variance` (the farthest of all activations) and `drift/inside` (the share inside the
    box of Theorem 1), with `per_layer` also each activation's; `history` keeps the readings of all measured steps.
    """

    def __init__(self, every: int = 100, per_layer: bool = False) -> None:
        super().__init__()
        self._drift = Drift(every, per_layer)
        self._figures: dict[str, float] = {}

    @property
    def history(self) -> Any:
        return self._drift.history

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        self._figures = {}
        self._drift.start(pl_module, trainer.global_step)

    def on_before_backward(self, trainer: Any, pl_module: Any, loss: Any) -> None:
        self._figures = self._drift.stop() or self._figures

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self._figures = self._drift.stop() or self._figures
        if self._figures:
            pl_module.log_dict(self._figures, on_step=True, on_epoch=False)

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        self._drift.stop()
