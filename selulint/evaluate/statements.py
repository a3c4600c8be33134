"""Rules of evaluation for statements: blocks, assignments, branches, loops, definitions, imports."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from selulint.evaluate import attributes, calls, imports, initialise, modules, order, parameters, sequences, tensors
from selulint.evaluate.building import tensors_in
from selulint.evaluate.contrib import ArgumentScope
from selulint.evaluate.expressions import combine, evaluate, place_of, slice_bounds
from selulint.evaluate.flow import Flow
from selulint.evaluate.limits import BudgetExhausted
from selulint.evaluate.loops import UNKNOWN_ITERATIONS, iterate
from selulint.evaluate.machine import Machine
from selulint.evaluate.rounds import Rounds
from selulint.evaluate.values import (
    METACLASS,
    Array,
    ClassValue,
    Const,
    FunctionValue,
    Instance,
    Layer,
    ListValue,
    ModuleAttribute,
    Scope,
    Tensor,
    TupleValue,
    Unknown,
    Value,
)
from selulint.syntax.names import imported


def run_block(vm: Machine, body: Sequence[Any], scope: Scope) -> Flow:
    """Run statements in order until one of them leaves the block."""
    for statement in body:
        flow = run(vm, statement, scope)
        if flow is not Flow.NORMAL:
            return flow
    return Flow.NORMAL


def run(vm: Machine, statement: Any, scope: Scope) -> Flow:
    vm.budget -= 1
    if vm.budget < 0:
        raise BudgetExhausted
    handler = _HANDLERS.get(type(statement))
    return handler(vm, statement, scope) if handler else Flow.NORMAL


def assign(vm: Machine, target: Any, value: Value, scope: Scope) -> None:
    """Bind an assignment target: a name, an attribute, an item, or a pattern of these."""
    kind = type(target)
    if kind is ast.Name:
        if isinstance(value, Layer) and value.is_container and not value.label:
            value.label = target.id
        vm.write(module_of(scope) if target.id in scope.globals else scope, target.id, value)
    elif kind is ast.Attribute:
        owner = evaluate(vm, target.value, scope)
        attributes.put(vm, owner, target.attr, value, place_of(target, scope))
    elif kind is ast.Subscript and not isinstance(target.slice, ast.Tuple | ast.Slice):
        _assign_item(vm, target, value, scope)
    elif kind is ast.Subscript and isinstance(target.slice, ast.Slice):
        owner = evaluate(vm, target.value, scope)
        sequences.set_slice(vm, owner, slice_bounds(vm, target.slice, scope), value)
    elif kind in (ast.Tuple, ast.List):
        _unpack(vm, target.elts, value, scope)
    elif kind is ast.Starred:
        assign(vm, target.value, value, scope)


def _assign_item(vm: Machine, target: ast.Subscript, value: Value, scope: Scope) -> None:
    owner, index = evaluate(vm, target.value, scope), evaluate(vm, target.slice, scope)
    if not isinstance(owner, Tensor):
        sequences.set_item(vm, owner, index, value)
    elif type(target.value) is ast.Name and tensors.is_mask(vm, index) and tensors_in(value):
        assign(vm, target.value, tensors.selected(vm, index, value, owner, place_of(target, scope)), scope)


def module_of(scope: Scope) -> Scope:
    """The scope of the file in which a scope lies."""
    while scope.parent is not None:
        scope = scope.parent
    return scope


def _unpack(vm: Machine, elements: Sequence[Any], value: Value, scope: Scope) -> None:
    items = sequences.unpack(vm, value, len(elements), any(type(e) is ast.Starred for e in elements))
    star = next((i for i, element in enumerate(elements) if type(element) is ast.Starred), None)
    if star is not None and items is not None:
        after = len(elements) - star - 1
        middle = ListValue.of(items[star : len(items) - after])
        items = [*items[:star], middle, *items[len(items) - after :]]
    for position, element in enumerate(elements):
        is_known = items is not None and position < len(items)
        item = items[position] if items is not None and is_known else _part(vm, value, position)
        assign(vm, element, item, scope)


def _part(vm: Machine, value: Value, position: int) -> Value:
    return vm.part(value, position) if isinstance(value, Unknown) else Unknown("part of an unknown value")


def _assign(vm: Machine, node: Any, scope: Scope) -> Flow:
    value = evaluate(vm, node.value, scope)
    if type(value) is Unknown and type(node.value) is ast.Call:
        value = imports.guessed(vm, node.targets[0], node.value, scope.unit.file is vm.file) or value
    for target in node.targets:
        assign(vm, target, value, scope)
    return Flow.NORMAL


def _annotated(vm: Machine, node: Any, scope: Scope) -> Flow:
    if node.value is not None:
        assign(vm, node.target, evaluate(vm, node.value, scope), scope)
    return Flow.NORMAL


def _augmented(vm: Machine, node: Any, scope: Scope) -> Flow:
    left = evaluate(vm, node.target, scope)
    right = evaluate(vm, node.value, scope)
    operation = type(node.op)
    if operation is ast.Add and (isinstance(left, ListValue) or (isinstance(left, Layer) and left.is_container)):
        sequences.extend_by(vm, left, right)
        return Flow.NORMAL
    value = combine(vm, operation, left, right, place_of(node, scope))
    if isinstance(left, Array | ModuleAttribute):
        initialise.overwrite(vm, left, value, place_of(node, scope))
        return Flow.NORMAL
    assign(vm, node.target, value, scope)
    return Flow.NORMAL


def _expression(vm: Machine, node: Any, scope: Scope) -> Flow:
    evaluate(vm, node.value, scope)
    return Flow.NORMAL


def _return(vm: Machine, node: Any, scope: Scope) -> Flow:
    scope.returns.append(evaluate(vm, node.value, scope) if node.value else Const(None))
    return Flow.RETURN


def _if(vm: Machine, node: Any, scope: Scope) -> Flow:
    test = evaluate(vm, node.test, scope)
    truth = vm.truth(test)
    if truth is not None:
        with vm.decided_by(test, *(node.orelse if truth else node.body)):
            return run_block(vm, node.body if truth else node.orelse, scope)
    usual = bool(test.value) if isinstance(test, Const) and test.assumed else None
    if scope.parent is None:
        for body, other in ((node.body, node.orelse), (node.orelse, node.body)):
            if imports.stood_in_for(body, other):
                return run_block(vm, body, scope)

    def arm(body: Sequence[Any], is_usual: bool) -> Callable[[], Flow]:
        def run_arm() -> Flow:
            with vm.usually(is_usual):
                return run_block(vm, body, scope)

        return run_arm

    arms = [arm(node.body, usual is True), arm(node.orelse, usual is False)]
    return vm.branch(arms, None if usual is None else int(not usual))


def _for(vm: Machine, node: Any, scope: Scope) -> Flow:
    items, _ = iterate(vm, evaluate(vm, node.iter, scope))
    _note_sweep(vm, node, scope)
    with vm.watched() as changes:
        rounds = Rounds(vm, changes)
        for item in items:
            assign(vm, node.target, item, scope)
            flow = run_block(vm, node.body, scope)
            if flow is Flow.RETURN:
                return flow
            if flow is Flow.BREAK:
                return Flow.NORMAL
            if rounds.suffice():
                break
    return run_block(vm, node.orelse, scope)


def _note_sweep(vm: Machine, node: Any, scope: Scope) -> None:
    """A loop over all modules or parameters of an object that is being built."""
    call = node.iter
    if type(call) is not ast.Call or call.args or call.keywords or type(call.func) is not ast.Attribute:
        return
    listing = modules.SWEEPS.get(call.func.attr)
    if listing is None or type(call.func.value) is not ast.Name or not vm.order.building:
        return

    def visit(layer: Layer) -> None:
        for item in iterate(vm, listing(layer))[0]:
            assign(vm, node.target, item, scope)
            run_block(vm, node.body, scope)

    order.sweep(vm, evaluate(vm, call.func.value, scope), visit, place_of(call, scope))


def _while(vm: Machine, node: Any, scope: Scope) -> Flow:
    unknown = 0
    with vm.watched() as changes:
        rounds = Rounds(vm, changes)
        while unknown < UNKNOWN_ITERATIONS:
            truth = vm.truth(evaluate(vm, node.test, scope))
            if truth is False:
                break
            # `while True` and a condition that nobody knows both run a bounded number of times.
            unknown += truth is None or isinstance(node.test, ast.Name | ast.Constant)
            flow = run_block(vm, node.body, scope)
            if flow is Flow.RETURN:
                return flow
            if flow is Flow.BREAK or rounds.suffice():
                break
    return Flow.NORMAL


def _try(vm: Machine, node: Any, scope: Scope) -> Flow:
    flow = run_block(vm, node.body, scope)
    if flow is Flow.NORMAL and node.orelse:
        flow = run_block(vm, node.orelse, scope)
    if node.finalbody:
        final = run_block(vm, node.finalbody, scope)
        flow = final if final is not Flow.NORMAL else flow
    return flow


def _match(vm: Machine, node: Any, scope: Scope) -> Flow:
    subject = evaluate(vm, node.subject, scope)
    arms = []
    for case in node.cases:
        fits = _fits(vm, case.pattern, subject, scope)
        if fits is False:
            continue
        if isinstance(case.pattern, ast.MatchAs) and case.pattern.name is not None:
            vm.write(scope, case.pattern.name, subject)
        arms.append(lambda body=case.body: run_block(vm, body, scope))
        if fits and case.guard is None:
            with vm.chosen_by(subject.place if isinstance(subject, Const) and subject.assumed else None):
                return vm.branch(arms) if len(arms) > 1 else arms[0]()
    return vm.branch([*arms, lambda: Flow.NORMAL])


def _fits(vm: Machine, pattern: Any, subject: Value, scope: Scope) -> bool | None:
    """Whether a pattern of `match` fits; None where that cannot be told."""
    kind = type(pattern)
    if kind is ast.MatchAs:
        return True if pattern.pattern is None else _fits(vm, pattern.pattern, subject, scope)
    if kind is ast.MatchOr:
        answers = [_fits(vm, each, subject, scope) for each in pattern.patterns]
        return True if True in answers else None if None in answers else False
    if kind is ast.MatchSingleton and isinstance(subject, Const):
        return bool(subject.value is pattern.value)
    if kind is not ast.MatchValue or not isinstance(subject, Const):
        return None
    wanted = evaluate(vm, pattern.value, scope)
    vm.ask(subject, wanted)
    return bool(wanted.value == subject.value) if isinstance(wanted, Const) else None


def _with(vm: Machine, node: Any, scope: Scope) -> Flow:
    entered = len(vm.scopes)
    try:
        for item in node.items:
            value = evaluate(vm, item.context_expr, scope)
            if type(value) is ArgumentScope:
                vm.scopes.append(value)
            if item.optional_vars is not None:
                assign(vm, item.optional_vars, value, scope)
        return run_block(vm, node.body, scope)
    finally:
        del vm.scopes[entered:]


def _function(vm: Machine, node: Any, scope: Scope) -> Flow:
    decorators = {each.id for each in node.decorator_list if isinstance(each, ast.Name)}
    attributes_of = {each.attr for each in node.decorator_list if isinstance(each, ast.Attribute)}
    if attributes_of & {"setter", "deleter"}:
        return Flow.NORMAL  # the property itself stands before it
    owner = scope.owner if scope.cells.get("__class_body__") else None
    defaults = parameters.defaults(vm, node.args, scope)
    closure = scope if owner is None else (scope.parent or scope)
    value = FunctionValue(node, scope.unit, closure, defaults, owner, frozenset(decorators))
    if owner is None and scope.parent is not None:
        vm.closures.append(value)
    vm.write(scope, node.name, value)
    return Flow.NORMAL


def _class(vm: Machine, node: Any, scope: Scope) -> Flow:
    bases = tuple(evaluate(vm, base, scope) for base in node.bases if type(base) is not ast.Starred)
    cls = ClassValue(node=node, unit=scope.unit, bases=bases)
    body = Scope({"__class_body__": True}, parent=scope, unit=scope.unit, owner=cls)
    run_block(vm, node.body, body)
    cls.cells.update({name: value for name, value in body.cells.items() if name != "__class_body__"})
    vm.write(scope, node.name, cls)
    metaclass = next((each.value for each in node.keywords if each.arg == "metaclass"), None)
    if metaclass is not None:
        cls.cells[METACLASS] = evaluate(vm, metaclass, scope)
    for decorator in reversed(node.decorator_list):
        _decorate(vm, decorator, cls, scope)
    return Flow.NORMAL


def _decorate(vm: Machine, decorator: Any, cls: ClassValue, scope: Scope) -> None:
    """Let a decorator of the file do to a class what it does, such as give it another `__init__`; the class stays."""
    if vm.is_abroad:
        return
    function = evaluate(vm, decorator, scope)
    if isinstance(function, FunctionValue) and function.unit.file is vm.file:
        calls.call(vm, function, calls.Arguments((cls,)), place_of(decorator, scope))


def _import(vm: Machine, node: Any, scope: Scope) -> Flow:
    for name, dotted in imported(node).items():
        if name != "*":
            vm.write(scope, name, imports.binding(scope.unit.file.source.path, dotted))
    return Flow.NORMAL


def _global(vm: Machine, node: Any, scope: Scope) -> Flow:
    scope.globals |= set(node.names)
    return Flow.NORMAL


def _delete(vm: Machine, node: Any, scope: Scope) -> Flow:
    stack = list(reversed(node.targets))
    while stack:
        target = stack.pop()
        kind = type(target)
        if kind is ast.Name:
            vm.write(scope, target.id, Unknown("deleted"))
        elif kind in (ast.Tuple, ast.List):
            stack.extend(reversed(target.elts))
        elif kind is ast.Subscript and isinstance(target.slice, ast.Slice):
            owner = evaluate(vm, target.value, scope)
            sequences.set_slice(vm, owner, slice_bounds(vm, target.slice, scope), TupleValue(()))
        elif kind is ast.Subscript:
            owner = evaluate(vm, target.value, scope)
            sequences.delete_item(vm, owner, evaluate(vm, target.slice, scope))
        elif kind is ast.Attribute:
            owner = evaluate(vm, target.value, scope)
            if isinstance(owner, Instance):
                vm.remove(owner, target.attr)
    return Flow.NORMAL


_HANDLERS: dict[type, Callable[[Machine, Any, Scope], Flow]] = {
    ast.Assign: _assign,
    ast.AnnAssign: _annotated,
    ast.AugAssign: _augmented,
    ast.Expr: _expression,
    ast.Return: _return,
    ast.Raise: lambda vm, node, scope: Flow.RETURN,
    ast.Break: lambda vm, node, scope: Flow.BREAK,
    ast.Continue: lambda vm, node, scope: Flow.CONTINUE,
    ast.If: _if,
    ast.For: _for,
    ast.AsyncFor: _for,
    ast.While: _while,
    ast.Try: _try,
    # `except*` came with Python 3.11.
    getattr(ast, "TryStar", ast.Try): _try,
    ast.Match: _match,
    ast.With: _with,
    ast.AsyncWith: _with,
    ast.FunctionDef: _function,
    ast.AsyncFunctionDef: _function,
    ast.ClassDef: _class,
    ast.Import: _import,
    ast.ImportFrom: _import,
    ast.Global: _global,
    ast.Nonlocal: _global,
    ast.Delete: _delete,
}
