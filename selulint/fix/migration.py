"""Fixes that concern models, not lines: a chain is made self-normalizing as a whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from selulint.diagnostic import Applicability, Fix
from selulint.fix import initialisers
from selulint.graph import GLOBAL_POOLS, TRANSPARENT, Kind, Model, Op, Place
from selulint.moments.maps import SELU_ALPHA, SELU_SCALE
from selulint.moments.propagate import stays_in_box

if TYPE_CHECKING:
    from selulint.fix.edits import Draft

PLAIN_DROPOUTS = (
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "spatial_dropout1d",
    "spatial_dropout2d",
    "spatial_dropout3d",
)
_PLAIN_LAYERS = frozenset({"linear", "conv1d", "conv2d", "conv3d"})
_FEATURE_DROPOUT = {"dropout1d": "conv1d", "dropout2d": "conv2d", "dropout3d": "conv3d"}
_BETWEEN = TRANSPARENT | {Kind.ACTIVATION}


class Refused(Exception):
    """There is no fix that would be right; the message says why."""


@dataclass(slots=True)
class Plan:
    """One fix in the making: its edits, what has been handled, and why it is not safe."""

    draft: Draft
    done: set[tuple[str, Place]] = field(default_factory=set)
    doubts: dict[str, None] = field(default_factory=dict)

    def first(self, what: str, place: Place | None) -> bool:
        """Whether this is the first time that `what` is done at a place; refuses where there is no place."""
        if place is None:
            raise Refused("a part of the chain is not spelled in this file")
        key = (what, place)
        fresh = key not in self.done
        self.done.add(key)
        return fresh

    def doubt(self, reason: str) -> None:
        self.doubts[reason] = None

    def build(self, message: str) -> Fix | None:
        applicability = Applicability.UNSAFE if self.doubts else Applicability.SAFE
        return self.draft.build(message, applicability, "; ".join(self.doubts))


def plan(model: Model) -> Plan:
    from selulint.fix.edits import Draft

    return Plan(Draft(model.file))


def selu_chain(model: Model) -> Fix | None:
    """ReLU to SELU for all models that share code with this one: activations, dropout, norms, initialisers."""
    return _repair(model, convert=True, message="make the chain self-normalizing: SELU, LeCun normal, AlphaDropout")


def without_norms(model: Model) -> Fix | None:
    """Take the batch norms out of the SELU chains of this model's component and give their layers LeCun initialisation."""
    return _repair(model, convert=False, message="remove the norm and initialise with LeCun normal")


def _repair(model: Model, convert: bool, message: str) -> Fix | None:
    made = plan(model)
    try:
        for each in model.component:
            chain = _chain(each, convert)
            if chain:
                _repair_one(made, each, chain, convert)
    except Refused:
        return None
    return made.build(message)


def _chain(model: Model, convert: bool) -> list[Op]:
    """The activations of a model that are SELU or, when converting, become SELU."""
    wanted = [op for op in model.of(Kind.ACTIVATION, "relu") if convert and model.is_hidden(op)]
    return [*wanted, *(op for op in model.of(Kind.ACTIVATION, "selu"))]


def _repair_one(made: Plan, model: Model, chain: list[Op], convert: bool) -> None:
    converted = [op for op in chain if op.function == "relu"]
    if convert and not converted:
        return
    _look_around(made, model, chain)
    for op in converted:
        _to_selu(made, model, op, {each.place for each in chain})
    indices = {op.index for op in chain}
    for op in model.of(Kind.DROPOUT, *PLAIN_DROPOUTS):
        if _touches(model, op, indices):
            _to_alpha(made, model, op)
    for op in model.of(Kind.NORM):
        if _touches(model, op, indices):
            _drop_norm(made, model, op)
    layers = [op for op in model.of(Kind.PARAMETRIC) if any(n.index in indices for n in model.downstream(op))]
    initialisers.make_lecun(made, model, layers)


