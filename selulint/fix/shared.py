"""One initialiser for many: what else it writes, who else has it, and who chooses it."""

from __future__ import annotations

from selulint.diagnostic import Refused
from selulint.fix.callers import is_default, takes_parameter
from selulint.fix.plan import Plan
from selulint.graph import Init, Kind, Model, Op, Place

# Activations that LeCun's gain serves as well as any other.
_CONTENT = frozenset({"selu", "relu", "tanh", "sigmoid", "softmax", "log_softmax", "softplus", "hardsigmoid"})


def is_declared(op: Op) -> bool:
    """Whether a layer takes its initialiser as an argument, or has none that could be set (Equinox)."""
    return bool(op.name) and not op.name.startswith("torch.")


def refuse_out_of_reach(init: Init) -> None:
    """Refuse to edit an initialiser that is not spelled here, or that runs only where callers ask for it."""
    if init.chooser is not None:
        raise Refused("callers choose the initialiser")
    if init.caller is not None and init.place == init.caller:
        raise Refused("the initialiser is in another file")


def doubt_others(made: Plan, model: Model, place: Place) -> None:
    """Doubt a fix of an initialiser that other layers have too."""
    for each in model.component:
        for other in each.of(Kind.PARAMETRIC):
            places = (other.weight and other.weight.place, other.bias and other.bias.place)
            if place not in places:
                continue
            if made.migrates and any(_stays(made, each, near) for near in each.downstream(other)):
                raise Refused("the initialiser also serves a ReLU that stays")
            if not _is_served(each, other):
                made.doubt("the initialiser also serves layers in front of another activation")


def _stays(made: Plan, model: Model, op: Op) -> bool:
    """Whether a migration leaves a ReLU what it is: one that ends the model."""
    is_relu = op.kind is Kind.ACTIVATION and op.function == "relu"
    return is_relu and not model.is_hidden(op) and op.place is not None and ("activation", op.place) not in made.done


def _is_served(model: Model, op: Op) -> bool:
    return all(near.function in _CONTENT for near in model.downstream(op) if near.kind is Kind.ACTIVATION)


def doubt_choices(made: Plan, op: Op, place: Place) -> None:
    """Doubt a fix that makes a parameter vain, or changes what it is by default."""
    if is_default(place):
        made.doubt("callers may choose another initialiser")
    elif takes_parameter(place, written=not is_declared(op)):
        made.doubt("callers choose an argument of the initialiser")


def also_writes(op: Op, place: Place) -> bool:
    """Whether an initialiser also writes a bias or a norm's weight, which have no fans."""
    in_norm = op.kind is not Kind.PARAMETRIC and op.weight is not None and op.weight.place == place
    return in_norm or (op.bias is not None and op.bias.place == place)


def spare_norms(model: Model) -> None:
    """Refuse where something unknown writes the weights of norms: it may be the initialiser, and zeros would silence them."""
    norms = (op.weight for each in model.component for op in each.of(Kind.NORM))
    if any(weight is not None and weight.name == "unknown" for weight in norms):
        raise Refused("what initialises the norms is not known")
