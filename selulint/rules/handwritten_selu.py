from __future__ import annotations

import re
from collections.abc import Iterator

from selulint.diagnostic import Finding, Severity
from selulint.fix.activations import framework_selu
from selulint.graph import Kind, Model
from selulint.rules import rule
from selulint.rules.related import in_front

# Files that are a framework: there the expression is what everybody else should call.
_FRAMEWORK = re.compile(
    r"(?:^|[/\\])(?:keras|tf_keras|torch|tensorflow|jax|flax|tf_slim)[/\\]"
    r"(?:_?src|nn|python|backend|activations|_refs|_decomp|_inductor|contrib)\b"
)


@rule("SELU501", Severity.WARNING)
def handwritten_selu(model: Model) -> Iterator[Finding]:
    """Hand-written SELU where the framework has one.

    ## What
    Evaluates what an expression of elementwise operations computes, in whatever form it is written (`elu`, `where`,
    `relu` and `exp`, masks, clamps), and reports it where it is SELU with the right constants. Wrong constants are
    `wrong-selu-constants`.

    ## Why
    The framework's SELU is one kernel and exact near zero. Where an own one takes `exp` of all inputs and then selects,
    its gradient is NaN for inputs above 88 in float32: the slope of the branch that is not taken is infinity times zero.

    ## Example
    ```python
    x = scale * torch.where(x > 0, x, alpha * (torch.exp(x) - 1))
    ```

    ## Use instead
    ```python
    x = F.selu(x)
    ```

    ## Fix safety
    Safe where the constants are SELU's to float32 precision: there are no parameters, and the results are the same.
    Unsafe where they are rounded. None where the SELU is spread over several statements.

    ## References
    Klambauer et al., 2017, equations 2 and 14.
    """
    if _FRAMEWORK.search(model.file.source.path):
        return
    for op in model.of(Kind.ACTIVATION, "selu"):
        if op.handwritten is None or op.place is None:
            continue
        nan = "; its gradient is NaN for inputs above 88" if op.handwritten.overflows else ""
        message = f"`{op.title}` is SELU written out by hand, and the framework has one{nan}"
        yield Finding(op.place.span, message, in_front(model, op), framework_selu(model, op))
