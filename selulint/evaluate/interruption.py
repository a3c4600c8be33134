"""Scripts with a statement that asks for too much evaluation: what was built before it stays, as far as that is safe."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any

from selulint.evaluate import modules
from selulint.evaluate.limits import STEPS_PER_ROOT, BudgetExhausted
from selulint.evaluate.machine import Changes, Machine
from selulint.evaluate.values import (
    Array,
    BoundMethod,
    ClassValue,
    Either,
    FunctionValue,
    Instance,
    Layer,
    ModuleAttribute,
    Mutable,
    Partial,
    TupleValue,
    Unknown,
)

TOO_MUCH = (BudgetExhausted, RecursionError, OverflowError)
_LOOPS = (ast.For, ast.AsyncFor, ast.While)


def attempt(vm: Machine, index: int) -> bool:
    """Run a statement of the script; False where that is too much. Then it leaves nothing behind, and nothing that it might
    have initialised.
    """
    granted, ops, created = vm.budget, len(vm.builder.ops), len(vm.created)
    changes: Changes = {}
    try:
        with vm.watched() as changes:
            vm.run_statement(vm.module, index)
        return True
    except TOO_MUCH:
        vm.chooser, vm.hops = None, 0
    statement = vm.file.statements[index]
    reached = set() if granted >= STEPS_PER_ROOT and _only_uses(statement.nodes, changes) else _reached(vm, index)
    vm.created[:] = [each for each in vm.created[:created] if not _is_among(each, reached)]
    vm.builder = vm.builder.until(ops)
    if any(draft.layer is not None and id(draft.layer) in reached for draft in vm.builder.ops):
        vm.builder = vm.builder.until(0)
    vm.module.cells.update({name: Unknown("too much to evaluate") for name in statement.binds})
    return False


def _only_uses(nodes: Iterable[ast.stmt], changes: Changes) -> bool:
    """Whether a statement is a loop whose rounds wrote to no module: what it did not come to is more of the same."""
    written = (target for target, _ in changes.values())
    return all(isinstance(node, _LOOPS) for node in nodes) and not any(
        isinstance(target, Layer | Instance | Array) for target in written
    )


def _is_among(module: Layer | Instance, reached: set[int]) -> bool:
    return any(id(each) in reached for _, each in modules.walk(module))


def _reached(vm: Machine, index: int) -> set[int]:
    """All objects that a statement may get hold of, through the names that it and what it calls mention."""
    seen: set[int] = set()
    names: set[str] = set()
    stack: list[Any] = []

    def mention(number: int) -> None:
        fresh = vm.file.statements[number].mentions - names
        names.update(fresh)
        stack.extend(vm.module.cells[name] for name in fresh if name in vm.module.cells)

    mention(index)
    while stack:
        value = stack.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, FunctionValue | ClassValue) and value.unit.file is vm.file:
            mention(value.unit.index)
        stack.extend(_inside(value))
    return seen


def _inside(value: Any) -> Iterable[Any]:
    match value:
        case FunctionValue():
            return (value.scope,) if value.scope.parent is not None else ()
        case Mutable():
            return value.cells.values()
        case TupleValue():
            return value.items
        case Either():
            return value.options
        case tuple():
            return value
        case Partial():
            return (value.function, *value.args, *value.keywords.values())
        case BoundMethod():
            return (value.receiver, value.method)
        case ModuleAttribute():
            return (value.owner,)
    return ()
