from __future__ import annotations

from collections.abc import Iterator

from selulint.diagnostic import Finding, Refusal, Related, Severity
from selulint.fix.migration import without_norms
from selulint.fix.norms import meets_unknown, norms_beside_selu
from selulint.graph import Kind, Model, Op
from selulint.rules import rule
from selulint.rules.related import spelled

_UNKNOWN = Refusal("what stands next to the norm is not understood")


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
    Unsafe: the norm's keys leave the state_dict. `nn.Identity()` takes its place, so that the other keys stay (what Flax,
    Haiku and TF 1 make where they apply it just goes); the layer before it gets its bias back and LeCun initialisation.

    ## References
    Klambauer et al., 2017; `torch.nn.utils.fusion.fuse_conv_bn_eval` folds a trained BatchNorm exactly.
    """
    yield from norm_findings(model, "batch_norm")


def norm_findings(model: Model, *functions: str) -> Iterator[Finding]:
    """A finding for every norm of these kinds that stands in a SELU chain; one fix takes out all norms of the chain."""
    found = list(norms_beside_selu(model, *functions))
    fix = without_norms(model) if any(not meets_unknown(model, op) for op, _ in found) else None
    for op, selu in found:
        place = op.seat
        assert place is not None
        message = f"`{op.title}` normalizes what the SELU beside it normalizes by itself, and hides the initialiser"
        own = _UNKNOWN if meets_unknown(model, op) else fix
        yield Finding(place.span, message, (*_related(model, op, selu), *spelled(op.place, place)), own)


def _related(model: Model, op: Op, selu: Op) -> tuple[Related, ...]:
    """The SELU, and the layer whose initialisation the norm hides."""
    layers = [near for near in model.upstream(op) if near.kind is Kind.PARAMETRIC and near.place is not None]
    inits = [near.weight.place for near in layers if near.weight is not None and near.weight.place is not None]
    places = [("the SELU", selu.seat), *(("the layer in front of the norm", near.place) for near in layers[:1])]
    places += [("the initialiser that the norm hides", place) for place in inits[:1]]
    return tuple(Related(told, place.span) for told, place in places if place is not None)
