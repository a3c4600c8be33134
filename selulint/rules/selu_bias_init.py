from __future__ import annotations

from collections.abc import Iterator

from selulint.diagnostic import Finding, Severity
from selulint.fix.initialisers import starts_off_zero, zero_bias
from selulint.graph import WEIGHTED_SUMS, Kind, Model, Op, Place
from selulint.moments.chains import after_biases
from selulint.moments.fitting import bias_moments
from selulint.predict import as_written
from selulint.rules import rule
from selulint.rules.related import at_sites, layers_and_selu, spelled

# Up to this change of mean or variance a bias is worth a note only.
_TOLERABLE = 0.03


@rule("SELU205", Severity.WARNING)
def selu_bias_init(model: Model) -> Iterator[Finding]:
    """Bias in front of SELU that does not start at zero.

    ## What
    Reports an explicit start of a bias in front of a SELU that is not zero: ones, a constant, a wide random law. A small
    one, such as 0.01, is a note. PyTorch's default, U(-1/sqrt(n), 1/sqrt(n)), is not reported.

    ## Why
    The fixed point is mean 0 and variance 1 for layers without a bias. A bias of 0.1 in every layer moves it to mean 0.12
    and variance 1.19, a bias of 1 to mean 1.4 and variance 6.7.

    ## Example
    ```python
    nn.init.constant_(self.fc.bias, 0.1)
    ```

    ## Use instead
    ```python
    nn.init.zeros_(self.fc.bias)
    ```

    ## Fix safety
    Safe where the initialiser serves layers in front of SELU and heads only, unsafe where it also serves layers in front
    of another activation, or where callers choose the number.

    ## References
    Klambauer et al., 2017, section 2 and Theorem 1.
    """
    by_place: dict[Place, list[Op]] = {}
    for op in model.of(Kind.PARAMETRIC):
        is_sum = op.function in WEIGHTED_SUMS or op.function == "matmul"
        if is_sum and op.bias and op.bias.place and starts_off_zero(op) and model.fed(op, "selu"):
            by_place.setdefault(op.bias.place, []).append(op)
    for place, ops, sharing in at_sites(by_place):
        init = ops[0].bias
        found = bias_moments(init.name, init.args) if init is not None else None
        assert init is not None and found is not None
        depth = len({op.layer or op.index for op in ops})
        mean, variance = after_biases(*found, depth)
        related = (*layers_and_selu(model, ops), *spelled(init.place, place))
        message = (
            f"`{init.name}` starts the bias in front of a SELU {_start(*found)}: predicted mean {mean:.2g} and "
            f"variance {variance:.3g} after {depth} layer{'s' * (depth != 1)} (self-normalizing: 0 and 1)"
        )
        small = max(abs(mean), abs(variance - 1)) < _TOLERABLE and abs(found[0]) < _TOLERABLE
        severity = Severity.NOTE if small else None
        told = as_written(model, ops[0])
        yield Finding(place.span, message, related, zero_bias(model, sharing), severity, told)


def _start(mean: float, variance: float) -> str:
    return f"at {mean:.3g}" if not variance else f"with mean {mean:.2g} and variance {variance:.2g}"
