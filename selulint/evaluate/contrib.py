"""Layers as functions, which TF 1 had: `tf.layers.dense(x, 10)`, TF-Slim and its scopes of default arguments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from selulint.evaluate import keras, sequences
from selulint.evaluate.building import tensors_in
from selulint.evaluate.machine import Machine
from selulint.evaluate.tensors import as_tensor, opaque
from selulint.evaluate.values import (
    Const,
    FunctionValue,
    Layer,
    ListValue,
    Partial,
    Symbol,
    TupleValue,
    Unknown,
    Value,
)
from selulint.frameworks import Spec
from selulint.frameworks.contrib import ALIASES, PACKAGE
from selulint.graph import Place

if TYPE_CHECKING:
    from selulint.evaluate.calls import Arguments

LAYERS = ("tensorflow.layers.", PACKAGE)
MAX_REPETITIONS = 64


@dataclass(slots=True, eq=False)
class ArgumentScope(Value):
    """Defaults at a distance: arguments by the name of the function that takes them; `open` where nobody knows them."""

    defaults: dict[str, dict[str, Value]]
    open: bool = False


def is_layer(symbol: Symbol, spec: Spec) -> bool:
    """Whether calling this builds a layer and applies it at once."""
    return spec.functional and symbol.name.startswith(LAYERS)


def call_layer(vm: Machine, symbol: Symbol, spec: Spec, args: Arguments, place: Place) -> Value:
    """Build the layer that a function stands for and apply it to the function's first argument."""
    from selulint.evaluate.calls import Arguments
    from selulint.evaluate.layers import bind, inputs_of, parameters, spelled

    names = parameters(spec.signature)[0]
    if vm.scopes and symbol.name.startswith(PACKAGE):
        scope: ArgumentScope = vm.scopes[-1]
        scoped = scope.defaults.get(_key_of(symbol.name), {})
        fresh = {key: value for key, value in scoped.items() if key not in names[: len(args.positional)]}
        args = Arguments(args.positional, {**fresh, **args.keywords}, args.open or scope.open)
    bound = bind(spec, args)
    data = bound.pop(names[0], Unknown("no input"))
    layer = Layer(name=symbol.name, spec=spec, args=bound, place=spelled(spec, symbol, place), symbol=symbol.place)
    layer.chooser = symbol.chooser or vm.chooser
    layer.made = place
    name = layer.constant("name") or layer.constant("scope")
    if isinstance(name, str):
        layer.label = name
    if not tensors_in(as_tensor(data)) and not (isinstance(data, Unknown) and data.parameter):
        data = vm.builder.promote(data if isinstance(data, Unknown) else None)
    return keras.apply(vm, layer, inputs_of(vm, Arguments((data,))), place)


def _key_of(name: str) -> str:
    last = name.removeprefix(PACKAGE)
    return ALIASES.get(last, last)


def arg_scope(vm: Machine, args: Arguments, place: Place) -> Value:
    """`slim.arg_scope([ops], **defaults)`: the scope around it with these defaults added; a scope stands for itself."""
    first = args.positional[0] if args.positional else args.keywords.get("list_ops_or_scope")
    if isinstance(first, ArgumentScope):
        return first
    around = vm.scopes[-1] if vm.scopes else ArgumentScope({})
    if not isinstance(first, ListValue | TupleValue):
        return ArgumentScope({}, open=True)
    found = {key: dict(defaults) for key, defaults in around.defaults.items()}
    keywords = {name: value for name, value in args.keywords.items() if name != "list_ops_or_scope"}
    for each in sequences.items_of(vm, first)[0]:
        key = _scope_key(each)
        if key:
            found[key] = {**found.get(key, {}), **keywords}
    return ArgumentScope(found, around.open)


def _scope_key(value: Value) -> str:
    while isinstance(value, Partial):
        value = value.function
    if isinstance(value, Symbol) and value.name.startswith(PACKAGE):
        return _key_of(value.name)
    return f"function {id(value.node)}" if isinstance(value, FunctionValue) else ""


def repeat(vm: Machine, args: Arguments, place: Place) -> Value:
    """`slim.repeat(x, 3, slim.conv2d, 64, [3, 3])`."""
    from selulint.evaluate.calls import Arguments, call

    if len(args.positional) < 3:
        return opaque(vm, "repeat", args.all, place)
    value, count, layer, *rest = args.positional
    times = count.value if isinstance(count, Const) and isinstance(count.value, int) else 1
    for _ in range(min(times, MAX_REPETITIONS)):
        value = call(vm, layer, Arguments((value, *rest), args.keywords, args.open), place)
    return value


def stack(vm: Machine, args: Arguments, place: Place) -> Value:
    """`slim.stack(x, slim.fully_connected, [32, 64, 128])`: one layer for each item, which may hold several arguments."""
    from selulint.evaluate.calls import Arguments, call

    value, layer, each = args.get("inputs", 0), args.get("layer", 1), args.get("stack_args", 2)
    if value is None or layer is None or each is None:
        return opaque(vm, "stack", args.all, place)
    items, more = sequences.items_of(vm, each)
    keywords = {name: item for name, item in args.keywords.items() if name not in ("inputs", "layer", "stack_args")}
    if more:
        return opaque(vm, "a stack of layers whose number is not known", [value], place)
    for item in items[:MAX_REPETITIONS]:
        given = item.items if isinstance(item, TupleValue | ListValue) else (item,)
        value = call(vm, layer, Arguments((value, *given), keywords), place)
    return value
