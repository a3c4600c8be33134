"""Other activations to SELU, in every spelling; a hand-written SELU to the exact one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from selulint.diagnostic import Refusal, Refused, Repair
from selulint.fix.callers import is_default, refuse_entry
from selulint.fix.plan import Plan, is_string, like, plan
from selulint.fix.signatures import parameters
from selulint.frameworks import SPECS
from selulint.graph import Kind, Model, Op, Place
from selulint.moments.maps import SELU_ALPHA, SELU_SCALE

if TYPE_CHECKING:
    from selulint.fix.edits import Draft

# Constants this near to SELU's are the same numbers in float32.
_FLOAT32 = 1e-6
# A ReLU of Keras with one of these is another function.
_KERAS_RELU_ARGUMENTS = ("max_value", "negative_slope", "alpha", "threshold")
# Arguments that SELU takes as well: tensors and whether they are overwritten.
_SHARED_ARGUMENTS = frozenset({"input", "x", "features", "inplace", "name"})


def to_selu(made: Plan, model: Model, op: Op, chain: Collection[int]) -> None:
    """Spell SELU where `op` is spelled; `chain` are the ops of the model that are to be SELU."""
    if op.chooser is not None:
        raise Refused("the activation is chosen by an option")
    for other in model.of(Kind.ACTIVATION):
        if other.place == op.place and other.index not in chain:
            raise Refused("the same activation is also used where it is no hidden one")
    if op.function == "prelu":
        made.doubt("PReLU's slopes leave the state_dict")
    if not made.first("activation", op.place):
        return
    refuse_entry(made.draft, op)
    if op.place is not None and is_default(op.place):
        made.doubt("callers may choose another activation")
    if not _respell_activation(made.draft, op):
        raise Refused("this spelling of the activation cannot be rewritten")


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
    if op.function == "relu" and op.name.startswith("keras.") and any(map(op.args.get, _KERAS_RELU_ARGUMENTS)):
        return False
    if op.name.startswith("keras.layers."):
        return _layer_to_activation(draft, op)
    name = _selu_like(op.name)
    if _takes_what_selu_takes(op):
        return draft.respell(symbol, name)
    return _rewrite_call(draft, op, symbol, name)


def _selu_like(name: str) -> str:
    """The framework's SELU in the form (class, function, in-place function) that `name` has."""
    base, _, last = name.rpartition(".")
    forms = ("SELU", "Selu") if last[0].isupper() else ("selu_",) if last.endswith("_") else ("selu",)
    near = next((f"{base}.{form}" for form in forms if f"{base}.{form}" in SPECS), None)
    if near is not None:
        return near
    others = {"torch": "torch.selu", "tensorflow": "tensorflow.nn.selu", "keras": "keras.activations.selu"}
    return others.get(name.partition(".")[0], "jax.nn.selu")


def _takes_what_selu_takes(op: Op) -> bool:
    """Whether the call of an activation passes nothing that SELU does not know."""
    names = parameters(SPECS[op.name].signature)
    node: Any = op.place.node if op.place is not None else None
    if type(node).__name__ != "Call":
        # Called elsewhere: an argument is known to be passed where it is written, or is not the default's constant.
        own = [name for name in names if name not in _SHARED_ARGUMENTS]
        return not any(name in op.spelled or (op.args and name not in op.args) for name in own)
    return all(_argument_name(arg, number, names) in _SHARED_ARGUMENTS for number, arg in enumerate(node.args))


def _argument_name(arg: Any, number: int, names: tuple[str, ...]) -> str:
    if arg.star:
        return "*"
    if arg.keyword is not None:
        return str(arg.keyword.value)
    return names[number] if number < len(names) else "*"


