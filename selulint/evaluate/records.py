"""Records: dataclasses, named tuples and their like, whose constructor is the list of their annotated fields."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from selulint.evaluate.machine import Machine
from selulint.evaluate.values import ClassValue, Const, Instance, Partial, Symbol, TupleValue, Unknown, Value

if TYPE_CHECKING:
    from selulint.evaluate.calls import Arguments
    from selulint.graph import Place

_DECORATORS = frozenset({"dataclass", "define", "frozen", "mutable", "attrs", "attr"})
_TUPLES = frozenset({"typing.NamedTuple", "typing_extensions.NamedTuple"})
_BASES = _TUPLES | {
    "pydantic.BaseModel",
    "pydantic_settings.BaseSettings",
    "typing.TypedDict",
    "flax.linen.Module",
    "flax.struct.PyTreeNode",
    "equinox.Module",
    "chex.dataclass",
}


def is_record(cls: ClassValue) -> bool:
    """Whether a class gets its constructor from its fields."""
    if any(isinstance(base, Symbol) and base.name in _BASES for base in cls.mro()):
        return True
    return any(isinstance(each, ClassValue) and _is_decorated(each) for each in cls.mro())


def _is_decorated(cls: ClassValue) -> bool:
    for each in getattr(cls.node, "decorator_list", ()):
        node = each.func if isinstance(each, ast.Call) else each
        name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
        if name in _DECORATORS:
            return True
    return False


def fields(cls: ClassValue) -> list[str]:
    """The names of the fields in order, those of the bases first."""
    found: dict[str, None] = {}
    for base in reversed(cls.mro()):
        if isinstance(base, ClassValue):
            found.update(dict.fromkeys(_annotated(base.node.body)))
    return list(found)


def _annotated(body: Any) -> Iterator[str]:
    for each in body:
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
            yield each.target.id


def fill(vm: Machine, instance: Instance, args: Arguments, place: Place) -> None:
    """Bind a record's arguments to its fields; a default is what callers may well replace."""
    names = fields(instance.cls)
    given = {**dict(zip(names, args.positional, strict=False)), **args.keywords}
    for name in names:
        value = given.get(name) or _default(vm, instance.cls, name, place)
        vm.write(instance, name, value)
    if any(isinstance(base, Symbol) and base.name in _TUPLES for base in instance.cls.mro()):
        vm.write(instance, "items", tuple(instance.cells[name] for name in names))
    after = instance.cls.find("__post_init__")
    if after is not None:
        from selulint.evaluate.calls import NO_ARGUMENTS, call

        call(vm, after, NO_ARGUMENTS.prepend(instance), place)


def _default(vm: Machine, cls: ClassValue, name: str, place: Place) -> Value:
    value = cls.find(name)
    if isinstance(value, Const):
        return replace(value, assumed=True)
    if isinstance(value, Partial) and isinstance(value.function, Symbol) and value.function.name == FIELD:
        return _of_field(vm, value, place)
    return Unknown(f"field `{name}`", parameter=True) if value is None or isinstance(value, Unknown) else value


# What `dataclasses.field(...)` stands for until an object is made.
FIELD = "dataclasses.field"


def _of_field(vm: Machine, field: Partial, place: Place) -> Value:
    from selulint.evaluate.calls import NO_ARGUMENTS, call

    default = field.keywords.get("default")
    if isinstance(default, Const):
        return replace(default, assumed=True)
    factory = field.keywords.get("default_factory") or field.keywords.get("factory")
    if factory is not None:
        return call(vm, factory, NO_ARGUMENTS, place)
    return default or Unknown("a field without default", parameter=True)


def field(vm: Machine, args: Arguments, place: Place) -> Value:
    return Partial(Symbol(FIELD), (), dict(args.keywords))


def named_tuple(vm: Machine, args: Arguments, place: Place) -> Value:
    """`collections.namedtuple(...)`: its objects are known by position only."""
    from selulint.evaluate.values import HostFunction

    return HostFunction(lambda *values: TupleValue(values))
