"""How pooled moments travel through layers of one kind: after L layers, and where they settle."""

from __future__ import annotations

from collections.abc import Iterable

from selulint.moments.maps import THEOREM_1_BOX, moments

_ROUNDS = 2_000
_DIVERGED = 1e6
_SETTLED = 1e-10


def variance_after(gain: float, layers: int, function: str = "selu") -> float:
    """Variance of the activations after `layers` layers of the same gain tau = fan_in * Var(w), from (0, 1) inputs.

    Follows the pooled second moment: E[z^2] = gain * E[a^2] (random weights have mean 0).
    """
    second, variance = 1.0, 1.0
    for _ in range(layers):
        found = moments(function, 0.0, gain * second)
        if found is None or second > _DIVERGED:
            break
        second, variance = found.second, found.second - found.first**2
    return variance


def after_biases(mean: float, variance: float, layers: int) -> tuple[float, float]:
    """Mean and variance of a SELU's outputs after `layers` layers of gain 1 whose biases have these moments.

    From (0, 1) inputs; the weights have mean 0, so that only the bias shifts a layer's pre-activations.
    """
    second, first, spread = 1.0, 0.0, 1.0
    for _ in range(layers):
        found = moments("selu", mean, second + variance)
        if found is None or second > _DIVERGED:
            break
        first, second, spread = found.first, found.second, found.variance
    return first, spread


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


# Mean and variance of the maximum of `window` independent SELU outputs of N(0, 1), by window size.
_MAX_POOL = {2: (0.58, 0.80), 3: (0.87, 0.66), 4: (1.07, 0.56), 8: (1.50, 0.41), 9: (1.56, 0.39), 16: (1.86, 0.32)}


def stays_in_box(steps: Iterable[tuple[str, float]]) -> bool:
    """Whether SELU outputs stay in Theorem 1's box along a chain with gain 1: ("selu", 1) and pools with their window.

    A pool's effect is judged at the SELU behind the next layer, as far as it goes: statistics return to (0, 1) later.
    """
    second = 1.0
    for function, window in steps:
        if function == "selu":
            found = moments("selu", 0.0, second)
            if found is None:
                return False
            variance = found.second - found.first**2
            (lowest, highest), (least, most) = THEOREM_1_BOX
            if not (lowest <= found.first <= highest and least <= variance <= most):
                return False
            second = found.second
        elif function.startswith("avg_pool"):
            second /= max(window, 1.0)
        elif function.startswith("max_pool"):
            nearest = min(_MAX_POOL, key=lambda size: abs(size - window))
            mean, variance = _MAX_POOL[nearest]
            second *= mean * mean + variance
    return True


def residual_variance(blocks: int, ends_in_selu: bool, before_selu: bool) -> float:
    """Variance behind `blocks` sums of a skip path and a branch with gain 1, from (0, 1); the skip path adds nothing else.

    The branch is a SELU between layers, or ends in one; with `before_selu` another SELU follows each sum.
    """
    mean, variance = 0.0, 1.0
    for _ in range(blocks):
        found = moments("selu", 0.0, variance + mean * mean)
        if found is None or variance > _DIVERGED:
            break
        mean += found.first if ends_in_selu else 0.0
        variance += found.variance if ends_in_selu else found.second
        after = moments("selu", mean, variance) if before_selu else None
        if after is not None:
            mean, variance = after.first, after.variance
    return variance
