"""Giving layers LeCun initialisation: editing the initialisers that a file has, adding one where it has none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from selulint.diagnostic import Refused, Repair
from selulint.fix.declared import edit, is_declared, set_lecun, zeros_at
from selulint.fix.plan import Plan, composed
from selulint.graph import Init, Kind, Model, Op, Place
from selulint.moments.fitting import SQUASHING, bias_moments
from selulint.moments.maps import SANE_WINDOW

if TYPE_CHECKING:
    from selulint.fix.edits import Draft

_LAYERS = {"linear": "Linear", "conv1d": "Conv1d", "conv2d": "Conv2d", "conv3d": "Conv3d"}
_UNIFORM = frozenset({"kaiming_uniform_", "xavier_uniform_", "uniform_"})
# Activations that LeCun's gain serves as well as any other.
_CONTENT = frozenset({"selu", "relu", "tanh", "sigmoid", "softmax", "log_softmax", "softplus", "hardsigmoid"})
# The `nonlinearity` whose gain PyTorch's initialisers have for an activation; every other has a rectifier's.
_NONLINEARITIES = {"selu": "linear", "tanh": "tanh", "sigmoid": "sigmoid"}
# A bias of this mean moves SELU's fixed variance by 0.002 %, one of this variance by 5 %.
VISIBLE_BIAS, VISIBLE_BIAS_VARIANCE = 0.005, 0.01


def lecun_init(model: Model, layers: Sequence[Op]) -> Repair:
    """LeCun initialisation for these layers, and for the others of the model that share their initialiser."""
    return composed(model, "initialise with LeCun normal", lambda made: make_lecun(made, model, layers))


def make_lecun(made: Plan, model: Model, layers: Sequence[Op]) -> None:
    """Add to a plan what gives every layer of `layers` gain 1; refuses where that cannot be told."""
    defaults: list[Op] = []
    for op in layers:
        init = op.weight
        if any(name in ("weight_norm", "spectral_norm") for name, _ in op.constraints):
            raise Refused("the weight is computed from others: what is written into it is lost")
        if op.function not in _LAYERS or op.name.startswith("torch.nn.Lazy"):
            raise Refused(f"{op.function} has no LeCun initialiser")
        if model.framework != "torch" and op.layer == 0:
            raise Refused("the weight belongs to no layer")
        if init is None or init.name == "unknown":
            raise Refused("an initialiser is not known")
        if _is_unset(init) and not _is_right_default(init):
            defaults.append(op)
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
        _add_torch(made, model, [op for op in defaults if not is_declared(op)])


def _is_unset(init: Init) -> bool:
    """Whether no initialiser is written: the framework's default, or trained weights that were loaded over it."""
    return init.default or init.name == "loaded"


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
    if not made.first("initialiser", init.place):
        return
    assert init.place is not None
    if function == "selu":
        doubt_others(made, model, init.place)
    if any(_also_writes(other, init.place) for each in model.component for other in each.ops):
        raise Refused("the initialiser also writes vectors")
    if _takes_a_parameter(op, init.place):
        made.doubt("callers choose an argument of the initialiser")
    author = "lecun" if function == "selu" else "glorot" if function in SQUASHING else "he"
    done = edit(made.draft, op, init, author) if is_declared(op) else _edit_torch(made.draft, init, function)
    if not done:
        raise Refused(f"`{init.name}` cannot be rewritten here")


def doubt_others(made: Plan, model: Model, place: Place) -> None:
    """Doubt a fix of an initialiser that other layers have too."""
    for each in model.component:
        for other in each.of(Kind.PARAMETRIC):
            places = (other.weight and other.weight.place, other.bias and other.bias.place)
            if place in places and not _is_served(each, other):
                made.doubt("the initialiser also serves layers in front of another activation")


def _also_writes(op: Op, place: Place) -> bool:
    """Whether an initialiser also writes a bias or a norm's weight, which have no fans."""
    in_norm = op.kind is not Kind.PARAMETRIC and op.weight is not None and op.weight.place == place
    return in_norm or (op.bias is not None and op.bias.place == place)


