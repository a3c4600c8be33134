"""Entries: the functions by which callers from outside a file use it, and what they pass."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from selulint.evaluate import jax, records
from selulint.evaluate.calls import Arguments, instantiate
from selulint.evaluate.machine import Machine
from selulint.evaluate.values import ClassValue, FunctionValue, Instance, Layer, Unknown, Value
from selulint.graph import Place

ENTRIES = ("forward", "call", "__call__")
NO_CHOICE: Mapping[str, Value] = {}


def entry_of(cls: ClassValue) -> FunctionValue | None:
    """The method that runs when a module is called."""
    return next((each for each in map(cls.find, ENTRIES) if isinstance(each, FunctionValue)), None)


def unknown_arguments(vm: Machine, function: Any, skip: int = 1, chosen: Mapping[str, Value] = NO_CHOICE) -> Arguments:
    """Unknowns for the parameters that have no default; records of the file, told by annotations, with their defaults."""
    if not isinstance(function, FunctionValue):
        return Arguments(outside=True)
    params = function.node.args
    required = [p for p in (*params.posonlyargs, *params.args)[skip:] if p.arg not in function.defaults]
    return Arguments(tuple(_unknown(vm, function, param) for param in required), dict(chosen), outside=True)


def _unknown(vm: Machine, function: FunctionValue, param: ast.arg) -> Value:
    annotation = param.annotation
    if type(annotation) is ast.Name and annotation.id in vm.file.bindings:
        cls = vm.lookup(function.scope, annotation.id)
        if isinstance(cls, ClassValue) and records.is_record(cls) and not jax.is_module(cls):
            return instantiate(vm, cls, Arguments(outside=True), Place(annotation, function.unit))
    return Unknown(f"parameter `{param.arg}`", parameter=True)


def tensor_arguments(vm: Machine, module: Layer | Instance) -> Arguments:
    entry = entry_of(module.cls) if isinstance(module, Instance) else None
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
