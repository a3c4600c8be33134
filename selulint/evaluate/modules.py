"""The API of modules: sub-modules, parameters, `apply`, and containers that grow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from selulint.evaluate import arrays, initialise, jax, keras, keras_weights, layers, order, tensors
from selulint.evaluate.joining import flatten
from selulint.evaluate.machine import Machine
from selulint.evaluate.sequences import delete_item, entries_of, extend, extend_by
from selulint.evaluate.values import (
    BASE,
    NONE,
    Array,
    ClassValue,
    Const,
    DictValue,
    Either,
    FunctionValue,
    Instance,
    Layer,
    ListValue,
    ModuleAttribute,
    Partial,
    Symbol,
    TupleValue,
    Unknown,
    Value,
)
from selulint.frameworks import SPECS
from selulint.graph import Place

if TYPE_CHECKING:
    from selulint.evaluate.calls import Arguments

MAX_MODULES = 5_000
# What base classes such as Hugging Face's call at the end of construction.
_INITIALISING = frozenset({"post_init", "init_weights", "_post_init"})
_LAYERS = frozenset({"parametric", "activation", "norm", "dropout", "pool", "reshape"})
# What reports or registers something and gives nothing back.
_QUIET = frozenset(
    "log log_dict save_hyperparameters register_forward_hook add_loss add_metric zero_grad load_weights summary".split()
)
_SELF = frozenset("to cuda cpu train eval float double half requires_grad_ type share_memory bfloat16 to_empty".split())


def container_base(cls: ClassValue) -> str | None:
    """The framework container that a class inherits from (`nn.Sequential`, `keras.Sequential`), if any."""
    for base in cls.mro():
        if isinstance(base, Symbol) and base.name in SPECS and SPECS[base.name].kind == "container":
            return base.name
    return None


def base_layer(cls: ClassValue) -> Symbol | None:
    """The framework layer that a class inherits from (`nn.Linear`), if any."""
    for base in cls.mro():
        if not isinstance(base, Symbol):
            continue
        spec = SPECS.get(base.name)
        if spec is not None and spec.kind in _LAYERS and not spec.functional:
            return base
    return None


def build_base(vm: Machine, instance: Instance, base: Symbol, args: Arguments, place: Place) -> None:
    """What `super().__init__(...)` does in a class that inherits from a layer; PyTorch resets parameters at its end."""
    from selulint.evaluate.calls import NO_ARGUMENTS, invoke

    where = instance.place or place
    made = layers.construct(vm, Symbol(base.name, where), SPECS[base.name], args, where)
    if not isinstance(made, Layer):
        return
    vm.write(instance, BASE, made)
    reset = instance.cls.find("reset_parameters")
    if isinstance(reset, FunctionValue) and base.name.startswith("torch.") and made.spec.kind in ("parametric", "norm"):
        invoke(vm, reset, NO_ARGUMENTS.prepend(instance), place)


def fill_container(vm: Machine, instance: Instance, args: Arguments) -> None:
    """What `super().__init__(*layers)` does in a class that inherits from a container."""
    scratch = Layer(name="", spec=SPECS[container_base(instance.cls) or "torch.nn.Sequential"])
    layers.fill(vm, scratch, args)
    for key, value in scratch.cells.items():
        vm.write(instance, key, value)


def named_children(module: Layer | Instance) -> Iterator[tuple[str, Layer | Instance]]:
    """Direct sub-modules with their names, each once."""
    seen: set[int] = set()
    for key, value in module.cells.items():
        if key == BASE:
            continue
        for position, child in enumerate(_modules_of(value)):
            if id(child) not in seen:
                seen.add(id(child))
                yield (f"{position}" if key == "items" else str(key).lstrip(".")), child


def _modules_of(value: Any, depth: int = 3) -> Iterator[Layer | Instance]:
    match value:
        case Layer() if value.spec.kind not in ("initialiser", "other"):
            yield value
        case Instance():
            yield value
        case Either():
            for option in value.options:
                yield from _modules_of(option, depth)
        case tuple():
            for item in flatten(value):
                yield from _modules_of(item, depth)


def walk(module: Layer | Instance, prefix: str = "") -> Iterator[tuple[str, Layer | Instance]]:
    """A module and all modules inside it, outermost first, each once, with dotted names."""
    stack: list[tuple[str, Layer | Instance]] = [(prefix, module)]
    seen: set[int] = set()
    while stack and len(seen) < MAX_MODULES:
        name, current = stack.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield name, current
        children = [(f"{name}.{child}" if name else child, each) for child, each in named_children(current)]
        stack.extend(reversed(children))


def layers_in(module: Layer | Instance) -> list[Layer]:
    found = (each.cells.get(BASE) if isinstance(each, Instance) else each for _, each in walk(module))
    return [each for each in found if isinstance(each, Layer) and not each.is_container]


def parameters_in(module: Layer | Instance) -> list[tuple[str, ModuleAttribute | Array]]:
    """Parameters of all modules inside, with dotted names: an object's own ones, weights and biases of layers."""
    found: list[tuple[str, ModuleAttribute | Array]] = []
    for name, each in walk(module):
        if isinstance(each, Instance) or each.is_container:
            found.extend((f"{name}.{key}" if name else key, array) for key, array in _own_arrays(each))
        layer = each.cells.get(BASE) if isinstance(each, Instance) else each
        if not isinstance(layer, Layer) or layer.spec.kind not in ("parametric", "norm"):
            continue
        names = ("weight",) if layer.constant("bias") is False else ("weight", "bias")
        found.extend((f"{name}.{each}" if name else each, ModuleAttribute(layer, each)) for each in names)
    return found