def _zero_bias(made: Plan, model: Model, op: Op) -> None:
    bias = op.bias
    assert bias is not None
    place = bias.place
    if not made.first("bias initialiser", place):
        return
    assert place is not None
    for each in model.component:
        if any(other.weight is not None and other.weight.place == place for other in each.ops):
            raise Refused("the initialiser also writes weights")
    doubt_others(made, model, place)
    if _takes_a_parameter(op, place):
        made.doubt("callers choose an argument of the initialiser")
    if is_declared(op):
        zeros_at(made.draft, op, place)
    elif not bias.name.endswith("_") or not _zero_torch(made.draft, place):
        raise Refused("the bias cannot be set to zero here")


def _zero_torch(draft: Draft, place: Place) -> bool:
    node: Any = place.node
    function = getattr(node, "func", None)
    if function is None:
        return False
    if not _is_init_call(draft, place):
        draft.replace(place, f"{Place(function.value, place.unit).text}.zero_()")
        return True
    target, zeros = target_of(draft, place), draft.refer_like(Place(function, place.unit), "torch.nn.init.zeros_")
    if target is None or zeros is None:
        return False
    draft.replace(place, f"{zeros}({target})")
    return True


def _takes_a_parameter(op: Op, place: Place) -> bool:
    """Whether an initialiser's call hands on a parameter of the function around it, beside the tensor."""
    around = [each for each in place.unit.ancestors(place.node) if type(each).__name__ == "FunctionDef"]
    parameters = {each.name.value for each in around[-1].params.params} if around else set()
    arguments = [arg.value for arg in getattr(place.node, "args", ())][0 if is_declared(op) else 1 :]
    return any(type(each).__name__ == "Name" and each.value in parameters for each in arguments)


def _is_served(model: Model, op: Op) -> bool:
    return all(near.function in _CONTENT for near in model.downstream(op) if near.kind is Kind.ACTIVATION)


def _edit_torch(draft: Draft, init: Init, function_behind: str) -> bool:
    place, gain = init.place, _NONLINEARITIES.get(function_behind, "relu")
    assert place is not None
    node: Any = place.node
    function = getattr(node, "func", None)
    # Initialisers end in an underscore: what makes a new array (`torch.randn(4, 4)`) cannot be rewritten as one.
    if function is None or not init.name.endswith("_"):
        return False
    if (
        init.name in ("kaiming_normal_", "kaiming_uniform_")
        and not init.name.endswith("__")
        and _is_init_call(draft, place)
    ):
        for name, position in (("a", 1), ("mode", 2)):
            if _has(node, name, position) and not draft.remove_argument(place, name, position):
                return False
        quote = draft.quote
        return draft.set_argument(place, "nonlinearity", f"{quote}{gain}{quote}", position=3)
    target = target_of(draft, place)
    if target is None:
        return False
    name = "kaiming_uniform_" if init.name in _UNIFORM else "kaiming_normal_"
    canonical = f"torch.nn.init.{name}"
    spelled = (
        draft.refer_like(Place(function, place.unit), canonical)
        if _is_init_call(draft, place)
        else draft.refer(canonical)
    )
    if spelled is None:
        return False
    draft.replace(place, f"{spelled}({target}, nonlinearity={draft.quote}{gain}{draft.quote})")
    return True


def _is_init_call(draft: Draft, place: Place) -> bool:
    """Whether this is `init.f(tensor, ...)`, not a method of the tensor."""
    function = place.node.func
    if type(function).__name__ == "Name":
        return True
    return draft.imports.names.of(place.unit, function) is not None  # type: ignore[arg-type]


def _has(node: Any, name: str, position: int) -> bool:
    positional = [arg for arg in node.args if arg.keyword is None]
    return len(positional) > position or any(arg.keyword is not None and arg.keyword.value == name for arg in node.args)


def target_of(draft: Draft, place: Place) -> str | None:
    """The text of the tensor that an initialiser writes: its first argument, or the weight whose method it is."""
    node: Any = place.node
    if _is_init_call(draft, place):
        first = next((arg for arg in node.args if arg.keyword is None or arg.keyword.value == "tensor"), None)
        return Place(first.value, place.unit).text if first is not None else None
    owner = node.func.value
    if getattr(getattr(owner, "attr", None), "value", None) == "data":
        owner = owner.value
    return Place(owner, place.unit).text


