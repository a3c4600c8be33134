"""How code outside of a file calls what the file defines: which method, with which arguments."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from selulint.evaluate import jax, modules, records
from selulint.evaluate.calls import Arguments, instantiate, invoke
from selulint.evaluate.machine import Machine
from selulint.evaluate.values import (
    ClassValue,
    Either,
    FunctionValue,
    Instance,
    Layer,
    ListValue,
    Partial,
    Symbol,
    TupleValue,
    Unknown,
    Value,
)
from selulint.frameworks import SPECS
from selulint.graph import Place

NO_CHOICE: Mapping[str, Value] = {}
_ENTRIES = ("forward", "call", "__call__")


def called_method(cls: ClassValue) -> FunctionValue | None:
    """The method that runs when a module is called."""
    return next((each for each in map(cls.find, _ENTRIES) if isinstance(each, FunctionValue)), None)


def has_framework(cls: ClassValue) -> bool:
    """Whether a class has what its framework gives modules (`apply`): not so an agent or a trainer that holds some."""
    others = [base for base in cls.mro() if not isinstance(base, ClassValue)]
    # All kinds of `LightningModule` are modules, whatever package they come from.
    known = any(isinstance(base, Symbol) and (base.name in SPECS or base.name.endswith("Module")) for base in others)
    return known or (bool(others) and called_method(cls) is not None)


def is_model(instance: Instance) -> bool:
    """Whether an object is called as a model: by a method of its class, or by one that it was given (`self.forward = ...`)."""
    if called_method(instance.cls) is not None or any(name in instance.cells for name in _ENTRIES):
        return True
    return modules.container_base(instance.cls) is not None


def tensor_arguments(vm: Machine, module: Layer | Instance) -> Arguments:
    entry = called_method(module.cls) if isinstance(module, Instance) else None
    if entry is None:
        return Arguments((vm.builder.input(),), outside=True)
    names = entry.parameters[0][1:]
    is_jax = isinstance(module, Instance) and jax.is_module(module.cls)
    tensors: tuple[Value, ...] = tuple(
        Unknown(f"parameter `{name}`", parameter=True) if is_jax and jax.is_beside(name) else vm.builder.input()
        for name in names
        if name not in entry.defaults
    )
    if not tensors and entry.parameters[2]:
        tensors = (vm.builder.input(),)
    if not tensors and names:
        tensors = (vm.builder.input(),)
    return Arguments(tensors, outside=True)


def invoke_promoting(
    vm: Machine, function: FunctionValue, first: tuple[Value, ...], skip: int, chosen: Mapping[str, Value] = NO_CHOICE
) -> Value:
    """Call a function as callers would; parameters that turn out to be tensors are tensors from the start."""
    unknowns = unknown_arguments(vm, function, skip).positional
    before = len(vm.builder.ops)
    result = invoke(vm, function, Arguments((*first, *unknowns), dict(chosen), outside=True), None)
    promoted = [value for value in unknowns if value in vm.builder.promoted]
    if not promoted:
        return result
    vm.builder = vm.builder.until(before)  # an object's constructor may have made tensors
    vm.created.clear()
    known = tuple(vm.builder.input() if value in promoted else value for value in unknowns)
    return invoke(vm, function, Arguments((*first, *known), dict(chosen), outside=True), None)


def call_with_unknowns(
    vm: Machine, function: FunctionValue, chosen: Mapping[str, Value] = NO_CHOICE
) -> Callable[[], Value]:
    return lambda: invoke_promoting(vm, function, (), 0, chosen)


def unknown_arguments(vm: Machine, function: Any, skip: int = 1, chosen: Mapping[str, Value] = NO_CHOICE) -> Arguments:
    """Unknowns for the parameters that have no default; records of the file, told by annotations, with their defaults."""
    if not isinstance(function, FunctionValue):
        return Arguments(outside=True)
    params = function.node.args
    wanted = list((*params.posonlyargs, *params.args)[skip:])
    while wanted and wanted[-1].arg in function.defaults:
        wanted.pop()
    unknown = tuple(function.defaults.get(param.arg) or _unknown(vm, function, param) for param in wanted)
    return Arguments(unknown, dict(chosen), outside=True)


def _unknown(vm: Machine, function: FunctionValue, param: ast.arg) -> Value:
    annotation = param.annotation
    if type(annotation) is ast.Name and annotation.id in vm.file.bindings:
        cls = vm.lookup(function.scope, annotation.id)
        if isinstance(cls, ClassValue) and records.is_record(cls) and not jax.is_module(cls):
            return instantiate(vm, cls, Arguments(outside=True), Place(annotation, function.unit))
    return Unknown(f"parameter `{param.arg}`", parameter=True)


def functions_in(value: Value) -> list[FunctionValue]:
    """Functions among what a function returns: by itself, or in a tuple or list; what is bound already is their default."""
    match value:
        case FunctionValue():
            return [value]
        case Partial(function=FunctionValue() as whole):
            given = dict(zip(whole.parameters[0], value.args, strict=False)) | value.keywords
            return [replace(whole, defaults=whole.defaults | given)]
        case TupleValue() | ListValue():
            return [each for item in value.items for each in functions_in(item)]
        case Either():
            return [each for option in value.options for each in functions_in(option)]
    return []
