"""Making an initialiser divide by the number of inputs that one unit really has."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from selulint.diagnostic import Refused
from selulint.fix.plan import Plan
from selulint.fix.shared import doubt_others, refuse_out_of_reach
from selulint.fix.torch_calls import has_argument, target_of
from selulint.graph import Init, Kind, Model, Op, Place

if TYPE_CHECKING:
    from selulint.fix.edits import Draft

# A gain of the wrong fan that is 1 but for this needs the right fan only.
_TOLERANCE = 0.01
_KERAS = "keras.initializers.VarianceScaling"


def has_fans_of_its_own(op: Op) -> bool:
    """Whether frameworks count the inputs of a unit of this layer wrongly."""
    return "transpose" in op.function or "depthwise" in op.function


def divide(made: Plan, model: Model, ops: Sequence[Op]) -> None:
    """Make the explicit initialiser that layers share divide by the inputs of one unit of them."""
    init = ops[0].weight
    assert init is not None and init.place is not None
    refuse_out_of_reach(init)
    doubt_others(made, model, init.place)
    component = [op for each in model.component for op in each.of(Kind.PARAMETRIC)]
    served = [*ops, *(op for op in component if op.weight is not None and op.weight.place == init.place)]
    scales = {stride_scale(op) for op in served}
    scale = scales.pop()
    if scales or scale is None:
        raise Refused("the initialiser serves layers of other kinds")
    if model.framework == "keras":
        made.draft.replace(init.place, _fan_out(made.draft, scale))
    else:
        _divide_torch(made, init, init.place, scale, {op.fan_in for op in served})


def scaled_to_inputs(draft: Draft, op: Op) -> str:
    """Keras' initialiser that divides by the inputs of one unit of a transposed or depthwise layer."""
    scale = stride_scale(op)
    if scale is None:
        raise Refused("the strides of a layer are not known")
    return _fan_out(draft, scale)


def _fan_out(draft: Draft, scale: float) -> str:
    name, quote = draft.refer(_KERAS), draft.quote
    if name is None:
        raise Refused("the file's imports leave no way to spell the initialiser")
    return f"{name}(scale={scale:.1f}, mode={quote}fan_out{quote})"


def _divide_torch(made: Plan, init: Init, place: Place, scale: float, fans: set[float | None]) -> None:
    """PyTorch's `mode="fan_out"`, which counts no strides: where there are any, the number itself."""
    quote, node = made.draft.quote, place.node
    if scale == 1 and init.name.startswith("kaiming"):
        draft, is_linear = made.draft, init.gain_out is not None and abs(init.gain_out - 1) < _TOLERANCE
        if not is_linear and has_argument(node, "a", 1):
            draft.remove_argument(place, "a", 1)
        done = draft.set_argument(place, "mode", f"{quote}fan_out{quote}", position=2)
        if not is_linear:
            done = draft.set_argument(place, "nonlinearity", f"{quote}linear{quote}", position=3) and done
        if not done:
            raise Refused("the arguments of the initialiser are not known")
        return
    fan = fans.pop()
    target = target_of(made.draft, place) if getattr(node, "func", None) is not None else None
    normal = made.draft.refer("torch.nn.init.normal_")
    if fans or fan is None or fan != int(fan) or target is None or normal is None:
        raise Refused("PyTorch has no initialiser that counts strides")
    made.draft.replace(place, f"{normal}({target}, std={int(fan)}**-0.5)")


def stride_scale(op: Op) -> float | None:
    """What 1 / fan_out must be multiplied by; None where that is not known, or the layer is of another kind."""
    if "depthwise" in op.function:
        return float(op.args.get("depth_multiplier") or 1)
    if "transpose" not in op.function or op.args.get("groups") not in (None, 1):
        return None
    stride: Any = op.args.get("strides", op.args.get("stride"))
    if isinstance(stride, tuple):
        return float(prod(stride))
    return float(stride ** int(op.function[-2])) if isinstance(stride, int) else None
