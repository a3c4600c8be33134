"""What variance an initialiser gives: tau = fan_in * Var(w) for every law of PyTorch, Keras and TensorFlow 1."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

Args = Mapping[str, Any]

# Variance of a standard normal truncated at +-2: 1 - 4 phi(2) / (2 Phi(2) - 1).
TRUNCATED_VARIANCE = 1.0 - 4.0 * math.exp(-2.0) / math.sqrt(2.0 * math.pi) / math.erf(math.sqrt(2.0))

_UNIT_GAINS = frozenset(
    ("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "sigmoid")
)


class _Unknown(Exception):
    """An argument or a fan that the law needs is not known."""


def gain(
    law: str, args: Args, fan_in: float | None, fan_out: float | None, *, units: float | None = None
) -> float | None:
    """tau = fan_in * E[w^2], the factor by which a layer multiplies its input's second moment; None where unknown.

    `law` is the last component of the initialiser's name ("kaiming_normal_", "LecunNormal") or of a default
    (`frameworks.Spec.init`). `args` are its bound arguments: one that is missing has the framework's default, one that
    is given but not known must be given as None. The fans are those that the framework computes from the weight's
    shape; where one unit really sees another fan-in (transposed and depthwise convolutions) the caller multiplies by
    the ratio.
    `units` is the number of output units (rows in PyTorch, last axis in Keras) where it differs from `fan_out`, as it
    does in convolutions; only the orthogonal laws ask for it.
    """
    found = _LAWS.get(law) or _LAWS.get(snake(law)) or _LAWS.get(snake(law).rstrip("_"))
    if found is None:
        return None
    try:
        value = found(args, _Fans(fan_in, fan_out, units))
    except (_Unknown, OverflowError, ZeroDivisionError):
        return None
    return value if math.isfinite(value) else None


def calculate_gain(nonlinearity: Any, param: Any = None) -> float | None:
    """What `torch.nn.init.calculate_gain` returns (its "selu" is 3/4); None where PyTorch raises ValueError."""
    if nonlinearity in _UNIT_GAINS:
        return 1.0
    if nonlinearity == "tanh":
        return 5.0 / 3.0
    if nonlinearity == "relu":
        return math.sqrt(2.0)
    if nonlinearity == "selu":
        return 0.75
    if nonlinearity == "leaky_relu" and (param is None or _is_number(param)):
        slope = 0.01 if param is None else param
        return math.sqrt(2.0 / (1.0 + slope * slope))
    return None


class _Fans:
    """The fans of one weight; reading one that is not known ends the computation."""

    __slots__ = ("_fan_in", "_fan_out", "_units")

    def __init__(self, fan_in: float | None, fan_out: float | None, units: float | None) -> None:
        self._fan_in, self._fan_out, self._units = fan_in, fan_out, units

    @property
    def fan_in(self) -> float:
        return _known(self._fan_in)

    @property
    def fan_out(self) -> float:
        return _known(self._fan_out)

    @property
    def units(self) -> float:
        return _known(self._fan_out if self._units is None else self._units)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _known(value: Any) -> float:
    if not _is_number(value):
        raise _Unknown
    return float(value)


def _number(args: Args, name: str, default: float | None = None) -> float:
    return _known(args.get(name, default))


def snake(name: str) -> str:
    """`LecunNormal` as `lecun_normal`; names in snake case stay, `_initializer` and `Initializer` go."""
    snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
    return snake.removesuffix("_initializer")


def _kaiming(args: Args, fans: _Fans) -> float:
    factor = calculate_gain(args.get("nonlinearity", "leaky_relu"), _number(args, "a", 0.0))
    mode = args.get("mode", "fan_in")
    if factor is None or mode not in ("fan_in", "fan_out"):
        raise _Unknown
    return factor**2 if mode == "fan_in" else factor**2 * fans.fan_in / fans.fan_out


def _xavier(args: Args, fans: _Fans) -> float:
    return _number(args, "gain", 1.0) ** 2 * _averaged(fans)


def _averaged(fans: _Fans) -> float:
    return 2.0 * fans.fan_in / (fans.fan_in + fans.fan_out)


def _orthogonal(args: Args, fans: _Fans) -> float:
    # Orthonormal rows; with more rows than columns, orthonormal columns and rows of mean norm^2 columns / rows.
    return _number(args, "gain", 1.0) ** 2 * min(1.0, fans.fan_in / fans.units)


def _normal(mean: float, std: float, fans: _Fans) -> float:
    return fans.fan_in * (mean * mean + std * std)


def _uniform(low: float, high: float, fans: _Fans) -> float:
    return fans.fan_in * (low * low + low * high + high * high) / 3.0


def _truncated(args: Args, fans: _Fans) -> float:
    mean, std = _number(args, "mean", 0.0), _number(args, "std", 1.0)
    return fans.fan_in * truncated_second_moment(mean, std, _number(args, "a", -2.0), _number(args, "b", 2.0))


def _truncated_unit(args: Args, fans: _Fans) -> float:
    """timm's and JAX's: a standard normal truncated at a and b, scaled and shifted after that."""
    mean, std = _number(args, "mean", 0.0), _number(args, "std", 1.0)
    low, high = _number(args, "a", -2.0), _number(args, "b", 2.0)
    if low != -high:
        raise _Unknown
    return fans.fan_in * (mean * mean + std * std * truncated_second_moment(0.0, 1.0, low, high))


def truncated_second_moment(mean: float, std: float, low: float, high: float) -> float:
    """E[w^2] of a normal law truncated to [low, high] (absolute bounds); nan where nothing is left of it."""
    if std <= 0.0:
        return mean * mean
    a, b = (low - mean) / std, (high - mean) / std
    mass = _tail(a) - _tail(b) if a > 0.0 else _tail(-b) - _tail(-a)
    if not mass > 0.0 or a >= b:
        return math.nan
    first = (_density(a) - _density(b)) / mass
    second = (
        1.0 + ((a * _density(a) if math.isfinite(a) else 0.0) - (b * _density(b) if math.isfinite(b) else 0.0)) / mass
    )
    return mean * mean + 2.0 * mean * std * first + std * std * second


def _density(x: float) -> float:
    return math.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)


def _tail(x: float) -> float:
    """P(Z > x), accurate far out."""
    return 0.5 * math.erfc(x / math.sqrt(2.0))


def _sparse(args: Args, fans: _Fans) -> float:
    return (1.0 - _number(args, "sparsity")) * fans.fan_in * _number(args, "std", 0.01) ** 2


def _dirac(args: Args, fans: _Fans) -> float:
    return min(1.0, _number(args, "groups", 1.0) * fans.fan_in / fans.fan_out)


def _constant(value: float, fans: _Fans) -> float:
    return 0.0 if value == 0.0 else fans.fan_in * value * value


def _value(args: Args) -> str:
    """What an initialiser calls the constant that it gives: `val` (PyTorch), `value` (Keras) or `constant` (Haiku)."""
    return next((name for name in ("value", "constant") if name in args), "val")


def _identity(args: Args, fans: _Fans) -> float:
    return _number(args, "gain", 1.0) ** 2 * min(1.0, fans.fan_in / fans.units)


def _variance_scaling(scale: float, mode: Any, args: Args, fans: _Fans) -> float:
    # Every distribution of Keras is scaled to the wanted variance, the truncated one too.
    if any(args.get(name) is not None for name in ("input_axes", "output_axes", "fan_in_axes")):
        raise _Unknown
    if args.get("in_axis", -2) != -2 or args.get("out_axis", -1) != -1:
        raise _Unknown
    if args.get("distribution", "truncated_normal") not in (
        "truncated_normal",
        "untruncated_normal",
        "normal",
        "uniform",
    ):
        raise _Unknown
    if mode == "fan_in":
        return scale
    if mode == "fan_out":
        return scale * fans.fan_in / fans.fan_out
    if mode == "fan_avg":
        return scale * _averaged(fans)
    raise _Unknown


def _keras(scale: float, mode: str) -> Callable[[Args, _Fans], float]:
    return lambda args, fans: _variance_scaling(scale, mode, {**args, "distribution": "uniform"}, fans)


def _attention(args: Args, fans: _Fans) -> float:
    # Xavier on the stacked (3E, E) weight: 2 / 4E. With kdim or vdim there are three weights of their own.
    if args.get("kdim", 0) is not None or args.get("vdim", 0) is not None:
        raise _Unknown
    return 0.5


_LAWS: dict[str, Callable[[Args, _Fans], float]] = {
    # PyTorch's functions.
    "kaiming_normal_": _kaiming,
    "kaiming_uniform_": _kaiming,
    "xavier_normal_": _xavier,
    "xavier_uniform_": _xavier,
    "orthogonal_": _orthogonal,
    "normal_": lambda args, fans: _normal(_number(args, "mean", 0.0), _number(args, "std", 1.0), fans),
    "uniform_": lambda args, fans: _uniform(_number(args, "a", 0.0), _number(args, "b", 1.0), fans),
    "trunc_normal_": _truncated,
    "trunc_normal_tf_": _truncated_unit,
    "constant_": lambda args, fans: _constant(_number(args, "val"), fans),
    "ones_": lambda args, fans: fans.fan_in,
    "zeros_": lambda args, fans: 0.0,
    "eye_": lambda args, fans: min(1.0, fans.fan_in / fans.units),
    "dirac_": _dirac,
    "sparse_": _sparse,
    # Their deprecated names. "orthogonal", "constant", "ones" and "zeros" are Keras's too and mean the same.
    "kaiming_normal": _kaiming,
    "kaiming_uniform": _kaiming,
    "xavier_normal": _xavier,
    "xavier_uniform": _xavier,
    "normal": lambda args, fans: _normal(_number(args, "mean", 0.0), _number(args, "std", 1.0), fans),
    "uniform": lambda args, fans: _uniform(_number(args, "a", 0.0), _number(args, "b", 1.0), fans),
    "eye": lambda args, fans: min(1.0, fans.fan_in / fans.units),
    "dirac": _dirac,
    "sparse": _sparse,
    # Defaults of PyTorch's layers: U(+-1/sqrt(n)) has variance 1 / 3n.
    "kaiming_uniform_sqrt5": lambda args, fans: 1.0 / 3.0,
    "bilinear": lambda args, fans: _number(args, "in2_features") / 3.0,
    "normal_1": lambda args, fans: 1.0,
    "rnn_uniform": lambda args, fans: fans.fan_in / (3.0 * _number(args, "hidden_size")),
    "multihead_attention": _attention,
    # Keras and TensorFlow 1.
    "lecun_normal": _keras(1.0, "fan_in"),
    "lecun_uniform": _keras(1.0, "fan_in"),
    "he_normal": _keras(2.0, "fan_in"),
    "he_uniform": _keras(2.0, "fan_in"),
    "glorot_normal": _keras(1.0, "fan_avg"),
    "glorot_uniform": _keras(1.0, "fan_avg"),
    "variance_scaling": lambda args, fans: _variance_scaling(
        _number(args, "scale", 1.0), args.get("mode", "fan_in"), args, fans
    ),
    "random_normal": lambda args, fans: _normal(_number(args, "mean", 0.0), _number(args, "stddev", 0.05), fans),
    "truncated_normal": lambda args, fans: _normal(
        _number(args, "mean", 0.0), _number(args, "stddev", 0.05) * math.sqrt(TRUNCATED_VARIANCE), fans
    ),
    "random_uniform": lambda args, fans: _uniform(_number(args, "minval", -0.05), _number(args, "maxval", 0.05), fans),
    # TF-Slim: its truncated normal is corrected by 1.3, near enough to 1 / 0.774.
    "contrib_variance_scaling": lambda args, fans: _variance_scaling(
        _number(args, "factor", 2.0), str(args.get("mode", "FAN_IN")).lower(), {}, fans
    ),
    # JAX and Haiku. Haiku's default is N(0, 1/n) truncated at two deviations, and not corrected.
    "fan_in_truncated": lambda args, fans: TRUNCATED_VARIANCE,
    "uniform_from_zero": lambda args, fans: _uniform(0.0, _number(args, "scale", 0.01), fans),
    "uniform_scaling": lambda args, fans: _number(args, "scale", 1.0) ** 2,
    "orthogonal_scaled": lambda args, fans: _orthogonal({"gain": args.get("scale", 1.0)}, fans),
    "uniform_unit_scaling": lambda args, fans: _number(args, "factor", 1.0) ** 2,
    "orthogonal": _orthogonal,
    "identity": _identity,
    "constant": lambda args, fans: _constant(_number(args, _value(args), 0.0), fans),
    "ones": lambda args, fans: fans.fan_in,
    "zeros": lambda args, fans: 0.0,
}
