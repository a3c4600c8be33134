"""Initialisation that does not arrive: moving it behind the layers, deleting what is overwritten, objects of one's own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from selulint.diagnostic import Refusal, Refused, Repair
from selulint.fix.plan import Plan, composed
from selulint.graph import Init, Lost, Model, Op, Place

_LAWS = {"lecunnormal": "lecun_normal", "lecununiform": "lecun_uniform"}


def in_order(model: Model, lost: Lost) -> Repair:
    """What makes an initialisation arrive, or shows that nobody misses it."""
    if lost.cause == "early":
        return composed(
            model, "initialise when all layers are made", lambda made: _move(made, model, lost.place, lost.by)
        )
    if lost.cause == "overwritten":
        return composed(model, "delete the initialiser that is overwritten", lambda made: _delete(made, lost.place))
    return Refusal("the initialiser has to run before the weight is wrapped, and only its author knows what is between")


def _move(made: Plan, model: Model, place: Place, initialiser: Place | None) -> None:
    """A statement of a constructor to its end, where all layers exist."""
    from selulint.fix.statements import simple_statement  # imports LibCST, which listing the rules must not do

    found, text = simple_statement(place), place.text
    init = model.init
    if init is None or found is None or init.unit is not place.unit or found[1] is not init.node.body:
        raise Refused("it is no statement of the constructor itself")
    if len(found[0].body) > 1 or type(place.unit.ancestors(place.node)[-1]).__name__ != "Expr" or "\n" in text:
        raise Refused("it is no statement of its own")
    home = _function(initialiser)
    for each in model.component:
        for op in each.ops:
            if any(own is not None and own.place and _function(own.place) is not home for own in (op.weight, op.bias)):
                raise Refused("other initialisers would come before it")
    if not made.draft.delete_statement(place) or not made.draft.append_to_body(init, [text]):
        raise Refused("the constructor has no plain end")


def _function(place: Place | None) -> Any:
    """The innermost function around a place."""
    around = place.unit.ancestors(place.node) if place is not None else ()
    return next((each for each in reversed(around) if type(each).__name__ == "FunctionDef"), None)


def _delete(made: Plan, place: Place) -> None:
    parent = place.unit.ancestors(place.node)[-1]
    if type(parent).__name__ != "Expr" or not made.draft.delete_statement(place):
        raise Refused("it is no statement of its own, or the only one of its block")


def own_initialisers(model: Model, layers: Sequence[Op], init: Init) -> Repair:
    """The string that stands for LeCun's law in the place of one Keras object that several layers share."""

    def compose(made: Plan) -> None:
        law = _LAWS.get(init.name.lower().replace("_", ""))
        if law is None or init.place is None:
            raise Refused(f"no string stands for this `{init.name}`")
        if not type(init.place.node).__name__ == "Call" or _is_used_otherwise(init.place, made.draft.text):
            raise Refused("code elsewhere uses the object itself")
        if init.args.get("seed") is not None:
            made.doubt("the seed goes")
        quote = made.draft.quote
        made.draft.replace(init.place, f"{quote}{law}{quote}")

    return composed(model, "give every layer an initialiser of its own", compose)


def _is_used_otherwise(place: Place, text: str) -> bool:
    """Whether code somewhere calls the object that is made here or asks it something, by the name that it gets."""
    around = place.unit.ancestors(place.node)
    targets: Any = getattr(around[-1], "targets", ()) if around else ()
    names = [getattr(getattr(each.target, "attr", each.target), "value", None) for each in targets]
    return any(not isinstance(name, str) or re.search(rf"\b{name}\s*[.(]", text) for name in names)
