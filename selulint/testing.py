"""For test suites and training loops: is a model self-normalizing, and does it stay so? Imports a framework when used.

`assert_self_normalizing` is for tests (pytest has it as a fixture, too); `LightningDrift` and `KerasDrift` are callbacks
that log during training how far mean and variance have drifted.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from selulint.verify.keras_drift import KerasDrift
    from selulint.verify.lightning_drift import LightningDrift
    from selulint.verify.parent import Outcome

# Classes that can only be made where their framework is installed.
_LAZY = {"LightningDrift": "selulint.verify.lightning_drift", "KerasDrift": "selulint.verify.keras_drift"}

__all__ = ["KerasDrift", "LightningDrift", "assert_self_normalizing"]


def assert_self_normalizing(model: Any, inputs: Any = None, *, seeds: int = 5, train: bool = False) -> Outcome:
    """Fail with a table unless every hidden activation keeps its mean and variance in Theorem 1's box.

    `model` is a PyTorch model, a Keras model on torch, or a function (or class) without arguments that builds one, which
    is then called for each of `seeds` draws of weights; the median of the draws is judged. `inputs` is a tensor or array,
    a list of them, a dict of them by name, a shape like (256, 784) or "256x784", or None: standard normal inputs of the
    shape that the first layer takes. With `train` the model runs as in training.

    The model and the state of random numbers are left as they were. Returns what was measured. Raises AssertionError, and
    ValueError where the model cannot be run.
    """
    __tracebackhide__ = True
    from selulint.verify.inprocess import measure

    outcome = measure(model, inputs, seeds, train)
    if outcome.verdict.normalizing:
        return outcome
    from selulint.explain import explain
    from selulint.report.measurements import text

    raise AssertionError(f"{outcome.target} is not self-normalizing\n\n{''.join(text(*explain(outcome)))}")


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
