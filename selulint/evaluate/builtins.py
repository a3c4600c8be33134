"""Python's builtins, the methods of its containers, and the few library functions that model-building code computes with."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from selulint.evaluate import attributes, sequences, tensors
from selulint.evaluate.building import constants, tensors_in
from selulint.evaluate.initialise import UNKNOWN_INIT
from selulint.evaluate.machine import Machine
from selulint.evaluate.values import (
    NONE,
    ClassValue,
    Const,
    DictValue,
    Either,
    FunctionValue,
    Instance,
    Layer,
    ListValue,
    ModuleAttribute,
    Partial,
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
}
_STRING_METHODS = frozenset(
    "lower upper find startswith endswith strip lstrip rstrip replace split format capitalize title count".split()
)


def call(vm: Machine, name: str, args: Arguments, place: Place) -> Value:
    """The value of calling a builtin."""
    handler = _BUILTINS.get(name)
    if handler is not None:
        return handler(vm, args, place)
    if any(tensors_in(value) for value in args.positional[:1]) and name not in ("print", "len", "repr", "id"):
        return tensors.opaque(vm, f"`{name}` of a tensor", args.all, place)
    known = [_plain(value) for value in args.positional]
    if name in _PURE and known and not args.keywords and all(value is not _UNKNOWN for value in known):
        return _compute(_PURE[name], *known)
    return Unknown(f"`{name}` of something unknown")


_UNKNOWN: Any = object()


def _plain(value: Value) -> Any:
    if isinstance(value, Const):
        return value.value
    if isinstance(value, TupleValue | ListValue) and not sequences.is_open(value):
        items = [_plain(item) for item in value.items]
        return _UNKNOWN if any(item is _UNKNOWN for item in items) else items
    return _UNKNOWN


def _compute(function: Callable[..., Any], *values: Any) -> Value:
    try:
        result = function(*values)
    except Exception:  # what the user's arithmetic raises is not ours
        return Unknown("arithmetic that fails")
    return _lift(result)


def _lift(result: Any) -> Value:
    if isinstance(result, list | tuple):
        return ListValue.of(_lift(item) for item in result)
    return Const(result)


def _range(vm: Machine, args: Arguments, place: Place) -> Value:
    bounds = [value.value for value in args.positional if isinstance(value, Const) and isinstance(value.value, int)]
    if len(bounds) != len(args.positional) or not 1 <= len(bounds) <= 3 or bounds[2:] == [0]:
        return Unknown("a range that is not known")
    whole = range(*bounds)
    return ListValue.of((Const(index) for index in whole[:MAX_RANGE]), open=len(whole) > MAX_RANGE)


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
    return ListValue.of(items, open=more)


def _tuple(vm: Machine, args: Arguments, place: Place) -> Value:
    listed = _listing(vm, args, place)
    return TupleValue(listed.items) if isinstance(listed, ListValue) and not listed.open else listed


def _dict(vm: Machine, args: Arguments, place: Place) -> Value:
    result = DictValue(dict(args.keywords), open=args.open)
    if args.positional:
        first = args.positional[0]
        if isinstance(first, DictValue):
            result.cells = {**first.entries, **result.cells}
            return result
        items, result.open = sequences.items_of(vm, first)
        for item in items:
            pair = sequences.raw_items(item) or ()
            if len(pair) == 2 and isinstance(pair[0], Const):
                result.cells[pair[0].value] = pair[1]
            else:
                result.open = True
    return result


def _zip(vm: Machine, args: Arguments, place: Place) -> Value:
    columns = [sequences.items_of(vm, value) for value in args.positional]
    if any(not items and more for items, more in columns):
        known = max((len(items) for items, _ in columns), default=0) or 2
        columns = [(items or [Unknown("an item of something unknown")] * known, True) for items, _ in columns]
    rows = zip(*(items for items, _ in columns), strict=False)
    return ListValue.of((TupleValue(row) for row in rows), open=any(more for _, more in columns))


def _enumerate(vm: Machine, args: Arguments, place: Place) -> Value:
    items, more = sequences.items_of(vm, args.positional[0]) if args.positional else ([], True)
    start = args.get("start", 1)
    first = start.value if isinstance(start, Const) and isinstance(start.value, int) else 0
    if not items and more:
        pair = TupleValue((Unknown("an index"), Unknown("an item of something unknown")))
        return ListValue.of([pair, pair], open=True)
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
    if isinstance(value, Layer) and name in ("weight", "bias"):
        return Const(isinstance(attributes.get(vm, value, name, place), ModuleAttribute | Const))
    if isinstance(value, Instance) and name in value.cells:
        return Const(True)
    return Unknown("hasattr")


def _type(vm: Machine, args: Arguments, place: Place) -> Value:
    value = args.positional[0] if args.positional else NONE
    if isinstance(value, Layer):
        return Symbol(value.name)
    return value.cls if isinstance(value, Instance) else Unknown("a type")


def _map(vm: Machine, args: Arguments, place: Place) -> Value:
    from selulint.evaluate.calls import NO_ARGUMENTS
    from selulint.evaluate.calls import call as call_value

    if len(args.positional) != 2:
        return Unknown("map")
    items, more = sequences.items_of(vm, args.positional[1])
    return ListValue.of([call_value(vm, args.positional[0], NO_ARGUMENTS.prepend(i), place) for i in items], open=more)


def _length(vm: Machine, args: Arguments, place: Place) -> Value:
    return sequences.length(args.positional[0]) if args.positional else Unknown("len")


_BUILTINS: dict[str, Callable[[Machine, Arguments, Place], Value]] = {
    "range": _range,
    "list": _listing,
    "iter": _listing,
    "sorted": _listing,
    "set": _listing,
    "tuple": _tuple,
    "dict": _dict,
    "zip": _zip,
    "enumerate": _enumerate,
    "reversed": _reversed,
    "isinstance": _isinstance,
    "getattr": _getattr,
    "setattr": _setattr,
    "hasattr": _hasattr,
    "type": _type,
    "map": _map,
    "len": _length,
    "print": lambda vm, args, place: NONE,
}


def method(vm: Machine, receiver: Value, name: str, args: Arguments, place: Place) -> Value:
    """A method of a list, dict or string."""
    if isinstance(receiver, ListValue):
        return _list_method(vm, receiver, name, args)
    if isinstance(receiver, DictValue):
        return _dict_method(vm, receiver, name, args)
    if isinstance(receiver, Const) and isinstance(receiver.value, str) and name in _STRING_METHODS:
        known = [_plain(value) for value in args.positional]
        if all(value is not _UNKNOWN for value in known) and not args.keywords:
            result = _compute(getattr(receiver.value, name), *known)
            return (
                Const(result.value, receiver.place, receiver.assumed)
                if isinstance(result, Const) and name == "lower"
                else result
            )
    return tensors.opaque(vm, f"method `{name}`", args.all, place)


def _list_method(vm: Machine, receiver: ListValue, name: str, args: Arguments) -> Value:
    values = list(args.positional)
    if name in ("append", "add"):
        sequences.extend(vm, receiver, values)
    elif name in ("extend", "update"):
        for value in values:
            sequences.extend(vm, receiver, sequences.raw_items(value) or (), sequences.raw_items(value) is None)
    elif name == "insert" and len(values) == 2:
        items = list(receiver.items)
        index = values[0].value if isinstance(values[0], Const) and isinstance(values[0].value, int) else len(items)
        items.insert(index, values[1])
        vm.write(receiver, "items", tuple(items))
    elif name == "pop" and receiver.items:
        index = values[0].value if values and isinstance(values[0], Const) and isinstance(values[0].value, int) else -1
        items = list(receiver.items)
        if -len(items) <= index < len(items):
            last = items.pop(index)
            vm.write(receiver, "items", tuple(items))
            return last
    elif name == "copy":
        return ListValue.of(receiver.items, open=receiver.open)
    elif name == "reverse":
        vm.write(receiver, "items", tuple(reversed(receiver.items)))
    else:
        return Unknown(f"method `{name}` of a list")
    return NONE


def _dict_method(vm: Machine, receiver: DictValue, name: str, args: Arguments) -> Value:
    if name == "items":
        return ListValue.of((TupleValue((Const(k), v)) for k, v in receiver.entries.items()), open=receiver.open)
    if name == "values":
        return ListValue.of(receiver.entries.values(), open=receiver.open)
    if name == "keys":
        return ListValue.of((Const(key) for key in receiver.entries), open=receiver.open)
    if name == "update":
        for key, value in [
            *args.keywords.items(),
            *(p for v in args.positional if isinstance(v, DictValue) for p in v.entries.items()),
        ]:
            vm.write(receiver, key, value)
        return NONE
    if name in ("get", "pop", "setdefault") and args.positional and isinstance(args.positional[0], Const):
        key = args.positional[0]
        if key.value.__hash__ is not None and key.value in receiver.entries:
            return sequences.get_item(vm, receiver, key, key.place or Place(None, None))  # type: ignore[arg-type]
        if not receiver.open:
            return args.positional[1] if len(args.positional) > 1 else NONE
    return Unknown(f"method `{name}` of a dict")


def _pure_symbol(function: Callable[..., Any]) -> Callable[[Machine, Arguments, Place], Value]:
    def compute(vm: Machine, args: Arguments, place: Place) -> Value:
        known = [_plain(value) for value in args.positional]
        if args.keywords or not known or any(value is _UNKNOWN for value in known):
            if any(tensors_in(value) for value in args.all):
                return tensors.opaque(vm, "a function of tensors", args.all, place)
            return Unknown("arithmetic on something unknown")
        return _compute(function, *known)

    return compute


def _partial(vm: Machine, args: Arguments, place: Place) -> Value:
    if not args.positional:
        return Unknown("partial")
    return Partial(args.positional[0], args.positional[1:], dict(args.keywords))


def _first(vm: Machine, args: Arguments, place: Place) -> Value:
    return args.all[0] if args.all else Unknown("no argument")


def _spectral(vm: Machine, args: Arguments, place: Place) -> Value:
    layer = _first(vm, args, place)
    if isinstance(layer, Layer):
        vm.write(layer, "weight", UNKNOWN_INIT)
    return layer


def _calculate_gain(vm: Machine, args: Arguments, place: Place) -> Value:
    from selulint.moments.initial import calculate_gain

    known = constants(dict(zip(("nonlinearity", "param"), args.positional, strict=False)) | args.keywords)
    name = known.get("nonlinearity")
    value = calculate_gain(name, known.get("param")) if isinstance(name, str) else None
    return Unknown("a gain that is not known") if value is None else Const(value, place, origin=str(name))


def _chain(vm: Machine, args: Arguments, place: Place) -> Value:
    found = [sequences.items_of(vm, value) for value in args.positional]
    return ListValue.of([item for items, _ in found for item in items], open=any(more for _, more in found))


_MATH = "sqrt log log2 log10 exp floor ceil pow".split()
SYMBOLS: dict[str, Callable[[Machine, Arguments, Place], Value]] = {
    **{f"math.{name}": _pure_symbol(getattr(math, name)) for name in _MATH},
    **{f"numpy.{name}": _pure_symbol(getattr(math, name)) for name in _MATH if name != "pow"},
    "math.prod": _pure_symbol(math.prod),
    "numpy.prod": _pure_symbol(math.prod),
    "functools.partial": _partial,
    "collections.OrderedDict": _dict,
    "itertools.chain": _chain,
    "copy.deepcopy": _first,
    "copy.copy": _first,
    "torch.nn.init.calculate_gain": _calculate_gain,
    "torch.nn.utils.weight_norm": _first,
    "torch.nn.utils.parametrizations.weight_norm": _first,
    "torch.nn.utils.spectral_norm": _spectral,
    "torch.nn.utils.parametrizations.spectral_norm": _spectral,
    "torch.nn.DataParallel": _first,
    "torch.nn.parallel.DistributedDataParallel": _first,
    "torch.nn.SyncBatchNorm.convert_sync_batchnorm": _first,
    "torch.compile": _first,
    "torch.jit.script": _first,
}

__all__ = ["SYMBOLS", "Either", "call", "is_a", "method"]
