"""Calls: binding arguments, running the file's own functions and classes, and handing everything else on."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

from selulint.evaluate import (
    alternatives,
    builtins,
    contrib,
    imports,
    initialise,
    jax,
    keras,
    layers,
    library,
    methods,
    modules,
    order,
    parameters,
    records,
    replay,
    tensors,
)
from selulint.evaluate.building import tensors_in
from selulint.evaluate.joining import join
from selulint.evaluate.limits import (
    MAX_CALL_DEPTH,
    MAX_DECIDED_RECURSION,
    MAX_DEEP_CALLS,
    MAX_RECURSION,
    BudgetExhausted,
)
from selulint.evaluate.machine import Machine
from selulint.evaluate.values import (
    BASE,
    METACLASS,
    NONE,
    Array,
    BoundMethod,
    Builtin,
    ClassValue,
    Const,
    Either,
    Formula,
    FunctionValue,
    HostFunction,
    Instance,
    Layer,
    ListValue,
    ModuleAttribute,
    Partial,
    Scope,
    Symbol,
    Tensor,
    Unknown,
    Value,
)
from selulint.frameworks import SPECS
from selulint.graph import Place


@dataclass(slots=True)
class Arguments:
    """The arguments of a call; `open` means that stars bring more that nobody knows.

    `outside` says that callers from outside the file make the call, or that only what they pass on may be among the rest.
    """

    positional: tuple[Value, ...] = ()
    keywords: dict[str, Value] = field(default_factory=dict)
    open: bool = False
    outside: bool = False

    def prepend(self, *values: Value) -> Arguments:
        return Arguments((*values, *self.positional), self.keywords, self.open, self.outside)

    @property
    def all(self) -> list[Value]:
        return [*self.positional, *self.keywords.values()]

    def get(self, name: str, position: int | None = None) -> Value | None:
        if name in self.keywords:
            return self.keywords[name]
        return self.positional[position] if position is not None and position < len(self.positional) else None


NO_ARGUMENTS = Arguments()


def scope_owner(scope: Scope) -> ClassValue | None:
    where: Scope | None = scope
    while where is not None and where.owner is None:
        where = where.parent
    return where.owner if where is not None else None


def scope_instance(scope: Scope) -> Value:
    where: Scope | None = scope
    while where is not None and where.instance is None:
        where = where.parent
    return where.instance if where is not None and where.instance is not None else Unknown("super() outside a method")


def call(vm: Machine, function: Value, args: Arguments, place: Place) -> Value:
    """The value of calling `function`; what nobody understands is an opaque op on the tensors that go in."""
    vm.budget -= 1
    if vm.budget < 0:
        raise BudgetExhausted
    return _CALLS.get(type(function), _call_unknown)(vm, function, args, place)


def _call_bound(vm: Machine, bound: Any, args: Arguments, place: Place) -> Value:
    if isinstance(bound.method, FunctionValue):
        return invoke(vm, bound.method, args.prepend(bound.receiver), place)
    return call_method(vm, bound.receiver, bound.method, args, place)


def _call_partial(vm: Machine, partial: Any, args: Arguments, place: Place) -> Value:
    keywords = {**partial.keywords, **args.keywords}
    merged = Arguments((*partial.args, *args.positional), keywords, args.open, args.outside)
    return call(vm, partial.function, merged, place)


# Methods that look an option up: the default behind its name is that of a parameter.
_LOOKUPS = frozenset({"get", "pop", "setdefault"})


def _call_unknown(vm: Machine, function: Value, args: Arguments, place: Place) -> Value:
    called = getattr(place.syntax, "func", None)
    if isinstance(function, Unknown) and type(called) is ast.Attribute and called.attr in _LOOKUPS:
        default = methods.looked_up(args.get("default", 1))
        if default is not None:
            return default
    initialise.escape(vm, called.attr if type(called) is ast.Attribute else "", args.all)
    reason = function.reason if isinstance(function, Unknown) else "a call of something that cannot be called"
    # An unknown object that is applied to one thing: by all conventions a module.
    result = tensors.opaque(vm, reason, args.all, place, module=isinstance(function, Unknown) and len(args.all) == 1)
    # What a method of an argument gives is as much from outside as the argument itself.
    from_outside = isinstance(result, Unknown) and isinstance(function, Unknown) and function.parameter
    if not from_outside or not isinstance(function, Unknown):
        return result
    owner, name = vm.wholes.get(function, (None, None))
    # What methods of tensors are called on is a tensor where their result is one.
    operands = (owner,) if owner is not None and name in layers.METHODS else ()
    return Formula(reason, True, operands=operands) if operands else Unknown(reason, parameter=True)


def call_alternatives(vm: Machine, function: Either, args: Arguments, place: Place) -> Value:
    """Call each alternative from the same state and join the results; None among them is never what is called."""
    options = [each for each in function.options if not (isinstance(each, Const) and each.value is None)]
    if options and all(alternatives.writes_apart(vm, each) for each in options):
        return join([call(vm, each, args, place) for each in options])  # type: ignore[no-any-return]
    return alternatives.evaluated(vm, [partial(call, vm, each, args, place) for each in options])


def invoke(vm: Machine, function: FunctionValue, args: Arguments, place: Place | None) -> Value:
    """Run a function of the project on abstract arguments and join what it returns."""
    if function.unit.file is not vm.file and not vm.is_abroad and not imports.is_block(function.unit):
        return _abroad(vm, lambda: invoke(vm, function, args, place), function.name, args, place)
    vm.step()
    if _is_too_deep(vm, function):
        reason = f"`{function.name}` calls itself too deeply"
        return tensors.opaque(vm, reason, args.all, place) if place is not None else Unknown(reason)
    scope = Scope(parent=function.scope, unit=function.unit, owner=function.owner, branches=vm.branches)
    if function.owner is not None and args.positional and "staticmethod" not in function.decorators:
        scope.instance = args.positional[0]
    parameters.bind(function, args, scope)
    vm.used.add(id(function.node))
    vm.calls.append(function)
    vm.frames.append(scope)
    try:
        return _run_body(vm, function, scope)
    finally:
        vm.calls.pop()
        vm.frames.pop()


def _is_too_deep(vm: Machine, function: FunctionValue) -> bool:
    """Whether a call would recurse without an end in sight: constants may decide where it is, unknown conditions do not."""
    running = [frame.branches for call, frame in zip(vm.calls, vm.frames, strict=True) if call.node is function.node]
    undecided = len({*running, vm.branches}) - 1
    vm.deep_calls += len(running) >= MAX_RECURSION
    # One that calls itself more than once on each level is followed as far as that is cheap.
    decided = MAX_DECIDED_RECURSION if vm.deep_calls < MAX_DEEP_CALLS else MAX_RECURSION
    is_deep = undecided >= MAX_RECURSION or len(running) > decided or len(vm.calls) >= MAX_CALL_DEPTH
    if is_deep:
        vm.oldest_written = 0  # at another depth it may end otherwise: not to be repeated
    return is_deep


def _run_body(vm: Machine, function: FunctionValue, scope: Scope) -> Value:
    from selulint.evaluate.expressions import evaluate
    from selulint.evaluate.statements import run_block

    if type(function.node) is ast.Lambda:
        return evaluate(vm, function.node.body, scope)
    chooser, vm.chooser = vm.chooser, None
    try:
        run_block(vm, function.node.body, scope)
    finally:
        vm.chooser = chooser
    if scope.yields:
        return ListValue.of(scope.yields, open=True)
    result: Value = join(scope.returns) if scope.returns else NONE
    return result


def _abroad(vm: Machine, run: Callable[[], Value], name: str, args: Arguments, place: Place | None) -> Value:
    """Run code of another file as far as the allowance for that goes."""
    try:
        with vm.abroad(place):
            return run()
    except BudgetExhausted:
        if vm.budget <= 0 or place is None:
            raise
        vm.oldest_written = 0
        # A module that is passed by stands where it stands, as one that nobody knows does.
        is_module = name in ("forward", "call", "__call__") and sum(len(tensors_in(value)) for value in args.all) == 1
        return tensors.opaque(vm, f"`{name}` is too much to look into", args.all, place, module=is_module)


def instantiate(vm: Machine, cls: ClassValue, args: Arguments, place: Place) -> Value:
    """An object of a class of the project, after its `__init__`."""
    constructor = cls.find("__init__")
    if isinstance(constructor, FunctionValue) and _is_too_deep(vm, constructor):
        return Unknown(f"`{cls.name}` holds itself too deeply")
    if cls.unit.file is not vm.file and not vm.is_abroad and not imports.is_block(cls.unit):
        return _abroad(vm, lambda: build(vm, cls, args, place), cls.name, args, place)
    return build(vm, cls, args, place)


def build(vm: Machine, cls: ClassValue, args: Arguments, place: Place) -> Instance:
    """An object of a class whose code may run now."""
    return replay.build(vm, cls, args, place, lambda: _construct(vm, cls, args, place))


def _build_keras(vm: Machine, instance: Instance, place: Place) -> None:
    """Keras runs `build(input_shape)` before the first call; doing so at once makes no difference to a graph."""
    bases = (base for base in instance.cls.mro() if isinstance(base, Symbol))
    method = instance.cls.find("build") if any(base.name.startswith("keras.") for base in bases) else None
    if isinstance(method, FunctionValue) and len(method.parameters[0]) == 2:
        invoke(vm, method, Arguments((instance, Unknown("an input shape"))), place)


def _construct(vm: Machine, cls: ClassValue, args: Arguments, place: Place) -> Instance:
    instance = Instance(cls=cls, place=place)
    # What an object inherits from is looked at through it.
    vm.used.update(id(base.node) for base in cls.mro() if isinstance(base, ClassValue))
    vm.order.building.append(instance)
    try:
        _initialise(vm, instance, args, place)
    finally:
        vm.order.building.pop()
    order.built(vm, instance)
    if cls.find("setup") is not None:
        jax.set_up(vm, instance)
    _build_keras(vm, instance, place)
    order.built(vm, instance)
    metaclass = cls.find(METACLASS)
    if isinstance(metaclass, ClassValue) and metaclass.find("__call__") is not None:
        # It makes objects in its own way, and may initialise them.
        initialise.forget(vm, instance)
    vm.created.append(instance)
    return instance


def _initialise(vm: Machine, instance: Instance, args: Arguments, place: Place) -> None:
    cls = instance.cls
    constructor = cls.find("__init__")
    if isinstance(constructor, FunctionValue):
        invoke(vm, constructor, args.prepend(instance), place)
    elif modules.container_base(cls) is not None:
        modules.fill_container(vm, instance, args)
    elif (base := modules.base_layer(cls)) is not None:
        modules.build_base(vm, instance, base, args, place)
    elif records.is_record(cls):
        records.fill(vm, instance, args, place)


def call_instance(vm: Machine, instance: Instance, args: Arguments, place: Place) -> Value:
    """Calling a module runs its `forward` (PyTorch) or `call` (Keras); a container without one runs its items."""
    vm.order.served.add(instance.serial)
    return replay.run(vm, instance, args, place, lambda: _forward(vm, instance, args, place))


def _forward(vm: Machine, instance: Instance, args: Arguments, place: Place) -> Value:
    for name in ("forward", "call", "__call__"):
        own = instance.cells.get(name)
        if own is not None:
            return call(vm, own, args, place)
        method = instance.cls.find(name)
        if method is not None:
            return call(vm, method, args.prepend(instance), place)
    if "items" in instance.cells:
        return layers.thread(vm, instance.cells["items"], args, place, bool(instance.cells.get("open")))
    if BASE in instance.cells:
        return layers.apply(vm, instance.cells[BASE], args, place)
    return tensors.opaque(vm, f"`{instance.cls.name}` has no forward", args.all, place)


def call_method(vm: Machine, receiver: Value, name: str, args: Arguments, place: Place) -> Value:
    """The value of a method that the file does not define."""
    match receiver:
        case Tensor():
            return layers.call_tensor_method(vm, receiver, name, args, place)
        case Layer() | Instance():
            return modules.method(vm, receiver, name, args, place)
        case Builtin():
            return builtins.call(vm, f"{receiver.name}.{name}", args, place)
        case BoundMethod() if tensors_in(tensors.as_tensor(receiver)):
            return tensors.opaque(vm, f"method `{name}`", [receiver, *args.all], place)
    if isinstance(receiver, ModuleAttribute | Array):
        return initialise.method(vm, receiver, name, args, place)
    return methods.method(vm, receiver, name, args, place)


# Methods that are called by the name of a framework's class: `nn.Module.__init__(self)`.
_UNBOUND = frozenset({"__init__", "forward", "call", "__call__"})


@cache
def _computes(name: str) -> Callable[..., Value] | None:
    return library.SYMBOLS.get(name)


def call_symbol(vm: Machine, symbol: Symbol, args: Arguments, place: Place) -> Value:
    """The value of calling a framework function or class, or something of a package that is not known."""
    host = _computes(symbol.name)
    if host is not None:
        return host(vm, args, place)
    spec = SPECS.get(symbol.name)
    if spec is None:
        owner, _, method = symbol.name.rpartition(".")
        if method in _UNBOUND and owner in SPECS and args.positional and isinstance(args.positional[0], Instance):
            rest = Arguments(args.positional[1:], args.keywords, args.open, args.outside)
            return modules.method(vm, args.positional[0], f"super.{method}", rest, place)
        if (block := imports.block(vm, symbol.name)) is not None:
            return _call_block(vm, block, args, place)
        if symbol.name.startswith("keras.") and (made := keras.special(vm, symbol, args, place)) is not None:
            return made
        initialise.escape(vm, symbol.name, args.all)
        result = tensors.opaque(vm, f"call of `{symbol.name}`", args.all, place)
        # What a package makes of an argument is as much from outside as the argument itself.
        from_outside = isinstance(result, Unknown) and any(isinstance(v, Unknown) and v.parameter for v in args.all)
        return Unknown(result.reason, parameter=True) if isinstance(result, Unknown) and from_outside else result
    if spec.kind == "initialiser":
        return initialise.call_initialiser(vm, symbol, spec, args, place)
    if contrib.is_layer(symbol, spec):
        return contrib.call_layer(vm, symbol, spec, args, place)
    if spec.functional:
        return layers.apply_function(vm, symbol.name, spec, args, place, symbol.place, symbol.chooser)
    return layers.construct(vm, symbol, spec, args, place)


def _call_block(vm: Machine, block: Value, args: Arguments, place: Place) -> Value:
    """Call a ready-made block; what it is made of stands where it is called."""
    made = call(vm, block, args, place)
    if isinstance(made, Symbol):
        names = [value.place for value in args.all if isinstance(value, Const) and isinstance(value.value, str)]
        return Symbol(made.name, None, names[0] if names else None)
    for layer in modules.layers_in(made) if isinstance(made, Instance) else ():
        if layer.place is not None and imports.is_block(layer.place.unit):
            layer.place = Place(place.syntax, place.unit, inside=True)
    return made


_CALLS: dict[type, Callable[[Machine, Any, Arguments, Place], Value]] = {
    FunctionValue: invoke,
    BoundMethod: _call_bound,
    ClassValue: instantiate,
    Instance: call_instance,
    Layer: layers.apply,
    Symbol: call_symbol,
    Partial: _call_partial,
    Builtin: lambda vm, function, args, place: builtins.call(vm, function.name, args, place),
    HostFunction: lambda vm, function, args, place: function.call(*args.positional),
    Either: call_alternatives,
}
