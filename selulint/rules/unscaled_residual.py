from __future__ import annotations

from collections.abc import Iterator

from selulint.diagnostic import Finding, Prediction, Related, Severity
from selulint.fix.residuals import Residual, scaled_residual, selu_residuals
from selulint.graph import Model
from selulint.moments.chains import residual_variance
from selulint.preactivations import shares
from selulint.rules import rule
from selulint.rules.related import selu_beside


@rule("SELU503", Severity.WARNING)
def unscaled_residual(model: Model) -> Iterator[Finding]:
    """Residual sum in a SELU network that nothing scales.

    ## What
    Reports `x + f(x)` in a model whose hidden activations are all SELU, where neither a norm nor a factor brings the sum
    back to variance 1, and the branch does not start at zero; and sums of parallel layers, unless their gains add up to
    1. Branches that hold anything that is not understood are left alone.

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
    found = selu_residuals(model)
    if not found:
        return
    depth = _depth(model, {each.op.index for each in found if not each.parallel})
    for each in found:
        words, variance = _parallel(model, each) if each.parallel else _with_skip(each, depth)
        yield Finding(
            each.place.span,
            f"`{_shown(each)}` {words} (self-normalizing: 1)",
            _related(each) or selu_beside(model, each.op),
            scaled_residual(model, each),
            prediction=Prediction(_shown(each), 0.0, variance),
        )


def _with_skip(residual: Residual, depth: int) -> tuple[str, float]:
    variance = residual_variance(depth, residual.ends_in_selu, residual.before_selu)
    is_lecun = all(op.weight is None or not op.weight.default or op.weight.gain == 1.0 for op in residual.layers)
    told = f"after {depth} such sum{'s' * (depth != 1)}" + ", with gain 1 in every layer" * (not is_lecun)
    return f"adds a branch to a skip path without scaling: predicted variance {variance:.3g} {told}", variance


def _parallel(model: Model, residual: Residual) -> tuple[str, float]:
    """Layers side by side add up their gains."""
    share = shares(model)[residual.op.index]
    variance = share.written if share is not None else float(residual.terms)
    more = f", {residual.terms} with gain 1 in each" * (abs(variance - residual.terms) > 1e-6)
    return f"adds {residual.terms} layers without scaling: predicted variance {variance:.3g}{more}", variance


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
