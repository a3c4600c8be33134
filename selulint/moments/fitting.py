"""Which explicit initialisers do not fit what follows them: only what is beyond doubt, whatever the width."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from selulint.moments.initial import calculate_gain, gain, snake

RECTIFIERS = frozenset({"relu", "leaky_relu", "prelu", "rrelu"})
SQUASHING = frozenset({"tanh", "sigmoid"})
_SMOOTH = frozenset({"elu", "celu", "gelu", "silu", "mish", "hardswish"})
_NORMALS = frozenset({"normal", "random_normal", "trunc_normal", "truncated_normal"})
_BOXES = frozenset({"uniform", "random_uniform"})
_CONSTANTS = frozenset({"zeros", "ones", "constant"})
# fan_in * Var(w) from which on a squashing unit only saturates and a rectifier's signal grows 8-fold a layer.
WILD_GAIN = 16.0
# Gains of He et al. 2015 (arXiv:1502.01852), with slopes of leaky rectifiers up to 0.3.
_HE = (1.8, 2.05)


def misfit(law: str, args: Mapping[str, Any], tau: float | None, function: str) -> str:
    """What is wrong with a law in front of the activation `function`: one of the words below, "" where nothing is.

    `tau` is fan_in * Var(w), None where unknown. "lecun" and "selu" are gains that halve a rectifier's signal at every
    layer, "he" a rectifier's gain in front of a squashing function, "wild" one of 16 and more, "equal" weights that are
    all the same, so that the units stay the same too.
    """
    if function not in RECTIFIERS | SQUASHING | _SMOOTH:
        return ""
    name = _plain(law)
    if name in _CONSTANTS:
        return "equal"
    if "unknown" in args:
        return ""
    if name in _NORMALS | _BOXES:
        return "wild" if tau is not None and tau >= WILD_GAIN else ""
    factor = _factor(name, args)
    if factor is None:
        return ""
    if function in RECTIFIERS and args.get("nonlinearity") == "selu":
        return "selu"
    if function in RECTIFIERS and abs(factor - 1.0) < 0.01:
        return "lecun"
    return "he" if function in SQUASHING and _HE[0] <= factor <= _HE[1] else ""


def _plain(law: str) -> str:
    return snake(law).rstrip("_")


def _factor(name: str, args: Mapping[str, Any]) -> float | None:
    """Var(w) times the fan that a law names, where the law is meant for one activation (Glorot's is not)."""
    if name in ("lecun_normal", "lecun_uniform"):
        return 1.0
    if name in ("he_normal", "he_uniform"):
        return 2.0
    if name in ("kaiming_normal", "kaiming_uniform"):
        root = calculate_gain(args.get("nonlinearity", "leaky_relu"), args.get("a", 0.0))
        return None if root is None else root * root
    scale = args.get("scale", args.get("factor"))  # as Keras, and as tf.contrib has it
    is_fan_in = str(args.get("mode", "")).lower() == "fan_in"
    if name == "variance_scaling" and is_fan_in and isinstance(scale, int | float):
        return float(scale)
    return None


def bias_moments(law: str, args: Mapping[str, Any]) -> tuple[float, float] | None:
    """E[b] and Var(b) of a bias under a law that does not depend on fans; None where it does, or is not known."""
    name = _plain(law)
    if "unknown" in args or name not in _NORMALS | _BOXES | _CONSTANTS:
        return None
    second = gain(law, args, 1.0, 1.0)
    mean = _mean(name, args)
    if second is None or mean is None:
        return None
    return mean, max(0.0, second - mean * mean)


def _mean(name: str, args: Mapping[str, Any]) -> float | None:
    if name in ("zeros", "ones"):
        return float(name == "ones")
    if name == "constant":
        value = args.get("val", args.get("value", args.get("constant", 0.0)))
        return float(value) if isinstance(value, int | float) else None
    if name in _NORMALS:
        return float(args.get("mean", 0.0))
    low, high = args.get("a", args.get("minval")), args.get("b", args.get("maxval"))
    return (low + high) / 2.0 if isinstance(low, int | float) and isinstance(high, int | float) else None
