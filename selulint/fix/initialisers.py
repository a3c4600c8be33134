"""Giving layers LeCun initialisation: editing the initialisers that a file has, adding one where it has none."""

from __future__ import annotations

from collections.abc import Sequence

from selulint.diagnostic import Refused, Repair
from selulint.fix.declared import edit, set_lecun, zeros_at
from selulint.fix.fans import divide, has_fans_of_its_own
from selulint.fix.plan import Plan, composed
from selulint.fix.shared import also_writes, doubt_choices, doubt_others, is_declared, refuse_out_of_reach, spare_norms
from selulint.fix.torch_calls import may_write_more, rewrite, write_zeros
from selulint.fix.torch_init import CLASSES, add_init_weights, is_unset
from selulint.graph import Init, Kind, Model, Op
from selulint.moments.fitting import SQUASHING, bias_moments
from selulint.moments.maps import SANE_WINDOW

# A bias of this mean moves SELU's fixed variance by 0.002 %, one of this variance by 5 %.
VISIBLE_BIAS, VISIBLE_BIAS_VARIANCE = 0.005, 0.01


def lecun_init(model: Model, layers: Sequence[Op]) -> Repair:
    """LeCun initialisation for these layers, and for the others of the model that share their initialiser."""
    return composed(model, "initialise with LeCun normal", lambda made: make_lecun(made, model, layers))


def own_fan(model: Model, ops: Sequence[Op]) -> Repair:
    """The right fan for layers that share one initialiser; what frameworks call fan_out is nearer to it for some kinds."""
    if not any(has_fans_of_its_own(op) for op in ops):
        return lecun_init(model, ops)
    return composed(model, "divide by the inputs of one unit", lambda made: divide(made, model, ops))


def make_lecun(made: Plan, model: Model, layers: Sequence[Op]) -> None:
    """Add to a plan what gives every layer of `layers` gain 1; refuses where that cannot be told."""
    defaults: list[Op] = []
    for op in layers:
        init = op.weight
        if any(name in ("weight_norm", "spectral_norm") for name, _ in op.constraints):
            raise Refused("the weight is computed from others: what is written into it is lost")
        if op.function not in CLASSES or op.name.startswith("torch.nn.Lazy"):
            raise Refused(f"{op.function} has no LeCun initialiser")
        if model.framework != "torch" and op.layer == 0:
            raise Refused("the weight belongs to no layer")
        if init is None or init.name == "unknown":
            raise Refused("an initialiser is not known")
        if is_unset(init) and not _is_right_default(init):
            defaults.append(op)
        elif not _is_lecun(init) and has_fans_of_its_own(op):
            if made.first("fan", init.place):
                divide(made, model, [op])
        elif not _is_lecun(init):
            _edit(made, model, op)
        if starts_off_zero(op):
            _zero_bias(made, model, op)
    if not defaults:
        return
    declared = [op for op in defaults if is_declared(op)]
    for op in declared:
        if made.first("initialiser", op.place):
            set_lecun(made, model, op)
    if len(declared) < len(defaults):
        add_init_weights(made, model, [op for op in defaults if not is_declared(op)])


def _is_right_default(init: Init) -> bool:
    """Whether the framework's default is LeCun's law itself (Flax), and it does what it is meant to do here."""
    return init.default and init.name != "default" and (init.gain is None or _is_lecun(init))


def _is_lecun(init: Init) -> bool:
    return init.gain is not None and SANE_WINDOW[0] <= init.gain <= SANE_WINDOW[1]


def fitting_init(model: Model, layers: Sequence[Op], function: str) -> Repair:
    """The customary initialisation in front of `function` for layers that share one initialiser."""

    def compose(made: Plan) -> None:
        for op in layers[:1]:
            assert op.weight is not None
            _edit(made, model, op, function)

    return composed(model, "use the initialisation that fits the activation", compose)


def zero_bias(model: Model, layers: Sequence[Op]) -> Repair:
    """Zero instead of another start for the biases of these layers."""

    def compose(made: Plan) -> None:
        for op in layers:
            _zero_bias(made, model, op)

    return composed(model, "start the biases at zero", compose)


def starts_off_zero(op: Op) -> bool:
    """Whether a layer's bias has an explicit start that can be seen in the output of the SELU behind it."""
    bias = op.bias
    if bias is None or bias.default or bias.place is None:
        return False
    found = bias_moments(bias.name, bias.args)
    if found is None:
        return False
    mean, variance = found
    # PyTorch's own U(+-1/sqrt(fan_in)), spelled out, is as harmless as where it is the default.
    bound = max(VISIBLE_BIAS_VARIANCE, 1.1 / (3.0 * op.fan_in) if op.fan_in else 0.0)
    return abs(mean) >= VISIBLE_BIAS or variance >= bound


def _edit(made: Plan, model: Model, op: Op, function: str = "selu") -> None:
    """Rewrite an explicit initialiser where it is spelled."""
    init = op.weight
    assert init is not None
    refuse_out_of_reach(init)
    if not made.first("initialiser", init.place):
        return
    assert init.place is not None
    if function == "selu":
        doubt_others(made, model, init.place)
    if any(also_writes(other, init.place) for each in model.component for other in each.ops):
        raise Refused("the initialiser also writes vectors")
    if any(
        has_fans_of_its_own(other) and other.weight is not None and other.weight.place == init.place
        for each in model.component
        for other in each.of(Kind.PARAMETRIC)
    ):
        raise Refused("the initialiser serves layers of other kinds")
    spare_norms(model)
    doubt_choices(made, op, init.place)
    author = "lecun" if function == "selu" else "glorot" if function in SQUASHING else "he"
    done = edit(made.draft, op, init, author) if is_declared(op) else rewrite(made.draft, init, function)
    if not done:
        raise Refused(f"`{init.name}` cannot be rewritten here")


def _zero_bias(made: Plan, model: Model, op: Op) -> None:
    bias = op.bias
    assert bias is not None
    place = bias.place
    if not made.first("bias initialiser", place):
        return
    assert place is not None
    refuse_out_of_reach(bias)
    for each in model.component:
        if any(other.weight is not None and other.weight.place == place for other in each.ops):
            raise Refused("the initialiser also writes weights")
    spare_norms(model)
    doubt_others(made, model, place)
    doubt_choices(made, op, place)
    if is_declared(op):
        zeros_at(made.draft, op, place)
    elif may_write_more(made.draft, place):
        raise Refused("the initialiser may also write parameters that are no biases")
    elif not bias.name.endswith("_") or not write_zeros(made.draft, place):
        raise Refused("the bias cannot be set to zero here")
