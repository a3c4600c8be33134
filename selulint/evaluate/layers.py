"""Framework layers: building them from bound arguments, applying them to tensors as ops."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from selulint.evaluate import alternatives, arrays, initialise, jax, keras, keras_legacy, numbers, variables
from selulint.evaluate.building import Draft, constants, places, sources, tensors_in
from selulint.evaluate.machine import Machine
from selulint.evaluate.tensors import as_tensor, binary, opaque
from selulint.evaluate.values import (
    Const,
    DictValue,
    Either,
    Instance,
    Layer,
    ListValue,
    ModuleAttribute,
    Splice,
    Symbol,
    Tensor,
    TupleValue,
    Unknown,
    Value,
)
from selulint.frameworks import SPECS, Spec
from selulint.frameworks.jax import ARRAY_METHODS
from selulint.frameworks.torch import TENSOR_METHODS
from selulint.graph import Kind, Place

if TYPE_CHECKING:
    from selulint.evaluate.calls import Arguments

# Functions that do with a number what an operator does.
_OPERATORS = {"add": ast.Add, "subtract": ast.Sub, "multiply": ast.Mult, "divide": ast.Div}
METHODS = TENSOR_METHODS | ARRAY_METHODS
_TAKES_TENSORS = frozenset({"activation", "dropout", "norm", "parametric", "pool", "merge", "reshape"})
# Functions with which activations are written out by hand.
_OF_TENSORS = frozenset({"exp", "expm1"})
_NUMERIC = {"sqrt": math.sqrt, "exp": math.exp, "expm1": math.expm1}
# Functions of these packages may take a variable of the program as their kernel.
_BY_HAND = ("tensorflow.", "keras.", "jax.")
# What comes out of these has other channels than what goes in.
_MIXING = frozenset(
    {"flatten", "permute", "index", "repeat", "split", "concat", "stack", "matmul", "einsum", "squeeze"}
)
_KINDS = {kind.value: kind for kind in Kind}
# Methods and attributes that tell about a tensor and give no tensor.
_ABOUT = frozenset(
    "size dim shape numel item tolist numpy get_shape stride backward is_contiguous nelement element_size".split()
)


@cache
def parameters(signature: str) -> tuple[tuple[str, ...], dict[str, Value]]:
    """The names of a signature's parameters that may be positional, and the constant defaults of all that have one."""
    names: list[str] = []
    defaults: dict[str, Value] = {}
    positional: int | None = None
    for part in _split(signature):
        if part == "*":
            positional = len(names)
            continue
        name, has_default, default = part.partition("=")
        names.append(name.strip().lstrip("*"))
        if has_default:
            defaults[names[-1]] = _default(default.strip())
    return tuple(names[:positional]), defaults


