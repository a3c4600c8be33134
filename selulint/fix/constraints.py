"""Taking constraints, penalties and reparametrisations off the weights of layers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from selulint.diagnostic import Refused, Repair
from selulint.fix.callers import is_parameter
from selulint.fix.initialisers import make_lecun
from selulint.fix.plan import Plan, composed
from selulint.graph import Init, Kind, Model, Op, Place

_WRAPPERS = ("weight_norm", "spectral_norm")
# Code that takes a wrapper apart fails, or does something else, without it.
_TAKES_APART = re.compile(
    r"remove_(?:weight_norm|spectral_norm|parametrizations)|weight_(?:g|v|orig|u)\b|original[01]?\b|\.parametrizations\.weight\b"
)


def without_constraints(model: Model, layers: Sequence[Op]) -> Repair:
    """The layers, all of which feed a SELU, without what holds their weights, and with LeCun initialisation."""

    def compose(made: Plan) -> None:
        for op in layers:
            for name, place in op.constraints:
                if name in _WRAPPERS:
                    _unwrap(made, model, name, place)
                else:
                    _remove_argument(made, op, name)
        made.doubt("the constraint may serve another purpose")
        # An initialiser that a wrapper made vain reaches the weight now, and is judged then.
        make_lecun(made, model, [_bare(op) for op in layers if not op.lost])

    return composed(model, "remove the constraint", compose)


def _bare(op: Op) -> Op:
    """The layer as it is without what holds its weights."""
    before = op.weight.args.get("before") if op.weight is not None else None
    return replace(op, constraints=(), weight=before if isinstance(before, Init) else op.weight)


def _unwrap(made: Plan, model: Model, name: str, place: Place) -> None:
    if not made.first("constraint", place):
        return
    if model.framework == "jax":
        raise Refused("the call of the wrapper may have arguments that the layer's has not")
    for each in model.component:
        for op in each.of(Kind.PARAMETRIC):
            if any(other == place for _, other in op.constraints) and not each.fed(op, "selu"):
                raise Refused(f"the same `{name}` also wraps layers that feed no SELU")
    if _TAKES_APART.search(re.sub(r"(?m)^\s*(?:from|import)\b.*", "", made.draft.text)):
        raise Refused("other code takes the wrapper apart")
    made.doubt("removing the wrapper changes the keys of the state_dict")
    is_gone = _is_statement(place) and made.draft.delete_statement(place)
    if not is_gone and not made.draft.unwrap(place, others=True):
        raise Refused(f"`{name}` cannot be taken off here")


def _is_statement(place: Place) -> bool:
    """Whether a wrapper is applied by a statement of its own: `weight_norm(x)` or `x = weight_norm(x)`."""
    around = place.unit.ancestors(place.node)
    parent = around[-1] if around else None
    if type(parent).__name__ == "Expr":
        return True
    targets: Any = getattr(parent, "targets", ())
    if type(parent).__name__ != "Assign" or len(targets) != 1 or not place.node.args:
        return False
    target, argument = (Place(each, place.unit) for each in (targets[0].target, place.node.args[0].value))
    return target.text == argument.text


def _remove_argument(made: Plan, op: Op, name: str) -> None:
    if made.first(name, op.place):
        assert op.place is not None
        values = (arg.value for arg in op.place.node.args if arg.keyword is not None and arg.keyword.value == name)
        if any(type(each).__name__ == "Name" and is_parameter(Place(each, op.place.unit)) for each in values):
            raise Refused("callers choose the constraint")
        if not made.draft.remove_argument(op.place, name):
            raise Refused("the arguments of the layer are not spelled in its call")
