"""Dropout to AlphaDropout and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from selulint.diagnostic import Refusal, Refused, Repair
from selulint.fix.callers import refuse_entry
from selulint.fix.declared import is_legacy
from selulint.fix.plan import Plan, composed, passes, plan
from selulint.frameworks import SPECS
from selulint.graph import TRANSPARENT, Kind, Model, Op, Place, ends_chain, is_transparent
from selulint.operations import rate_of

if TYPE_CHECKING:
    from selulint.fix.edits import Draft

_GAUSSIAN = "gaussian_dropout"
PLAIN_DROPOUTS = (
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "spatial_dropout1d",
    "spatial_dropout2d",
    "spatial_dropout3d",
    _GAUSSIAN,
)
_FEATURE_DROPOUT = {"dropout1d": "conv1d", "dropout3d": "conv3d"}
# AlphaDropout decides once a feature map, as SpatialDropout does, where the noise is shared over the spatial axes.
_NOISE_SHAPES = {
    "spatial_dropout1d": "(None, 1, None)",
    "spatial_dropout2d": "(None, 1, 1, None)",
    "spatial_dropout3d": "(None, 1, 1, 1, None)",
}
_BETWEEN = TRANSPARENT | {Kind.ACTIVATION}


def before_pool(model: Model, op: Op) -> list[Op]:
    """The nearest ops before `op`, unless a global pool stands in between: that ends a chain."""
    found: list[Op] = []
    stack, seen = model.inputs(op), set[int]()
    while stack:
        near = stack.pop()
        if near.index in seen:
            continue
        seen.add(near.index)
        if ends_chain(near):
            continue
        if is_transparent(near):
            stack.extend(model.inputs(near))
        else:
            found.append(near)
    return found


def before_dropout(model: Model, op: Op) -> list[Op]:
    """As `before_pool`; side by side activations are as good as one, if there is nothing else among them."""
    before = before_pool(model, op)
    if len(before) != 1 or before[0].kind is not Kind.MERGE or before[0].function != "concat":
        return before
    ends = [end for each in model.inputs(before[0]) for end in _ends(model, each)]
    return ends if len({(end.kind, end.function) for end in ends}) == 1 else []


def _ends(model: Model, op: Op) -> list[Op]:
    return before_pool(model, op) if is_transparent(op) else [op]


def selu_beside(model: Model, op: Op) -> Op | None:
    """The SELU in whose chain a dropout stands: before it, or right behind it with a layer before."""
    for near in before_dropout(model, op):
        if near.kind is Kind.ACTIVATION and near.function == "selu" and not near.rivals:
            return near
    if _sums_layers(model, op):
        for near in model.downstream(op):
            if near.kind is Kind.ACTIVATION and near.function == "selu" and not near.rivals:
                return near
    return None


def _sums_layers(model: Model, op: Op) -> bool:
    """Whether what comes in is a layer's output, or a sum of layers' outputs and of what SELUs made."""
    if any(near.kind is Kind.PARAMETRIC for near in model.upstream(op)):
        return True
    before = model.upstream(op, merges=True)
    if not all(near.kind is Kind.PARAMETRIC or near.function == "selu" for near in before):
        return False
    return any(near.kind is Kind.PARAMETRIC for near in before)


def alpha_dropout(model: Model, op: Op) -> Repair:
    """Dropout to AlphaDropout at one place."""
    return composed(model, "use AlphaDropout", lambda made: to_alpha(made, model, op))


def to_alpha(made: Plan, model: Model, op: Op) -> None:
    place, symbol = op.place, op.symbol
    for other in _others_at(model, op):
        if selu_beside(other[0], other[1]) is None and not _beside_future_selu(made, other[0], other[1]):
            raise Refused("the same Dropout is also used outside a SELU chain")
    if not made.first("dropout", place):
        return
    refuse_entry(made.draft, op)
    name = _alpha_name(model, op)
    assert place is not None
    if (op.function in _NOISE_SHAPES or op.function == _GAUSSIAN) and passes(op, "", 1):
        raise Refused("the seed of this dropout is passed by position")
    if op.function in _NOISE_SHAPES and op.name.startswith("keras."):
        _share_over_space(made, op)
    known = name in SPECS and not is_legacy(model)
    if name is None or symbol is None or not known or not made.draft.respell(symbol, name):
        raise Refused("this dropout has no self-normalizing twin")
    # The functional forms have opposite defaults: F.dropout always drops, F.alpha_dropout never does, unless told.
    silent = op.name.startswith("torch.nn.functional.") and not passes(op, "training", 2)
    if silent and not made.draft.set_argument(place, "training", "True", position=2):
        raise Refused("the arguments of this dropout are not known")


def _share_over_space(made: Plan, op: Op) -> None:
    assert op.place is not None
    if op.args.get("data_format") is not None:
        raise Refused("the data format decides which axes the noise is shared over")
    if not made.draft.set_argument(op.place, "noise_shape", _NOISE_SHAPES[op.function]):
        raise Refused("the arguments of this dropout are not known")


def _others_at(model: Model, op: Op) -> Iterable[tuple[Model, Op]]:
    return [(m, o) for m in model.component for o in m.of(Kind.DROPOUT) if o.place == op.place]


def _beside_future_selu(made: Plan, model: Model, op: Op) -> bool:
    """Whether an activation beside a dropout becomes SELU in this fix."""
    near = [each for each in (*before_dropout(model, op), *model.downstream(op)) if each.kind is Kind.ACTIVATION]
    if any(("activation", each.place) in made.done for each in near):
        return True
    return any(each.function == "relu" and model.is_hidden(each) for each in near)


def _alpha_name(model: Model, op: Op) -> str | None:
    base, _, last = op.name.rpartition(".")
    if op.function == "dropout":
        return {"Dropout": f"{base}.AlphaDropout", "dropout": f"{base}.alpha_dropout"}.get(last)
    if op.function in _NOISE_SHAPES or op.function == _GAUSSIAN:
        return f"{base}.AlphaDropout"
    if op.function != "dropout2d":
        # On inputs of other ranks these share their decisions over other axes; Dropout2d does as its twin on all of them.
        layer = _FEATURE_DROPOUT.get(op.function)
        before = _layers_before(model, op)
        if layer is None or not before or any(near.function != layer for near in before):
            return None
    return f"{base}.FeatureAlphaDropout" if last[0].isupper() else f"{base}.feature_alpha_dropout"


def _layers_before(model: Model, op: Op) -> list[Op]:
    return model.upstream(op, _BETWEEN)


def plain_dropout(model: Model, op: Op) -> Repair:
    """AlphaDropout to Dropout at one place."""
    return composed(model, "use Dropout", lambda made: _to_plain(made, op))


def _to_plain(made: Plan, op: Op) -> None:
    base, _, last = op.name.rpartition(".")
    name = {"AlphaDropout": "Dropout", "alpha_dropout": "dropout"}.get(last)
    if name is None or op.symbol is None or f"{base}.{name}" not in SPECS:
        raise Refused("this AlphaDropout has no plain twin")
    if not made.draft.respell(op.symbol, f"{base}.{name}"):
        raise Refused("this spelling of AlphaDropout cannot be rewritten")
    if last == "alpha_dropout" and not passes(op, "training", 2):
        assert op.place is not None
        module = _module_self(made.draft, op.place)
        switch = f"{module}.training" if module else "False"
        if not made.draft.set_argument(op.place, "training", switch, position=2):
            raise Refused("the arguments of this dropout are not known")


def is_off(op: Op) -> bool:
    """Whether a functional dropout never drops anything: nobody passes `training`, and its default is False.

    One that is switched off in so many words is meant.
    """
    return op.args.get("training") is False and "training" not in op.spelled and _is_whole_call(op)


def is_idle(op: Op) -> bool:
    """Whether a dropout drops nothing in so many words; a rate of 0 that is a parameter's default is there to be changed."""
    places = (op.spelled.get(name) for name in ("p", "rate", "keep_prob"))
    return rate_of(op) == 0 and not any(map(is_parameter, places))


