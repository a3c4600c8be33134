"""Making an initialiser divide by the number of inputs that one unit really has."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from selulint.diagnostic import Refused, Repair
from selulint.fix.initialisers import doubt_others, lecun_init, target_of
from selulint.fix.plan import Plan, composed
from selulint.graph import Init, Kind, Model, Op, Place

_KERAS = "keras.initializers.VarianceScaling"


def own_fan(model: Model, ops: Sequence[Op]) -> Repair:
    """The right fan for layers that share one initialiser; what frameworks call fan_out is nearer to it for some kinds."""
    if not any(has_fans_of_its_own(op) for op in ops):
        return lecun_init(model, ops)
    return composed(model, "divide by the inputs of one unit", lambda made: _divide(made, model, ops))


def has_fans_of_its_own(op: Op) -> bool:
    """Whether frameworks count the inputs of a unit of this layer wrongly."""
    return "transpose" in op.function or "depthwise" in op.function


def _divide(made: Plan, model: Model, ops: Sequence[Op]) -> None:
    init = ops[0].weight
    assert init is not None and init.place is not None
    doubt_others(made, model, init.place)
    component = [op for each in model.component for op in each.of(Kind.PARAMETRIC)]
    served = [*ops, *(op for op in component if op.weight is not None and op.weight.place == init.place)]
    scales = {_scale(op) for op in served}
    scale = scales.pop()
    if scales or scale is None:
        raise Refused("the initialiser serves layers of other kinds")
    if model.framework == "keras":
        _divide_keras(made, init.place, scale)
    else:
        _divide_torch(made, init, init.place, scale, {op.fan_in for op in served})


def _divide_keras(made: Plan, place: Place, scale: float) -> None:
    name, quote = made.draft.refer(_KERAS), made.draft.quote
    if name is None:
        raise Refused("the file's imports leave no way to spell the initialiser")
    made.draft.replace(place, f"{name}(scale={scale:.1f}, mode={quote}fan_out{quote})")


def _divide_torch(made: Plan, init: Init, place: Place, scale: float, fans: set[float | None]) -> None:
    """PyTorch's `mode="fan_out"`, which counts no strides: where there are any, the number itself."""
    quote, node = made.draft.quote, place.node
    if scale == 1 and init.name.startswith("kaiming"):
        if not made.draft.set_argument(place, "mode", f"{quote}fan_out{quote}", position=2):
            raise Refused("the arguments of the initialiser are not known")
        return
    fan = fans.pop()
    target = target_of(made.draft, place) if getattr(node, "func", None) is not None else None
    normal = made.draft.refer("torch.nn.init.normal_")
    if fans or fan is None or fan != int(fan) or target is None or normal is None:
        raise Refused("PyTorch has no initialiser that counts strides")
    made.draft.replace(place, f"{normal}({target}, std={int(fan)}**-0.5)")


def _scale(op: Op) -> float | None:
    """What 1 / fan_out must be multiplied by; None where that is not known, or the layer is of another kind."""
    if "depthwise" in op.function:
        return float(op.args.get("depth_multiplier") or 1)
    if "transpose" not in op.function or op.args.get("groups") not in (None, 1):
        return None
    stride: Any = op.args.get("strides", op.args.get("stride"))
    if isinstance(stride, tuple):
        return float(prod(stride))
    return float(stride ** int(op.function[-2])) if isinstance(stride, int) else None
