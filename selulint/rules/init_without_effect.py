from __future__ import annotations

from collections.abc import Iterator

from selulint.diagnostic import Finding, Related, Severity
from selulint.graph import Kind, Model, Op, Place
from selulint.rules import rule


@rule("SELU207", Severity.ERROR)
def init_without_effect(model: Model) -> Iterator[Finding]:
    """Initialisation that is lost.

    ## What
    Reports an initialiser that writes into a weight which is computed from other parameters: after `weight_norm` (the old
    function or the parametrization) the weight is made anew from its direction and length for every forward. And one
    Keras initialiser object that gives several layers of one shape the same weights.

    ## Why
    The call succeeds and changes nothing: the layer keeps the initialisation that it had before it was wrapped, which in
    PyTorch is the default with gain 1/3. In Keras 3 an initialiser object draws its seed once, when it is made: layers that
    share it start equal, and what the second one computes of the first is no sum of independent terms.

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
    torch.nn.utils.parametrizations.weight_norm; Salimans and Kingma, 2016, arXiv:1602.07868; keras.initializers, where an
    object is documented to give the same values each time it is called.
    """
    said: set[Place] = set()
    for op in model.of(Kind.PARAMETRIC):
        if op.lost is None or op.lost in said:
            continue
        said.add(op.lost)
        related = tuple(Related("the wrapper that computes the weight", place.span) for _, place in op.constraints[:1])
        message = (
            f"this initialiser does not reach `{op.title}`: `weight_norm` computes its weight from other parameters"
        )
        yield Finding(op.lost.span, message, related)
    yield from _shared(model)


def _shared(model: Model) -> Iterator[Finding]:
    """Layers of one shape in front of SELUs whose kernels one object draws: they start equal."""
    same: dict[tuple[object, ...], dict[int, Op]] = {}
    for op in model.of(Kind.PARAMETRIC):
        init = op.weight
        if init is not None and init.source and init.gain and op.fan_in and op.fan_out and model.fed(op, "selu"):
            key = (init.source, init.place, op.function, op.fan_in, op.fan_out, op.args.get("kernel_size"))
            same.setdefault(key, {})[op.layer] = op
    said: set[Place] = set()
    for layers in same.values():
        first, *others = layers.values()
        place = first.weight.place if first.weight is not None else None
        if not others or place is None or place in said:
            continue
        said.add(place)
        related = tuple(Related("one of the layers", op.place.span) for op in (first, others[0]) if op.place)
        message = (
            f"one initialiser object draws the weights of {len(layers)} layers of the same shape, "
            f"`{first.title}` among them: in Keras 3 they start equal"
        )
        yield Finding(place.span, message, related)
