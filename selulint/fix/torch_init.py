"""An `_init_weights` for layers of PyTorch that have no initialiser, and where it is applied."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from selulint.diagnostic import Refused
from selulint.fix.fans import stride_scale
from selulint.fix.plan import Plan
from selulint.graph import TRANSPARENT, WEIGHTED_SUMS, Init, Kind, Model, Op, Place

if TYPE_CHECKING:
    from selulint.fix.edits import Draft

# The layers that LeCun's law is known for, as PyTorch calls them.
CLASSES = {
    "linear": "Linear",
    **{f"conv{n}d": f"Conv{n}d" for n in (1, 2, 3)},
    **{f"conv_transpose{n}d": f"ConvTranspose{n}d" for n in (1, 2, 3)},
}
_BEHIND_HEADS = TRANSPARENT | {Kind.ACTIVATION, Kind.SCALE}


def is_unset(init: Init) -> bool:
    """Whether no initialiser is written: the framework's default, or trained weights that were loaded over it."""
    return init.default or init.name == "loaded"


def add_init_weights(made: Plan, model: Model, layers: Sequence[Op]) -> None:
    """An `_init_weights` for the types of these layers, applied to them by the model that builds them."""
    if not any(op.layer for op in layers) or model.owner is None:
        raise Refused("the layers are not built by a model of this file")
    if not _can_apply(model):
        _add_to_parts(made, model, layers)
        return
    chain = [op for each in model.component for op in each.of(Kind.PARAMETRIC) if _keeps_default(each, op)]
    functions = {op.function for op in (*layers, *chain)}
    anchor = model.init or model.owner
    # Decided by all layers that are to have it, whichever of them comes first.
    own = [op for op in model.of(Kind.PARAMETRIC) if op in layers or _keeps_default(model, op)]
    parts = _parts(made, model, own, functions)
    if not made.first("init_weights", anchor):
        return
    body = _definition(made.draft, functions, [op for op in (*layers, *chain) if "transpose" in op.function])
    name = made.draft.define("_init_weights", body, model.owner)
    if not _apply(made.draft, model, name, parts):
        raise Refused("there is no place to apply the initialiser")


def _add_to_parts(made: Plan, model: Model, layers: Sequence[Op]) -> None:
    """For an agent, which holds networks and is no module: the networks apply it themselves."""
    left = {op.place for op in layers}
    for part in model.component:
        own = [op for op in part.of(Kind.PARAMETRIC) if op.place in left] if _can_apply(part) else []
        if own:
            left -= {op.place for op in own}
            add_init_weights(made, part, own)
    if left:
        raise Refused("there is no place to apply the initialiser")


def _can_apply(model: Model) -> bool:
    """Whether a model's constructor, or the expression that builds it, can apply an initialiser to all its parts."""
    return model.init is not None or (model.owner is not None and type(model.owner.node).__name__ == "Call")


def _definition(draft: Draft, functions: Collection[str], transposed: Collection[Op]) -> list[str]:
    """The function that initialises one module. PyTorch's fan_in is another one for transposed layers, whose fan_out is
    right but for strides and groups."""
    strided = {op.function for op in transposed if stride_scale(op) != 1}
    straight = {op.function for op in transposed} - strided
    quote = draft.quote
    kaiming, zeros = (_referred(draft, f"torch.nn.init.{name}") for name in ("kaiming_normal_", "zeros_"))
    linear = f"nonlinearity={quote}linear{quote}"
    arms = [
        (set(functions) - straight - strided, [f"{kaiming}(module.weight, {linear})"]),
        (straight, [f"{kaiming}(module.weight, mode={quote}fan_out{quote}, {linear})"]),
    ]
    if strided:
        prod, normal = _referred(draft, "math.prod"), _referred(draft, "torch.nn.init.normal_")
        size, steps = f"module.in_channels * {prod}(module.kernel_size)", f"module.groups * {prod}(module.stride)"
        arms.append((strided, [f"fan_in = {size} / ({steps})", f"{normal}(module.weight, std=fan_in**-0.5)"]))
    arms = [arm for arm in arms if arm[0]]
    lines = ["def _init_weights(module):"]
    for number, (kinds, statements) in enumerate(arms):
        lines.append(f"    {'elif' if number else 'if'} isinstance(module, {_classes(draft, kinds)}):")
        lines += [f"        {statement}" for statement in statements]
    if len(arms) == 1:
        return [*lines, "        if module.bias is not None:", f"            {zeros}(module.bias)"]
    condition = f"isinstance(module, {_classes(draft, functions)}) and module.bias is not None"
    return [*lines, f"    if {condition}:", f"        {zeros}(module.bias)"]


