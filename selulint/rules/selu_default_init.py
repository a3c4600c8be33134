from __future__ import annotations

from collections.abc import Iterator

from selulint.diagnostic import Finding, Fix, Prediction, Refusal, Related, Repair, Severity
from selulint.fix.initialisers import lecun_init
from selulint.fix.order import in_order
from selulint.fix.residuals import scaled_residual, selu_residuals
from selulint.graph import Kind, Lost, Model, Op
from selulint.moments.maps import SANE_WINDOW
from selulint.moments.propagate import Statistics
from selulint.preactivations import default_layers
from selulint.predict import foretold
from selulint.rules import rule

_ELSEWHERE = Refusal("the layer is not spelled in this file")


@rule("SELU201", Severity.ERROR)
def selu_default_init(model: Model) -> Iterator[Finding]:
    """Framework default initialiser in front of SELU.

    ## What
    Reports a layer that feeds a SELU and keeps the framework's default initialisation where its gain
    tau = fan_in * Var(w) leaves the window in which SELU holds mean 0 and variance 1. PyTorch's default has gain 1/3;
    Keras' Glorot has gain 2 n_in / (n_in + n_out): it is a note where that is right by luck or cannot be told. A layer that
    leads to a SELU through a sum, a factor or another layer is reported where all of them together leave the window. It is
    a warning where the predicted statistics stay in the box of Theorem 1 nevertheless.

    ## Why
    With gain 1/3 the variance is 0.004 after ten layers, and a 32-layer network does not train.

    ## Example
    ```python
    self.fc = nn.Linear(64, 64)
    x = F.selu(self.fc(x))
    ```

    ## Use instead
    ```python
    nn.init.kaiming_normal_(self.fc.weight, nonlinearity="linear")
    nn.init.zeros_(self.fc.bias)
    ```

    ## Fix safety
    Safe: an initialiser changes neither names nor shapes of parameters, and loading weights overwrites it.

    ## References
    Klambauer et al., 2017, section 2 (w ~ N(0, 1/n)); PyTorch issues 54055 and 57109.
    """
    concerned = [op for op in model.of(Kind.PARAMETRIC) if _concerns(model, op)]
    through = _through(model, concerned)
    sums = {op.index: each for each in selu_residuals(model) for op in each.layers}
    unscaled = {op.index for op, _ in through if op.index in sums}
    layers = [
        op for op in (*concerned, *(op for op, _ in through)) if op.place is not None and op.index not in unscaled
    ]
    fix = _fix(model, layers) if layers else None
    depth = len({op.layer for op in concerned})
    for op in concerned:
        assert op.weight is not None
        tau = op.weight.gain
        activation = model.fed(op, "selu")[0]
        if op.place is None:
            yield from _from_elsewhere(op, activation, tau)
            continue
        related = tuple(_related(op, activation))
        if tau is None or SANE_WINDOW[0] <= tau <= SANE_WINDOW[1]:
            why = _right_where(op) if tau is None else f"is right here by luck (gain {tau:.3g})"
            message = f"`{op.title}` feeds a SELU but keeps {op.framework}'s default init, which {why}"
            yield Finding(op.place.span, message, related, fix, Severity.NOTE)
            continue
        words, told = foretold(model, op, tau, depth)
        message = f"`{op.title}` feeds a SELU but keeps {op.framework}'s default init (gain {tau:.3g}): {words}"
        yield Finding(op.place.span, message, related, fix, _severity(told), told)
    for op, activation in through:
        assert op.place is not None and op.weight is not None and op.weight.gain is not None
        words, told = foretold(model, op, op.weight.gain, depth)
        gain = f"default init (gain {op.weight.gain:.3g})"
        message = f"`{op.title}` leads to a SELU but keeps {op.framework}'s {gain}: {words}"
        own = scaled_residual(model, sums[op.index]) if op.index in unscaled else fix
        yield Finding(op.place.span, message, tuple(_related(op, activation)), own, _severity(told), told)


def _severity(told: Prediction) -> Severity | None:
    """A default that leaves all SELUs in Theorem 1's box is worth a warning only."""
    found = [told, *([told.end] if told.end is not None else [])]
    return Severity.WARNING if all(Statistics(each.mean, each.variance).is_in_box for each in found) else None


def _through(model: Model, concerned: list[Op]) -> list[tuple[Op, Op]]:
    """The layers that lead to a SELU by way of a sum, a factor or another layer, and spoil what reaches it, with that SELU."""
    terms = {each.op.index: each.terms for each in selu_residuals(model)}
    found = ((model.ops[index], selu) for index, selu in default_layers(model, terms).items())
    return [(op, selu) for op, selu in found if op not in concerned and op.place is not None]


def _right_where(op: Op) -> str:
    """What is true of a default whose gain is not known."""
    if op.function.startswith(("depthwise", "separable")):
        return "counts all channels as inputs of a unit that sees one"
    return "is right only where fan_in equals fan_out"


def _fix(model: Model, layers: list[Op]) -> Repair:
    """LeCun initialisation, or where the model has one that only comes too early, that one in time."""
    early = [next((lost for lost in op.lost if lost.cause == "early"), None) for op in layers]
    first = early[0]
    if first is not None and all(lost is not None and lost.place == first.place and _fits(lost) for lost in early):
        repair = in_order(model, first)
        if isinstance(repair, Fix):
            return repair
    return lecun_init(model, layers)


def _fits(lost: Lost) -> bool:
    return lost.init.gain is not None and SANE_WINDOW[0] <= lost.init.gain <= SANE_WINDOW[1]


def _related(op: Op, activation: Op) -> Iterator[Related]:
    if activation.place is not None:
        yield Related("the SELU that it feeds", activation.place.span)
    for lost in op.lost:
        yield Related("an initialisation that does not reach it", lost.place.span)


def _from_elsewhere(op: Op, activation: Op, tau: float | None) -> Iterator[Finding]:
    """A layer of a block that another file defines, which this file gives its SELU."""
    if activation.place is None or tau is None or SANE_WINDOW[0] <= tau <= SANE_WINDOW[1]:
        return
    message = f"`{op.title}` of another file feeds this SELU but keeps {op.framework}'s default init (gain {tau:.3g})"
    yield Finding(activation.place.span, message, fix=_ELSEWHERE)


def _concerns(model: Model, op: Op) -> bool:
    init = op.weight
    if init is None or not init.default or not model.fed(op, "selu"):
        return False
    # Flax has LeCun's law for a default: right, unless strides or groups take something from it.
    is_lecun = init.name != "default"
    return not is_lecun or (init.gain is not None and not SANE_WINDOW[0] <= init.gain <= SANE_WINDOW[1])
