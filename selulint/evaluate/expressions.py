"""Rules of evaluation for expressions: one function a node type, from a syntax node and a scope to an abstract value."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from selulint.evaluate import (
    alternatives,
    arithmetic,
    arrays,
    attributes,
    calls,
    comparisons,
    loops,
    numbers,
    sequences,
    tensors,
)
from selulint.evaluate.building import tensors_in
from selulint.evaluate.joining import join
from selulint.evaluate.limits import MAX_BITS, MAX_CHARACTERS, MAX_ITEMS, MAX_OPTIONS, BudgetExhausted
from selulint.evaluate.machine import Machine
from selulint.evaluate.parameters import COLLECTED, defaults
from selulint.evaluate.values import (
    NONE,
    Array,
    Builtin,
    Const,
    DictValue,
    Either,
    FunctionValue,
    ListValue,
    ModuleAttribute,
    More,
    Scope,
    Super,
    Symbol,
    Tensor,
    TupleValue,
    Unknown,
    Value,
)
from selulint.graph import Place


def evaluate(vm: Machine, node: ast.expr, scope: Scope) -> Value:
    """The abstract value of an expression; strange code gives Unknown, never an error."""
    vm.budget -= 1
    if vm.budget < 0:
        raise BudgetExhausted
    handler = _HANDLERS.get(type(node))
    return handler(vm, node, scope) if handler else Unknown(f"{type(node).__name__} is not evaluated")


def place_of(node: ast.AST, scope: Scope) -> Place:
    return Place(node, scope.unit)


def _name(vm: Machine, node: Any, scope: Scope) -> Value:
    value = vm.lookup(scope, node.id)
    if isinstance(value, Symbol):
        return Symbol(value.name, value.place or Place(node, scope.unit), value.chooser or vm.chooser)
    return value


def _attribute(vm: Machine, node: Any, scope: Scope) -> Value:
    value = evaluate(vm, node.value, scope)
    return attributes.get(vm, value, node.attr, Place(node, scope.unit))


def _literal(vm: Machine, node: Any, scope: Scope) -> Value:
    value = node.value
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        return Unknown("a number that nobody uses for a size")
    if value is ... or isinstance(value, complex):
        return Unknown(f"{value} is not evaluated")
    return Const(value, Place(node, scope.unit))


def _formatted(vm: Machine, node: Any, scope: Scope) -> Value:
    texts: list[str] = [""]  # around what is not known
    unknown: list[Unknown] = []
    for part in node.values:
        if type(part) is ast.Constant:
            texts[-1] += str(part.value)
            continue
        value = evaluate(vm, part.value, scope)
        parts = part.format_spec.values if part.format_spec is not None else ()
        spec = "".join(str(each.value) for each in parts) if all(type(p) is ast.Constant for p in parts) else None
        text = arithmetic.in_text(value, part.conversion, spec)
        if text is not None:
            texts[-1] += text
        elif isinstance(value, Unknown) and not unknown:
            unknown.append(value)
            texts.append("")
        else:
            return Unknown("a formatted string")
        if len(texts[-1]) > MAX_CHARACTERS:
            return Unknown("a long string")
    # What holds the same unknown in the same place is the same text each time.
    return vm.part(unknown[0], (*texts, "in a text")) if unknown else Const(texts[0])


def elements(vm: Machine, nodes: Iterable[Any], scope: Scope) -> tuple[list[Value], bool]:
    """Values of the elements of a display, stars expanded, and whether their number is unknown."""
    values: list[Value] = []
    is_open = False
    for element in nodes:
        if type(element) is not ast.Starred:
            values.append(evaluate(vm, element, scope))
            continue
        items, more = sequences.items_of(vm, evaluate(vm, element.value, scope))
        values.extend(items or ((More(),) if more else ()))
        is_open = is_open or more or len(values) > MAX_ITEMS
        del values[MAX_ITEMS:]
    return values, is_open


def _tuple(vm: Machine, node: Any, scope: Scope) -> Value:
    values, is_open = elements(vm, node.elts, scope)
    return ListValue.of(values, open=True) if is_open else TupleValue(tuple(values))


def _list(vm: Machine, node: Any, scope: Scope) -> Value:
    values, is_open = elements(vm, node.elts, scope)
    return ListValue.of(values, open=is_open)


def _dict(vm: Machine, node: Any, scope: Scope) -> Value:
    result = DictValue()
    for spelled, item in zip(node.keys, node.values, strict=True):
        value = evaluate(vm, item, scope)
        if spelled is None:
            entries, more = sequences.entries_of(vm, value)
            result.cells.update(entries)
            result.outside = more and (result.outside or not result.open) and getattr(value, "outside", False)
            result.open = result.open or more
            continue
        key = evaluate(vm, spelled, scope)
        sequences.set_entry(vm, result, key, value)
    return result


def _subscript(vm: Machine, node: Any, scope: Scope) -> Value:
    value = evaluate(vm, node.value, scope)
    index = node.slice
    kind = type(index)
    if kind is ast.Tuple:
        indices = [Unknown("a slice") if type(each) is ast.Slice else evaluate(vm, each, scope) for each in index.elts]
        return (
            tensors.index(vm, value, place_of(node, scope)) if tensors_in(value) else Unknown(f"{len(indices)} indices")
        )
    if kind is ast.Slice:
        return sequences.get_slice(vm, value, slice_bounds(vm, index, scope), place_of(node, scope))
    return sequences.get_item(vm, value, evaluate(vm, index, scope), place_of(node, scope))


def slice_bounds(vm: Machine, index: Any, scope: Scope) -> list[Value]:
    return [evaluate(vm, bound, scope) if bound else NONE for bound in (index.lower, index.upper, index.step)]


# What is computed from sizes that are not known; sizes that are divided are taken to be divisible.
_FORMULAS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.truediv,
    ast.Pow: operator.pow,
}


def _binary(vm: Machine, node: Any, scope: Scope) -> Value:
    left = evaluate(vm, node.left, scope)
    right = evaluate(vm, node.right, scope)
    return combine(vm, type(node.op), left, right, place_of(node, scope))


def combine(vm: Machine, operation: type, left: Value, right: Value, place: Place) -> Value:
    """The value of a binary operation: arithmetic on constants, concatenation of sequences, an op on tensors."""
    if tensors_in(left) or tensors_in(right):
        if operation in (ast.Add, ast.Mult) and (_is_display(left) or _is_display(right)):
            return sequences.combine(operation, _as_display(left), _as_display(right))
        return tensors.binary(vm, operation, left, right, place)
    if operation is ast.Mod and isinstance(left, Const) and isinstance(left.value, str):
        return arithmetic.formatted(left.value, right)
    if isinstance(left, Const) and isinstance(right, Const):
        return arithmetic.constant(operation, left.value, right.value)
    if isinstance(left, Array | ModuleAttribute) or isinstance(right, Array | ModuleAttribute):
        return arrays.combine(arithmetic.OPERATORS.get(operation, operator.matmul), left, right, place)
    if isinstance(left, Either) or isinstance(right, Either):
        pairs = [(one, other) for one in _options(left) for other in _options(right)]
        joined: Value = join([combine(vm, operation, one, other, place) for one, other in pairs[:MAX_OPTIONS]])
        return joined if len(pairs) <= MAX_OPTIONS else Unknown("too many alternatives")
    if operation in _FORMULAS and numbers.may_be_number(left) and numbers.may_be_number(right):
        return numbers.formula(_FORMULAS[operation], left, right)
    return sequences.combine(operation, left, right)


def _is_display(value: Value) -> bool:
    return isinstance(value, ListValue | TupleValue)


def _as_display(value: Value) -> Value:
    """What is concatenated with a list is one: a tensor stands for a list of some."""
    return ListValue.of((value,), open=True) if isinstance(value, Tensor) else value


def _options(value: Value) -> tuple[Value, ...]:
    return value.options if isinstance(value, Either) else (value,)


def _unary(vm: Machine, node: Any, scope: Scope) -> Value:
    value = evaluate(vm, node.operand, scope)
    if type(node.op) is ast.Not:
        if isinstance(value, Const) and value.assumed:
            return Const(not value.value, assumed=isinstance(value.value, bool | int | float), chooser=value.chooser)
        truth = vm.truth(value)
        if truth is None:
            return Unknown("the negation of something unknown")
        return Const(not truth, omitted=isinstance(value, Const) and value.omitted)
    if tensors_in(value):
        if type(node.op) is ast.UAdd:
            return value
        negate = tensors.invert if type(node.op) is ast.Invert else tensors.scale
        return negate(vm, value, place_of(node, scope))
    if isinstance(value, Const) and isinstance(value.value, int | float) and not isinstance(node.op, ast.Invert):
        sign = -1 if isinstance(node.op, ast.USub) else 1
        return Const(sign * value.value, place_of(node, scope))
    if isinstance(value, Unknown) and type(node.op) is ast.USub:
        return numbers.formula(operator.neg, value)
    return Unknown("a unary operation")


def _boolean(vm: Machine, node: Any, scope: Scope) -> Value:
    is_and = type(node.op) is ast.And
    first, *others = node.values
    left = evaluate(vm, first, scope)
    for each in others:
        truth = vm.truth(left)
        if truth is not None and truth is not is_and:
            break
        right = evaluate(vm, each, scope)
        decides = vm.truth(right) is not None and vm.truth(right) is not is_and and isinstance(right, Const)
        joined: Value = Unknown("a condition") if is_and else join([left, right])
        left = right if truth is not None or decides else joined
    return left


def _comparison(vm: Machine, node: Any, scope: Scope) -> Value:
    left = evaluate(vm, node.left, scope)
    place = Place(node, scope.unit)
    result: Value = NONE
    truths = []
    for number, comparator in enumerate(node.comparators):
        right = evaluate(vm, comparator, scope)
        result = comparisons.compare(vm, node, number, left, right, place)
        if len(node.ops) == 1:
            return result
        truths.append(vm.truth(result))
        left = right
    if False in truths:
        return Const(False)
    return Unknown("a chained comparison") if None in truths else Const(True)


def _conditional(vm: Machine, node: Any, scope: Scope) -> Value:
    test = evaluate(vm, node.test, scope)
    truth = vm.truth(test)
    if truth is not None:
        with vm.decided_by(test, node.orelse if truth else node.body):
            return evaluate(vm, node.body if truth else node.orelse, scope)
    return alternatives.evaluated(vm, [partial(evaluate, vm, each, scope) for each in (node.body, node.orelse)])


def _lambda(vm: Machine, node: Any, scope: Scope) -> Value:
    return FunctionValue(node, scope.unit, scope, defaults(vm, node.args, scope))


def _named(vm: Machine, node: Any, scope: Scope) -> Value:
    from selulint.evaluate.statements import assign

    value = evaluate(vm, node.value, scope)
    assign(vm, node.target, value, scope)
    return value


def _yield(vm: Machine, node: Any, scope: Scope) -> Value:
    if node.value is not None:
        value = evaluate(vm, node.value, scope)
        scope.yields.extend(sequences.items_of(vm, value)[0] if type(node) is ast.YieldFrom else [value])
    return Unknown("what a generator is sent")


def _await(vm: Machine, node: Any, scope: Scope) -> Value:
    return evaluate(vm, node.value, scope)


def _call(vm: Machine, node: Any, scope: Scope) -> Value:
    """The value of a call expression."""
    function = evaluate(vm, node.func, scope)
    if isinstance(function, Builtin) and function.name == "super":
        owner = calls.scope_owner(scope)
        return Super(calls.scope_instance(scope), owner) if owner is not None else Unknown("super() outside a class")
    return calls.call(vm, function, _arguments(vm, node, scope), Place(node, scope.unit))


def _arguments(vm: Machine, node: ast.Call, scope: Scope) -> calls.Arguments:
    """Arguments of a call with stars expanded where they are known."""
    positional: list[Value] = []
    keywords: dict[str, Value] = {}
    is_open = inside = False
    for arg in node.args:
        if type(arg) is not ast.Starred:
            positional.append(evaluate(vm, arg, scope))
            continue
        value = evaluate(vm, arg.value, scope)
        items, more = sequences.items_of(vm, value)
        # Splices stay whole: a container of them keeps its alternatives apart.
        positional.extend(value.items if isinstance(value, ListValue | TupleValue) else items)
        if more and not items:
            positional.append(More())
        is_open = is_open or more or len(positional) > MAX_ITEMS
        inside = inside or (more and not any(type(i) is Unknown and i.reason is COLLECTED for i in items))
        del positional[MAX_ITEMS:]
    for keyword in node.keywords:
        value = evaluate(vm, keyword.value, scope)
        if keyword.arg is not None:
            keywords[keyword.arg] = value
            continue
        if isinstance(value, DictValue):
            keywords.update({key: item for key, item in value.entries.items() if isinstance(key, str)})
        more = not isinstance(value, DictValue) or value.open
        is_open = is_open or more
        inside = inside or (more and not getattr(value, "outside", False))
    return calls.Arguments(tuple(positional), keywords, is_open, is_open and not inside)


_HANDLERS: dict[type, Callable[[Machine, Any, Scope], Value]] = {
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.Call: _call,
    ast.Constant: _literal,
    ast.JoinedStr: _formatted,
    ast.Tuple: _tuple,
    ast.List: _list,
    ast.Set: _list,
    ast.Dict: _dict,
    ast.Subscript: _subscript,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.BoolOp: _boolean,
    ast.Compare: _comparison,
    ast.IfExp: _conditional,
    ast.Lambda: _lambda,
    ast.ListComp: loops.comprehension,
    ast.GeneratorExp: loops.comprehension,
    ast.SetComp: loops.comprehension,
    ast.DictComp: loops.dict_comprehension,
    ast.NamedExpr: _named,
    ast.Yield: _yield,
    ast.YieldFrom: _yield,
    ast.Await: _await,
}