def _classes(draft: Draft, functions: Collection[str]) -> str:
    names = [_referred(draft, name) for name in sorted(f"torch.nn.{CLASSES[function]}" for function in functions)]
    return names[0] if len(names) == 1 else f"({', '.join(names)})"


def _referred(draft: Draft, canonical: str) -> str:
    name = draft.refer(canonical)
    if name is None:
        raise Refused("the file's imports leave no way to spell the initialiser")
    return name


def _parts(made: Plan, model: Model, own: Sequence[Op], functions: Collection[str]) -> list[str]:
    """The attributes that hold the layers, where the model has others that should keep what they have; [] for all of it.

    Where these cannot be told apart, that the others are initialised too is a doubt.
    """
    others = [
        op
        for op in model.of(Kind.PARAMETRIC)
        if op.function in functions and op.layer and op not in own and not _is_content(model, op)
    ]
    unknown = [op for op in model.of(Kind.OPAQUE) if op.args.get("module")]
    if not others and not unknown:
        return []
    attributes = [_attribute(model, op) for op in own]
    taken = {_attribute(model, op) for op in others}
    known = list(dict.fromkeys(each for each in attributes if each is not None))
    if None not in attributes and taken.isdisjoint(known):
        return known
    if any(op.weight is not None and not is_unset(op.weight) for op in others):
        made.doubt("the new initialisation overrides the one that another layer has")
    elif others:
        names = ", ".join(dict.fromkeys(f"`{op.title}`" for op in others[:3]))
        made.doubt(f"{names} {'are' if len(others) > 1 else 'is'} initialised anew too")
    else:
        made.doubt("parts that are not understood are initialised anew too")
    return []


def _is_content(model: Model, op: Op) -> bool:
    """Whether a layer has no initialisation of its own, and feeds the chain or other layers, or ends its branch."""
    if op.weight is None or not is_unset(op.weight):
        return _feeds_chain(model, op)
    if _feeds_chain(model, op, merges=True) or not model.downstream(op, _BEHIND_HEADS):
        return True
    return all(near.function in WEIGHTED_SUMS for near in model.downstream(op))


def _attribute(model: Model, op: Op) -> str | None:
    """The attribute that the model's constructor stores a layer, or what holds it, under."""
    init = model.init
    if init is None or op.place is None or op.place.unit is not init.unit:
        return None
    place = replace(op.place, inside=False)  # of a ready-made block: where the block is made
    around = place.unit.ancestors(place.node)
    functions = [each for each in around if type(each).__name__ == "FunctionDef"]
    assign: Any = next((each for each in reversed(around) if type(each).__name__ == "Assign"), None)
    if not functions or functions[-1] is not init.node or assign is None or len(assign.targets) != 1:
        return None
    target = assign.targets[0].target
    is_own = type(target).__name__ == "Attribute" and getattr(target.value, "value", None) == "self"
    return str(target.attr.value) if is_own else None


def _keeps_default(model: Model, op: Op) -> bool:
    """Whether a layer feeds a SELU, or what becomes one, and has the framework's initialisation."""
    is_default = op.weight is not None and is_unset(op.weight) and op.function in CLASSES and op.layer != 0
    return is_default and _feeds_chain(model, op)


def _feeds_chain(model: Model, op: Op, merges: bool = False) -> bool:
    after = model.downstream(op, merges=merges)
    return any(near.kind is Kind.ACTIVATION and near.function in ("selu", "relu") for near in after)


def _apply(draft: Draft, model: Model, name: str, parts: Sequence[str]) -> bool:
    if model.init is not None:
        owners = [f"self.{part}" for part in parts] or ["self"]
        lines = [f"{owners[0]}.apply({name})"]
        if len(owners) > 1:
            lines = [f"for module in ({', '.join(owners)}):", f"    module.apply({name})"]
        return draft.append_to_body(model.init, lines)
    owner = model.owner
    if owner is None or type(owner.node).__name__ != "Call":
        return False
    target = _assigned_name(owner)
    if target is not None and draft.insert_after(owner, [f"{target}.apply({name})"]):
        return True
    draft.insert_behind(owner, f".apply({name})")
    return True


def _assigned_name(owner: Place) -> str | None:
    """`model` where the statement is just `model = nn.Sequential(...)`."""
    parent = owner.unit.ancestors(owner.node)[-1]
    targets: Any = getattr(parent, "targets", ())
    if type(parent).__name__ != "Assign" or len(targets) != 1 or type(targets[0].target).__name__ != "Name":
        return None
    name: str = targets[0].target.value
    return name
