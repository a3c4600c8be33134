"""Rules of evaluation for expressions: one function a node type, from a LibCST node and a scope to an abstract value."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any

import libcst as cst

from selulint.evaluate import arithmetic, attributes, calls, comparisons, loops, sequences, tensors
from selulint.evaluate.building import tensors_in
from selulint.evaluate.machine import BudgetExhausted, Flow, Machine
from selulint.evaluate.values import (
    MAX_OPTIONS,
    NONE,
    Builtin,
    Const,
    DictValue,
    Either,
    FunctionValue,
    ListValue,
    Scope,
    Super,
    Symbol,
    TupleValue,
    Unknown,
    Value,
    join,
)
from selulint.graph import Place

_LITERAL_VALUES: dict[tuple[type, str], Any] = {}
_NAMED_CONSTANTS = {"None": None, "True": True, "False": False}


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
        return Symbol(value.name, value.place or Place(node, scope.unit), value.chooser or vm.chooser)
    return value


def _attribute(vm: Machine, node: Any, scope: Scope) -> Value:
    value = evaluate(vm, node.value, scope)
    return attributes.get(vm, value, node.attr.value, Place(node, scope.unit))


def _literal(vm: Machine, node: Any, scope: Scope) -> Value:
    kind = type(node)
    text = node.value if kind is not cst.ConcatenatedString else None
    if text is not None and (kind, text) in _LITERAL_VALUES:
        return Const(_LITERAL_VALUES[kind, text], Place(node, scope.unit))
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
        spec = "".join(each.value for each in part.format_spec or () if isinstance(each, cst.FormattedStringText))
        if not isinstance(value, Const) or len(spec) > 8:
            return Unknown("a formatted string")
        try:
            text += format(value.value, spec) if spec else str(value.value)
        except (TypeError, ValueError):
            return Unknown("a formatted string")
    return Const(text)


def elements(vm: Machine, nodes: Iterable[Any], scope: Scope) -> tuple[list[Value], bool]:
    """Values of the elements of a display, stars expanded, and whether their number is unknown."""
    values: list[Value] = []
    is_open = False
    for element in nodes:
        value = evaluate(vm, element.value, scope)
        if type(element) is not cst.StarredElement:
            values.append(value)
            continue
        items, more = sequences.items_of(vm, value)
        values.extend(items or ((sequences.MORE,) if more else ()))
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
        if type(element) is cst.StarredDictElement:
            entries, more = sequences.entries_of(vm, value)
            result.cells.update(entries)
            result.outside = more and (result.outside or not result.open) and getattr(value, "outside", False)
            result.open = result.open or more
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
    if type(index) is cst.Slice:
        return sequences.get_slice(vm, value, slice_bounds(vm, index, scope), place_of(node, scope))
    return sequences.get_item(vm, value, evaluate(vm, index.value, scope), place_of(node, scope))


def slice_bounds(vm: Machine, index: Any, scope: Scope) -> list[Value]:
    return [evaluate(vm, bound, scope) if bound else NONE for bound in (index.lower, index.upper, index.step)]


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
    if operation is cst.Modulo and isinstance(left, Const) and isinstance(left.value, str):
        return arithmetic.formatted(left.value, right)
    if isinstance(left, Const) and isinstance(right, Const):
        return constant(operation, left.value, right.value)
    if isinstance(left, Either) or isinstance(right, Either):
        pairs = [(one, other) for one in _options(left) for other in _options(right)]
        joined: Value = join([combine(vm, operation, one, other, place) for one, other in pairs[:MAX_OPTIONS]])
        return joined if len(pairs) <= MAX_OPTIONS else Unknown("too many alternatives")
    return sequences.combine(operation, left, right)


def _options(value: Value) -> tuple[Value, ...]:
    return value.options if isinstance(value, Either) else (value,)


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
    if type(node.operator) is cst.Not:
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
    is_and = type(node.operator) is cst.And
    if truth is not None and truth is not is_and:
        return left
    right = evaluate(vm, node.right, scope)
    if truth is not None:
        return right
    if vm.truth(right) is not None and vm.truth(right) is not is_and and isinstance(right, Const):
        return right
    return join([left, right]) if not is_and else Unknown("a condition")


def _comparison(vm: Machine, node: Any, scope: Scope) -> Value:
    left = evaluate(vm, node.left, scope)
    place = Place(node, scope.unit)
    result: Value = NONE
    truths = []
    for target in node.comparisons:
        right = evaluate(vm, target.comparator, scope)
        result = comparisons.compare(vm, target, node.left, left, right, place)
        if len(node.comparisons) == 1:
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


def _call(vm: Machine, node: Any, scope: Scope) -> Value:
    """The value of a call expression."""
    function = evaluate(vm, node.func, scope)
    if isinstance(function, Builtin) and function.name == "super":
        owner = calls.scope_owner(scope)
        return Super(calls.scope_instance(scope), owner) if owner is not None else Unknown("super() outside a class")
    return calls.call(vm, function, _arguments(vm, node.args, scope), Place(node, scope.unit))


def _arguments(vm: Machine, nodes: Any, scope: Scope) -> calls.Arguments:
    """Arguments of a call with stars expanded where they are known."""
    positional: list[Value] = []
    keywords: dict[str, Value] = {}
    is_open = inside = False
    for arg in nodes:
        value = evaluate(vm, arg.value, scope)
        star = arg.star
        if not star:
            if arg.keyword is None:
                positional.append(value)
            else:
                keywords[arg.keyword.value] = value
        elif star == "*":
            items, more = sequences.items_of(vm, value)
            # Splices stay whole: a container of them keeps its alternatives apart.
            positional.extend(value.items if isinstance(value, ListValue | TupleValue) else items)
            if more and not items:
                positional.append(sequences.MORE)
            is_open = is_open or more
            inside = inside or (more and not any(type(i) is Unknown and i.reason is calls.COLLECTED for i in items))
        else:
            if isinstance(value, DictValue):
                keywords.update({key: item for key, item in value.entries.items() if isinstance(key, str)})
            more = not isinstance(value, DictValue) or value.open
            is_open = is_open or more
            inside = inside or (more and not getattr(value, "outside", False))
    return calls.Arguments(tuple(positional), keywords, is_open, is_open and not inside)


_HANDLERS: dict[type, Callable[[Machine, Any, Scope], Value]] = {
    cst.Name: _name,
    cst.Attribute: _attribute,
    cst.Call: _call,
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
    cst.ListComp: loops.comprehension,
    cst.GeneratorExp: loops.comprehension,
    cst.SetComp: loops.comprehension,
    cst.DictComp: loops.dict_comprehension,
    cst.NamedExpr: _named,
    cst.Yield: _yield,
    cst.Await: _await,
}
