from __future__ import annotations

from collections.abc import Iterator

from selulint.diagnostic import Finding, Related, Severity
from selulint.graph import Kind, Model, Place
from selulint.rules import rule


@rule("SELU207", Severity.ERROR)
def init_without_effect(model: Model) -> Iterator[Finding]:
    """Initialisation that is lost.

    ## What
    Reports an initialiser that writes into a weight which is computed from other parameters: after `weight_norm` (the old
    function or the parametrization) the weight is made anew from its direction and length for every forward.

    ## Why
    The call succeeds and changes nothing: the layer keeps the initialisation that it had before it was wrapped, which in
    PyTorch is the default with gain 1/3.

    ## Example
    ```python
    self.fc = weight_norm(nn.Linear(64, 64))
    nn.init.kaiming_normal_(self.fc.weight, nonlinearity="linear")
    ```

    ## Use instead
    ```python
    fc = nn.Linear(64, 64)
    nn.init.kaiming_normal_(fc.weight, nonlinearity="linear")
    self.fc = weight_norm(fc)
    ```

    ## Fix safety
    There is no fix: the order of the statements has to change, and only their author knows what stands between them.

    ## References
    torch.nn.utils.parametrizations.weight_norm; Salimans and Kingma, 2016, arXiv:1602.07868.
    """
    said: set[Place] = set()
    for op in model.of(Kind.PARAMETRIC):
        if op.lost is None or op.lost in said:
            continue
        said.add(op.lost)
        related = (Related("the wrapper that computes the weight", op.constraint[1].span),) if op.constraint else ()
        message = (
            f"this initialiser does not reach `{op.title}`: `weight_norm` computes its weight from other parameters"
        )
        yield Finding(op.lost.span, message, related)