def _own_arrays(module: Layer | Instance) -> Iterator[tuple[str, Array]]:
    for key, value in module.cells.items():
        if isinstance(value, Array) and value.trained:
            yield str(key).lstrip("."), value
        elif key == "items":
            yield from ((str(i), item) for i, item in enumerate(value) if isinstance(item, Array) and item.trained)


def method(vm: Machine, receiver: Layer | Instance, name: str, args: Arguments, place: Place) -> Value:
    """A method that modules have from their framework."""
    from selulint.evaluate.calls import NO_ARGUMENTS, call

    if name == "apply" and args.positional and isinstance(receiver, Instance) and jax.is_module(receiver.cls):
        return jax.apply(vm, receiver, args, place)
    if name == "apply" and args.positional:
        again = args.positional[0]
        order.sweep(vm, receiver, lambda layer: call(vm, again, NO_ARGUMENTS.prepend(layer), place), place)
        for _, module in reversed(list(walk(receiver))):
            call(vm, args.positional[0], NO_ARGUMENTS.prepend(module), place)
        if not _is_known(args.positional[0]):
            initialise.forget(vm, receiver)
        return receiver
    if name in _LISTINGS:
        return _LISTINGS[name](receiver)
    if name in _SELF:
        return receiver
    if name == "compile" and keras.is_model(receiver):
        keras.compile_model(vm, receiver)
        return NONE
    if name in ("forward", "__call__", "call") and isinstance(receiver, Layer):
        return layers.apply(vm, receiver, args, place)
    if name.startswith("super."):
        return _super_method(vm, receiver, name.removeprefix("super."), args, place)
    if name == "save_hyperparameters" and isinstance(receiver, Instance) and vm.frames:
        vm.write(receiver, "hparams", DictValue(dict(vm.frames[-1].cells), open=True))
        return NONE
    if name in _QUIET:
        return NONE
    if name in _GROWING:
        return _GROWING[name](vm, receiver, args)
    if name == "reset_parameters" and isinstance(receiver, Layer):
        fresh = Layer(name=receiver.name, spec=receiver.spec, args=receiver.args)
        initialise.set_defaults(fresh)
        for key, value in fresh.cells.items():
            vm.write(receiver, key, value)
        return NONE
    if name == "state_dict":
        return DictValue(dict(parameters_in(receiver)), open=True)
    if name == "_conv_forward" and isinstance(receiver, Layer):
        return _convolve(vm, receiver, args, place)
    if name == "load_state_dict":
        _load(vm, receiver)
        return NONE
    if name in ("add_weight", "add_variable") and isinstance(receiver, Instance):
        return keras_weights.add_weight(vm, args, place)
    if isinstance(receiver, Instance):
        _inherited(vm, receiver, name, place)
    return tensors.opaque(vm, f"method `{name}`", args.all, place)


