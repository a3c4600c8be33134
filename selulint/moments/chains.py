"""Chains of layers of one kind: the statistics after L of them, and where they settle."""

from __future__ import annotations

from collections.abc import Iterable

from selulint.moments.maps import moments
from selulint.moments.propagate import (
    Layer,
    Statistics,
    activation,
    added,
    average_pool,
    layer,
    max_pool,
    standard,
)

_ROUNDS = 2_000
_DIVERGED = 1e6
_SETTLED = 1e-10


def _repeated(spec: Layer, function: str, layers: int) -> Statistics:
    here = standard()
    for _ in range(layers):
        after = activation(layer(here, spec), function)
        if after is None or here.second > _DIVERGED:
            break
        here = after
    return here


def variance_after(gain: float, layers: int, function: str = "selu") -> float:
    """Variance of the activations after `layers` layers of the same gain tau = fan_in * Var(w), from (0, 1) inputs."""
    return _repeated(Layer(gain), function, layers).variance


def after_biases(mean: float, variance: float, layers: int) -> tuple[float, float]:
    """Mean and variance of a SELU's outputs after `layers` layers of gain 1 whose biases have these moments."""
    found = _repeated(Layer(1.0, bias=(mean, variance)), "selu", layers)
    return found.mean, found.variance


def fixed_variance(scale: float, alpha: float) -> float | None:
    """Variance at which scale * ELU(alpha) settles with gain 1, from (0, 1); None where it diverges.

    SELU with other constants is ELU with that alpha, scaled; its moments follow from ELU's.
    """
    second, variance = 1.0, 1.0
    for _ in range(_ROUNDS):
        found = moments("elu", 0.0, second, alpha)
        if found is None or second > _DIVERGED:
            return None
        after = scale * scale * found.second
        variance = after - (scale * found.first) ** 2
        if abs(after - second) < _SETTLED:
            break
        second = after
    return variance


def stays_in_box(steps: Iterable[tuple[str, float]]) -> bool:
    """Whether SELU outputs stay in Theorem 1's box along a chain with gain 1: ("selu", 1) and pools with their window.

    A pool's effect is judged at the SELU behind the next layer, as far as it goes: statistics return to (0, 1) later.
    """
    here: Statistics | None = Statistics(0.0, 1.0, between=0.0)
    for function, window in steps:
        if here is not None and function == "selu":
            here = activation(layer(here, Layer(1.0)), "selu")
            if here is not None and not here.is_in_box:
                return False
        elif here is not None and function.startswith("avg_pool"):
            here = average_pool(here, max(window, 1.0))
        elif here is not None and function.startswith("max_pool"):
            here = max_pool(here, max(window, 1.0))
        if here is None:
            return False
    return True


def residual_variance(blocks: int, ends_in_selu: bool, before_selu: bool) -> float:
    """Variance behind `blocks` sums of a skip path and a branch with gain 1, from (0, 1); the skip path adds nothing else.

    The branch is a SELU between layers, or ends in one; with `before_selu` another SELU follows each sum.
    """
    here = standard()
    for _ in range(blocks):
        branch = activation(layer(here, Layer(1.0)), "selu")
        if branch is None or here.variance > _DIVERGED:
            break
        here = added([here, branch if ends_in_selu else layer(branch, Layer(1.0))])
        after = activation(here, "selu") if before_selu else here
        here = after if after is not None else here
    return here.variance
