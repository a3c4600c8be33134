"""Python's builtins, the methods of its containers, and the few library functions that model-building code computes with."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from selulint.evaluate import arithmetic, attributes, iterables, methods, modules, numbers, sequences, tensors
from selulint.evaluate.building import tensors_in
from selulint.evaluate.machine import Machine
from selulint.evaluate.values import (
    BASE,
    NONE,
    BoundMethod,
    Builtin,
    ClassValue,
    Const,
    DictValue,
    FunctionValue,
    Instance,
    Layer,
    ListValue,
    ModuleAttribute,
    More,
    Partial,
    Round,
    Symbol,
    Tensor,
    TupleValue,
    Unknown,
    Value,
)
from selulint.frameworks import SPECS
from selulint.graph import Place

if TYPE_CHECKING:
    from selulint.evaluate.calls import Arguments


MAX_RANGE = 4_096


_PURE: dict[str, Callable[..., Any]] = {
    "int": int,
    "float": float,
    "str": str,
    "bool": bool,
    "max": max,
    "min": min,
    "abs": abs,
    "round": round,
    "sum": sum,
    "divmod": divmod,
    "pow": pow,
}


_FORMULAS: dict[str, Callable[..., Any]] = {
    "int": lambda number: number,
    "float": lambda number: number,
    "round": lambda number, digits=0: number,
    "max": max,
    "min": min,
    "abs": abs,
    "sum": lambda *numbers: sum(numbers),
}


def call(vm: Machine, name: str, args: Arguments, place: Place) -> Value:
    """The value of calling a builtin."""
    for value in args.positional:
        if isinstance(value, ListValue | TupleValue):
            vm.budget -= len(value.items) // sequences.ITEMS_PER_STEP
    if name == "sum" and len(args.positional) == 2 and isinstance(args.positional[1], ListValue | TupleValue):
        return iterables.concatenated(vm, args, place)
    handler = _BUILTINS.get(name)
    if handler is not None:
        return handler(vm, args, place)
    if any(tensors_in(value) for value in args.positional[:1]) and name not in ("print", "len", "repr", "id"):
        return tensors.opaque(vm, f"`{name}` of a tensor", args.all, place)
    if name in _FORMULAS and args.positional and not args.keywords:
        operands = arithmetic.operands(args.positional)
        if operands is not None:
            return numbers.formula(_FORMULAS[name], *operands)
    known = [arithmetic.plain(arithmetic.counted(value) if name == "str" else value) for value in args.positional]
    if name in _PURE and known and not args.keywords and all(value is not arithmetic.UNKNOWN for value in known):
        return arithmetic.compute(_PURE[name], *known)
    return Unknown(f"`{name}` of something unknown")


def _range(vm: Machine, args: Arguments, place: Place) -> Value:
    given = [each.value if isinstance(each, Const) else None for each in args.positional]
    start, step = given[0] if len(given) > 1 else 0, given[2] if len(given) == 3 else 1
    if not 1 <= len(given) <= 3 or not isinstance(start, int) or not isinstance(step, int) or step == 0:
        return Unknown("a range that is not known")
    stop = given[len(given) > 1]
    if not isinstance(stop, int):
        return ListValue.of(_rounds(start, step), open=True) if step > 0 else Unknown("a range that is not known")
    whole = range(start, stop, step)
    if not whole and any(isinstance(value, Const) and value.assumed for value in args.positional):
        return ListValue.of(_rounds(start, step), open=True)  # empty only by default
    return ListValue.of((Const(index) for index in whole[:MAX_RANGE]), open=len(whole) > MAX_RANGE)


def _rounds(start: int, step: int) -> list[Value]:
    """What a count of unknown length shows."""
    return [Round("an index", index=start, is_first=True), Round("an index", index=start + step)]


def _listing(vm: Machine, args: Arguments, place: Place) -> Value:
    if not args.positional:
        return ListValue.of(())
    value = args.positional[0]
    if isinstance(value, Tensor):
        return value
    raw = sequences.raw_items(value)
    if raw is not None:
        return ListValue.of(raw, open=sequences.is_open(value))
    items, more = sequences.items_of(vm, value)
    return ListValue.of(items or (More(),), open=True) if more else ListValue.of(items)


def _tuple(vm: Machine, args: Arguments, place: Place) -> Value:
    listed = _listing(vm, args, place)
    return TupleValue(listed.items) if isinstance(listed, ListValue) and not listed.open else listed


def make_dict(vm: Machine, args: Arguments, place: Place) -> Value:
    result = DictValue(dict(args.keywords), open=args.open, outside=args.outside)
    for first in args.positional[:1]:
        entries, more = sequences.entries_of(vm, first)
        result.cells = {**entries, **result.cells}
        result.outside = more and (result.outside or not result.open) and getattr(first, "outside", False)
        result.open = result.open or more
    return result


def _unknown_items(count: int) -> list[Value]:
    return [Unknown("an item of something unknown") for _ in range(count)]


def _zip(vm: Machine, args: Arguments, place: Place) -> Value:
    columns = [sequences.items_of(vm, value) for value in args.positional]
    # An unknown number of rows shows as at least two, so that what stands between one and the next is seen.
    longest = max([2, *(len(items) for items, more in columns if more)])
    columns = [(_padded(items, longest) if more else items, more) for items, more in columns]
    rows = zip(*(items for items, _ in columns), strict=False)
    return ListValue.of((TupleValue(row) for row in rows), open=any(more for _, more in columns))


def _padded(items: list[Value], size: int) -> list[Value]:
    return [*items, *_unknown_items(size - len(items))]


def _enumerate(vm: Machine, args: Arguments, place: Place) -> Value:
    items, more = sequences.items_of(vm, args.positional[0]) if args.positional else ([], True)
    start = args.get("start", 1)
    first = start.value if isinstance(start, Const) and isinstance(start.value, int) else 0
    if more and all(type(item) is More for item in items):
        return ListValue.of(map(TupleValue, zip(_rounds(first, 1), _unknown_items(2), strict=True)), open=True)
    return ListValue.of((TupleValue((Const(first + i), item)) for i, item in enumerate(items)), open=more)


def _reversed(vm: Machine, args: Arguments, place: Place) -> Value:
    items, more = sequences.items_of(vm, args.positional[0]) if args.positional else ([], True)
    return ListValue.of(reversed(items), open=more)


def _isinstance(vm: Machine, args: Arguments, place: Place) -> Value:
    if len(args.positional) != 2:
        return Unknown("isinstance")
    value, classes = args.positional
    options = sequences.items_of(vm, classes)[0] if isinstance(classes, TupleValue | ListValue) else [classes]
    answers = [is_a(value, each) for each in options]
    if True in answers:
        return Const(True)
    return Unknown("isinstance of something unknown") if None in answers or not answers else Const(False)


_CLASS_NAMES: dict[type, frozenset[str]] = {
    str: frozenset({"str"}),
    bool: frozenset({"bool", "int"}),
    int: frozenset({"int"}),
    float: frozenset({"float"}),
}


_BASES = {
    "_ConvNd": ("conv",),
    "_ConvTransposeNd": ("conv_transpose",),
    "_BatchNorm": ("batch_norm",),
    "_DropoutNd": ("dropout",),
}


def is_a(value: Value, cls: Value) -> bool | None:
    """Whether `isinstance(value, cls)`; None where it cannot be told."""
    name = getattr(cls, "name", None)
    match value:
        case Const():
            return name in _CLASS_NAMES.get(type(value.value), frozenset()) if name else None
        case ListValue():
            return name in ("list", "Sequence", "Iterable") or (None if isinstance(cls, Symbol) else False)
        case TupleValue():
            return name in ("tuple", "Sequence", "Iterable") or (None if isinstance(cls, Symbol) else False)
        case DictValue():
            return name == "dict" or None
        case Tensor() if name is not None:
            return True if name.endswith("Tensor") else (False if isinstance(cls, Builtin) else None)
        case Layer() if isinstance(cls, Symbol):
            last = cls.name.rpartition(".")[2]
            if last in ("Module", "Layer") or cls.name == value.name:
                return True
            return value.spec.function.startswith(_BASES[last]) if last in _BASES else False
        case Layer():
            return False if isinstance(cls, ClassValue) else None
        case Instance():
            order = value.cls.mro()
            if isinstance(cls, ClassValue):
                return cls in order
            known = any(
                isinstance(base, Symbol) and isinstance(cls, Symbol) and base.name == cls.name for base in order
            )
            return known or (False if isinstance(cls, Symbol) and cls.name in SPECS else None)
        case Symbol() | FunctionValue() | ClassValue():
            return False if name in ("str", "int", "float", "list", "tuple", "dict") else None
    return None


def _getattr(vm: Machine, args: Arguments, place: Place) -> Value:
    if (
        len(args.positional) >= 2
        and isinstance(args.positional[1], Const)
        and isinstance(args.positional[1].value, str)
    ):
        name = args.positional[1]
        where = name.place if name.assumed and name.place is not None else place
        found = attributes.get(vm, args.positional[0], name.value, where)
        if isinstance(found, Unknown):
            return methods.looked_up(args.get("default", 2)) or found
        return Symbol(found.name, where, name.place if name.assumed else None) if isinstance(found, Symbol) else found
    return Unknown("getattr with a name that is not known")


def _setattr(vm: Machine, args: Arguments, place: Place) -> Value:
    if len(args.positional) == 3 and isinstance(args.positional[1], Const):
        attributes.put(vm, args.positional[0], str(args.positional[1].value), args.positional[2], place)
    return NONE


def _hasattr(vm: Machine, args: Arguments, place: Place) -> Value:
    if len(args.positional) != 2 or not isinstance(args.positional[1], Const):
        return Unknown("hasattr")
    value, name = args.positional[0], args.positional[1].value
    found = _has(vm, value, name, place)
    return Unknown("hasattr") if found is None else Const(found)


# What modules have from their framework though nobody sets it, or get while they are used.
_FROM_FRAMEWORK = frozenset(
    "training running_mean running_var num_batches_tracked weight_g weight_v weight_orig parametrizations device dtype "
    "kernel built name in_proj_weight out_proj register_buffer register_parameter get_submodule".split()
)


def _has(vm: Machine, value: Value, name: Any, place: Place) -> bool | None:
    """Whether a module has an attribute; None where that cannot be told."""
    if isinstance(value, Layer):
        if name in ("weight", "bias"):
            return isinstance(attributes.get(vm, value, name, place), ModuleAttribute | Const)
        if name == "reset_parameters":
            return value.spec.kind in ("parametric", "norm")
        if name in value.args or f".{name}" in value.cells:
            return True
    elif isinstance(value, Instance):
        if name in value.cells or value.cls.find(name) is not None:
            return True
        if BASE in value.cells:
            return _has(vm, value.cells[BASE], name, place)
        bases = [base for base in value.cls.mro() if not isinstance(base, ClassValue)]
        if any(not isinstance(base, Symbol) or base.name not in SPECS for base in bases):
            return None
    else:
        return None
    return None if name in _FROM_FRAMEWORK or modules.is_method(name) else False


def _type(vm: Machine, args: Arguments, place: Place) -> Value:
    value = args.positional[0] if args.positional else NONE
    if isinstance(value, Layer):
        return Symbol(value.name)
    return value.cls if isinstance(value, Instance) else Unknown("a type")


def _eval(vm: Machine, args: Arguments, place: Place) -> Value:
    """`eval("nn.SELU()")`: a text that is an expression means what it would mean in its place."""
    from selulint.evaluate.expressions import evaluate

    text = args.positional[0].value if len(args.positional) == 1 and isinstance(args.positional[0], Const) else None
    try:
        tree = ast.parse(text, mode="eval") if isinstance(text, str) else None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        tree = None
    if tree is None:
        return Unknown("eval")
    for node in ast.walk(tree):
        ast.copy_location(node, place.syntax)
    value = evaluate(vm, tree.body, vm.frames[-1] if vm.frames else vm.module)
    here = Place(place.syntax, place.unit, inside=True)
    if isinstance(value, Symbol):
        return Symbol(value.name, here)
    if isinstance(value, Layer):
        value.place = value.symbol = here
    return value


def _first(vm: Machine, args: Arguments, place: Place) -> Value:
    return args.positional[0] if args.positional else Unknown("no argument")


def _next(vm: Machine, args: Arguments, place: Place) -> Value:
    return sequences.get_item(vm, args.positional[0], Const(0), place) if args.positional else Unknown("next")


def _callable(vm: Machine, args: Arguments, place: Place) -> Value:
    value = args.positional[0] if args.positional else NONE
    if isinstance(value, Const | ListValue | TupleValue | DictValue):
        return Const(False)
    known = isinstance(value, FunctionValue | ClassValue | Layer | Symbol | Partial | BoundMethod)
    return Const(True) if known else Unknown("callable")


def _issubclass(vm: Machine, args: Arguments, place: Place) -> Value:
    if len(args.positional) != 2:
        return Unknown("issubclass")
    cls, base = args.positional
    order = cls.mro() if isinstance(cls, ClassValue) else [cls]
    if not isinstance(base, ClassValue | Symbol) or not isinstance(cls, ClassValue | Symbol):
        return Unknown("issubclass")
    if any(each is base or (getattr(each, "name", 0) == base.name and type(each) is type(base)) for each in order):
        return Const(True)
    is_module = isinstance(base, Symbol) and base.name.endswith((".Module", ".Layer"))
    return Const(True) if is_module and isinstance(cls, Symbol) and cls.name in SPECS else Unknown("issubclass")


def _length(vm: Machine, args: Arguments, place: Place) -> Value:
    return sequences.length(args.positional[0]) if args.positional else Unknown("len")


_BUILTINS: dict[str, Callable[[Machine, Arguments, Place], Value]] = {
    "range": _range,
    "list": _listing,
    "iter": _listing,
    "sorted": _listing,
    "set": _listing,
    "tuple": _tuple,
    "dict": make_dict,
    "zip": _zip,
    "enumerate": _enumerate,
    "reversed": _reversed,
    "isinstance": _isinstance,
    "getattr": _getattr,
    "setattr": _setattr,
    "hasattr": _hasattr,
    "type": _type,
    "map": iterables.mapped,
    "len": _length,
    "filter": iterables.filtered,
    "next": _next,
    "all": iterables.every,
    "any": iterables.some,
    "callable": _callable,
    "issubclass": _issubclass,
    "staticmethod": _first,
    "eval": _eval,
    "print": lambda vm, args, place: NONE,
}
