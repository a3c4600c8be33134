from __future__ import annotations

from collections.abc import Iterator

from selulint.diagnostic import Finding, Fix, Severity
from selulint.fix.dropouts import plain_dropout
from selulint.fix.migration import selu_chain
from selulint.graph import Kind, Model, Op
from selulint.rules import rule
from selulint.rules.related import at, spelled


@rule("SELU402", Severity.ERROR)
def alpha_dropout_without_selu(model: Model) -> Iterator[Finding]:
    """AlphaDropout in a chain without SELU.

    ## What
    Reports AlphaDropout whose input comes from another activation (ELU and ReLU too), or in a model without any SELU.

    ## Why
    AlphaDropout drops units to SELU's saturation value, -1.7581, and rescales for SELU's mean 0 and variance 1. After a
    ReLU it inserts negative values that the layer can never see otherwise and shifts mean and variance.

    ## Example
    ```python
    nn.Sequential(nn.Linear(64, 64), nn.ELU(), nn.AlphaDropout(0.1))
    ```

    ## Use instead
    ```python
    nn.Sequential(nn.Linear(64, 64), nn.ELU(), nn.Dropout(0.1))
    ```

    ## Fix safety
    Safe: Dropout takes its place; neither has parameters. Where the activation is a ReLU that the linter can migrate as a
    whole, that migration is the fix.

    ## References
    Klambauer et al., 2017, section "New Dropout Technique".
    """
    for op in model.of(Kind.DROPOUT, "alpha_dropout", "feature_alpha_dropout"):
        place = op.seat
        if place is None or op.rivals & {"dropout"}:
            continue
        wrong = _wrong_activation(model, op)
        if wrong is None:
            continue
        related = (*at("the activation", [wrong] if wrong is not op else []), *spelled(op.place, place))
        after = "in a model without SELU" if wrong is op else f"after {wrong.function.upper()}"
        migration = selu_chain(model) if wrong.function == "relu" and model.is_hidden(wrong) else None
        message = f"`{op.title}` {after} shifts mean and variance: AlphaDropout fits SELU only"
        fix = migration if isinstance(migration, Fix) else plain_dropout(model, op)
        yield Finding(place.span, message, related, fix)


def _wrong_activation(model: Model, op: Op) -> Op | None:
    """The activation that AlphaDropout does not fit, `op` itself where the model has no SELU at all, None where it fits."""
    before = model.upstream(op)
    activations = [each for each in before if each.kind is Kind.ACTIVATION]
    if activations:
        wrong = [each for each in activations if each.function != "selu"]
        return wrong[0] if len(wrong) == len(activations) and not wrong[0].rivals & {"selu"} else None
    everything = list(model.of(Kind.ACTIVATION))
    if any(each.kind is Kind.OPAQUE for each in model.ops) or any(each.function == "selu" for each in everything):
        return None
    return op if any(each.kind is Kind.PARAMETRIC for each in before) else None
