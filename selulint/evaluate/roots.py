"""From a file to its models: every relevant class, function and script is evaluated as callers would run it."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from selulint.evaluate import calls, coverage, entries, left, options, order
from selulint.evaluate.building import Builder
from selulint.evaluate.calls import Arguments, call, invoke
from selulint.evaluate.handwritten import recognised
from selulint.evaluate.interruption import TOO_MUCH, attempt
from selulint.evaluate.limits import STEPS_PER_ROOT
from selulint.evaluate.machine import Machine
from selulint.evaluate.values import (
    ClassValue,
    FunctionValue,
    Instance,
    Layer,
    Unknown,
    Value,
)
from selulint.frameworks import SPECS
from selulint.graph import Kind, Model, Op, Place
from selulint.syntax import triage
from selulint.syntax.inputs import rescaled
from selulint.syntax.lazy import File

# What a file's functions that hold no activation themselves may cost together.
STEPS_FOR_CALLERS = 20_000
# Functions inside a function that callers are taken to call.
MAX_CLOSURES = 32
# Methods by which models are initialised from outside: `init_weights`, `initialize`, `weights_init` ... Not those named
# `reset_parameters`: by convention the constructor calls them, and where it does not, nobody does.
_INITIALISES = re.compile(
    r"_*(re)?init(iali[sz]e)?_*(all_)?(model_)?(weights?|param(eter)?s?)|weights?_init(iali[sz]ation)?|initiali[sz]e"
)
_SELU = re.compile("selu", re.IGNORECASE)
_FRAMEWORKS = {
    "keras": "keras",
    "tensorflow": "keras",
    "torch": "torch",
    "flax": "jax",
    "haiku": "jax",
    "equinox": "jax",
    "jax": "jax",
}


@dataclass(slots=True, eq=False)
class _Root:
    """What one root built: its models, and the classes and functions that it used on the way."""

    node: Any
    models: list[Model]
    used: frozenset[int]


def models_of(file: File, parts: bool = False) -> list[Model]:
    """All models of a file, each with its component; without `parts`, those that no other model of the file contains."""
    vm = Machine(file)
    roots = [_script(vm)]
    vm.module.position = len(file.statements)  # from now on names mean what they mean to importers
    callers: list[FunctionValue] = []
    for value in dict.fromkeys(each for each in vm.module.cells.values() if isinstance(each, Value)):
        if isinstance(value, ClassValue) and _is_relevant(file, value):
            roots.extend(_class_roots(vm, value))
        elif isinstance(value, FunctionValue) and _is_relevant(file, value):
            if file.statements[value.unit.index].marked:
                roots.extend(_function_roots(vm, value))
            else:
                callers.append(value)
    roots.extend(_callers(vm, callers))
    used = {node for root in roots for node in root.used if node != id(root.node)}
    found: list[Model] = []
    for root in roots:
        for model in root.models:
            model.part = id(root.node) in used
            found.append(model)
    coverage.adopt(found)
    options.tell(found, vm.options)
    kept = found if parts else coverage.without_covered(vm, found)
    trained = triage.trained_weights(file.source.text)
    scaled = rescaled(file.source) if _are_selu_models(kept) else ()
    for model in kept:
        model.trained, model.rescaled, model.assumed = trained, scaled, _assumed_by(vm, model)
    order.settle(vm, found)
    coverage.group(kept)
    return kept


def _callers(vm: Machine, functions: list[FunctionValue]) -> Iterable[_Root]:
    """Functions that only call what builds models show it with other sizes: worth a look, as long as it is cheap."""
    vm.refill()
    last = vm.spent + STEPS_FOR_CALLERS
    for function in functions:
        if vm.spent >= last:
            return
        run = entries.call_with_unknowns(vm, function)
        for root in _with_closures(vm, function.node, function.name, run, most=last - vm.spent):
            yield replace(root, models=[model for model in root.models if not model.unfinished])
        vm.refill()


def _are_selu_models(models: list[Model]) -> bool:
    """Whether SELU is the only hidden activation that the file has."""
    if not any(op.function == "selu" for model in models for op in model.of(Kind.ACTIVATION)):
        return False
    return {op.function for model in models for op in model.of(Kind.ACTIVATION) if model.is_hidden(op)} == {"selu"}


def _assumed_by(vm: Machine, model: Model) -> tuple[str, ...]:
    """The names without a binding by which a model reaches its framework."""
    if not vm.assumed:
        return ()
    roots = (_root_name(place.syntax) for op in model.ops for place in (op.symbol, op.place) if place is not None)
    return tuple(sorted({name for name in roots if name in vm.assumed}))


def _root_name(node: Any) -> str:
    while type(node) in (ast.Attribute, ast.Call):
        node = node.value if type(node) is ast.Attribute else node.func
    return node.id if type(node) is ast.Name else ""


def _is_relevant(file: File, value: FunctionValue | ClassValue) -> bool:
    return value.unit.file is file and file.statements[value.unit.index].relevant


def _script(vm: Machine) -> _Root:
    unfinished: list[Model] = []

    def run() -> Value:
        for index, statement in enumerate(vm.file.statements):
            if not statement.relevant:
                continue
            vm.refill()
            if not attempt(vm, index):
                unfinished.append(_unfinished(vm, Place(statement.nodes[0], vm.file.unit(index))))
        vm.refill()
        return Unknown("a script")

    root = _evaluate(vm, None, "module", run)
    root.models.extend(unfinished)
    return root


def _others(
    vm: Machine, root: _Root, name: str, function: Value | None, run: Callable[[dict[str, Value]], Value]
) -> Iterable[_Root]:
    """The same root with other values for the options of `function`: only files with SELU are worth the time."""
    if not _SELU.search(vm.file.source.text):
        return
    roots = [_evaluate(vm, root.node, name, partial(run, each)) for each in options.others(vm.asked, function)]
    kept = options.compared(root.models, [each.models for each in roots], vm.options)
    for each in roots:
        yield replace(
            each,
            models=[model for model in each.models if model in kept and not coverage.covered(model, root.models, ())],
        )


def _function_roots(vm: Machine, function: FunctionValue) -> Iterable[_Root]:
    roots = list(_with_closures(vm, function.node, function.name, entries.call_with_unknowns(vm, function)))
    yield from roots
    yield from _others(
        vm, roots[0], function.name, function, lambda each: entries.call_with_unknowns(vm, function, each)()
    )


def _class_roots(vm: Machine, cls: ClassValue) -> list[_Root]:
    """A module is run through its forward; methods that nobody called on the way are other ways through its layers."""
    entry = entries.called_method(cls)
    built: list[Instance] = []

    def build() -> Instance:
        # A module is the same in all its methods; an agent's methods may each build models of their own.
        if not built or entry is None:
            built[:] = [_made(vm, cls)]
        return built[0]

    root = _evaluate(vm, cls.node, cls.name, build)
    roots = [root]
    roots.extend(_others(vm, root, cls.name, cls.find("__init__"), lambda chosen: _made(vm, cls, chosen)))
    held = left.held(built[0], root.models) if entry is not None and built else {}
    for value in list(cls.cells.values()):
        if not isinstance(value, FunctionValue) or value.name.startswith("__"):
            continue
        reads = left.attributes_in(value.node) if held else set()
        marked = vm.file.statements[value.unit.index].marked
        # What the constructor of an object that is no module is told (`activation="relu"`) serves its other methods.
        is_marked = value.name in marked or (entry is None and "__init__" in marked)
        if id(value.node) not in root.used and (is_marked or not reads.isdisjoint(held)):
            run = _method_root(vm, build, value, entry is not None)
            roots.extend(_with_closures(vm, cls.node, f"{cls.name}.{value.name}", run, cls))
    still = left.held(built[0], [model for each in roots for model in each.models]) if held else {}
    idle = [each for sequences in still.values() for each in sequences]
    return [*roots, _apart(vm, cls, idle)] if idle else roots


def _apart(vm: Machine, cls: ClassValue, idle: list[Layer]) -> _Root:
    """What a module builds and leaves to other code to apply: models of their own."""

    def run() -> Value:
        vm.created[:] = idle
        return Unknown("parts of a module")

    return _evaluate(vm, cls.node, cls.name, run)


def _made(vm: Machine, cls: ClassValue, chosen: Mapping[str, Value] = entries.NO_CHOICE) -> Instance:
    """An object of a class as callers make it."""
    args = entries.unknown_arguments(vm, cls.find("__init__"), chosen=chosen)
    instance = calls.build(vm, cls, args, Place(cls.node, cls.unit))
    _initialise(vm, cls, instance)
    return instance


def _initialise(vm: Machine, cls: ClassValue, instance: Instance) -> None:
    """Run the methods that initialise and that construction did not call: whoever uses the class does."""
    for each in list(cls.cells.values()):
        if not isinstance(each, FunctionValue) or id(each.node) in vm.used or not _INITIALISES.fullmatch(each.name):
            continue
        if _is_dead(vm, cls, each.name):
            continue
        if len(each.parameters[0]) == 1 and "staticmethod" not in each.decorators:
            invoke(vm, each, Arguments((instance,), outside=True), None)


def _is_dead(vm: Machine, cls: ClassValue, name: str) -> bool:
    """Whether nobody calls a private method: not the file, and no base class of which the file does not show the code."""
    is_known = all(isinstance(base, ClassValue) or getattr(base, "name", "") in SPECS for base in cls.mro())
    return name.startswith("_") and is_known and f".{name}" not in vm.file.source.text


def _method_root(
    vm: Machine, build: Callable[[], Instance], method: FunctionValue, is_module: bool
) -> Callable[[], Value]:
    def run() -> Value:
        instance = build()
        if is_module:
            vm.created.clear()
        return entries.invoke_promoting(vm, method, (instance,), 1)

    return run


def _with_closures(
    vm: Machine,
    node: Any,
    name: str,
    run: Callable[[], Value],
    owner: ClassValue | None = None,
    most: int = STEPS_PER_ROOT,
) -> Iterable[_Root]:
    """One root, and those of the functions that it defines and leaves to others to call."""
    results: list[Value] = []

    def kept() -> Value:
        results.append(run())
        return results[0]

    vm.closures.clear()
    root = _evaluate(vm, node, name, kept, owner, most)
    yield root
    called = set(root.used)
    for each in [*vm.closures, *(each for result in results for each in entries.functions_in(result))][:MAX_CLOSURES]:
        if id(each.node) not in called:
            called.add(id(each.node))
            inner = _evaluate(vm, each.node, f"{name}.{each.name}", entries.call_with_unknowns(vm, each), most=most)
            called |= inner.used
            yield inner


def _evaluate(
    vm: Machine,
    node: Any,
    name: str,
    run: Callable[[], Value],
    owner: ClassValue | None = None,
    most: int = STEPS_PER_ROOT,
) -> _Root:
    """Run one root with a fresh graph, then send tensors through every model object that it left behind."""
    vm.builder, vm.created, vm.used, vm.calls = Builder(), [], set(), []
    vm.order.building, vm.order.sweeps, vm.deep_calls = [], [], 0
    vm.refill(most)
    found: list[Model] = []
    try:
        result = run()
    except TOO_MUCH:
        return _Root(node, [_unfinished(vm, _place(vm, node), name)], frozenset(vm.used))
    built, created = vm.builder, left.outermost(vm, [*vm.created, *left.sequences(vm, node, result)])
    for each in created if node is None else left.without_stock(created, result):
        try:
            model = _forward(vm, each)
        except TOO_MUCH:
            # Of a script the other models stay; a class or function is one thing.
            found = [
                *(found if node is None else ()),
                _unfinished(vm, each.place if node is None else _place(vm, node), name),
            ]
            return _Root(node, found, frozenset(vm.used))
        if model is not None:
            found.append(model)
    own = _model(vm, name, built, result, None, owner)
    if own is not None and not coverage.covered(own, found, ()):
        found.append(own)
    return _Root(node, found, frozenset(vm.used))


def _unfinished(vm: Machine, place: Place | None, name: str = "") -> Model:
    """Stands for what asks for more evaluation than a linter may spend: nothing is claimed about it."""
    name = name or (place.text.partition("\n")[0].rstrip(" :") if place is not None else "")
    return Model(name, "torch", (), frozenset(), vm.file, place, unfinished=True)


def _place(vm: Machine, node: Any) -> Place | None:
    """Where a class or function of the file stands."""
    units = (each.unit for each in vm.module.cells.values() if node is not None and getattr(each, "node", None) is node)
    unit = next(units, None)
    return Place(node, unit) if unit is not None else None


def _forward(vm: Machine, module: Layer | Instance) -> Model | None:
    """The graph of one model object: its forward on abstract tensors, with the initialisation in force now."""
    if isinstance(module, Layer) and module.spec.function != "sequential":
        return None
    vm.builder = Builder()
    place = Place(module.cls.node, module.cls.unit) if isinstance(module, Instance) else module.place
    if place is None:
        return None
    result = call(vm, module, entries.tensor_arguments(vm, module), place)
    name = module.cls.name if isinstance(module, Instance) else module.label or "Sequential"
    return _model(vm, name, vm.builder, result, module)


def _model(
    vm: Machine,
    name: str,
    builder: Builder,
    result: Value,
    module: Layer | Instance | None,
    owner: ClassValue | None = None,
) -> Model | None:
    ops = builder.finish(vm.file)
    kinds = {op.kind for op in ops}
    if Kind.ACTIVATION not in kinds and Kind.DROPOUT not in kinds and Kind.SCALE not in kinds:
        return None
    outputs = builder.numbers([result])
    targets = frozenset(source - builder.base for source in builder.targets)
    model = Model(name, _framework(ops), recognised(ops, outputs), outputs, vm.file, targets=targets)
    if module is not None and module.cells.get("compiled"):
        model.targets |= outputs
    cls = module.cls if isinstance(module, Instance) else owner
    if cls is not None and cls.unit.file is vm.file:
        model.owner = Place(cls.node, cls.unit)
        constructor = cls.cells.get("__init__")
        # One that a decorator gave the class is no place to append to.
        if isinstance(constructor, FunctionValue) and constructor.owner is cls and entries.has_framework(cls):
            model.init = Place(constructor.node, constructor.unit)
    elif module is not None:
        model.owner = module.place
    return model


def _framework(ops: tuple[Op, ...]) -> str:
    """The framework whose layers a model is made of."""
    for op in ops:
        framework = _FRAMEWORKS.get(op.name.partition(".")[0])
        if framework is not None and op.kind is not Kind.RESHAPE:
            return framework
    return "torch"
