"""Parameters of the file's own functions: their defaults, and what a call binds to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from selulint.evaluate import imports, methods
from selulint.evaluate.machine import Machine
from selulint.evaluate.values import Const, DictValue, FunctionValue, ListValue, Scope, Unknown, Value

if TYPE_CHECKING:
    from selulint.evaluate.calls import Arguments

# The reason of what `*args` of an entry point stands for.
COLLECTED = "an argument"
# The methods that run when a model is called.
_RUN = frozenset({"forward", "call", "__call__"})
# Keras hands these on to every layer by itself.
_PASSED_UNSEEN = frozenset({"training", "mask"})


def defaults(vm: Machine, params: Any, scope: Scope) -> dict[str, Value]:
    """Values of a function's default arguments; constants among them are assumed, since callers may say otherwise.

    Those of a block are not: its only caller is in sight.
    """
    from selulint.evaluate.expressions import evaluate

    found: dict[str, Value] = {}
    positional = (*params.posonlyargs, *params.args)
    with_default = positional[len(positional) - len(params.defaults) :]
    pairs = zip((*with_default, *params.kwonlyargs), (*params.defaults, *params.kw_defaults), strict=True)
    for param, default in pairs:
        if default is not None:
            value = evaluate(vm, default, scope)
            if isinstance(value, Const) and not imports.is_block(scope.unit):
                value = Const(value.value, value.place, True, value.chooser, value.origin)
            found[param.arg] = value
    return found


def bind(function: FunctionValue, args: Arguments, scope: Scope) -> None:
    """Bind arguments to parameters; what nobody passes takes its default, else it is an unknown parameter.

    Of a call that the file does not make, what the star parameters collect is unknown. Handed on to other parameters it
    leaves them their defaults, as for any parameter that callers from outside may set.
    """
    from_outside = args.outside and not args.open
    names, keyword_names, star, stars = function.parameters
    cells = scope.cells
    for name, value in zip(names, args.positional, strict=False):
        if type(value) is not Unknown or value.reason is not COLLECTED or name not in function.defaults:
            cells[name] = value
    extra = args.positional[len(names) :]
    if star:
        more = from_outside and not extra
        extra = tuple(Unknown(COLLECTED, parameter=True) for _ in range(2)) if more else extra
        inside = args.open and not args.outside
        collected = any(type(each) is Unknown and each.reason is COLLECTED for each in extra)
        cells[star] = ListValue.of(extra, open=inside or collected)
    rest: dict[str, Value] = {}
    for key, value in args.keywords.items():
        (cells if key in keyword_names else rest)[key] = value
    if stars:
        only_outside = from_outside or (args.open and args.outside)
        fed = from_outside and function.name in _RUN and len(names) == 1
        cells[stars] = DictValue(rest, open=args.open or from_outside, outside=only_outside, fed=fed)
    is_open = args.open and not args.outside
    for name in keyword_names:
        if name not in cells:
            default = None if is_open else function.defaults.get(name)
            if default is None:
                cells[name] = Unknown(f"parameter `{name}`", parameter=True)
            else:
                cells[name] = methods.free(default) if args.outside or name in _PASSED_UNSEEN else _settled(default)


def _settled(default: Value) -> Value:
    """A default that a call of the file's own leaves alone: nobody else has a say in it."""
    if type(default) is Const and default.assumed and isinstance(default.value, bool | int | float):
        return Const(default.value, default.place, omitted=True)
    return default
