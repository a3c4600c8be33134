"""ReLU to SELU, in every spelling; a hand-written SELU to the exact one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from selulint.diagnostic import Fix
from selulint.fix.plan import Plan, Refused, is_string, like, plan
from selulint.graph import Kind, Model, Op, Place
from selulint.moments.maps import SELU_ALPHA, SELU_SCALE

if TYPE_CHECKING:
    from selulint.fix.edits import Draft

_KERAS_RELU_ARGUMENTS = ("max_value", "negative_slope", "alpha", "threshold")


def to_selu(made: Plan, model: Model, op: Op, chain: set[Place | None]) -> None:
    if op.chooser is not None:
        raise Refused("the activation is chosen by an option")
    for other in model.ops:
        if other.place == op.place and other.kind is Kind.ACTIVATION and not model.is_hidden(other):
            raise Refused("the same ReLU is also used where it is no hidden activation")
    if not made.first("activation", op.place):
        return
    if not _respell_activation(made.draft, op):
        raise Refused("this spelling of ReLU cannot be rewritten")


def _respell_activation(draft: Draft, op: Op) -> bool:
    place, symbol = op.place, op.symbol or op.place
    assert place is not None and symbol is not None
    if is_string(place):
        draft.replace(place, like(place, "selu"))
        return True
    if op.name.startswith("torch.Tensor."):
        return _method_to_function(draft, op)
    if op.name == "keras.layers.ReLU":
        return _relu_layer_to_activation(draft, op)
    if op.name.startswith("keras.") and any(op.args.get(name) for name in _KERAS_RELU_ARGUMENTS):
        return False
    base, _, last = op.name.rpartition(".")
    new = {"ReLU": "SELU", "relu": "selu", "relu_": "selu_"}.get(last)
    return new is not None and draft.respell(symbol, f"{base}.{new}")


def _method_to_function(draft: Draft, op: Op) -> bool:
    place = op.place
    node: Any = place.node if place is not None else None
    receiver = getattr(getattr(node, "func", None), "value", None)
    name = draft.refer("torch.selu" if op.name.endswith("relu") else "torch.selu_")
    if place is None or receiver is None or name is None or node.args:
        return False
    draft.replace(place, f"{name}({Place(receiver, place.unit).text})")
    return True


def _relu_layer_to_activation(draft: Draft, op: Op) -> bool:
    place, symbol = op.place, op.symbol
    if place is None or symbol is None or any(op.args.get(name) for name in _KERAS_RELU_ARGUMENTS):
        return False
    node: Any = place.node
    if not hasattr(node, "args") or any(arg.keyword is None for arg in node.args):
        return False
    others = "".join(f", {Place(arg, place.unit).text}" for arg in node.args if arg.keyword.value == "name")
    name = draft.refer_like(symbol, "keras.layers.Activation")
    if name is None:
        return False
    draft.replace(place, f"{name}({draft.quote}selu{draft.quote}{others})")
    return True


def exact_constants(model: Model, op: Op) -> Fix | None:
    """SELU's exact constants in place of the rough ones near them, where a hand-written SELU spells both."""
    made = plan(model)
    found: dict[str, Place] = {}
    stack, seen = [op], set[int]()
    while stack and len(seen) < 24:
        near = stack.pop()
        if near.index in seen:
            continue
        seen.add(near.index)
        for name in ("factor", "alpha"):
            place = near.spelled.get("constant" if name == "factor" else name)
            value = near.args.get(name)
            target = _exact(value)
            if place is not None and target is not None and _is_number(place):
                found[target] = place
        if near is op or near.kind in (Kind.SCALE, Kind.MERGE, Kind.OPAQUE, Kind.ACTIVATION):
            stack.extend(model.inputs(near))
    if set(found) == {repr(SELU_ALPHA), repr(SELU_SCALE)}:
        for text, place in found.items():
            if float(place.text) != float(text):
                made.draft.replace(place, text)
        return made.build("use SELU's exact constants")
    return made.build("use the framework's SELU") if _call_framework_selu(made.draft, model, op) else None


def _call_framework_selu(draft: Draft, model: Model, op: Op) -> bool:
    """`scale * F.elu(x, alpha)` becomes `F.selu(x)`, where the whole is one expression."""
    inner = model.inputs(op)
    if op.kind is not Kind.SCALE or len(inner) != 1 or inner[0].function != "elu" or op.place is None:
        return False
    call, symbol = inner[0].place, inner[0].symbol
    node: Any = call.node if call is not None else None
    is_inside = call is not None and any(each is op.place.node for each in call.unit.ancestors(node))
    if call is None or symbol is None or not is_inside or inner[0].layer or not getattr(node, "args", ()):
        return False
    first = node.args[0]
    name = draft.refer_like(symbol, f"{inner[0].name.rpartition('.')[0]}.selu")
    if (
        name is None
        or first.star
        or (first.keyword is not None and first.keyword.value not in ("input", "x", "features"))
    ):
        return False
    draft.replace(op.place, f"{name}({Place(first.value, call.unit).text})")
    return True


def _is_number(place: Place) -> bool:
    return type(place.node).__name__ in ("Float", "Integer")


def _exact(value: object) -> str | None:
    if not isinstance(value, int | float):
        return None
    for target in (SELU_ALPHA, SELU_SCALE):
        if abs(value / target - 1) <= 0.04:
            return repr(target)
    return None
