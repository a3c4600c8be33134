from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from selulint.diagnostic import Finding, Severity
from selulint.fix.activations import exact_constants
from selulint.graph import Kind, Model, Op
from selulint.moments.maps import SELU_ALPHA, SELU_SCALE
from selulint.moments.propagate import fixed_variance
from selulint.rules import rule

# How far the fixed variance may be from 1 before it is worth a word, and before it is an error.
SILENT, TOLERABLE = 0.005, 0.05
_EXPONENTIALS = frozenset({"elu", "celu", "exp", "expm1"})
_PROBES = (-40.0, -3.0, -1.0, -0.25, 0.25, 1.0, 3.0)
# Constants this near to alpha and lambda, in either role, show that a SELU was meant.
_NEAR = 0.04


@rule("SELU502", Severity.ERROR)
def wrong_selu_constants(model: Model) -> Iterator[Finding]:
    """Hand-written SELU with constants that do not hold the fixed point.

    ## What
    Evaluates what an expression of elementwise operations computes. Where it has SELU's form, and its two constants are
    SELU's but one is missing, swapped or too rough, the fixed variance is computed and reported.

    ## Why
    Mean 0 and variance 1 are a fixed point for exactly alpha = 1.6732632423543772 and lambda = 1.0507009873554805.
    Without lambda the variance settles at 0.63, without alpha at 0.02; swapped it diverges.

    ## Example
    ```python
    x = 1.0507 * F.elu(x, 1.0)
    ```

    ## Use instead
    ```python
    x = F.selu(x)
    ```

    ## Fix safety
    Safe: SELU's exact constants, or the framework's own SELU, take the place of the wrong ones; there are no parameters.

    ## References
    Klambauer et al., 2017, equation 14.
    """
    if not any(op.function in _EXPONENTIALS for op in model.ops):
        return
    forms = {op.index: form for op in model.ops if (form := _form(model, op)) is not None}
    for index, (scale, alpha) in forms.items():
        op = model.ops[index]
        if op.place is None or any(user.index in forms for user in model.users(op)) or not _is_meant(scale, alpha):
            continue
        variance = fixed_variance(scale, alpha)
        drift = math.inf if variance is None else abs(variance - 1)
        if drift <= SILENT:
            continue
        settles = "diverges" if variance is None else f"settles at {variance:.3g}"
        message = (
            f"`{op.title}` is a SELU with lambda {scale:.6g} and alpha {alpha:.6g}: its variance {settles} (SELU: 1)"
        )
        severity = Severity.WARNING if drift <= TOLERABLE else Severity.ERROR
        yield Finding(op.place.span, message, fix=exact_constants(model, op), severity=severity)


def _is_meant(scale: float, alpha: float) -> bool:
    """Whether somebody wrote a SELU: one constant is about SELU's, in its own place, in the other's, or multiplied up."""
    own_alpha, own_scale = _near(alpha, SELU_ALPHA), _near(scale, SELU_SCALE) and scale != 1
    swapped = _near(scale, SELU_ALPHA) and _near(alpha, SELU_SCALE)
    return own_alpha or own_scale or swapped or _near(alpha, SELU_ALPHA * SELU_SCALE)


def _near(value: float, target: float) -> bool:
    return abs(value / target - 1) <= _NEAR


def _form(model: Model, op: Op) -> tuple[float, float] | None:
    """Lambda and alpha where `op` computes lambda * (x if x > 0 else alpha * (exp(x) - 1)) of one tensor x."""
    if op.kind not in (Kind.SCALE, Kind.MERGE, Kind.ACTIVATION, Kind.OPAQUE) or op.function in (
        "selu",
        "relu",
        "shift",
    ):
        return None
    leaf = _leaf(model, op)
    if leaf is None:
        return None
    values = [_evaluate(model, op, leaf, probe, {}) for probe in _PROBES]
    if any(value is None or not math.isfinite(value) for value in values):
        return None
    low, *_, _, one, three = (value for value in values if value is not None)
    scale = one
    if scale <= 0 or low >= 0 or not math.isclose(three, 3 * scale, rel_tol=1e-6):
        return None
    alpha = -low / scale
    expected = [scale * (x if x > 0 else alpha * math.expm1(x)) for x in _PROBES]
    close = all(
        v is not None and math.isclose(v, e, rel_tol=1e-5, abs_tol=1e-9) for v, e in zip(values, expected, strict=True)
    )
    return (scale, alpha) if close else None