def _rewrite_call(draft: Draft, op: Op, symbol: Place, canonical: str) -> bool:
    """`F.leaky_relu(x, 0.2, inplace=True)` as `F.selu(x, inplace=True)`: without what only the old activation takes."""
    place, name = op.place, draft.refer_like(symbol, canonical)
    node: Any = place.node if place is not None else None
    if place is None or name is None or type(node).__name__ != "Call":
        return False
    names = parameters(SPECS[op.name].signature)
    kept = []
    for number, arg in enumerate(node.args):
        parameter = _argument_name(arg, number, names)
        if parameter == "*":
            return False
        if parameter in _SHARED_ARGUMENTS:
            text = Place(arg.value, place.unit).text
            kept.append(f"{parameter}={text}" if arg.keyword is not None or parameter == "inplace" else text)
    draft.replace(place, f"{name}({', '.join(kept)})")
    return True


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
    name = draft.refer("torch.selu_" if op.name.endswith("_") else "torch.selu")
    if place is None or receiver is None or name is None or node.args:
        return False
    draft.replace(place, f"{name}({Place(receiver, place.unit).text})")
    return True


def _layer_to_activation(draft: Draft, op: Op) -> bool:
    place, symbol = op.place, op.symbol
    node: Any = place.node if place is not None else None
    if place is None or symbol is None or not hasattr(node, "args") or any(arg.star for arg in node.args):
        return False
    if op.function == "relu" and any(arg.keyword is None for arg in node.args):
        return False
    named = [arg for arg in node.args if arg.keyword is not None and arg.keyword.value == "name"]
    others = "".join(f", {Place(arg, place.unit).text}" for arg in named)
    name = draft.refer_like(symbol, "keras.layers.Activation")
    if name is None:
        return False
    draft.replace(place, f"{name}({draft.quote}selu{draft.quote}{others})")
    return True


def exact_constants(model: Model, op: Op) -> Repair:
    """A hand-written SELU to the framework's own, where it is one expression of one variable, else to exact constants."""
    made = plan(model)
    tree = op.handwritten.parts if op.handwritten is not None else ()
    if _call_framework_selu(made.draft, model, op, tree):
        return made.build("use the framework's SELU")
    found: dict[str, Place] = {}
    for near in tree:
        for name, argument in (("constant", "factor"), ("alpha", "alpha")):
            place, target = near.spelled.get(name), _exact(near.args.get(argument))
            if place is not None and target is not None and _is_number(place):
                found[target] = place
    if set(found) != {repr(SELU_ALPHA), repr(SELU_SCALE)}:
        return Refusal("it is not one expression, and its constants are not written as numbers near SELU's")
    for text, place in found.items():
        if float(place.text) != float(text):
            made.draft.replace(place, text)
    return made.build("use SELU's exact constants")


def framework_selu(model: Model, op: Op) -> Repair:
    """A hand-written SELU with the right constants to the framework's own, where it is one expression of one variable."""
    made, mark = plan(model), op.handwritten
    if mark is None or not _call_framework_selu(made.draft, model, op, mark.parts):
        return Refusal("it is not one expression of one variable")
    if abs(mark.scale / SELU_SCALE - 1) > _FLOAT32 or abs(mark.alpha / SELU_ALPHA - 1) > _FLOAT32:
        made.doubt("the constants are rounded: results change from the fourth digit on")
    return made.build("use the framework's SELU")


def _call_framework_selu(draft: Draft, model: Model, op: Op, tree: Sequence[Op]) -> bool:
    """`scale * F.elu(x, alpha)` and the like become `F.selu(x)`, where all of it is spelled in one expression."""
    whole = op.place
    if whole is None or any(near.layer or near.place is None or not _is_inside(near.place, whole) for near in tree):
        return False
    operands = _leaf_operands(tree)
    if len(operands) != 1:
        return False
    packages = [near.name.rpartition(".")[0] for near in tree if near.symbol is not None]
    fallback = {"keras": "keras.activations.selu", "jax": "jax.nn.selu"}
    own = fallback.get(model.framework, "torch.nn.functional.selu")
    canonical = next((f"{each}.selu" for each in packages if f"{each}.selu" in SPECS), own)
    name = draft.refer(canonical)
    if name is None:
        return False
    draft.replace(whole, f"{name}({operands.pop()})")
    return True


def _is_inside(place: Place, whole: Place) -> bool:
    if place.unit is not whole.unit:
        return False
    return place == whole or any(node is whole.node for node in place.unit.ancestors(place.node))


def _leaf_operands(tree: Sequence[Op]) -> set[str]:
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
        if near.name.startswith("torch.Tensor."):
            operands = [node.func.value, *operands[: len(near.inputs) - 1]]
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