def _split(signature: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for position, character in enumerate(signature + ","):
        depth += (character in "([") - (character in ")]")
        if character == "," and depth == 0:
            parts.append(signature[start:position].strip())
            start = position + 1
    return [part for part in parts if part]


def _default(text: str) -> Value:
    literals: dict[str, Any] = {"None": None, "True": True, "False": False}
    if text in literals:
        return Const(literals[text])
    if text[:1] in "'\"":
        return Const(text[1:-1])
    if text[:1] == "(":
        items = tuple(_default(part) for part in _split(text[1:-1]))
        return TupleValue(items)
    try:
        return Const(int(text))
    except ValueError:
        pass
    try:
        return Const(float(text))
    except ValueError:
        return Symbol(text) if text in SPECS else Unknown(f"default {text}")


def bind(spec: Spec, args: Arguments) -> dict[str, Value]:
    """Arguments by parameter name, constant defaults filled in; an open call leaves what it may pass unknown."""
    names, defaults = parameters(spec.signature)
    bound = defaults.copy()
    if args.open:
        bound.update(dict.fromkeys(defaults, Unknown("an argument behind a star")))
    bound.update(zip(names, args.positional, strict=False))
    bound.update(args.keywords)
    return bound


def spelled(spec: Spec, symbol: Symbol, place: Place) -> Place:
    """Where a finding about a layer starts: its call, or the reference to its class where that is passed around."""
    if spec.kind == "parametric" or symbol.place is None or getattr(place.syntax, "func", None) is symbol.place.syntax:
        return place
    return symbol.place


def construct(vm: Machine, symbol: Symbol, spec: Spec, args: Arguments, place: Place) -> Value:
    """A layer object from a call of its class."""
    if keras.is_keras(symbol.name) and (made := keras.special(vm, symbol, args, place)) is not None:
        return made
    if keras.is_keras(symbol.name):
        args = keras_legacy.modern(symbol.name, spec, args)
    if spec.function == "mlp":
        return jax.mlp(vm, symbol, spec, args, place)
    chooser = symbol.chooser or vm.chooser
    layer = Layer(name=symbol.name, spec=spec, place=spelled(spec, symbol, place), symbol=symbol.place, chooser=chooser)
    layer.made = place
    if spec.kind == "container":
        fill(vm, layer, args)
        vm.created.append(layer)
        return layer
    layer.args = bind(spec, args)
    if layer.name.startswith(jax.PACKAGES):
        jax.describe(layer)
    initialise.set_defaults(layer)
    return layer


def fill(vm: Machine, layer: Layer, args: Arguments) -> None:
    from selulint.evaluate.sequences import items_of

    first = args.positional[0] if args.positional else args.keywords.get("modules") or args.keywords.get("layers")
    if layer.spec.function in ("module_dict", "parameter_dict"):
        _fill_dict(vm, layer, first)
        return
    layer.cells["items"] = ()
    if isinstance(first, DictValue):
        layer.cells["items"] = tuple(first.entries.values())
        named = {key: value for key, value in first.entries.items() if isinstance(key, str)}
        layer.cells.update({f".{key}": value for key, value in named.items()})
        for key, value in named.items():
            if isinstance(value, Layer) and not value.label:
                value.label = key
        layer.cells["open"] = first.open
    elif isinstance(first, ListValue | TupleValue):
        items = first.items
        items = tuple(as_item(vm, item) for item in items)
        layer.cells["items"], layer.cells["open"] = items, isinstance(first, ListValue) and first.open
    elif len(args.positional) == 1 and isinstance(first, Either | Unknown):
        found, more = items_of(vm, first)
        layer.cells["items"], layer.cells["open"] = tuple(found) or args.positional, more and not found
    else:
        layer.cells["items"], layer.cells["open"] = args.positional, args.open


def _fill_dict(vm: Machine, layer: Layer, given: Value | None) -> None:
    """A ModuleDict: its entries are cells whose keys begin with a dot; the cell `keyed` marks it."""
    from selulint.evaluate.sequences import entries_of

    entries, more = entries_of(vm, given) if given is not None else ({}, False)
    layer.cells.update({"keyed": True, "open": more})
    for key, value in entries.items():
        is_known = not isinstance(key, Value)
        layer.cells[f".{key}" if is_known else f".?{len(layer.cells)}"] = value
        if is_known and isinstance(value, Layer) and not value.label:
            value.label = str(key)


def as_item(vm: Machine, value: Value) -> Value:
    """An item of a container: an input tensor there stands for an input layer."""
    if isinstance(value, Tensor):
        return Layer({"features": vm.builder.features(value)}, name="keras.Input", spec=keras.INPUT)
    return value


def apply(vm: Machine, layer: Layer, args: Arguments, place: Place) -> Value:
    """Call a layer object."""
    if layer.spec.kind == "container":
        vm.order.served.add(layer.serial)
        if layer.spec.function == "keras_model":
            from selulint.evaluate import keras_models

            return keras_models.apply_model(vm, layer, args, place)
        if layer.spec.function != "sequential":
            return opaque(vm, f"a call of `{layer.name}`", args.all, place)
        return thread(vm, layer.cells["items"], args, place, bool(layer.cells.get("open")))
    if layer.spec.kind == "initialiser":
        return variables.drawn_by(layer, args, place)
    if (state := jax.state(layer, args)) is not None:
        inputs = inputs_of(vm, replace(args, positional=args.positional[:1], keywords={}))
        return TupleValue((vm.builder.emit(draft(vm, layer, inputs, place)), state))
    inputs = inputs_of(vm, jax.data(args) if layer.name.startswith(jax.PACKAGES) else args)
    if keras.is_declared(layer.name):
        return keras.apply(vm, layer, inputs, place)
    return vm.builder.emit(draft(vm, layer, inputs, place))


def inputs_of(vm: Machine, args: Arguments) -> list[Tensor]:
    """The tensors that go into a layer; something unknown that goes in is an input of its own."""
    tensors = [tensor for value in args.all for tensor in tensors_in(as_tensor(value))]
    if tensors:
        return tensors
    return [vm.builder.promote(args.all[0] if args.all else None)]


def draft(vm: Machine, layer: Layer, inputs: list[Tensor], place: Place) -> Draft:
    """The op of one application of a layer."""
    return Draft(
        _KINDS.get(layer.spec.kind, Kind.OPAQUE),
        layer.name,
        layer.spec.function,
        sources(inputs),
        layer.place,
        layer.symbol,
        place,
        layer,
        constants(layer.args),
        layer.chooser,
        fan_in=layer.cells.get("fan_in"),
        fan_out=layer.cells.get("fan_out"),
    )


def thread(vm: Machine, items: tuple[Value, ...], args: Arguments, place: Place, is_open: bool = False) -> Value:
    """Send a tensor through items one after the other; a splice is an alternative route."""
    from selulint.evaluate.calls import NO_ARGUMENTS, call

    inputs = inputs_of(vm, args)
    value: Value = inputs[0] if len(inputs) == 1 else TupleValue(tuple(inputs))
    for item in items:
        if isinstance(item, Splice):
            value = _alternatives(vm, item, value, place)
        elif isinstance(item, Unknown):
            value = opaque(vm, item.reason, [value], place)
        else:
            value = call(vm, item, NO_ARGUMENTS.prepend(as_tensor(value)), place)
    if is_open and not items:
        return opaque(vm, "a sequence of unknown layers", [value], place)
    return value


def _alternatives(vm: Machine, splice: Splice, value: Value, place: Place) -> Value:
    from selulint.evaluate.calls import NO_ARGUMENTS

    args = NO_ARGUMENTS.prepend(value)
    return alternatives.evaluated(vm, [partial(thread, vm, items, args, place) for items in splice.options])


def apply_function(
    vm: Machine, name: str, spec: Spec, args: Arguments, place: Place, symbol: Place | None, chooser: Place | None
) -> Value:
    """Call a function that works on tensors directly (`F.relu(x)`, `x.relu()`, `torch.cat([...])`)."""
    bound = bind(spec, args)
    values = [as_tensor(value) for value in args.all]
    tensors = [tensor for value in values for tensor in tensors_in(value)]
    if not tensors and (spec.kind in _TAKES_TENSORS or spec.function in _OF_TENSORS):
        tensors = [vm.builder.promote(value) for value in _parameters(values)]
    if not tensors:
        return _of_numbers(name, spec.function, args)
    vector = next(filter(variables.is_vector, bound.values()), None)
    if spec.function == "add" and len(tensors) == 1 and vector is not None:
        variables.add_bias(vm, tensors, vector)
        return tensors[0]
    operation = _OPERATORS.get(spec.function) if len(tensors) == 1 and len(args.all) == 2 else None
    if operation is not None and any(isinstance(value, Const) for value in values):
        return binary(vm, operation, values[0], values[1], place)
    weight, count = arrays.weight_among(name, spec.function, bound), None
    if spec.function == "einsum":
        weight = arrays.init_of_contracted(args.positional, bound.get("axes"))
    if name.startswith(_BY_HAND) and spec.kind in ("parametric", "merge"):
        weight, count = weight or variables.weight_of(spec.function, bound), variables.width_of(spec.function, bound)
    if weight is None and spec.function == "matmul" and len(tensors) == 1 and variables.is_entry(vm, values[-1]):
        weight = initialise.UNKNOWN_INIT
    is_call_of_symbol = symbol is None or getattr(place.syntax, "func", None) is symbol.syntax
    kind = Kind.PARAMETRIC if weight is not None else _KINDS.get(spec.kind, Kind.OPAQUE)
    factor: Mapping[str, Any] = {key: value for key, value in constants(bound).items() if key != "input"}
    if name == "tensorflow.nn.dropout":
        factor = _dropped(bound, args)
    if count is None and kind not in (Kind.PARAMETRIC, Kind.OPAQUE):
        count = _features(vm, spec.function, tensors, bound)
    result = vm.builder.emit(
        Draft(
            kind,
            name,
            spec.function,
            sources(tensors),
            place if is_call_of_symbol else symbol,
            symbol,
            place,
            _parameter_of(bound) if kind is Kind.PARAMETRIC else None,
            factor,
            chooser or vm.chooser,
            features=count,
            weight=weight,
            spelled=places(bound),
            # An activation by another name is chosen where it gets that name; there is no layer that is made of it.
            made=None if kind is Kind.ACTIVATION else place,
        )
    )
    if kind is Kind.PARAMETRIC or spec.function == "identity":
        biased = [result] if kind is Kind.PARAMETRIC else tensors  # `tf.nn.bias_add`
        variables.add_bias(vm, biased, bound.get("bias", bound.get("biases")))
    wanted = bound.get("activation") if kind is Kind.PARAMETRIC else None  # `tf.layers.dense(x, 64, tf.nn.relu)`
    return result if wanted is None else keras.activate(vm, wanted, result, place, place, None)


def _of_numbers(name: str, function: str, args: Arguments) -> Value:
    """What a function on tensors makes of a number (`jnp.sqrt(2)`)."""
    first = args.positional[0] if len(args.all) == len(args.positional) == 1 else None
    if function in _NUMERIC and isinstance(first, Const):
        return numbers.combined(_NUMERIC[function], first)
    return Unknown(f"`{name}` of something unknown")


def _features(vm: Machine, function: str, tensors: list[Tensor], bound: Mapping[str, Value]) -> int | None:
    """The size of the channel axis behind a function that is no layer."""
    if function == "reshape":
        shape = bound.get("shape", bound.get("newshape"))
        last = shape.items[-1] if isinstance(shape, TupleValue | ListValue) and shape.items else None
        size = last.value if isinstance(last, Const) else None
        return size if type(size) is int and size > 0 else None
    if function in _MIXING:
        return None
    sizes = {vm.builder.features(tensor) for tensor in tensors}
    return sizes.pop() if len(sizes) == 1 else None


def _dropped(bound: Mapping[str, Value], args: Arguments) -> dict[str, Any]:
    """What `tf.nn.dropout` drops. Its second argument is what TF 1 keeps and TF 2 drops: by position it says nothing."""
    known = constants(bound)
    if len(args.positional) > 1:
        known.pop("rate", None)
    elif isinstance(known.get("keep_prob"), int | float):
        known["rate"] = 1 - known["keep_prob"]
    return known


def call_tensor_method(vm: Machine, tensor: Tensor, name: str, args: Any, place: Place) -> Value:
    """The value of `tensor.name(...)`."""
    if name in _ABOUT:
        return Unknown(f"`{name}` of a tensor")
    spec = METHODS.get(name)
    if spec is None:
        return opaque(vm, f"method `{name}`", [tensor, *args.positional, *args.keywords.values()], place)
    return apply_function(vm, f"torch.Tensor.{name}", spec, args.prepend(tensor), place, None, None)


def _parameters(values: Sequence[Value]) -> list[Unknown]:
    """The unknown arguments of the code being looked at, among the first of these values or in a list of them."""
    first = values[0] if values else None
    inside = first.items if isinstance(first, ListValue | TupleValue) else (first,)
    return [value for value in inside if isinstance(value, Unknown) and value.parameter]


def _parameter_of(bound: Mapping[str, Value]) -> Layer | None:
    weight = bound.get("weight")
    if isinstance(weight, ModuleAttribute):
        return weight.owner
    return weight if isinstance(weight, Layer) else None


__all__ = ["Instance", "apply", "apply_function", "bind", "construct", "parameters", "thread"]
