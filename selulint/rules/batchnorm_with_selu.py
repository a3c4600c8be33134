from __future__ import annotations

from collections.abc import Iterator

from selulint.diagnostic import Finding, Related, Severity
from selulint.fix.migration import without_norms
from selulint.graph import TRANSPARENT, Kind, Model, Op
from selulint.rules import rule

_THROUGH = TRANSPARENT - {Kind.NORM}


@rule("SELU301", Severity.WARNING)
def batchnorm_with_selu(model: Model) -> Iterator[Finding]:
    """BatchNorm in a SELU chain.

    ## What
    Reports a batch normalisation right before or right after a SELU. One that standardises the model's raw input is fine.

    ## Why
    BatchNorm already forces mean 0 and variance 1, so SELU's self-normalization is redundant beside it; it hides a wrong
    initialiser, undoes the mean shift that SELU learns, and ties the samples of a batch together.

    ## Example
    ```python
    nn.Sequential(nn.Linear(64, 64), nn.BatchNorm1d(64), nn.SELU())
    ```

    ## Use instead
    ```python
    nn.Sequential(nn.Linear(64, 64), nn.SELU())  # with LeCun normal initialisation
    ```

    ## Fix safety
    Unsafe: the norm's keys leave the state_dict. `nn.Identity()` takes its place, so that the other keys stay; the layer
    before it gets its bias back and LeCun initialisation.

    ## References
    Klambauer et al., 2017; `torch.nn.utils.fusion.fuse_conv_bn_eval` folds a trained BatchNorm exactly.
    """
    fix, said = None, False
    for op in model.of(Kind.NORM, "batch_norm"):
        near = [*model.upstream(op, _THROUGH), *model.downstream(op, _THROUGH)]
        selus = [each for each in near if each.kind is Kind.ACTIVATION and each.function == "selu" and not each.rivals]
        if op.place is None or not selus or not _behind_layer(model, op):
            continue
        if not said:
            fix, said = without_norms(model), True
        related = tuple(Related("the SELU", each.place.span) for each in selus[:1] if each.place)
        message = f"`{op.title}` normalizes what the SELU beside it normalizes by itself, and hides the initialiser"
        yield Finding(op.place.span, message, related, fix)


def _behind_layer(model: Model, op: Op) -> bool:
    return any(each.kind is not Kind.INPUT for each in model.upstream(op))