def _convolve(vm: Machine, layer: Layer, args: Arguments, place: Place) -> Value:
    """`self._conv_forward(x, weight, bias)`: the convolution that a class inherits from, with a weight of its own."""
    draft = layers.draft(
        vm, layer, layers.inputs_of(vm, replace(args, positional=args.positional[:1], keywords={})), place
    )
    weight = args.get("weight", 1)
    if isinstance(weight, Array):
        draft.weight = arrays.init_of_weight(weight, layer.spec.function)
    elif not isinstance(weight, ModuleAttribute) or weight.owner is not layer:
        draft.weight = initialise.UNKNOWN_INIT
    return vm.builder.emit(draft)


def _is_known(function: Value) -> bool:
    """Whether what `apply` calls is a function of the file or of the framework, so that its effect is told."""
    while isinstance(function, Partial):
        function = function.function
    return not isinstance(function, Unknown | Symbol) or (isinstance(function, Symbol) and function.name in SPECS)


def _load(vm: Machine, receiver: Layer | Instance) -> None:
    """Loaded weights make the initialisation of this object beside the point, unless it served in some run."""
    if order.comes_first(vm, receiver):
        initialise.forget(vm, receiver, initialise.LOADED_INIT)


def _inherited(vm: Machine, receiver: Instance, name: str, place: Place) -> None:
    """A method of a base class in another file: such ones initialise, and by custom call `_init_weights` on each module."""
    from selulint.evaluate.calls import NO_ARGUMENTS, invoke

    if all(isinstance(base, ClassValue) or getattr(base, "name", "") in SPECS for base in receiver.cls.mro()):
        return
    own = receiver.cls.find("_init_weights")
    if name not in _INITIALISING or not isinstance(own, FunctionValue):
        initialise.escape(vm, name, [receiver])
    elif len(own.parameters[0]) == 2:
        for _, module in reversed(list(walk(receiver))):
            invoke(vm, own, NO_ARGUMENTS.prepend(receiver, module), place)
    elif len(own.parameters[0]) == 1:
        invoke(vm, own, NO_ARGUMENTS.prepend(receiver), place)


def _super_method(vm: Machine, receiver: Layer | Instance, name: str, args: Arguments, place: Place) -> Value:
    if name == "__init__":
        if isinstance(receiver, Instance) and container_base(receiver.cls) is not None:
            fill_container(vm, receiver, args)
        elif isinstance(receiver, Instance) and (base := base_layer(receiver.cls)) is not None:
            build_base(vm, receiver, base, args, place)
        return NONE
    if name in ("forward", "call", "__call__") and "items" in receiver.cells:
        return layers.thread(vm, receiver.cells["items"], args, place, bool(receiver.cells.get("open")))
    if name == "__setattr__" and len(args.positional) == 2 and isinstance(args.positional[0], Const):
        vm.write(receiver, args.positional[0].value, args.positional[1])
        return NONE
    inner = receiver.cells.get(BASE)
    if isinstance(inner, Layer):
        if name in ("forward", "call", "__call__"):
            return layers.apply(vm, inner, args, place)
        return method(vm, inner, name, args, place)
    return method(vm, receiver, name, args, place)


def _pairs(found: list[tuple[str, Any]]) -> ListValue:
    return ListValue.of(TupleValue((Const(name), value)) for name, value in found)


def _entries(module: Layer | Instance) -> list[tuple[str, Value]]:
    """The entries of a ModuleDict, or of an object that inherits from one, by name."""
    own = isinstance(module, Instance)
    return [
        (str(key).lstrip("."), each)
        for key, each in module.cells.items()
        if str(key)[:1] == "." or (own and isinstance(each, Layer | Instance))
    ]


