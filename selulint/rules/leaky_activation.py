from __future__ import annotations

from collections.abc import Iterator

from selulint.diagnostic import Finding, Refusal, Severity
from selulint.fix.migration import selu_chain
from selulint.fix.mixed import is_mixed
from selulint.graph import Kind, Model
from selulint.rules import rule
from selulint.rules.related import in_front, spelled

_NAMES = {"leaky_relu": "LeakyReLU", "prelu": "PReLU", "rrelu": "RReLU"}
_CHOSEN = Refusal("the activation is chosen by an option")
_RECTIFIERS = frozenset({"relu", *_NAMES})


@rule("SELU102", Severity.NOTE, default=False)
def leaky_activation(model: Model) -> Iterator[Finding]:
    """LeakyReLU, PReLU or RReLU as a hidden activation.

    ## What
    Reports every LeakyReLU, PReLU and RReLU (module, function, string) between two parametric layers. Has to be asked
    for: `extend-select = ["leaky-activation"]`. One inside a SELU chain is `mixed-activation`.

    ## Why
    A slope below zero keeps units alive, but not mean and variance: LeakyReLU(0.01) still halves the second moment, so
    that what reaches layer 20 depends on the initialiser alone. SELU keeps mean 0 and variance 1 by itself.

    ## Example
    ```python
    nn.Sequential(nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, 10))
    ```

    ## Use instead
    ```python
    nn.Sequential(nn.Linear(64, 64), nn.SELU(), nn.Linear(64, 10)).apply(_init_weights)  # LeCun normal
    ```

    ## Fix safety
    As for `relu-activation`: one fix changes the whole chain, its ReLUs too. Unsafe also where PReLU's slopes leave the
    state_dict.

    ## References
    Klambauer et al., 2017, arXiv:1706.02515; Maas et al., 2013; He et al., 2015, arXiv:1502.01852.
    """
    fix, said = None, False
    for op in model.of(Kind.ACTIVATION, *_NAMES):
        if op.place is None or op.rivals or not model.is_hidden(op) or is_mixed(model, op):
            continue
        if not said:
            fix, said = selu_chain(model, _RECTIFIERS), True
        place = op.chooser or op.seat or op.place
        message = f"`{op.title}` is a {_NAMES[op.function]} between two layers: it does not normalize"
        related = (*in_front(model, op), *spelled(op.place, place))
        yield Finding(place.span, message, related, fix if op.chooser is None else _CHOSEN)
