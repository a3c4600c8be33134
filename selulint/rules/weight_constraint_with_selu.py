from __future__ import annotations

from collections.abc import Iterator

from selulint.diagnostic import Finding, Related, Severity
from selulint.graph import Kind, Model, Place
from selulint.rules import rule

_WHY = {
    "weight_norm": "keeps the row norms of the start only as long as its gains do not learn",
    "spectral_norm": "divides the weights by their largest singular value: fan_in * Var(w) falls to about 1/4",
}


@rule("SELU303", Severity.WARNING)
def weight_constraint_with_selu(model: Model) -> Iterator[Finding]:
    """Weights in front of SELU that something holds down.

    ## What
    Reports `weight_norm` and `spectral_norm` (as functions and parametrizations) and Keras' `kernel_constraint` and
    `kernel_regularizer` on a layer that feeds a SELU with no norm in between. Weight decay of the optimiser is not
    reported.

    ## Why
    SELU keeps mean 0 and variance 1 where fan_in * Var(w) is about 1. What pulls weights towards 0 or rescales them pulls
    that product out of the window: spectral normalisation of a square Gaussian matrix leaves 0.26 of it, a max norm or an
    l2 term shrinks it in training.

    ## Example
    ```python
    nn.Sequential(spectral_norm(nn.Linear(64, 64)), nn.SELU())
    ```

    ## Use instead
    ```python
    nn.Sequential(nn.Linear(64, 64), nn.SELU())  # with LeCun normal initialisation
    ```

    ## Fix safety
    There is no fix: a constraint may be there for another reason (a critic's Lipschitz bound), and its keys are part of the
    state_dict.

    ## References
    Klambauer et al., 2017, Theorem 1 (the window of tau); Miyato et al., 2018, arXiv:1802.05957.
    """
    said: set[Place] = set()
    for op in model.of(Kind.PARAMETRIC):
        if op.constraint is None or op.constraint[1] in said:
            continue
        selus = model.fed(op, "selu")
        if not selus:
            continue
        name, place = op.constraint
        said.add(place)
        why = _WHY.get(name, "pulls fan_in * Var(w) away from 1 in training")
        related = tuple(Related("the SELU that it feeds", each.place.span) for each in selus[:1] if each.place)
        yield Finding(place.span, f"`{name}` on `{op.title}` in front of a SELU {why}", related)
