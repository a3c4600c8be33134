from __future__ import annotations

from collections.abc import Iterator

from selulint.diagnostic import Finding, Related, Severity
from selulint.fix.constraints import without_constraints
from selulint.graph import Kind, Model, Op, Place
from selulint.rules import rule
from selulint.rules.related import spelled

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
    Unsafe: a constraint may be there for another reason (a critic's Lipschitz bound), weights that were trained under it
    would leave it, and the keys of a wrapped layer's state_dict change. The layer gets LeCun initialisation where its own
    does not fit. There is no fix where the file takes the wrapper apart (`weight_g`, `remove_weight_norm`).

    ## References
    Klambauer et al., 2017, Theorem 1 (the window of tau); Miyato et al., 2018, arXiv:1802.05957.
    """
    held: dict[Place, tuple[str, list[Op]]] = {}
    for op in model.of(Kind.PARAMETRIC):
        for name, place in op.constraints if model.fed(op, "selu") else ():
            site = place if name in _WHY else op.site(place) or place
            # What a layer is told is the layer's own.
            site = op.place if op.place is not None and op.place.encloses(site) else site
            held.setdefault(site, (name, []))[1].append(op)
    for site, (name, layers) in held.items():
        op = layers[0]
        why = _WHY.get(name, "pulls fan_in * Var(w) away from 1 in training")
        message = f"`{name}` on `{op.title}` in front of a SELU {why}"
        place = next(place for each, place in op.constraints if each == name)
        related = (*_related(model, op, site), *spelled(place, site))
        yield Finding(site.span, message, related, without_constraints(model, layers))


def _related(model: Model, op: Op, site: Place) -> tuple[Related, ...]:
    selu, init = model.fed(op, "selu")[0], op.weight
    before = init.args.get("before", init) if init is not None else None
    places = (
        ("the layer whose weights it holds", op.place),
        ("the SELU that it feeds", selu.seat),
        ("the initialiser", before.place if before is not None else None),
    )
    return tuple(Related(told, place.span) for told, place in places if place not in (None, site))