def _is_whole_call(op: Op) -> bool:
    """Whether all arguments of a functional op are in sight: no partial, no stars."""
    node: Any = op.place.node if op.place is not None else None
    args = getattr(node, "args", None)
    return args is not None and not any(arg.star for arg in args)


def is_conditional(place: Place) -> bool:
    """Whether code runs on a condition: in an `if`, a conditional expression, a function inside a function."""
    kinds = [type(each).__name__ for each in place.unit.ancestors(place.node)]
    return bool({"If", "IfExp", "Lambda"} & set(kinds)) or kinds.count("FunctionDef") > 1


def is_parameter(place: Place | None) -> bool:
    """Whether a constant is spelled as the default of a parameter."""
    return place is not None and any(type(each).__name__ == "Param" for each in place.unit.ancestors(place.node))


def is_inside(place: Place | None, whole: Place) -> bool:
    """Whether something is spelled in an expression itself, not handed to it by a name."""
    return place is not None and any(each is whole.node for each in place.unit.ancestors(place.node))


def training_switch(model: Model, op: Op) -> Repair:
    """`training=self.training` for a functional dropout in a method of a module."""
    made = plan(model)
    name = _module_self(made.draft, op.place) if op.place is not None else None
    if op.place is None or name is None:
        return Refusal("no module is at hand that knows whether it is training")
    if not made.draft.set_argument(op.place, "training", f"{name}.training", position=2):
        return Refusal("the arguments of this dropout are not known")
    return made.build(f"pass `training={name}.training`")


def _module_self(draft: Draft, place: Place) -> str | None:
    """The name of the module in whose method something stands."""
    around = place.unit.ancestors(place.node)
    numbers = [number for number, each in enumerate(around) if type(each).__name__ == "FunctionDef"]
    if not numbers or numbers[-1] < 2:
        return None
    method, cls = around[numbers[-1]], around[numbers[-1] - 2]
    if type(cls).__name__ != "ClassDef" or any(_is_static(each) for each in method.decorators):
        return None
    first = next(iter((*method.params.posonly_params, *method.params.params)), None)
    return first.name.value if first is not None and _is_module(draft, place.unit, cls, 0) else None


def _is_static(decorator: Any) -> bool:
    return getattr(decorator.decorator, "value", "") in ("staticmethod", "classmethod")


def _is_module(draft: Draft, unit: Any, cls: Any, depth: int) -> bool:
    """Whether a class inherits from `nn.Module`, in the file or by a name that says so."""
    for base in cls.bases:
        name = draft.imports.names.of(unit, base.value) or ""
        if name.startswith("torch.nn.") or name.endswith("LightningModule"):
            return True
        for number in draft.file.bindings.get(getattr(base.value, "value", ""), ()) if depth < 8 else ():
            other = draft.file.unit(number)
            if any(
                type(each).__name__ == "ClassDef" and _is_module(draft, other, each, depth + 1)
                for each in other.module.body
            ):
                return True
    return False
