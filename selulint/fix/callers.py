"""What is written in one place and left to callers: defaults of parameters, arguments that are handed on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from selulint.diagnostic import Refused
from selulint.graph import Op, Place

if TYPE_CHECKING:
    from selulint.fix.edits import Draft

# What holds modules by names, and runs them.
_HOLDERS = frozenset({"ModuleDict", "Sequential"})
_TABLES = frozenset({"dict", "OrderedDict"})


def is_default(place: Place) -> bool:
    """Whether a place is (in) the default of a function's parameter or of a class's annotated field."""
    around = [type(each).__name__ for each in place.unit.ancestors(place.node)]
    scopes = [kind for kind in around if kind in ("FunctionDef", "ClassDef")]
    return place.is_default or ("AnnAssign" in around and scopes[-1:] == ["ClassDef"])


def is_parameter(place: Place) -> bool:
    """Whether an expression is nothing but a parameter of the function around it."""
    around = [each for each in place.unit.ancestors(place.node) if type(each).__name__ == "FunctionDef"]
    return bool(around) and getattr(place.node, "value", None) in _parameters(around[-1])


def refuse_entry(draft: Draft, op: Op) -> None:
    """Refuse to rewrite an entry of a table: whoever looks it up by its name means what it was called for."""
    place = op.symbol or op.place
    if place is None:
        return
    around = list(place.unit.ancestors(place.node))
    while around and type(around[-1]).__name__ in ("Call", "Attribute"):
        around.pop()
    entry = around.pop() if around else None
    key = getattr(entry, "key", None) or getattr(entry, "keyword", None)
    calls = [_called(draft, place, each.func) for each in around if type(each).__name__ == "Call"]
    is_entry = type(entry).__name__ == "DictElement" or (key is not None and calls[-1:] and calls[-1] in _TABLES)
    if not is_entry:
        return
    name = str(getattr(key, "value", "")).strip("'\"").lower()
    if _HOLDERS.isdisjoint(calls) or name in (op.function, op.name.rpartition(".")[2].lower()):
        raise Refused("it is an entry of a table that is looked up by name")


def _called(draft: Draft, place: Place, function: Any) -> str:
    """The last name of what a call calls, whatever the file calls it."""
    name = draft.imports.names.of(place.unit, function) or getattr(getattr(function, "attr", function), "value", "")  # type: ignore[arg-type]
    return str(name).rpartition(".")[2]


def _parameters(function: Any) -> dict[str, bool]:
    """The names of a function's parameters, and whether they have defaults."""
    params = function.params
    every = (*params.posonly_params, *params.params, *params.kwonly_params)
    return {each.name.value: each.default is not None for each in every}


def takes_parameter(place: Place, written: bool = False) -> bool:
    """Whether a call hands on a parameter of the function around it, by itself or, where it has a default, in a term.

    With `written`, the first argument is the tensor that the call writes, whose name and shape are nobody's choice.
    """
    around = [each for each in place.unit.ancestors(place.node) if type(each).__name__ == "FunctionDef"]
    arguments = list(getattr(place.node, "args", ()))
    if not around or not arguments:
        return False
    has_default = _parameters(around[-1])
    own = {"self", "cls", *_names(place.node.func), *(_names(arguments.pop(0).value) if written else ())}
    for arg in arguments:
        is_whole = type(arg.value).__name__ == "Name"
        chosen = (name for name in _names(arg.value) if name in has_default and name not in own)
        if any(is_whole or has_default[name] for name in chosen):
            return True
    return False


def _names(expression: Any) -> Iterator[str]:
    nodes = [expression]
    while nodes:
        node = nodes.pop()
        if type(node).__name__ == "Name":
            yield node.value
        else:
            nodes.extend([node.value] if type(node).__name__ == "Attribute" else node.children)
