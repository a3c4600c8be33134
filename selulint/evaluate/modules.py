"""The API of modules: sub-modules, parameters, `apply`, and containers that grow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from selulint.evaluate import derived, initialise, keras_models, layers, tensors
from selulint.evaluate.machine import Machine
from selulint.evaluate.sequences import delete_item, entries_of, extend, extend_by
from selulint.evaluate.values import (
    NONE,
    ClassValue,
    Const,
    DictValue,
    Either,
    Instance,
    Layer,
    ListValue,
    ModuleAttribute,
    Symbol,
    TupleValue,
    Unknown,
    Value,
    flatten,
)
from selulint.frameworks import SPECS
from selulint.graph import Place

if TYPE_CHECKING:
    from selulint.evaluate.calls import Arguments

MAX_MODULES = 5_000
# What reports or registers something and gives nothing back.
_QUIET = frozenset(
    "log log_dict save_hyperparameters register_forward_hook add_loss add_metric zero_grad compile load_weights "
    "summary".split()
)
_SELF = frozenset("to cuda cpu train eval float double half requires_grad_ type share_memory bfloat16 to_empty".split())


def container_base(cls: ClassValue) -> str | None:
    """The framework container that a class inherits from (`nn.Sequential`, `keras.Sequential`), if any."""
    for base in cls.mro():
        if isinstance(base, Symbol) and base.name in SPECS and SPECS[base.name].kind == "container":
            return base.name
    return None


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
    return [each for _, each in walk(module) if isinstance(each, Layer) and not each.is_container]


def parameters_in(module: Layer | Instance) -> list[tuple[str, ModuleAttribute]]:
    """Weights and biases of all layers inside, with dotted names."""
    found: list[tuple[str, ModuleAttribute]] = []
    for name, layer in walk(module):
        if not isinstance(layer, Layer) or layer.spec.kind not in ("parametric", "norm"):
            continue
        names = ("weight",) if layer.constant("bias") is False else ("weight", "bias")
        found.extend((f"{name}.{each}" if name else each, ModuleAttribute(layer, each)) for each in names)
    return found


def method(vm: Machine, receiver: Layer | Instance, name: str, args: Arguments, place: Place) -> Value:
    """A method that modules have from their framework."""
    from selulint.evaluate.calls import NO_ARGUMENTS, call

    if name == "apply" and args.positional:
        for _, module in reversed(list(walk(receiver))):
            call(vm, args.positional[0], NO_ARGUMENTS.prepend(module), place)
        return receiver
    if name in _LISTINGS:
        return _LISTINGS[name](receiver)
    if name in _SELF:
        return receiver
    if name in ("forward", "__call__", "call") and isinstance(receiver, Layer):
        return layers.apply(vm, receiver, args, place)
    if name.startswith("super."):
        return _super_method(vm, receiver, name.removeprefix("super."), args, place)
    if name == "save_hyperparameters" and isinstance(receiver, Instance) and vm.scopes:
        vm.write(receiver, "hparams", DictValue(dict(vm.scopes[-1].cells), open=True))
        return NONE
    if name in _QUIET:
        return NONE
    if name in ("add_weight", "add_variable") and isinstance(receiver, Instance):
        return keras_models.variable(args, place)
    if name in _GROWING:
        return _GROWING[name](vm, receiver, args)
    if name == "reset_parameters" and isinstance(receiver, Layer):
        fresh = Layer(name=receiver.name, spec=receiver.spec, args=receiver.args)
        initialise.set_defaults(fresh)
        for key, value in fresh.cells.items():
            vm.write(receiver, key, value)
        return NONE
    return tensors.opaque(vm, f"method `{name}`", args.all, place)


def _super_method(vm: Machine, receiver: Layer | Instance, name: str, args: Arguments, place: Place) -> Value:
    if name == "__init__":
        if isinstance(receiver, Instance) and container_base(receiver.cls) is not None:
            fill_container(vm, receiver, args)
        elif isinstance(receiver, Instance):
            derived.build(vm, receiver, args, place)
        return NONE
    if name in ("forward", "call", "__call__"):
        if "items" in receiver.cells:
            return layers.thread(vm, receiver.cells["items"], args, place, bool(receiver.cells.get("open")))
        base = derived.base_of(receiver) if isinstance(receiver, Instance) else None
        if base is not None:
            return layers.apply(vm, base, args, place)
    if name == "__setattr__" and len(args.positional) == 2 and isinstance(args.positional[0], Const):
        vm.write(receiver, args.positional[0].value, args.positional[1])
        return NONE
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
            vm.write(receiver, f".{key}", item)
        if more:
            vm.write(receiver, "open", True)
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
    "pop": _pop,
    "get": _get,
}
