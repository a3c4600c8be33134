"""The methods of lists, dicts and strings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from selulint.evaluate import arithmetic, sequences, tensors
from selulint.evaluate.limits import MAX_CHARACTERS
from selulint.evaluate.machine import Machine
from selulint.evaluate.values import NONE, Const, DictValue, ListValue, TupleValue, Unknown, Value
from selulint.graph import Place

if TYPE_CHECKING:
    from selulint.evaluate.calls import Arguments

_STRING_METHODS = frozenset(
    "lower upper find startswith endswith strip lstrip rstrip replace split format capitalize title count".split()
)


def method(vm: Machine, receiver: Value, name: str, args: Arguments, place: Place) -> Value:
    """A method of a list, dict or string."""
    if isinstance(receiver, ListValue):
        return _list_method(vm, receiver, name, args)
    if isinstance(receiver, DictValue):
        vm.budget -= len(receiver.cells) // sequences.ITEMS_PER_STEP
        return _dict_method(vm, receiver, name, args)
    if isinstance(receiver, Const) and isinstance(receiver.value, str) and name in _STRING_METHODS:
        known = [arithmetic.plain(arithmetic.counted(value)) for value in args.positional]
        if (
            all(value is not arithmetic.UNKNOWN for value in known)
            and not args.keywords
            and _is_short(receiver, name, known)
        ):
            result = arithmetic.compute(getattr(receiver.value, name), *known)
            return (
                Const(result.value, receiver.place, receiver.assumed)
                if isinstance(result, Const) and name == "lower"
                else result
            )
    return tensors.opaque(vm, f"method `{name}`", args.all, place)


def _is_short(receiver: Const, name: str, args: list[Any]) -> bool:
    """Whether what a string's method gives is sure to be short; a format's own widths may ask for any length."""
    text: str = receiver.value
    if name == "format":
        return ":" not in text and "!" not in text
    longest = max((len(each) for each in args if isinstance(each, str)), default=0)
    return name != "replace" or (len(text) + 1) * max(longest, 1) <= MAX_CHARACTERS


def _list_method(vm: Machine, receiver: ListValue, name: str, args: Arguments) -> Value:
    values = list(args.positional)
    if name in ("append", "add"):
        sequences.extend(vm, receiver, values)
    elif name in ("extend", "update"):
        for value in values:
            sequences.extend_by(vm, receiver, value)
    elif name == "insert" and len(values) == 2:
        items = list(receiver.items)
        index = values[0].value if isinstance(values[0], Const) and isinstance(values[0].value, int) else len(items)
        items.insert(index, values[1])
        vm.write(receiver, "items", tuple(items))
    elif name == "pop" and receiver.items:
        return sequences.delete_item(vm, receiver, values[0] if values else Const(-1))
    elif name == "clear":
        vm.write(receiver, "items", ())
    elif name == "copy":
        return ListValue.of(receiver.items, open=receiver.open)
    elif name == "reverse":
        vm.write(receiver, "items", tuple(reversed(receiver.items)))
    else:
        return Unknown(f"method `{name}` of a list")
    return NONE


def looked_up(default: Value | None) -> Value | None:
    """The default of an option that is looked up in what nobody knows, as that of a parameter; sizes stay unknown."""
    if isinstance(default, Const):
        return replace(default, assumed=True) if isinstance(default.value, str | bool | float) else None
    return free(default) if default is not None else None


def free(default: Value) -> Value:
    """A default that callers may replace: what is empty by default they fill."""
    if type(default) is ListValue and not default.items:
        return ListValue.of((), open=True)
    if type(default) is TupleValue and not default.items:
        return ListValue.of((), open=True)
    if type(default) is DictValue and not default.entries:
        return DictValue(open=True, outside=True)
    return default


def _dict_method(vm: Machine, receiver: DictValue, name: str, args: Arguments) -> Value:
    if name == "items":
        return ListValue.of(
            map(TupleValue, zip(sequences.keys_of(receiver), receiver.entries.values(), strict=True)),
            open=receiver.open,
        )
    if name == "values":
        return ListValue.of(receiver.entries.values(), open=receiver.open)
    if name == "keys":
        return ListValue.of(sequences.keys_of(receiver), open=receiver.open)
    if name == "update":
        for given in args.positional:
            entries = given.entries if isinstance(given, DictValue) else {}
            for key, value in entries.items():
                vm.write(receiver, key, value)
            if not isinstance(given, DictValue) or given.open:
                vm.touch(receiver)
                receiver.outside = (
                    isinstance(given, DictValue) and given.outside and (receiver.outside or not receiver.open)
                )
                receiver.open = True
        for key, value in args.keywords.items():
            vm.write(receiver, key, value)
        return NONE
    if name in ("get", "pop", "setdefault") and args.positional and isinstance(args.positional[0], Const):
        key = args.positional[0]
        if key.value.__hash__ is not None and key.value in receiver.entries:
            found = sequences.get_item(vm, receiver, key, key.place or Place(None, None))  # type: ignore[arg-type]
            if name == "pop":
                vm.remove(receiver, key.value)
            return found
        default = args.get("default", 1) or NONE
        if name == "setdefault":
            vm.write(receiver, key.value, default)
        if not receiver.open:
            return default
        if receiver.outside and default is not NONE:
            # An option that callers may pass in `**kwargs` is a parameter with a default.
            return replace(default, assumed=True) if isinstance(default, Const) else free(default)
    if name in ("get", "pop") and args.positional and not isinstance(args.positional[0], Const):
        return sequences.get_item(vm, receiver, args.positional[0], Place(None, None))  # type: ignore[arg-type]
    if name == "copy":
        return DictValue(dict(receiver.entries), open=receiver.open, outside=receiver.outside)
    return Unknown(f"method `{name}` of a dict", parameter=receiver.open)
