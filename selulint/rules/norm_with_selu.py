from __future__ import annotations

from collections.abc import Iterator

from selulint.diagnostic import Finding, Related, Severity
from selulint.graph import TRANSPARENT, Kind, Model
from selulint.rules import rule

_THROUGH = TRANSPARENT - {Kind.NORM}
_NORMS = ("layer_norm", "group_norm", "instance_norm", "rms_norm", "local_response_norm")


@rule("SELU302", Severity.WARNING)
def norm_with_selu(model: Model) -> Iterator[Finding]:
    """Layer, group, instance or RMS norm in a SELU chain.

    ## What
    Reports a norm other than BatchNorm between a layer and its SELU, or between a SELU and the next layer. Norms that
    stand elsewhere (in front of attention, on the raw input, behind a sum of branches) are not reported.

    ## Why
    Each of these forces the statistics that SELU keeps by itself, per sample, group or channel. SELU's fixed point is
    never used then, the norm hides a wrong initialiser, and its cost buys nothing that the activation does not give.

    ## Example
    ```python
    nn.Sequential(nn.Linear(64, 64), nn.LayerNorm(64), nn.SELU())
    ```

    ## Use instead
    ```python
    nn.Sequential(nn.Linear(64, 64), nn.SELU())  # with LeCun normal initialisation
    ```

    ## Fix safety
    There is no fix: unlike BatchNorm, these norms also act at inference, so that a trained model needs them.

    ## References
    Klambauer et al., 2017; Ba et al., Layer Normalization, arXiv:1607.06450.
    """
    for op in model.of(Kind.NORM, *_NORMS):
        before, after = model.upstream(op, _THROUGH), model.downstream(op, _THROUGH)
        selus = [
            each
            for each in (*before, *after)
            if each.kind is Kind.ACTIVATION and each.function == "selu" and not each.rivals
        ]
        is_inside = any(each.kind is Kind.PARAMETRIC for each in (*before, *after))
        if op.place is None or not selus or not is_inside or any(each.kind is Kind.INPUT for each in before):
            continue
        related = tuple(Related("the SELU", each.place.span) for each in selus[:1] if each.place)
        message = f"`{op.title}` normalizes what the SELU beside it normalizes by itself, and hides the initialiser"
        yield Finding(op.place.span, message, related)