def _leaf(model: Model, op: Op) -> int | None:
    """The one tensor that a tree of elementwise operations reads."""
    leaves: set[int] = set()
    seen: set[int] = set()
    stack = [op]
    while stack:
        near = stack.pop()
        if near.index in seen:
            continue
        seen.add(near.index)
        if len(seen) > 24:
            return None
        if near is op or _is_elementwise(near):
            stack.extend(model.inputs(near))
        else:
            leaves.add(near.index)
    return leaves.pop() if len(leaves) == 1 else None


_UNARY: dict[str, Callable[[float], float]] = {
    "relu": lambda x: max(x, 0.0),
    "exp": lambda x: math.exp(min(x, 700.0)),
    "expm1": lambda x: math.expm1(min(x, 700.0)),
    "identity": lambda x: x,
    "abs": abs,
}
_BINARY: dict[str, Callable[[float, float], float]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "maximum": max,
    "minimum": min,
}
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "GreaterThan": lambda a, b: a > b,
    "GreaterThanEqual": lambda a, b: a >= b,
    "LessThan": lambda a, b: a < b,
    "LessThanEqual": lambda a, b: a <= b,
}
_SPECIAL = frozenset({"scale", "shift", "elu", "celu", "where", "comparison", "clamp", "relu6"})


def _is_elementwise(op: Op) -> bool:
    # A tensor that several branches may have produced is no function of one tensor.
    return op.function in _UNARY or op.function in _BINARY or op.function in _SPECIAL


def _evaluate(model: Model, op: Op, leaf: int, x: float, known: dict[int, float]) -> float | None:
    if op.index == leaf:
        return x
    if op.index not in known:
        inputs = [_evaluate(model, each, leaf, x, known) for each in model.inputs(op)]
        numbers = [value for value in inputs if value is not None]
        value = _compute(op, numbers) if len(numbers) == len(inputs) else None
        if value is None:
            return None
        known[op.index] = value
    return known[op.index]


def _compute(op: Op, inputs: list[float]) -> float | None:
    function, args = op.function, op.args
    if function in _UNARY and len(inputs) == 1:
        return _UNARY[function](inputs[0])
    if function in _BINARY and len(inputs) == 2:
        return _BINARY[function](inputs[0], inputs[1])
    if function in ("elu", "celu") and len(inputs) == 1:
        alpha = args.get("alpha", 1.0)
        return inputs[0] if inputs[0] > 0 else alpha * math.expm1(inputs[0]) if isinstance(alpha, int | float) else None
    if function == "scale" and isinstance(args.get("factor"), int | float):
        return inputs[0] * float(args["factor"])
    if function == "shift" and isinstance(args.get("shift"), int | float):
        return inputs[0] + float(args["shift"])
    if function == "clamp":
        return _clamp(inputs[0], args)
    if function == "comparison" and isinstance(args.get("other"), int | float) and args["operator"] in _COMPARE:
        sides = (args["other"], inputs[0]) if args["flipped"] else (inputs[0], args["other"])
        return float(_COMPARE[args["operator"]](*sides))
    if function == "where" and len(inputs) == 3:
        return inputs[1] if inputs[0] else inputs[2]
    return None


def _clamp(x: float, args: object) -> float | None:
    low, high = (args.get(name) for name in ("min", "max")) if isinstance(args, dict) else (None, None)
    if not all(bound is None or isinstance(bound, int | float) for bound in (low, high)):
        return None
    x = x if low is None else max(x, low)
    return x if high is None else min(x, high)