def _add_torch(made: Plan, model: Model, layers: Sequence[Op]) -> None:
    """An `_init_weights` for the types of these layers, applied by the model that builds them."""
    if not any(op.layer for op in layers) or model.owner is None:
        raise Refused("the layers are not built by a model of this file")
    chain = [op for each in model.component for op in each.of(Kind.PARAMETRIC) if _keeps_default(each, op)]
    functions = {op.function for op in (*layers, *chain)}
    for op in model.of(Kind.PARAMETRIC):
        has_own = op.weight is not None and not _is_unset(op.weight) and op.function in functions
        if has_own and not _feeds_chain(model, op):
            made.doubt("the new initialisation overrides the one that another layer has")
    anchor = model.init or model.owner
    if not made.first("init_weights", anchor):
        return
    draft = made.draft
    types = sorted(f"torch.nn.{_LAYERS[function]}" for function in functions)
    names = [draft.refer(name) for name in types]
    kaiming, zeros = draft.refer("torch.nn.init.kaiming_normal_"), draft.refer("torch.nn.init.zeros_")
    if None in names or kaiming is None or zeros is None:
        raise Refused("the file's imports leave no way to spell the initialiser")
    classes = str(names[0]) if len(names) == 1 else f"({', '.join(map(str, names))})"
    quote = draft.quote
    body = [
        "def _init_weights(module):",
        f"    if isinstance(module, {classes}):",
        f"        {kaiming}(module.weight, nonlinearity={quote}linear{quote})",
        "        if module.bias is not None:",
        f"            {zeros}(module.bias)",
    ]
    name = draft.define("_init_weights", body, model.owner)
    if not _apply(draft, model, name):
        raise Refused("there is no place to apply the initialiser")


def _keeps_default(model: Model, op: Op) -> bool:
    """Whether a layer feeds a SELU, or what becomes one, and has the framework's initialisation."""
    is_default = op.weight is not None and _is_unset(op.weight) and op.function in _LAYERS and op.layer != 0
    return is_default and _feeds_chain(model, op)


def _feeds_chain(model: Model, op: Op) -> bool:
    return any(near.kind is Kind.ACTIVATION and near.function in ("selu", "relu") for near in model.downstream(op))


def _apply(draft: Draft, model: Model, name: str) -> bool:
    if model.init is not None:
        return draft.append_to_body(model.init, [f"self.apply({name})"])
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


def remove_keras_layer(draft: Draft, op: Op) -> bool:
    """Take a Keras layer out: its element of a list, its `model.add` statement, its `x = layer(...)(x)`."""
    place, call = op.place, op.call
    assert place is not None
    parents = place.unit.ancestors(place.node)
    parent = parents[-1] if parents else None
    kind = type(parent).__name__
    if kind == "Element":
        return draft.delete_element(place)
    if kind == "Arg" and len(parents) > 1 and _is_add(parents[-2]):
        return draft.delete_statement(place)
    if kind == "Call" and call is not None and call.node is parent:
        statement = next((each for each in reversed(parents) if type(each).__name__ == "Assign"), None)
        if statement is not None and statement.value is parent and _rebinds(statement, parent):
            return draft.delete_statement(call)
        return draft.unwrap(call)
    if kind == "Assign" and draft.refer_like(op.symbol or place, "keras.layers.Identity"):
        draft.replace(place, f"{draft.refer_like(op.symbol or place, 'keras.layers.Identity')}()")
        return True
    return False


def _is_add(call: Any) -> bool:
    return type(call).__name__ == "Call" and getattr(getattr(call.func, "attr", None), "value", None) == "add"


def _rebinds(statement: Any, call: Any) -> bool:
    """Whether the statement is `x = layer(x)`."""
    if len(statement.targets) != 1 or len(call.args) != 1:
        return False
    target, argument = statement.targets[0].target, call.args[0].value
    return type(target).__name__ == type(argument).__name__ == "Name" and bool(target.value == argument.value)
