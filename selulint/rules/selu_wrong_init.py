from __future__ import annotations

from collections.abc import Iterator

from selulint.diagnostic import Finding, Severity
from selulint.fix.initialisers import lecun_init
from selulint.graph import Init, Model
from selulint.moments.initial import gain
from selulint.moments.maps import SANE_WINDOW
from selulint.predict import as_written
from selulint.rules import rule
from selulint.rules.related import at_sites, layers_and_selu, spelled
from selulint.rules.selu_fan_out_init import by_initialiser, takes_wrong_fan

# Arguments that set the spread of weights by themselves.
_SPREADS = (("std",), ("stddev",), ("a", "b"), ("minval", "maxval"))
# Laws whose gain hangs on fan_in / fan_out alone.
_OF_RATIO = ("kaiming_", "xavier_", "orthogonal")
_ANY = 64.0


@rule("SELU202", Severity.ERROR)
def selu_wrong_init(model: Model) -> Iterator[Finding]:
    """Explicit initialiser that does not fit SELU.

    ## What
    Reports an initialiser of a layer in front of a SELU whose gain tau = fan_in * Var(w) is not about 1: He, rectangular
    Glorot, tall orthogonal, uniform and constant initialisers, a standard deviation out of thin air. Gains are compared,
    not names: `kaiming_normal_(w, a=1)` and a square Glorot are right.

    ## Why
    Outside [0.8, 1.25] SELU's fixed point leaves variance 1; below 0.477 the signal dies, above 1.81 it explodes.

    ## Example
    ```python
    nn.init.xavier_uniform_(self.fc.weight)
    ```

    ## Use instead
    ```python
    nn.init.kaiming_normal_(self.fc.weight, nonlinearity="linear")
    ```

    ## Fix safety
    Safe where the initialiser serves layers in front of SELU and heads only, unsafe where it also serves layers in front
    of another activation.

    ## References
    Klambauer et al., 2017, Theorem 1 and equations 4 and 5.
    """
    groups = {place: group for place, group in by_initialiser(model).items() if not takes_wrong_fan(group)}
    wrong = {
        place: [op for op in group if op.weight is not None and _is_wrong(op.weight)] for place, group in groups.items()
    }
    for place, ops, sharing in at_sites(wrong):
        init = ops[0].weight
        assert init is not None
        gains = [op.weight.gain for op in ops if op.weight is not None and op.weight.gain is not None]
        names = ", ".join(dict.fromkeys(f"`{op.title}`" for op in ops[:3])) + (" ..." if len(ops) > 3 else "")
        told = f"gain {gains[0]:.3g}, self-normalizing: 1" if gains else _of_unknown_size(init)
        related = (*layers_and_selu(model, ops), *spelled(init.place, place))
        message = f"`{init.name}` does not fit the SELU after {names} ({told})"
        yield Finding(place.span, message, related, lecun_init(model, sharing), prediction=as_written(model, ops[0]))


def _is_wrong(init: Init) -> bool:
    if "calculate_gain" in init.args or init.args.get("nonlinearity") == "selu":
        return False
    return init.gain is not None or bool(_of_unknown_size(init))


def _of_unknown_size(init: Init) -> str:
    """What is wrong with a law whatever the layer's sizes are, or unless they are so by chance; "" for nothing."""
    if "unknown" in init.args:
        return ""
    if any(all(isinstance(init.args.get(name), int | float) for name in names) for names in _SPREADS):
        return "a standard deviation that ignores fan_in"
    square = gain(init.name, init.args, _ANY, _ANY) if init.name.startswith(_OF_RATIO) else None
    if square is None or SANE_WINDOW[0] <= square <= SANE_WINDOW[1]:
        return ""
    return f"gain {square:.3g} where fan_in equals fan_out, self-normalizing: 1"