def _look_around(made: Plan, model: Model, chain: list[Op]) -> None:
    """Refuse what is not understood next to the chain; doubt what is understood but changes the statistics."""
    for op in chain:
        if op.rivals:
            raise Refused("the activation is chosen at run time")
        for near in (*model.upstream(op, merges=True), *model.downstream(op, merges=True)):
            if near.kind is Kind.OPAQUE:
                raise Refused(f"{near.function} is not understood")
    if any(op.kind is Kind.OPAQUE for op in model.ops):
        made.doubt("parts of the model are not understood")
    if any(op.kind is Kind.MERGE and op.function != "concat" for op in model.ops):
        made.doubt("branches are added or multiplied")
    hidden = {op.function for op in model.of(Kind.ACTIVATION) if model.is_hidden(op)} - {"relu", "selu"}
    if hidden:
        made.doubt(f"{', '.join(sorted(hidden))} stays between its layers")
    if any(op.function not in _PLAIN_LAYERS for op in model.of(Kind.PARAMETRIC)):
        made.doubt("the model has layers that the theory does not cover")
    if any(not model.is_hidden(op) and _is_behind_layer(model, op) for op in model.of(Kind.ACTIVATION, "relu")):
        made.doubt("a ReLU at the end of the model stays")
    if model.trained:
        made.doubt("the file shows trained weights")
    if not stays_in_box(_statistics(model, {op.index for op in chain})):
        made.doubt("pooling moves the predicted statistics out of Theorem 1's box")


def _is_behind_layer(model: Model, op: Op) -> bool:
    return any(near.kind is Kind.PARAMETRIC for near in model.upstream(op, merges=True))


def _statistics(model: Model, chain: set[int]) -> Iterator[tuple[str, float]]:
    """The ops between activations of the chain that change moments: ("max_pool", window) and so on, in order."""
    for op in model.ops:
        if op.index in chain:
            yield "selu", 1.0
        elif op.kind is Kind.POOL and op.function not in GLOBAL_POOLS and _feeds(model, op, chain):
            yield op.function, _window(op)


def _window(op: Op) -> float:
    size = op.args.get("kernel_size", op.args.get("pool_size"))
    digits = [character for character in op.function if character.isdigit()]
    if isinstance(size, tuple):
        product = 1.0
        for each in size:
            product *= each
        return product
    return float(size ** (int(digits[-1]) if digits else 2)) if isinstance(size, int) else 4.0


def _feeds(model: Model, op: Op, chain: set[int]) -> bool:
    """Whether another activation of the chain follows behind the next layer."""
    after = [near for near in model.downstream(op) if near.kind is Kind.PARAMETRIC]
    return any(near.index in chain for layer in after for near in model.downstream(layer))


def _touches(model: Model, op: Op, chain: set[int]) -> bool:
    """Whether an activation of the chain is right before or right behind `op`, with no global pool in between."""
    if any(near.index in chain for near in model.downstream(op)):
        return True
    return any(near.index in chain for near in _before_pool(model, op))


def _before_pool(model: Model, op: Op) -> list[Op]:
    """The nearest ops before `op`, unless a global pool stands in between: that ends a chain."""
    found: list[Op] = []
    stack, seen = model.inputs(op), set[int]()
    while stack:
        near = stack.pop()
        if near.index in seen:
            continue
        seen.add(near.index)
        if near.kind is Kind.POOL and near.function in GLOBAL_POOLS:
            continue
        if near.kind in TRANSPARENT:
            stack.extend(model.inputs(near))
        else:
            found.append(near)
    return found


def selu_beside(model: Model, op: Op) -> Op | None:
    """The SELU in whose chain a dropout stands: before it, or right behind it with a layer before."""
    for near in _before_pool(model, op):
        if near.kind is Kind.ACTIVATION and near.function == "selu" and not near.rivals:
            return near
    if any(near.kind is Kind.PARAMETRIC for near in model.upstream(op)):
        for near in model.downstream(op):
            if near.kind is Kind.ACTIVATION and near.function == "selu" and not near.rivals:
                return near
    return None


def _to_selu(made: Plan, model: Model, op: Op, chain: set[Place | None]) -> None:
    if op.chooser is not None:
        raise Refused("the activation is chosen by an option")
    for other in model.ops:
        if other.place == op.place and other.kind is Kind.ACTIVATION and not model.is_hidden(other):
            raise Refused("the same ReLU is also used where it is no hidden activation")
    if not made.first("activation", op.place):
        return
    if not _respell_activation(made.draft, op):
        raise Refused("this spelling of ReLU cannot be rewritten")


_KERAS_RELU_ARGUMENTS = ("max_value", "negative_slope", "alpha", "threshold")


def _respell_activation(draft: Draft, op: Op) -> bool:
    place, symbol = op.place, op.symbol or op.place
    assert place is not None and symbol is not None
    if _is_string(place):
        draft.replace(place, _like(place, "selu"))
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


def _is_string(place: Place) -> bool:
    return type(place.node).__name__ == "SimpleString"


