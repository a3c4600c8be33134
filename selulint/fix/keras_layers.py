"""Layers of Keras, and calls of others, taken out of the model that they are part of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from selulint.graph import Op, Place

if TYPE_CHECKING:
    from selulint.fix.edits import Draft


def remove_keras_layer(draft: Draft, op: Op) -> bool:
    """Take a Keras layer out: its element of a list, its `model.add` or `layers.append` statement, its `x = layer(...)(x)`."""
    place, call = op.place, op.call
    assert place is not None
    parents = place.unit.ancestors(place.node)
    parent = parents[-1] if parents else None
    kind = type(parent).__name__
    if kind == "Element":
        return draft.delete_element(place)
    if kind == "Arg" and len(parents) > 2 and _adds(parents[-2], parents[-3]):
        return draft.delete_statement(place)
    if kind == "Call" and call is not None and call.node is parent:
        return take_call_out(draft, call)
    if kind == "Assign" and draft.refer_like(op.symbol or place, "keras.layers.Identity"):
        draft.replace(place, f"{draft.refer_like(op.symbol or place, 'keras.layers.Identity')}()")
        return True
    return False


def _adds(call: Any, statement: Any) -> bool:
    """Whether a call adds one layer to a model, or to a list, and does nothing else."""
    name = getattr(getattr(getattr(call, "func", None), "attr", None), "value", None)
    return name == "add" or (name == "append" and type(statement).__name__ == "Expr" and len(call.args) == 1)


def take_call_out(draft: Draft, call: Place, others: bool = False) -> bool:
    """`f(x)` becomes `x`, and `x = f(x)` goes; with `others`, `f` may have other arguments too."""
    around = call.unit.ancestors(call.node)
    is_whole = bool(around) and _rebinds(around[-1], call.node) and (others or len(call.node.args) == 1)
    return draft.delete_statement(call) if is_whole else draft.unwrap(call, others=others)


def _rebinds(statement: Any, call: Any) -> bool:
    """Whether a statement is `x = f(x, ...)`."""
    if type(statement).__name__ != "Assign" or len(statement.targets) != 1 or not call.args:
        return False
    target, argument = statement.targets[0].target, call.args[0].value
    return type(target).__name__ == type(argument).__name__ == "Name" and bool(target.value == argument.value)
