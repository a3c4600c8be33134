"""Rules of evaluation for expressions: one function a node type, from a LibCST node and a scope to an abstract value."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any

import libcst as cst

from selulint.evaluate import attributes, calls, sequences, tensors
from selulint.evaluate.building import tensors_in
from selulint.evaluate.machine import BudgetExhausted, Flow, Machine
from selulint.evaluate.values import (
    BoundMethod,
    ClassValue,
    Const,
    DictValue,
    Either,
    FunctionValue,
    Layer,
    ListValue,
    ModuleAttribute,
    Scope,
    Splice,
    Symbol,
    Tensor,
    TupleValue,
    Unknown,
    Value,
    join,
)
from selulint.graph import Place

MAX_ITERATIONS = 256
UNKNOWN_ITERATIONS = 2
# Reading a literal costs an `eval`; models repeat a few of them thousands of times.
_LITERAL_VALUES: dict[tuple[type, str], Any] = {}
_NAMED_CONSTANTS = {"None": None, "True": True, "False": False}
_LITERALS = (cst.Integer, cst.Float, cst.SimpleString, cst.UnaryOperation)


def evaluate(vm: Machine, node: cst.BaseExpression, scope: Scope) -> Value:
    """The abstract value of an expression; strange code gives Unknown, never an error."""
    vm.budget -= 1
    if vm.budget < 0:
        raise BudgetExhausted
    handler = _HANDLERS.get(type(node))
    return handler(vm, node, scope) if handler else Unknown(f"{type(node).__name__} is not evaluated")


def place_of(node: cst.CSTNode, scope: Scope) -> Place:
    return Place(node, scope.unit)


def _name(vm: Machine, node: Any, scope: Scope) -> Value:
    name = node.value
    if name in _NAMED_CONSTANTS:
        return Const(_NAMED_CONSTANTS[name], Place(node, scope.unit))
    value = vm.lookup(scope, name)
    if isinstance(value, Symbol):
        return Symbol(value.name, value.place or place_of(node, scope), value.chooser or vm.chooser)
    return value


def _attribute(vm: Machine, node: Any, scope: Scope) -> Value:
    value = evaluate(vm, node.value, scope)
    return attributes.get(vm, value, node.attr.value, place_of(node, scope))


def _literal(vm: Machine, node: Any, scope: Scope) -> Value:
    kind = type(node)
    text = node.value if kind is not cst.ConcatenatedString else None
    if text is not None and (kind, text) in _LITERAL_VALUES:
        return Const(_LITERAL_VALUES[kind, text], place_of(node, scope))
    try:
        value = node.evaluated_value
    except (ValueError, SyntaxError):
        return Unknown("a literal that cannot be read")
    if text is not None and len(text) < 32 and len(_LITERAL_VALUES) < 10_000:
        _LITERAL_VALUES[kind, text] = value
    return Const(value, place_of(node, scope))


def _formatted(vm: Machine, node: Any, scope: Scope) -> Value:
    text = ""
    for part in node.parts:
        if isinstance(part, cst.FormattedStringText):
            text += part.value
            continue
        value = evaluate(vm, part.expression, scope)
        if not isinstance(value, Const) or part.format_spec is not None:
            return Unknown("a formatted string")
        text += str(value.value)
    return Const(text)


def elements(vm: Machine, nodes: Iterable[Any], scope: Scope) -> tuple[list[Value], bool]:
    """Values of the elements of a display, stars expanded, and whether their number is unknown."""
    values: list[Value] = []
    is_open = False
    for element in nodes:
        value = evaluate(vm, element.value, scope)
        if not isinstance(element, cst.StarredElement):
            values.append(value)
            continue
        items, more = sequences.items_of(vm, value)
        values.extend(items)
        is_open = is_open or more
    return values, is_open


def _tuple(vm: Machine, node: Any, scope: Scope) -> Value:
    values, is_open = elements(vm, node.elements, scope)
    return ListValue.of(values, open=True) if is_open else TupleValue(tuple(values))


def _list(vm: Machine, node: Any, scope: Scope) -> Value:
    values, is_open = elements(vm, node.elements, scope)
    return ListValue.of(values, open=is_open)


def _dict(vm: Machine, node: Any, scope: Scope) -> Value:
    result = DictValue()
    for element in node.elements:
        value = evaluate(vm, element.value, scope)
        if isinstance(element, cst.StarredDictElement):
            if isinstance(value, DictValue):
                result.cells.update(value.entries)
                result.open = result.open or value.open
            else:
                result.open = True
            continue
        key = evaluate(vm, element.key, scope)
        if isinstance(key, Const) and key.value.__hash__ is not None:
            result.cells[key.value] = value
        else:
            result.open = True
    return result


def _subscript(vm: Machine, node: Any, scope: Scope) -> Value:
    value = evaluate(vm, node.value, scope)
    if len(node.slice) != 1:
        indices = [_index(vm, element.slice, scope) for element in node.slice]
        return (
            tensors.index(vm, value, place_of(node, scope)) if tensors_in(value) else Unknown(f"{len(indices)} indices")
        )
    index = node.slice[0].slice
    if isinstance(index, cst.Slice):
        bounds = [
            evaluate(vm, bound, scope) if bound else Const(None) for bound in (index.lower, index.upper, index.step)
        ]
        return sequences.get_slice(vm, value, bounds, place_of(node, scope))
    return sequences.get_item(vm, value, evaluate(vm, index.value, scope), place_of(node, scope))


def _index(vm: Machine, index: Any, scope: Scope) -> Value:
    return evaluate(vm, index.value, scope) if isinstance(index, cst.Index) else Unknown("a slice")


_BINARY: dict[type, Callable[[Any, Any], Any]] = {
    cst.Add: operator.add,
    cst.Subtract: operator.sub,
    cst.Multiply: operator.mul,
    cst.Divide: operator.truediv,
    cst.FloorDivide: operator.floordiv,
    cst.Modulo: operator.mod,
    cst.Power: operator.pow,
    cst.LeftShift: operator.lshift,
    cst.RightShift: operator.rshift,
    cst.BitAnd: operator.and_,
    cst.BitOr: operator.or_,
    cst.BitXor: operator.xor,
}


def _binary(vm: Machine, node: Any, scope: Scope) -> Value:
    left = evaluate(vm, node.left, scope)
    right = evaluate(vm, node.right, scope)
    return combine(vm, type(node.operator), left, right, place_of(node, scope))


def combine(vm: Machine, operation: type, left: Value, right: Value, place: Place) -> Value:
    """The value of a binary operation: arithmetic on constants, concatenation of sequences, an op on tensors."""
    if tensors_in(left) or tensors_in(right):
        return tensors.binary(vm, operation, left, right, place)
    if isinstance(left, Const) and isinstance(right, Const):
        return constant(operation, left.value, right.value)
    return sequences.combine(operation, left, right)


def constant(operation: type, left: Any, right: Any) -> Value:
    """What an operation on constants gives; Unknown where it fails or would be huge."""
    if not _is_small(operation, left, right):
        return Unknown("arithmetic on huge values")
    try:
        result = _BINARY[operation](left, right)
    except Exception:  # user arithmetic may fail in any way; what it gives then is unknown
        return Unknown("arithmetic that fails")
    return Unknown("a complex number") if isinstance(result, complex) else Const(result)


def _is_small(operation: type, left: Any, right: Any) -> bool:
    """Whether computing this takes next to no time and memory, whatever the user wrote."""
    if not all(isinstance(side, int | float | str) for side in (left, right)):
        return False
    if isinstance(left, str) or isinstance(right, str):
        count = next((side for side in (left, right) if isinstance(side, int)), 1)
        return operation is cst.Add or (operation is cst.Multiply and count < 1_000)
    if operation in (cst.Power, cst.LeftShift) and isinstance(left, int) and isinstance(right, int):
        return left.bit_length() * right < 512 if operation is cst.Power else right < 512
    return not any(isinstance(side, int) and side.bit_length() > 512 for side in (left, right))


def _unary(vm: Machine, node: Any, scope: Scope) -> Value:
    value = evaluate(vm, node.expression, scope)
    if isinstance(node.operator, cst.Not):
        if isinstance(value, Const) and value.assumed:
            return Const(not value.value, assumed=isinstance(value.value, bool | int | float), chooser=value.chooser)
        truth = vm.truth(value)
        return Unknown("the negation of something unknown") if truth is None else Const(not truth)
    if tensors_in(value):
        return tensors.scale(vm, value, place_of(node, scope))
    if (
        isinstance(value, Const)
        and isinstance(value.value, int | float)
        and not isinstance(node.operator, cst.BitInvert)
    ):
        sign = -1 if isinstance(node.operator, cst.Minus) else 1
        return Const(sign * value.value, place_of(node, scope))
    return Unknown("a unary operation")


def _boolean(vm: Machine, node: Any, scope: Scope) -> Value:
    left = evaluate(vm, node.left, scope)
    truth = vm.truth(left)
    is_and = isinstance(node.operator, cst.And)
    if truth is not None and truth is not is_and:
        return left
    right = evaluate(vm, node.right, scope)
    if truth is not None:
        return right
    if vm.truth(right) is not None and vm.truth(right) is not is_and and isinstance(right, Const):
        return right
    return join([left, right]) if not is_and else Unknown("a condition")


_COMPARE: dict[type, Callable[[Any, Any], Any]] = {
    cst.Equal: operator.eq,
    cst.NotEqual: operator.ne,
    cst.LessThan: operator.lt,
    cst.LessThanEqual: operator.le,
    cst.GreaterThan: operator.gt,
    cst.GreaterThanEqual: operator.ge,
}


def _comparison(vm: Machine, node: Any, scope: Scope) -> Value:
    left = evaluate(vm, node.left, scope)
    if len(node.comparisons) != 1:
        return Unknown("a chained comparison")
    target = node.comparisons[0]
    right = evaluate(vm, target.comparator, scope)
    if tensors_in(left) or tensors_in(right):
        return tensors.compare(vm, type(target.operator), left, right, place_of(node, scope))
    result = _compare(type(target.operator), left, right)
    if result is None:
        return Unknown("a comparison")
    sides = ((left, node.left), (right, target.comparator))
    assumed = [side for side, _ in sides if isinstance(side, Const) and side.assumed]
    others = [node for side, node in sides if side not in assumed]
    if not assumed or not all(
        isinstance(other, _LITERALS + (cst.Name, cst.List, cst.Tuple, cst.Set)) for other in others
    ):
        return Const(result)
    if isinstance(assumed[0].value, str):
        return Const(result, chooser=assumed[0].place)
    return Const(result, assumed=isinstance(assumed[0].value, bool | int | float))


def _compare(operation: type, left: Value, right: Value) -> bool | None:
    if operation in (cst.In, cst.NotIn):
        found = sequences.contains(right, left)
        return found if found is None or operation is cst.In else not found
    if operation in (cst.Is, cst.IsNot):
        equal = _identical(left, right)
        return equal if equal is None or operation is cst.Is else not equal
    if isinstance(left, Const) and isinstance(right, Const):
        try:
            return bool(_COMPARE[operation](left.value, right.value))
        except Exception:  # comparing what cannot be compared is the user's error, not ours
            return None
    if operation in (cst.Equal, cst.NotEqual):
        equal = _identical(left, right)
        return equal if equal is None or operation is cst.Equal else not equal
    return None


def _identical(left: Value, right: Value) -> bool | None:
    match left, right:
        case Const(), Const():
            return bool(left.value == right.value)
        case Symbol(), Symbol():
            return left.name == right.name
        case (Unknown() | Either(), _) | (_, Unknown() | Either()):
            return None
        case Const(value=None), _:
            return False
        case _, Const(value=None):
            return False
        case (ClassValue() | FunctionValue() | Symbol() | Layer(), ClassValue() | FunctionValue() | Symbol() | Layer()):
            return left is right
    return None


def _conditional(vm: Machine, node: Any, scope: Scope) -> Value:
    test = evaluate(vm, node.test, scope)
    truth = vm.truth(test)
    if truth is not None:
        chooser = vm.chooser
        if isinstance(test, Const) and test.chooser is not None:
            vm.chooser = test.chooser
        value = evaluate(vm, node.body if truth else node.orelse, scope)
        vm.chooser = chooser
        return value
    results: list[Value] = []

    def arm(branch: cst.BaseExpression) -> Callable[[], Flow]:
        def run() -> Flow:
            results.append(evaluate(vm, branch, scope))
            return Flow.NORMAL

        return run

    vm.branch([arm(node.body), arm(node.orelse)])
    joined: Value = join(results)
    return joined


def _lambda(vm: Machine, node: Any, scope: Scope) -> Value:
    return FunctionValue(node, scope.unit, scope, calls.defaults(vm, node.params, scope))


def _comprehension(vm: Machine, node: Any, scope: Scope) -> Value:
    inner = Scope(parent=scope, unit=scope.unit, owner=scope.owner, instance=scope.instance)
    found: list[Value] = []
    is_open = _generate(vm, node.for_in, node.elt, inner, found)
    return ListValue.of(found, open=is_open)


def _dict_comprehension(vm: Machine, node: Any, scope: Scope) -> Value:
    inner = Scope(parent=scope, unit=scope.unit, owner=scope.owner, instance=scope.instance)
    pairs: list[Value] = []
    pair = cst.Tuple([cst.Element(node.key), cst.Element(node.value)])
    result = DictValue(open=_generate(vm, node.for_in, pair, inner, pairs))
    for entry in pairs:
        if isinstance(entry, TupleValue) and isinstance(entry.items[0], Const):
            result.cells[entry.items[0].value] = entry.items[1]
        else:
            result.open = True
    return result


def _generate(vm: Machine, clause: Any, element: Any, scope: Scope, found: list[Value]) -> bool:
    from selulint.evaluate.statements import assign

    items, is_open = iterate(vm, evaluate(vm, clause.iter, scope))
    for item in items:
        assign(vm, clause.target, item, scope)
        truths = [vm.truth(evaluate(vm, condition.test, scope)) for condition in clause.ifs]
        if False in truths:
            continue
        before = len(found)
        if clause.inner_for_in is not None:
            is_open = _generate(vm, clause.inner_for_in, element, scope, found) or is_open
        else:
            found.append(evaluate(vm, element, scope))
        if None in truths:
            found[before:] = [Splice((tuple(found[before:]), ()))]
    return is_open


def iterate(vm: Machine, value: Value) -> tuple[list[Value], bool]:
    """The items that a loop over `value` sees, and whether there may be more: an unknown iterable gives two unknowns."""
    if tensors_in(value) and isinstance(value, Tensor | BoundMethod):
        return [value] * UNKNOWN_ITERATIONS, True
    items, is_open = sequences.items_of(vm, value)
    if is_open and not items:
        return [Unknown("an item of something unknown") for _ in range(UNKNOWN_ITERATIONS)], True
    if len(items) > MAX_ITERATIONS:
        return items[:MAX_ITERATIONS], True
    return items, is_open


def _named(vm: Machine, node: Any, scope: Scope) -> Value:
    from selulint.evaluate.statements import assign

    value = evaluate(vm, node.value, scope)
    assign(vm, node.target, value, scope)
    return value


def _yield(vm: Machine, node: Any, scope: Scope) -> Value:
    if isinstance(node.value, cst.From):
        scope.yields.extend(sequences.items_of(vm, evaluate(vm, node.value.item, scope))[0])
    elif node.value is not None:
        scope.yields.append(evaluate(vm, node.value, scope))
    return Unknown("what a generator is sent")


def _await(vm: Machine, node: Any, scope: Scope) -> Value:
    return evaluate(vm, node.expression, scope)


_HANDLERS: dict[type, Callable[[Machine, Any, Scope], Value]] = {
    cst.Name: _name,
    cst.Attribute: _attribute,
    cst.Call: calls.evaluate_call,
    cst.Integer: _literal,
    cst.Float: _literal,
    cst.SimpleString: _literal,
    cst.ConcatenatedString: _literal,
    cst.FormattedString: _formatted,
    cst.Tuple: _tuple,
    cst.List: _list,
    cst.Set: _list,
    cst.Dict: _dict,
    cst.Subscript: _subscript,
    cst.BinaryOperation: _binary,
    cst.UnaryOperation: _unary,
    cst.BooleanOperation: _boolean,
    cst.Comparison: _comparison,
    cst.IfExp: _conditional,
    cst.Lambda: _lambda,
    cst.ListComp: _comprehension,
    cst.GeneratorExp: _comprehension,
    cst.SetComp: _comprehension,
    cst.DictComp: _dict_comprehension,
    cst.NamedExpr: _named,
    cst.Yield: _yield,
    cst.Await: _await,
}

__all__ = ["ModuleAttribute", "evaluate"]