def _like(place: Place, content: str) -> str:
    """A string literal with the quotes of the one at `place`."""
    quote = place.text.lstrip("rRbBuUfF")[0]
    return f"{quote}{content}{quote}"


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


def alpha_dropout(model: Model, op: Op) -> Fix | None:
    """Dropout to AlphaDropout at one place."""
    made = plan(model)
    try:
        _to_alpha(made, model, op)
    except Refused:
        return None
    return made.build("use AlphaDropout")


def _to_alpha(made: Plan, model: Model, op: Op) -> None:
    place, symbol = op.place, op.symbol
    for other in _others_at(model, op):
        if selu_beside(other[0], other[1]) is None and not _beside_relu(other[0], other[1]):
            raise Refused("the same Dropout is also used outside a SELU chain")
    if not made.first("dropout", place):
        return
    name = _alpha_name(model, op)
    assert place is not None
    if name is None or symbol is None or not made.draft.respell(symbol, name):
        raise Refused("this dropout has no self-normalizing twin")
    # The functional forms have opposite defaults: F.dropout always drops, F.alpha_dropout never does, unless told.
    silent = op.name.startswith("torch.nn.functional.") and not _passes(op, "training", 2)
    if silent and not made.draft.set_argument(place, "training", "True", position=2):
        raise Refused("the arguments of this dropout are not known")


def _passes(op: Op, name: str, position: int) -> bool:
    node: Any = op.place.node if op.place is not None else None
    args = getattr(node, "args", ())
    return any(arg.keyword is not None and arg.keyword.value == name for arg in args) or (
        len([arg for arg in args if arg.keyword is None]) > position
    )


def _others_at(model: Model, op: Op) -> Iterable[tuple[Model, Op]]:
    return [(m, o) for m in model.component for o in m.of(Kind.DROPOUT) if o.place == op.place]


def _beside_relu(model: Model, op: Op) -> bool:
    near = [*_before_pool(model, op), *model.downstream(op)]
    return any(each.kind is Kind.ACTIVATION and each.function == "relu" and model.is_hidden(each) for each in near)


def _alpha_name(model: Model, op: Op) -> str | None:
    base, _, last = op.name.rpartition(".")
    if op.function == "dropout":
        return {"Dropout": f"{base}.AlphaDropout", "dropout": f"{base}.alpha_dropout"}.get(last)
    layer = _FEATURE_DROPOUT.get(op.function)
    before = _layers_before(model, op)
    if layer is None or not before or any(near.function != layer for near in before):
        return None
    return f"{base}.FeatureAlphaDropout" if last[0].isupper() else f"{base}.feature_alpha_dropout"


def _layers_before(model: Model, op: Op) -> list[Op]:
    return model.upstream(op, _BETWEEN)


def plain_dropout(model: Model, op: Op) -> Fix | None:
    """AlphaDropout to Dropout at one place."""
    made = plan(model)
    base, _, last = op.name.rpartition(".")
    name = {"AlphaDropout": "Dropout", "alpha_dropout": "dropout"}.get(last)
    if name is None or op.symbol is None or not made.draft.respell(op.symbol, f"{base}.{name}"):
        return None
    if last == "alpha_dropout" and not _passes(op, "training", 2):
        assert op.place is not None
        if not made.draft.set_argument(op.place, "training", "False", position=2):
            return None
    return made.build("use Dropout")


def _drop_norm(made: Plan, model: Model, op: Op) -> None:
    if op.function != "batch_norm":
        raise Refused(f"{op.function} stays in the chain")
    if op.place is None or op.symbol is None or op.layer == 0:
        raise Refused("a functional norm cannot be taken out")
    if not made.first("norm", op.place):
        return
    made.doubt("removing the norm removes its keys from the state_dict")
    if any(near.kind is Kind.INPUT for near in model.upstream(op)):
        raise Refused("the norm standardises the input")
    if model.framework == "keras":
        if not initialisers.remove_keras_layer(made.draft, op):
            raise Refused("the norm cannot be taken out of this expression")
    else:
        name = made.draft.refer_like(op.symbol, "torch.nn.Identity")
        if name is None or not hasattr(op.place.node, "args"):
            raise Refused("the norm is not built here")
        made.draft.replace(op.place, f"{name}()")
    for layer in model.upstream(op):
        if layer.kind is Kind.PARAMETRIC and made.first("bias", layer.place):
            assert layer.place is not None
            name = "use_bias" if model.framework == "keras" else "bias"
            if layer.args.get(name) is False and not made.draft.remove_argument(layer.place, name):
                raise Refused("the bias of the layer before the norm cannot be restored")


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
