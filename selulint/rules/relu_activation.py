from __future__ import annotations

from collections.abc import Iterator

from selulint.diagnostic import Finding, Refusal, Severity
from selulint.fix.migration import selu_chain
from selulint.graph import Kind, Model
from selulint.rules import rule
from selulint.rules.related import in_front, spelled

_BOUNDED = Refusal("ReLU6 is bounded, which SELU is not: whether that is meant, only its author knows")
_CHOSEN = Refusal("the activation is chosen by an option")


@rule("SELU101", Severity.WARNING)
def relu_activation(model: Model) -> Iterator[Finding]:
    """ReLU as a hidden activation.

    ## What
    Reports every ReLU or ReLU6 (module, function, tensor method, string, default argument) that stands between two
    parametric layers. A ReLU that computes something else (a hinge, a clamp, a gate, an attention kernel, a positive
    output) is not reported.

    ## Why
    Half of a ReLU's inputs get no gradient, units that fall silent stay silent, and the variance of the activations
    depends on the initialiser alone. SELU keeps mean 0 and variance 1 by itself through any number of layers.

    ## Example
    ```python
    nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    ```

    ## Use instead
    ```python
    nn.Sequential(nn.Linear(64, 64), nn.SELU(), nn.Linear(64, 10)).apply(_init_weights)  # LeCun normal
    ```

    ## Fix safety
    One fix changes the whole chain: activations, initialisers, dropout. It is safe where the chain is plain, every op of
    it is understood and the predicted statistics stay in Theorem 1's box. It is unsafe where a norm has to go, where
    branches are added, or where the file shows trained weights; where something is not understood it is not offered.

    ## References
    Klambauer et al., Self-Normalizing Neural Networks, NeurIPS 2017, arXiv:1706.02515.
    """
    fix, said = None, False
    for op in model.of(Kind.ACTIVATION, "relu", "relu6"):
        place = op.chooser or op.seat
        if place is None or op.rivals or not model.is_hidden(op):
            continue
        if not said:
            fix, said = selu_chain(model), True
        name = "ReLU6" if op.function == "relu6" else "ReLU"
        own = _CHOSEN if op.chooser is not None else fix if op.function == "relu" else _BOUNDED
        implicit = op.args.get("implicit")
        title = f"the default activation of `{implicit}`" if implicit else f"`{op.title}`"
        message = f"{title} is a {name} between two layers: its units can die and it does not normalize"
        yield Finding(place.span, message, (*in_front(model, op), *spelled(op.place, place)), own)
