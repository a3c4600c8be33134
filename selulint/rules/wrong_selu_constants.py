from __future__ import annotations

import math
from collections.abc import Iterator

from selulint.diagnostic import Finding, Related, Severity
from selulint.fix.activations import exact_constants
from selulint.graph import Kind, Model, Op
from selulint.rules import rule
from selulint.rules.related import in_front

# How far the fixed variance may be from 1 before it is an error.
TOLERABLE = 0.05


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
    for op in model.ops:
        mark = op.handwritten
        if mark is None or op.kind is Kind.ACTIVATION and op.function == "selu" or op.place is None:
            continue
        drift = math.inf if mark.variance is None else abs(mark.variance - 1)
        settles = "diverges" if mark.variance is None else f"settles at {mark.variance:.3g}"
        constants = f"lambda {mark.scale:.6g} and alpha {mark.alpha:.6g}"
        message = f"`{op.title}` is a SELU with {constants}: its variance {settles} (SELU: 1)"
        severity = Severity.WARNING if drift <= TOLERABLE else Severity.ERROR
        yield Finding(op.place.span, message, _feeding(model, op), exact_constants(model, op), severity)


def _feeding(model: Model, op: Op) -> tuple[Related, ...]:
    """The layer in front of the innermost part that a layer feeds."""
    parts = op.handwritten.parts if op.handwritten is not None else ()
    return next((found for each in (*parts, op) if (found := in_front(model, each))), ())
