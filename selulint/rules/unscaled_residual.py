from __future__ import annotations

from collections.abc import Iterator

from selulint.diagnostic import Finding, Prediction, Related, Severity
from selulint.fix.residuals import Residual, residuals, scaled_residual
from selulint.graph import Kind, Model
from selulint.moments.chains import residual_variance
from selulint.rules import rule
from selulint.rules.related import selu_beside


@rule("SELU503", Severity.WARNING)
def unscaled_residual(model: Model) -> Iterator[Finding]:
    """Residual sum in a SELU network that nothing scales.

    ## What
    Reports `x + f(x)` in a model whose hidden activations are all SELU, where neither a norm nor a factor brings the sum
    back to variance 1, and the branch does not start at zero. Branches that hold anything that is not understood are
    left alone.

    ## Why
    Two summands of variance 1 have a sum of variance 2, and the next block starts from there: after 24 blocks the
    variance is in the tens of thousands. SELU's fixed point attracts only what comes near it.

    ## Example
    ```python
    x = x + self.fc2(F.selu(self.fc1(x)))
    ```

    ## Use instead
    ```python
    x = (x + self.fc2(F.selu(self.fc1(x)))) * 0.5**0.5
    ```

    ## Fix safety
    Unsafe: it changes the function, so it suits models that are trained from scratch. The layers that end the branch get
    LeCun initialisation with it.

    ## References
    Klambauer et al., 2017 (the theory has no skip paths); Balduzzi et al., 2017, "The Shattered Gradients Problem".
    """
    chain = {op.index for op in model.of(Kind.ACTIVATION, "selu") if not op.rivals}
    found = list(residuals(model, chain)) if chain else []
    if not found:
        return
    depth = _depth(model, {each.op.index for each in found})
    for each in found:
        variance = residual_variance(depth, each.ends_in_selu, each.before_selu)
        yield Finding(
            each.place.span,
            f"`{_shown(each)}` adds a branch to a skip path without scaling: predicted variance {variance:.3g} after "
            f"{depth} such sum{'s' * (depth != 1)} (self-normalizing: 1)",
            _related(each) or selu_beside(model, each.op),
            scaled_residual(model, each),
            prediction=Prediction(_shown(each), 0.0, variance),
        )


def _shown(residual: Residual) -> str:
    text = " ".join(residual.place.text.split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def _depth(model: Model, merges: set[int]) -> int:
    """The most residual sums on one way through the model."""
    counts: list[int] = []
    for op in model.ops:
        counts.append(max((counts[index] for index in op.inputs), default=0) + (op.index in merges))
    return max(counts, default=0)


def _related(residual: Residual) -> tuple[Related, ...]:
    """The layers that end the branch and the skip path."""
    places = dict.fromkeys(op.place for op in residual.layers if op.place is not None)
    return tuple(Related("a layer whose output is added", place.span) for place in places)
