from __future__ import annotations

from collections.abc import Iterator

from selulint.diagnostic import Finding, Severity
from selulint.fix.dropouts import PLAIN_DROPOUTS, alpha_dropout, is_idle, selu_beside
from selulint.graph import Kind, Model, Op
from selulint.operations import rate_of
from selulint.predict import as_written
from selulint.rules import rule
from selulint.rules.related import at, spelled


@rule("SELU401", Severity.ERROR)
def dropout_with_selu(model: Model) -> Iterator[Finding]:
    """Plain Dropout in a SELU chain.

    ## What
    Reports Dropout whose input is a SELU's output (through reshapes, pools, constant factors and other dropout), or that
    stands between a layer and its SELU, Keras' GaussianDropout too. A rate that is 0 in so many words is not reported,
    one that is 0 unless callers say otherwise is.

    ## Why
    Dropout sets units to 0 and scales the rest, which multiplies the variance by 1 / (1 - p): at p = 0.1 SELU's fixed
    variance is no longer 1 but 2, at p = 0.5 it diverges. So does the noise of GaussianDropout. AlphaDropout keeps mean and
    variance for every p.

    ## Example
    ```python
    nn.Sequential(nn.Linear(64, 64), nn.SELU(), nn.Dropout(0.1))
    ```

    ## Use instead
    ```python
    nn.Sequential(nn.Linear(64, 64), nn.SELU(), nn.AlphaDropout(0.1))
    ```

    ## Fix safety
    Safe: dropout has no parameters. The rate stays as it is, and so does `training=`.

    ## References
    Klambauer et al., 2017, section "New Dropout Technique".
    """
    for op in model.of(Kind.DROPOUT, *PLAIN_DROPOUTS):
        selu, place = selu_beside(model, op), op.seat
        if place is None or selu is None or op.rivals & {"alpha_dropout", "feature_alpha_dropout"} or is_idle(op):
            continue
        related = (*at("the SELU", [selu]), *spelled(op.place, place))
        message = f"`{op.title}` in a SELU chain {_effect(op)}; AlphaDropout keeps it"
        yield Finding(place.span, message, related, alpha_dropout(model, op), prediction=as_written(model, op))


def _effect(op: Op) -> str:
    rate = rate_of(op)
    if rate == 0:
        return "raises the variance as soon as its rate is not the default, 0"
    if rate is None or not 0 < rate < 1:
        return "raises the variance"
    return f"multiplies the variance by {1 / (1 - rate):.3g}"
