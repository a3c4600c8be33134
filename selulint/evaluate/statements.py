"""Rules of evaluation for statements: blocks, assignments, branches, loops, definitions, imports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import libcst as cst

from selulint.evaluate import attributes, calls, sequences
from selulint.evaluate.expressions import combine, evaluate, place_of, slice_bounds
from selulint.evaluate.loops import UNKNOWN_ITERATIONS, iterate
from selulint.evaluate.machine import BudgetExhausted, Flow, Machine
from selulint.evaluate.values import (
    ClassValue,
    Const,
    FunctionValue,
    Instance,
    Layer,
    ListValue,
    Scope,
    Symbol,
    TupleValue,
    Unknown,
    Value,
)
from selulint.syntax.names import imported

_AUGMENTED: dict[type, type] = {
    cst.AddAssign: cst.Add,
    cst.SubtractAssign: cst.Subtract,
    cst.MultiplyAssign: cst.Multiply,
    cst.DivideAssign: cst.Divide,
    cst.FloorDivideAssign: cst.FloorDivide,
    cst.ModuloAssign: cst.Modulo,
    cst.PowerAssign: cst.Power,
    cst.MatrixMultiplyAssign: cst.MatrixMultiply,
}


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


def _line(vm: Machine, statement: Any, scope: Scope) -> Flow:
    return run_block(vm, statement.body, scope)


def suite(vm: Machine, block: Any, scope: Scope) -> Flow:
    return run_block(vm, block.body, scope)


def assign(vm: Machine, target: Any, value: Value, scope: Scope) -> None:
    """Bind an assignment target: a name, an attribute, an item, or a pattern of these."""
    # LibCST's nodes are abstract base classes, whose isinstance is dear: the exact type decides.
    kind = type(target)
    if kind is cst.Name:
        if isinstance(value, Layer) and value.is_container and not value.label:
            value.label = target.value
        vm.write(vm.module if target.value in scope.globals else scope, target.value, value)
    elif kind is cst.Attribute:
        owner = evaluate(vm, target.value, scope)
        attributes.put(vm, owner, target.attr.value, value, place_of(target, scope))
    elif kind is cst.Subscript and len(target.slice) == 1 and type(target.slice[0].slice) is cst.Index:
        owner = evaluate(vm, target.value, scope)
        sequences.set_item(vm, owner, evaluate(vm, target.slice[0].slice.value, scope), value)
    elif kind is cst.Subscript and len(target.slice) == 1:
        owner = evaluate(vm, target.value, scope)
        sequences.set_slice(vm, owner, slice_bounds(vm, target.slice[0].slice, scope), value)
    elif kind in (cst.Tuple, cst.List):
        _unpack(vm, target.elements, value, scope)


def _unpack(vm: Machine, elements: Sequence[Any], value: Value, scope: Scope) -> None:
    items = sequences.unpack(vm, value, len(elements), any(type(e) is cst.StarredElement for e in elements))
    star = next((i for i, element in enumerate(elements) if type(element) is cst.StarredElement), None)
    if star is not None and items is not None:
        after = len(elements) - star - 1
        middle = ListValue.of(items[star : len(items) - after])
        items = [*items[:star], middle, *items[len(items) - after :]]
    for position, element in enumerate(elements):
        item = items[position] if items is not None and position < len(items) else Unknown("part of an unknown value")
        assign(vm, element.value, item, scope)


def _assign(vm: Machine, node: Any, scope: Scope) -> Flow:
    value = evaluate(vm, node.value, scope)
    for target in node.targets:
        assign(vm, target.target, value, scope)
    return Flow.NORMAL


def _annotated(vm: Machine, node: Any, scope: Scope) -> Flow:
    if node.value is not None:
        assign(vm, node.target, evaluate(vm, node.value, scope), scope)
    return Flow.NORMAL


def _augmented(vm: Machine, node: Any, scope: Scope) -> Flow:
    left = evaluate(vm, node.target, scope)
    right = evaluate(vm, node.value, scope)
    operation = _AUGMENTED.get(type(node.operator))
    if operation is cst.Add and (isinstance(left, ListValue) or (isinstance(left, Layer) and left.is_container)):
        sequences.extend_by(vm, left, right)
        return Flow.NORMAL
    value = (
        combine(vm, operation, left, right, place_of(node, scope)) if operation else Unknown("an augmented assignment")
    )
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
    otherwise = node.orelse
    if truth is not None:
        chooser = vm.chooser
        if isinstance(test, Const) and test.chooser is not None:
            vm.chooser = test.chooser
        flow = suite(vm, node.body, scope) if truth else _orelse(vm, otherwise, scope)
        vm.chooser = chooser
        return flow
    return vm.branch([lambda: suite(vm, node.body, scope), lambda: _orelse(vm, otherwise, scope)])


def _orelse(vm: Machine, otherwise: Any, scope: Scope) -> Flow:
    if otherwise is None:
        return Flow.NORMAL
    return suite(vm, otherwise.body, scope) if type(otherwise) is cst.Else else run(vm, otherwise, scope)


def _for(vm: Machine, node: Any, scope: Scope) -> Flow:
    items, _ = iterate(vm, evaluate(vm, node.iter, scope))
    for item in items:
        assign(vm, node.target, item, scope)
        flow = suite(vm, node.body, scope)
        if flow is Flow.RETURN:
            return flow
        if flow is Flow.BREAK:
            return Flow.NORMAL
    return suite(vm, node.orelse.body, scope) if node.orelse else Flow.NORMAL


def _while(vm: Machine, node: Any, scope: Scope) -> Flow:
    unknown = 0
    while unknown < UNKNOWN_ITERATIONS:
        truth = vm.truth(evaluate(vm, node.test, scope))
        if truth is False:
            break
        # `while True` and a condition that nobody knows both run a bounded number of times.
        unknown += truth is None or isinstance(node.test, cst.Name | cst.Integer)
        flow = suite(vm, node.body, scope)
        if flow is Flow.RETURN:
            return flow
        if flow is Flow.BREAK:
            break
    return Flow.NORMAL


def _try(vm: Machine, node: Any, scope: Scope) -> Flow:
    flow = suite(vm, node.body, scope)
    if flow is Flow.NORMAL and node.orelse:
        flow = suite(vm, node.orelse.body, scope)
    if node.finalbody:
        final = suite(vm, node.finalbody.body, scope)
        flow = final if final is not Flow.NORMAL else flow
    return flow


def _match(vm: Machine, node: Any, scope: Scope) -> Flow:
    subject = evaluate(vm, node.subject, scope)
    arms = []
    for case in node.cases:
        fits = _fits(vm, case.pattern, subject, scope)
        if fits is False:
            continue
        if isinstance(case.pattern, cst.MatchAs) and case.pattern.name is not None:
            assign(vm, case.pattern.name, subject, scope)
        arms.append(lambda body=case.body: suite(vm, body, scope))
        if fits and case.guard is None:
            with vm.chosen_by(subject.place if isinstance(subject, Const) and subject.assumed else None):
                return vm.branch(arms) if len(arms) > 1 else arms[0]()
    return vm.branch([*arms, lambda: Flow.NORMAL])


def _fits(vm: Machine, pattern: Any, subject: Value, scope: Scope) -> bool | None:
    """Whether a pattern of `match` fits; None where that cannot be told."""
    kind = type(pattern)
    if kind is cst.MatchAs:
        return True if pattern.pattern is None else _fits(vm, pattern.pattern, subject, scope)
    if kind is cst.MatchOr:
        answers = [_fits(vm, each.pattern, subject, scope) for each in pattern.patterns]
        return True if True in answers else None if None in answers else False
    if kind not in (cst.MatchValue, cst.MatchSingleton) or not isinstance(subject, Const):
        return None
    wanted = evaluate(vm, pattern.value, scope)
    return bool(wanted.value == subject.value) if isinstance(wanted, Const) else None


def _with(vm: Machine, node: Any, scope: Scope) -> Flow:
    for item in node.items:
        value = evaluate(vm, item.item, scope)
        if item.asname is not None:
            assign(vm, item.asname.name, value, scope)
    return suite(vm, node.body, scope)


def _function(vm: Machine, node: Any, scope: Scope) -> Flow:
    decorators = {each.decorator.value for each in node.decorators if isinstance(each.decorator, cst.Name)}
    attributes_of = {each.decorator.attr.value for each in node.decorators if isinstance(each.decorator, cst.Attribute)}
    if attributes_of & {"setter", "deleter"}:
        return Flow.NORMAL  # the property itself stands before it
    owner = scope.owner if scope.cells.get("__class_body__") else None
    defaults = calls.defaults(vm, node.params, scope)
    closure = scope if owner is None else (scope.parent or scope)
    value = FunctionValue(node, scope.unit, closure, defaults, owner, frozenset(decorators))
    vm.write(scope, node.name.value, value)
    return Flow.NORMAL


def _class(vm: Machine, node: Any, scope: Scope) -> Flow:
    bases = tuple(evaluate(vm, base.value, scope) for base in node.bases if base.star == "")
    cls = ClassValue(node=node, unit=scope.unit, bases=bases)
    body = Scope({"__class_body__": True}, parent=scope, unit=scope.unit, owner=cls)
    suite(vm, node.body, body)
    cls.cells.update({name: value for name, value in body.cells.items() if name != "__class_body__"})
    vm.write(scope, node.name.value, cls)
    return Flow.NORMAL


def _import(vm: Machine, node: Any, scope: Scope) -> Flow:
    for name, dotted in imported(node).items():
        if name != "*":
            vm.write(scope, name, Symbol(dotted))
    return Flow.NORMAL


def _global(vm: Machine, node: Any, scope: Scope) -> Flow:
    scope.globals |= {item.name.value for item in node.names}
    return Flow.NORMAL


def _delete(vm: Machine, node: Any, scope: Scope) -> Flow:
    targets: list[Any] = (
        [each.value for each in node.target.elements] if isinstance(node.target, cst.Tuple) else [node.target]
    )
    for target in targets:
        kind = type(target)
        if kind is cst.Name:
            vm.write(scope, target.value, Unknown("deleted"))
        elif kind is cst.Subscript and len(target.slice) == 1:
            owner, index = evaluate(vm, target.value, scope), target.slice[0].slice
            if type(index) is cst.Index:
                sequences.delete_item(vm, owner, evaluate(vm, index.value, scope))
            else:
                sequences.set_slice(vm, owner, slice_bounds(vm, index, scope), TupleValue(()))
        elif kind is cst.Attribute:
            owner = evaluate(vm, target.value, scope)
            if isinstance(owner, Instance):
                vm.remove(owner, target.attr.value)
    return Flow.NORMAL


_HANDLERS: dict[type, Callable[[Machine, Any, Scope], Flow]] = {
    cst.SimpleStatementLine: _line,
    cst.SimpleStatementSuite: _line,
    cst.Assign: _assign,
    cst.AnnAssign: _annotated,
    cst.AugAssign: _augmented,
    cst.Expr: _expression,
    cst.Return: _return,
    cst.Raise: lambda vm, node, scope: Flow.RETURN,
    cst.Break: lambda vm, node, scope: Flow.BREAK,
    cst.Continue: lambda vm, node, scope: Flow.CONTINUE,
    cst.If: _if,
    cst.For: _for,
    cst.While: _while,
    cst.Try: _try,
    cst.TryStar: _try,
    cst.Match: _match,
    cst.With: _with,
    cst.FunctionDef: _function,
    cst.ClassDef: _class,
    cst.Import: _import,
    cst.ImportFrom: _import,
    cst.Global: _global,
    cst.Nonlocal: _global,
    cst.Del: _delete,
}