_LISTINGS: dict[str, Callable[[Layer | Instance], Value]] = {
    "modules": lambda module: ListValue.of(each for _, each in walk(module)),
    "named_modules": lambda module: _pairs(list(walk(module))),
    "children": lambda module: ListValue.of(each for _, each in named_children(module)),
    "named_children": lambda module: _pairs(list(named_children(module))),
    "parameters": lambda module: ListValue.of(each for _, each in parameters_in(module)),
    "named_parameters": lambda module: _pairs(list(parameters_in(module))),
    "values": lambda module: ListValue.of(each for _, each in _entries(module)),
    "keys": lambda module: ListValue.of(Const(name) for name, _ in _entries(module)),
    "items": lambda module: _pairs(_entries(module)),
}


# Loops over these reach whatever is there when they start.
SWEEPS = {name: _LISTINGS[name] for name in ("modules", "parameters", "named_parameters")}


def _append(vm: Machine, receiver: Layer | Instance, args: Arguments) -> Value:
    extend(vm, receiver, [layers.as_item(vm, value) for value in args.positional])
    return receiver


def _extend(vm: Machine, receiver: Layer | Instance, args: Arguments) -> Value:
    for value in args.positional[:1]:
        extend_by(vm, receiver, value)
    return receiver


def _insert(vm: Machine, receiver: Layer | Instance, args: Arguments) -> Value:
    items = list(receiver.cells.get("items", ()))
    index = args.positional[0] if args.positional else Unknown("no index")
    if len(args.positional) == 2:
        items.insert(
            index.value if isinstance(index, Const) and isinstance(index.value, int) else len(items), args.positional[1]
        )
    vm.write(receiver, "items", tuple(items))
    return NONE


def _add_module(vm: Machine, receiver: Layer | Instance, args: Arguments) -> Value:
    name, module = args.get("name", 0), args.get("module", 1)
    if module is None:
        return NONE
    if isinstance(name, Const) and isinstance(name.value, str):
        if isinstance(module, Layer) and not module.label:
            module.label = name.value
        is_attribute = isinstance(receiver, Instance) and "keyed" not in receiver.cells
        vm.write(receiver, name.value if is_attribute else f".{name.value}", module)
    if "items" in receiver.cells:
        extend(vm, receiver, [module])
    return NONE


def _update(vm: Machine, receiver: Layer | Instance, args: Arguments) -> Value:
    for value in args.positional[:1]:
        entries, more = entries_of(vm, value)
        for key, item in entries.items():
            vm.write(receiver, f".?{len(receiver.cells)}" if isinstance(key, Value) else f".{key}", item)
        if more:
            vm.write(receiver, "open", True)
    return NONE


def _register(vm: Machine, receiver: Layer | Instance, args: Arguments) -> Value:
    name, value = args.get("name", 0), args.get("param") or args.get("tensor", 1)
    if isinstance(name, Const) and value is not None:
        vm.write(receiver, name.value if isinstance(receiver, Instance) else f".{name.value}", value)
    return NONE


def _pop(vm: Machine, receiver: Layer | Instance, args: Arguments) -> Value:
    return delete_item(vm, receiver, args.positional[0] if args.positional else Const(-1))


def _get(vm: Machine, receiver: Layer | Instance, args: Arguments) -> Value:
    """`self._modules.get(name)` and the like."""
    name = args.get("key", 0)
    known = receiver.cells.get(f".{name.value}") if isinstance(name, Const) else None
    return known or args.get("default", 1) or NONE


_GROWING: dict[str, Callable[[Machine, Layer | Instance, Arguments], Value]] = {
    "append": _append,
    "add": _append,
    "extend": _extend,
    "insert": _insert,
    "add_module": _add_module,
    "register_module": _add_module,
    "update": _update,
    "register_parameter": _register,
    "register_buffer": _register,
    "pop": _pop,
    "get": _get,
}


def is_method(name: str) -> bool:
    """Whether modules have a method of this name from their framework."""
    return name in _LISTINGS or name in _GROWING or name in _SELF or name in ("apply", "forward", "load_state_dict")
