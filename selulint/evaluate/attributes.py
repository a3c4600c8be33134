"""Reading and writing attributes of abstract values."""

from __future__ import annotations

import ast

from selulint.evaluate import imports, initialise
from selulint.evaluate.fans import argument
from selulint.evaluate.joining import join
from selulint.evaluate.machine import Machine
from selulint.evaluate.numbers import NAMED
from selulint.evaluate.values import (
    BASE,
    Array,
    BoundMethod,
    Builtin,
    ClassValue,
    Const,
    DictValue,
    Either,
    FunctionValue,
    Instance,
    Layer,
    ListValue,
    Module,
    ModuleAttribute,
    Shape,
    Super,
    Symbol,
    Tensor,
    TupleValue,
    Unknown,
    Value,
)
from selulint.frameworks import SPECS
from selulint.graph import Place
from selulint.syntax.names import canonical

_TORCH_SEQUENCES = frozenset({"torch.nn.Sequential", "torch.nn.ModuleList"})
_DICT_METHODS = frozenset(dir(dict))
_NOT_TENSORS = frozenset({"device", "dtype", "ndim", "requires_grad", "is_cuda", "grad", "name"})


def get(vm: Machine, value: Value, name: str, place: Place) -> Value:
    """The value of `value.name`."""
    match value:
        case Symbol():
            if name == "__name__":
                return Const(value.name.rpartition(".")[2])
            if name == "value" and value.name in SPECS:
                return value  # the member of an enumeration
            dotted = canonical(f"{value.name}.{name}")
            number = NAMED.get(dotted)
            return Symbol(dotted, place, vm.chooser) if number is None else Const(number, place)
        case Instance():
            return of_instance(vm, value, name, place)
        case Layer():
            return _of_layer(value, name, place)
        case ModuleAttribute() | Array():
            return initialise.attribute(value, name, place)
        case Tensor():
            if name == "shape":
                return shape_of(vm, value)
            return Unknown(f"`{name}` of a tensor") if name in _NOT_TENSORS else BoundMethod(value, name, place)
        case ClassValue():
            return _of_class(value, name, place)
        case Super():
            return _of_super(value, name, place)
        case Module():
            return imports.attribute(vm, value, name) or imports.unknown_attribute(value, name)
        case Either():
            options = [option for option in value.options if not (isinstance(option, Const) and option.value is None)]
            joined: Value = join([get(vm, option, name, place) for option in options])
            return joined
        case FunctionValue():
            return Const(value.name) if name == "__name__" else Unknown(f"`{name}` of a function")
        case DictValue() if name in value.entries and name not in _DICT_METHODS:
            return value.entries[name]
        case Const() if name == "value":
            return value  # the member of an enumeration
        case ListValue() | TupleValue() | DictValue() | Const() | BoundMethod() | Builtin():
            return BoundMethod(value, name, place)
    if isinstance(value, Unknown):
        return vm.part(value, name)
    return Unknown(f"attribute `{name}` of something that has none")


def shape_of(vm: Machine, value: Value) -> Value:
    """The shape of a tensor; Keras keeps the channels last, PyTorch does not tell where they are."""
    if not isinstance(value, Tensor):
        return Unknown("the shape of something unknown")
    known = [vm.builder.op(source) for source in value.sources if vm.builder.base <= source < vm.builder.end]
    is_keras = len(known) == len(value.sources) and all(op.name.startswith("keras.") for op in known)
    return Shape(vm.builder.features(value) if is_keras else None)


def of_instance(vm: Machine, instance: Instance, name: str, place: Place) -> Value:
    """An attribute of an object: its own, its class's (methods bound, properties called), else one of its framework base."""
    if name in instance.cells:
        stored: Value = instance.cells[name]
        return stored
    if name == "__class__":
        return instance.cls
    if name in ("_modules", "__dict__"):
        return _namespace(instance)
    if f".{name}" in instance.cells:
        return instance.cells[f".{name}"]  # type: ignore[no-any-return]
    found = instance.cls.find(name)
    if isinstance(found, FunctionValue):
        if "property" in found.decorators or "cached_property" in found.decorators:
            from selulint.evaluate.calls import NO_ARGUMENTS, invoke

            return invoke(vm, found, NO_ARGUMENTS.prepend(instance), place)
        if "staticmethod" in found.decorators:
            return found
        return BoundMethod(instance.cls if "classmethod" in found.decorators else instance, found, place)
    if found is not None:
        return found
    if BASE in instance.cells:
        return _of_layer(instance.cells[BASE], name, place)
    if name == "training" or not has_foreign_base(instance.cls):
        return Unknown(f"attribute `{name}` that is set nowhere")
    return BoundMethod(instance, name, place)


