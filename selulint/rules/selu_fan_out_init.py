from __future__ import annotations

from collections.abc import Iterator

from selulint.diagnostic import Finding, Severity
from selulint.fix.fans import has_fans_of_its_own
from selulint.fix.initialisers import own_fan
from selulint.graph import Kind, Model, Op, Place
from selulint.moments.maps import SANE_WINDOW
from selulint.predict import as_written
from selulint.rules import rule
from selulint.rules.related import at_sites, layers_and_selu, spelled

# A standard deviation that is 1/sqrt(fan_out) is meant to be; one that is only near it is another number.
_TOLERANCE = 0.01
# Laws whose variance is a number that the file computes.
_COMPUTED = frozenset({"normal_", "uniform_", "trunc_normal_"})


@rule("SELU204", Severity.ERROR)
def selu_fan_out_init(model: Model) -> Iterator[Finding]:
    """Initialiser that takes fan_out where fan_in belongs, in front of SELU.

    ## What
    Reports a layer in front of a SELU whose weights have variance 1/fan_out instead of 1/fan_in: `mode="fan_out"`, a
    standard deviation from `out_features` or `weight.shape[0]`, and the frameworks' own `fan_in` of transposed convolutions,
    which is what goes out of them, and of depthwise ones in Keras, which counts channels that no unit sees. Layers for which
    both fans are the same are right.

    ## Why
    The variance that a unit sees is fan_in * Var(w). With 1/fan_out it is fan_in/fan_out: a layer that doubles its width
    halves the variance, one that halves the width doubles it.

    ## Example
    ```python
    nn.init.normal_(self.fc.weight, std=1 / math.sqrt(self.fc.out_features))
    ```

    ## Use instead
    ```python
    nn.init.kaiming_normal_(self.fc.weight, nonlinearity="linear")
    ```

    ## Fix safety
    Safe: only the initialisation changes. A transposed or depthwise layer gets `mode="fan_out"`, which is nearer to what its
    units see, with the strides counted in where there are any.

    ## References
    Klambauer et al., 2017, section 2 (w ~ N(0, 1/n)); PyTorch issue 23854.
    """
    wrong = {place: ops for place, ops in by_initialiser(model).items() if takes_wrong_fan(ops)}
    for place, ops, sharing in at_sites(wrong):
        init = ops[0].weight
        assert init is not None
        names = ", ".join(dict.fromkeys(f"`{op.title}`" for op in ops[:3])) + (" ..." if len(ops) > 3 else "")
        gains = [op.weight.gain for op in ops if op.weight is not None and op.weight.gain is not None]
        told = f"gain {gains[0]:.3g}, self-normalizing: 1" if gains else "gain fan_in/fan_out, self-normalizing: 1"
        related = (*layers_and_selu(model, ops), *spelled(init.place, place))
        message = f"`{init.name}` gives {names} {_mistake(ops[0])} ({told})"
        yield Finding(place.span, message, related, own_fan(model, sharing), prediction=as_written(model, ops[0]))


def _mistake(op: Op) -> str:
    if not has_fans_of_its_own(op):
        return "variance 1/fan_out where SELU needs 1/fan_in"
    if "transpose" in op.function:
        return f"a variance of what {op.framework} calls fan_in, and a transposed layer's units do not see"
    return "a variance of all input channels, of which a depthwise layer's units see one"


def by_initialiser(model: Model) -> dict[Place, list[Op]]:
    """The layers in front of a SELU by the explicit initialisers that do not fit them."""
    found: dict[Place, list[Op]] = {}
    for op in model.of(Kind.PARAMETRIC):
        init = op.weight
        if init is None or init.default or init.place is None or not model.fed(op, "selu"):
            continue
        if init.gain is None or not SANE_WINDOW[0] <= init.gain <= SANE_WINDOW[1]:
            found.setdefault(init.place, []).append(op)
    return found


def takes_wrong_fan(ops: list[Op]) -> bool:
    """Whether one initialiser gives all these layers LeCun's variance of the other fan.

    Where each of them halves its width, that is He's variance of their own.
    """
    inits = [op.weight for op in ops if op.weight is not None and op.weight.gain_out is not None]
    if not inits or any(abs((init.gain_out or 0.0) - 1.0) > _TOLERANCE for init in inits):
        return False
    is_he = all(init.gain is not None and abs(init.gain - 2.0) <= 2.0 * _TOLERANCE for init in inits)
    return not is_he or inits[0].name not in _COMPUTED
