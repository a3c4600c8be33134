"""ReLU to SELU, in every spelling; a hand-written SELU to the exact one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from selulint.diagnostic import Fix
from selulint.fix.plan import Plan, Refused, is_string, like, plan
from selulint.frameworks import SPECS
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
    if op.args.get("implicit"):
        return _say_selu(draft, op, place)
    if op.name.startswith("torch.Tensor."):
        return _method_to_function(draft, op)
    if op.name == "keras.layers.ReLU":
        return _relu_layer_to_activation(draft, op)
    if op.name.startswith("keras.") and any(op.args.get(name) for name in _KERAS_RELU_ARGUMENTS):
        return False
    base, _, last = op.name.rpartition(".")
    new = {"ReLU": "SELU", "relu": "selu", "relu_": "selu_", "Relu": "Selu"}.get(last)
    return f"{base}.{new}" in SPECS and draft.respell(symbol, f"{base}.{new}")


def _say_selu(draft: Draft, op: Op, place: Place) -> bool:
    """A layer that applies ReLU unless it is told otherwise is told otherwise."""
    base = op.name.rpartition(".")[0]
    name = draft.refer(f"{base}.selu")
    argument = "activation_fn" if base.startswith("tensorflow") else "activation"
    return name is not None and draft.set_argument(place, argument, name)


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
    """A hand-written SELU to the framework's own, where it is one expression of one variable, else to exact constants."""
    made = plan(model)
    tree = _tree(model, op)
    if _call_framework_selu(made.draft, model.framework, op, tree):
        return made.build("use the framework's SELU")
    found: dict[str, Place] = {}
    for near in tree:
        for name, argument in (("constant", "factor"), ("alpha", "alpha")):
            place, target = near.spelled.get(name), _exact(near.args.get(argument))
            if place is not None and target is not None and _is_number(place):
                found[target] = place
    if set(found) != {repr(SELU_ALPHA), repr(SELU_SCALE)}:
        return None
    for text, place in found.items():
        if float(place.text) != float(text):
            made.draft.replace(place, text)
    return made.build("use SELU's exact constants")


def _tree(model: Model, op: Op) -> list[Op]:
    """The operations that compute `op` from the tensor it is a function of, itself included."""
    tree: dict[int, Op] = {op.index: op}
    stack = [op]
    while stack and len(tree) < 24:
        for near in model.inputs(stack.pop()):
            is_step = near.kind in (Kind.SCALE, Kind.MERGE, Kind.OPAQUE, Kind.ACTIVATION)
            if is_step and near.index not in tree:
                tree[near.index] = near
                stack.append(near)
    return list(tree.values())


def _call_framework_selu(draft: Draft, framework: str, op: Op, tree: list[Op]) -> bool:
    """`scale * F.elu(x, alpha)` and the like become `F.selu(x)`, where all of it is spelled in one expression."""
    whole = op.place
    if whole is None or any(near.layer or near.place is None or not _is_inside(near.place, whole) for near in tree):
        return False
    operands = _leaf_operands(tree)
    if len(operands) != 1:
        return False
    packages = [near.name.rpartition(".")[0] for near in tree if near.symbol is not None]
    fallback = {"keras": "keras.activations.selu", "jax": "jax.nn.selu"}.get(framework, "torch.nn.functional.selu")
    canonical = next((f"{each}.selu" for each in packages if f"{each}.selu" in SPECS), fallback)
    name = draft.refer(canonical)
    if name is None:
        return False
    draft.replace(whole, f"{name}({operands.pop()})")
    return True


def _is_inside(place: Place, whole: Place) -> bool:
    if place.unit is not whole.unit:
        return False
    return place == whole or any(node is whole.node for node in place.unit.ancestors(place.node))


def _leaf_operands(tree: list[Op]) -> set[str]:
    """The texts of the operands that bring in the tensor which the tree is a function of."""
    inside = {near.index for near in tree}
    texts: set[str] = set()
    for near in tree:
        constants = {id(place.node) for place in near.spelled.values()}
        steps = {id(each.place.node) for each in tree if each.place is not None}
        if inside.issuperset(near.inputs) or near.place is None:
            continue
        node: Any = near.place.node
        operands = [arg.value for arg in getattr(node, "args", ())][: len(near.inputs)]
        operands += [getattr(node, side) for side in ("left", "right", "expression") if hasattr(node, side)]
        for operand in operands:
            if id(operand) not in constants | steps and type(operand).__name__ not in ("Float", "Integer"):
                texts.add(Place(operand, near.place.unit).text)
    return texts


def _is_number(place: Place) -> bool:
    return type(place.node).__name__ in ("Float", "Integer")


def _exact(value: object) -> str | None:
    if not isinstance(value, int | float):
        return None
    for target in (SELU_ALPHA, SELU_SCALE):
        if abs(value / target - 1) <= 0.04:
            return repr(target)
    return None
