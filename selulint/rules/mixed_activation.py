from __future__ import annotations

from collections.abc import Iterator

from selulint.diagnostic import Finding, Related, Severity
from selulint.fix.migration import selu_at
from selulint.fix.mixed import BOUNDED, UNBOUNDED, is_mixed
from selulint.graph import Kind, Model, Op
from selulint.moments.maps import moments
from selulint.rules import rule
from selulint.rules.related import in_front, spelled


@rule("SELU103", Severity.WARNING)
def mixed_activation(model: Model) -> Iterator[Finding]:
    """Another hidden activation inside a SELU chain.

    ## What
    Reports GELU, ELU, SiLU, LeakyReLU, tanh, sigmoid and the like between the layers of a network whose other hidden
    activations are mostly SELU. Outputs, gates, attention scores, codes of autoencoders and what an option chooses are
    not reported, nor is a head or branch with an activation of its own throughout, nor a bounded activation (tanh,
    sigmoid) that does not stand between SELUs: these are often meant. ReLU is `relu-activation`.

    ## Why
    Only SELU maps mean 0 and variance 1 to mean 0 and variance 1. One other activation among SELUs gives the layers
    behind it other statistics, and it takes them about ten layers to recover; alternating SELU and tanh settles at
    variance 0.17.

    ## Example
    ```python
    nn.Sequential(nn.Linear(64, 64), nn.SELU(), nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 64), nn.SELU())
    ```

    ## Use instead
    ```python
    nn.Sequential(nn.Linear(64, 64), nn.SELU(), nn.Linear(64, 64), nn.SELU(), nn.Linear(64, 64), nn.SELU())
    ```

    ## Fix safety
    One fix makes all of them SELU, with LeCun initialisation and AlphaDropout where the chain lacks them. It is safe where
    the chain is plain and understood, unsafe where the file shows trained weights, where branches are added, or where
    PReLU's slopes leave the state_dict.

    ## References
    Klambauer et al., 2017, Theorem 1.
    """
    fix, said = None, False
    for op in model.of(Kind.ACTIVATION, *BOUNDED, *UNBOUNDED):
        if not is_mixed(model, op):
            continue
        place = op.seat
        assert place is not None
        if not said:
            fix, said = selu_at(model, is_mixed), True
        beside = (*model.activations_before(op), *model.activations_after(op))
        selus = [near.seat for near in beside if near.function == "selu" and near.seat]
        related = (
            *(Related("the SELU", near.span) for near in selus[:1]),
            *in_front(model, op),
            *spelled(op.place, place),
        )
        yield Finding(place.span, f"`{op.title}` among SELUs {_effect(op)}", related, fix)


def _effect(op: Op) -> str:
    """What the activation makes of mean 0 and variance 1."""
    found = moments(op.function, 0.0, 1.0)
    if found is None:
        return "does not keep mean 0 and variance 1, as they do"
    mean = round(found.first, 9) + 0.0
    return f"turns mean 0 and variance 1 into {mean:.2g} and {found.variance:.2g}; SELU keeps them"
