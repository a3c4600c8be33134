from __future__ import annotations

from collections.abc import Iterator

from selulint.diagnostic import Finding, Severity
from selulint.fix.initialisers import lecun_init
from selulint.graph import Init, Kind, Model, Op, Place
from selulint.predict import foretold
from selulint.rules import rule
from selulint.rules.related import at_sites, layers_and_selu


@rule("SELU203", Severity.ERROR)
def selu_gain_init(model: Model) -> Iterator[Finding]:
    """PyTorch's "selu" gain in front of SELU.

    ## What
    Reports `nonlinearity="selu"` in `kaiming_*_` and `calculate_gain("selu")` in other initialisers, in front of a SELU.

    ## Why
    PyTorch's gain for "selu" is 3/4, which makes fan_in * Var(w) = 9/16: the variance falls to 0.1 after ten layers and
    to 0.04 for good. PyTorch's own documentation says to use "linear" for self-normalizing networks.

    ## Example
    ```python
    nn.init.kaiming_normal_(self.fc.weight, nonlinearity="selu")
    ```

    ## Use instead
    ```python
    nn.init.kaiming_normal_(self.fc.weight, nonlinearity="linear")
    ```

    ## Fix safety
    Safe: only the initialisation changes.

    ## References
    torch.nn.init.calculate_gain; PyTorch pull request 50664, issue 54055.
    """
    by_place: dict[Place, list[Op]] = {}
    for op in model.of(Kind.PARAMETRIC):
        if (
            op.weight is not None
            and op.weight.place is not None
            and _asks_for_selu(op.weight)
            and model.fed(op, "selu")
        ):
            by_place.setdefault(op.weight.place, []).append(op)
    for place, ops, sharing in at_sites(by_place):
        init = ops[0].weight
        assert init is not None
        tau = 0.5625 if init.gain is None else init.gain
        depth = len({op.layer for op in ops})
        words, told = foretold(model, ops[0], tau, depth)
        message = f'`{init.name}` asks for the "selu" gain, which is 3/4 in PyTorch: {words}'
        yield Finding(place.span, message, layers_and_selu(model, ops), lecun_init(model, sharing), prediction=told)


def _asks_for_selu(init: Init) -> bool:
    return init.args.get("nonlinearity") == "selu" or init.args.get("calculate_gain") == "selu"