def _of_class(cls: ClassValue, name: str, place: Place) -> Value:
    if name == "__name__":
        return Const(cls.name)
    found = cls.find(name)
    if isinstance(found, FunctionValue) and "classmethod" in found.decorators:
        return BoundMethod(cls, found, place)
    return found or Unknown(f"class attribute `{name}`")


def _namespace(module: Instance | Layer) -> DictValue:
    """`self._modules` and `self.__dict__`: what is stored under names, as it is now."""
    return DictValue({str(key).lstrip("."): each for key, each in module.cells.items() if isinstance(each, Value)})


def has_foreign_base(cls: ClassValue) -> bool:
    """Whether a class inherits from something that is not defined in the file."""
    return any(not isinstance(base, ClassValue) for base in cls.mro())


def _of_super(value: Super, name: str, place: Place) -> Value:
    cls = value.instance.cls if isinstance(value.instance, Instance) else value.after
    found = cls.find(name, after=value.after)
    if isinstance(found, FunctionValue):
        return BoundMethod(value.instance, found, place)
    return found or BoundMethod(value.instance, f"super.{name}", place)


def _of_layer(layer: Layer, name: str, place: Place | None) -> Value:
    if f".{name}" in layer.cells:
        own: Value = layer.cells[f".{name}"]
        return own
    if name == "__class__":
        return Symbol(layer.name)
    if name == "_modules":
        return _namespace(layer)
    if name in ("bias", "bias_hh", "bias_ih") and layer.constant("bias") is False:
        return Const(None)
    if name in ("weight", "bias") and layer.spec.kind in ("parametric", "norm"):
        # `m.weight` of a loop fits whatever `m` is; `self.bn.weight` needs that very layer.
        if isinstance(getattr(getattr(place, "syntax", None), "value", None), ast.Attribute):
            layer.cells["addressed"] = True
        return ModuleAttribute(layer, name)
    if name in layer.args:
        return argument(layer, name)
    return BoundMethod(layer, name, place)


def put(vm: Machine, owner: Value, name: str, value: Value, place: Place) -> None:
    """Write an attribute; the first attribute that a layer is stored under names it in messages."""
    match owner:
        case Instance():
            for layer in _unlabelled(value):
                layer.label = name
            if name in ("weight", "bias") and BASE in owner.cells:
                put(vm, owner.cells[BASE], name, value, place)
                return
            if "items" in owner.cells and isinstance(value, Layer | Instance):
                _put_child(vm, owner, name, value)
            vm.write(owner, name, value)
        case ModuleAttribute() | Array():
            if name == "data":
                initialise.overwrite(vm, owner, value, place)
        case Layer():
            if name in ("weight", "bias"):
                initialise.overwrite(vm, ModuleAttribute(owner, name), value, place)
            else:
                vm.write(owner, f".{name}", value)
        case ClassValue():
            vm.write(owner, name, value)
        case Either():
            for option in owner.options:
                if isinstance(option, Layer | Instance):
                    put(vm, option, name, join([get(vm, option, name, place), value]), place)


def _put_child(vm: Machine, owner: Instance, name: str, value: Layer | Instance) -> None:
    """An attribute of an object that is itself a sequence of modules (`class Block(nn.Sequential)`) is one of them."""
    if not any(isinstance(base, Symbol) and base.name in _TORCH_SEQUENCES for base in owner.cls.mro()):
        return
    items: tuple[Value, ...] = owner.cells["items"]
    before = owner.cells.get(name)
    replaced = tuple([value if item is before else item for item in items])
    vm.write(owner, "items", replaced if any(item is before for item in items) else (*items, value))


def _unlabelled(value: Value) -> list[Layer]:
    options = value.options if isinstance(value, Either) else (value,)
    found = (option.cells.get(BASE) if isinstance(option, Instance) else option for option in options)
    return [option for option in found if isinstance(option, Layer) and not option.label]
