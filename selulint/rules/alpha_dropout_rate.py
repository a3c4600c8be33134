from __future__ import annotations

from collections.abc import Iterator

from selulint.diagnostic import Finding, Severity
from selulint.fix.dropouts import is_parameter, selu_beside
from selulint.graph import TRANSPARENT, Kind, Model, Op, Place
from selulint.moments.maps import SELU_SLOPE2, alpha_dropout_slope
from selulint.operations import rate_of
from selulint.rules import related, rule

# The larger of the two rates that the paper uses.
RATE = 0.1


@rule("SELU403", Severity.NOTE)
def alpha_dropout_rate(model: Model) -> Iterator[Finding]:
    """AlphaDropout with a rate that makes gradients vanish.

    ## What
    Reports AlphaDropout in a SELU chain with a known rate above 0.1: at the default value of a parameter where that
    gives the rate, else where it is applied.

    ## Why
    AlphaDropout keeps mean and variance for every rate p, but not gradients: a layer multiplies their variance by
    1.0716 / (1 + 3.0909 p), which is 0.82 at p = 0.1 and 0.42 at p = 0.5. Rates that suit plain Dropout make the
    gradients of deep networks vanish.

    ## Example
    ```python
    nn.Sequential(nn.Linear(64, 64), nn.SELU(), nn.AlphaDropout(0.5))
    ```

    ## Use instead
    ```python
    nn.Sequential(nn.Linear(64, 64), nn.SELU(), nn.AlphaDropout(0.05))
    ```

    ## Fix safety
    There is no fix: the rate is for you to choose. `--fix` keeps the rate of a Dropout that becomes AlphaDropout, so that
    this note may show up afterwards.

    ## References
    Klambauer et al., 2017, section "New Dropout Technique" (rates 0.05 and 0.1).
    """
    found = [op for op in model.of(Kind.DROPOUT, "alpha_dropout", "feature_alpha_dropout") if _concerns(model, op)]
    if not found:
        return
    layers, shrinks = _through(model)
    for op in found:
        rate, place = rate_of(op), _place(op)
        assert rate is not None and place is not None
        message = (
            f"`{op.title}` drops at rate {rate:g}: gradients keep {SELU_SLOPE2 * alpha_dropout_slope(rate):.2g} of their "
            f"variance a layer (0.82 at 0.1), {shrinks:.2g} through the model's {layers} SELU layer{'s' * (layers != 1)}"
        )
        yield Finding(place.span, message, related.selu_beside(model, op))


def _concerns(model: Model, op: Op) -> bool:
    rate = rate_of(op)
    is_chosen_off = op.args.get("training") is False and not is_parameter(op.spelled.get("training"))
    if rate is None or not RATE < rate < 1 or op.place is None or (op.name.startswith("torch.nn.f") and is_chosen_off):
        return False
    before = model.upstream(op, TRANSPARENT - {Kind.POOL}, merges=True)
    return selu_beside(model, op) is not None or any(near.function == "selu" and not near.rivals for near in before)


def _place(op: Op) -> Place | None:
    """The parameter's default that gives the rate, else the dropout."""
    default = next(
        (op.spelled[name] for name in ("p", "rate", "keep_prob") if is_parameter(op.spelled.get(name))), None
    )
    return op.seat if default is None else default


def _through(model: Model) -> tuple[int, float]:
    """The most SELUs on one way through the model, and what is left of the variance of gradients behind them."""
    best: list[tuple[int, float]] = []
    for op in model.ops:
        layers, left = max((best[index] for index in op.inputs), default=(0, 1.0), key=lambda way: (way[0], -way[1]))
        if op.kind is Kind.ACTIVATION and op.function == "selu":
            layers, left = layers + 1, left * SELU_SLOPE2
        rate = rate_of(op) if op.function in ("alpha_dropout", "feature_alpha_dropout") else None
        if rate is not None and 0 <= rate < 1:
            left *= alpha_dropout_slope(rate)
        best.append((layers, left))
    return max(best, default=(0, 1.0), key=lambda way: (way[0], -way[1]))
