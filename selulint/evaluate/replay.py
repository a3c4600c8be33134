"""Building and running the same block again: what the first time gave is copied, not evaluated anew.

Deep models are few blocks many times over. An object's construction is repeatable where it only made new objects; its
forward, where it only emitted ops. Whatever else it did (writing to something older, say) makes it run again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from selulint.evaluate.building import Draft
from selulint.evaluate.imports import is_block
from selulint.evaluate.likeness import Unrepeatable, key_of
from selulint.evaluate.limits import BudgetExhausted
from selulint.evaluate.values import (
    BASE,
    Array,
    BoundMethod,
    Builtin,
    ClassValue,
    Const,
    DictValue,
    Either,
    Formula,
    FunctionValue,
    Instance,
    Layer,
    ListValue,
    Module,
    ModuleAttribute,
    More,
    Mutable,
    Partial,
    Round,
    Size,
    Splice,
    Symbol,
    Tensor,
    TupleValue,
    Unknown,
    Value,
    next_serial,
)
from selulint.graph import Init, Lost, Place

if TYPE_CHECKING:
    from selulint.evaluate.calls import Arguments
    from selulint.evaluate.machine import Machine

# Copying this many objects or ops takes about as long as one step of evaluation.
_COPIES_PER_STEP = 4
# An object with more parts is built once; nothing is told about what is made of such objects.
_MAX_PARTS = 20_000
_ATOMS = frozenset(
    {
        Const,
        Symbol,
        Unknown,
        Formula,
        More,
        Round,
        Size,
        Builtin,
        ClassValue,
        Module,
        Init,
        Lost,
        bool,
        int,
        float,
        str,
        type(None),
    }
)


# The generation of what is never written to.
_ALWAYS = -1


@dataclass(slots=True, eq=False)
class Template:
    """An object as its constructor left it. `used` are the definitions that ran, `kept` keeps the key's objects alive."""

    original: Instance
    start: int
    used: frozenset[int]
    kept: Any
    runs: dict[Any, Run] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Run:
    """What one forward emitted: ops whose inputs count from `first`, below which they are the arguments' sources."""

    first: int
    inputs: tuple[tuple[int, ...], ...]
    ops: tuple[Draft, ...]
    layers: tuple[int, ...]
    addressed: frozenset[int]
    result: Value
    used: frozenset[int]
    kept: Any


@dataclass(slots=True, eq=False)
class Copied:
    """What ties an object to its template.

    `parts` leads from the template's objects (by id) to this object's own; of an object that was copied inside a larger one
    they are found when they are needed, through the `pairs` of that copying.
    """

    template: Template
    parts: dict[int, Any]
    generation: int
    origin: Copied | None = None
    pairs: dict[int, tuple[Any, Any]] = field(default_factory=dict)

    def own_parts(self) -> dict[int, Any]:
        if self.origin is not None:
            self.parts = {key: self.pairs[id(old)][1] for key, old in self.origin.own_parts().items()}
            self.origin = None
        return self.parts


def build(vm: Machine, cls: ClassValue, args: Arguments, place: Place, construct: Callable[[], Instance]) -> Instance:
    """An object of a class: a copy of one that was built from the same arguments, else a newly constructed one."""
    if vm.scopes:
        return construct()
    try:
        where = id(place.syntax) if is_block(cls.unit) else 0
        key = (id(cls), key_of(args), id(vm.chooser and vm.chooser.syntax), where)
    except Unrepeatable:
        return construct()
    if key in vm.templates:
        template = vm.templates[key]
        if template is None:
            raise BudgetExhausted
        vm.used |= template.used
        instance, pairs = _clone(template.original, template.start, _ALWAYS, vm.generation)
        _tie(instance, Copied(template, {key: new for key, (_, new) in pairs.items()}, vm.generation))
        vm.budget -= len(pairs) // _COPIES_PER_STEP
        instance.place = place
        base = instance.cells.get(BASE)
        if base is not None:
            base.place = base.symbol = base.made = (
                place  # a class that inherits from a layer is that layer, where it is made
            )
        vm.created.append(instance)
        return instance
    start, emitted = next_serial(), vm.builder.end
    outer_used, vm.used = vm.used, set()
    outer_oldest, vm.oldest_written = vm.oldest_written, start
    try:
        instance = construct()
        pure = vm.oldest_written >= start and vm.builder.end == emitted
        used = frozenset(vm.used)
    finally:
        vm.oldest_written = min(outer_oldest, vm.oldest_written)
        outer_used |= vm.used
        vm.used = outer_used
    if pure:
        try:
            original, pairs = _clone(instance, start, vm.generation, _ALWAYS)
        except Unrepeatable:
            return instance
        except BudgetExhausted:
            vm.templates[key] = None
            return instance
        template = vm.templates[key] = Template(original, start, used, (cls, args))
        _tie(instance, Copied(template, {id(new): old for old, new in pairs.values()}, vm.generation))
    return instance


def _tie(instance: Instance, copied: Copied) -> None:
    for part in copied.parts.values():
        part.tied = True
    instance.copied = copied


def run(vm: Machine, instance: Instance, args: Arguments, place: Place, evaluate: Callable[[], Value]) -> Value:
    """What calling an object gives: the ops that an object of the same template emitted, else those of evaluating it."""
    copied = instance.copied
    if copied is None or copied.generation != vm.generation or vm.chooser is not None or vm.scopes:
        return evaluate()
    tensors = [value for value in args.all if type(value) is Tensor]
    sources = [source for tensor in tensors for source in tensor.sources]
    if not tensors or len(set(sources)) != len(sources):
        return evaluate()
    try:
        key = (key_of(args, vm), id(place.syntax))
    except Unrepeatable:
        return evaluate()
    known = copied.template.runs.get(key)
    if known is not None:
        return _again(vm, known, copied, tensors)
    start, first = next_serial(), vm.builder.end
    promoted, created, generation = len(vm.builder.promoted), len(vm.created), vm.generation
    outer_used, vm.used = vm.used, set()
    outer_oldest, vm.oldest_written = vm.oldest_written, start
    try:
        result = evaluate()
        pure = vm.oldest_written >= start and len(vm.builder.promoted) == promoted and len(vm.created) == created
        used = frozenset(vm.used)
    finally:
        vm.oldest_written = min(outer_oldest, vm.oldest_written)
        outer_used |= vm.used
        vm.used = outer_used
    if pure and generation == vm.generation and not vm.builder.is_full:
        try:
            made = _record(vm, copied, first, tensors, result, used, (args, place))
        except Unrepeatable:
            return result
        copied.template.runs[key] = made
    return result


def _record(
    vm: Machine, copied: Copied, first: int, tensors: list[Tensor], result: Value, used: frozenset[int], kept: Any
) -> Run:
    ops = tuple(draft.copy(draft.inputs, draft.layer) for draft in vm.builder.ops[first - vm.builder.base :])
    inputs = tuple(tensor.sources for tensor in tensors)
    outside = {source for sources in inputs for source in sources}
    names = {id(mine): key for key, mine in copied.own_parts().items()}
    layers = []
    for draft in ops:
        if any(index < first and index not in outside for index in draft.inputs):
            raise Unrepeatable
        name = names.get(id(draft.layer), 0)
        if name == 0 and draft.layer is not None and draft.layer.serial >= copied.template.start:
            raise Unrepeatable
        layers.append(name)
    # A copy: callers may write into a list that they are given.
    own = _moved(result, {index: (index,) for index in (*outside, *range(first, first + len(ops)))})
    made = Run(first, inputs, ops, tuple(layers), frozenset(), own, used, kept)
    marked = (key for key, mine in copied.parts.items() if mine.cells.get("addressed"))
    return replace(made, addressed=frozenset(marked))


def _again(vm: Machine, known: Run, copied: Copied, tensors: list[Tensor]) -> Value:
    ops, parts = vm.builder.ops, copied.own_parts()
    base = vm.builder.end
    where: dict[int, tuple[int, ...]] = {known.first + number: (base + number,) for number in range(len(known.ops))}
    for old, tensor in zip(known.inputs, tensors, strict=True):
        where.update(dict.fromkeys(old[1:], ()))
        where[old[0]] = tensor.sources
    if not vm.builder.has_room(len(known.ops)):
        return vm.builder.overflow()
    for draft, layer in zip(known.ops, known.layers, strict=True):
        inputs = tuple(dict.fromkeys(source for index in draft.inputs for source in where[index]))
        mine = parts[layer] if layer else draft.layer
        ops.append(draft.copy(inputs, mine))
    for key in known.addressed:
        parts[key].cells["addressed"] = True
    vm.used |= known.used
    vm.budget -= len(known.ops) // _COPIES_PER_STEP + 1
    return _moved(known.result, where)


def _moved(value: Value, where: dict[int, tuple[int, ...]]) -> Value:
    """A forward's result with its tensors where the copied ops are."""
    match value:
        case Tensor(sources=sources):
            if any(source not in where for source in sources):
                raise Unrepeatable
            return Tensor(tuple(dict.fromkeys(each for source in sources for each in where[source])))
        case TupleValue(items=items):
            return TupleValue(tuple(_moved(item, where) for item in items))
        case ListValue():
            return ListValue.of([_moved(item, where) for item in value.items], open=value.open)
        case Const() | Unknown():
            return value
    raise Unrepeatable


def _clone(
    instance: Instance, start: int, generation: int, new_generation: int
) -> tuple[Instance, dict[int, tuple[Any, Any]]]:
    """A copy of an object and all that was made with it; the pairs (old, new) by the id of the old.

    Objects inside that are tied to templates of their own stay tied where they are of `generation`. Raises BudgetExhausted
    for more parts than anybody may copy.
    """
    pairs: dict[int, tuple[Any, Any]] = {}
    copies: dict[int, Any] = {}  # what shares parts goes on sharing them

    def copy(value: Any) -> Any:
        kind = type(value)
        if kind in _ATOMS:
            return value
        if isinstance(value, Mutable):
            return copy_mutable(value, kind)
        if id(value) not in copies:
            copies[id(value)] = copy_immutable(value, kind)
        return copies[id(value)]

    def copy_immutable(value: Any, kind: type) -> Any:
        if kind is tuple:
            return tuple([copy(each) for each in value])
        if kind is TupleValue:
            return TupleValue(copy(value.items))
        if kind is Either:
            return Either(copy(value.options))
        if kind is Splice:
            return Splice(copy(value.options))
        if kind is Partial:
            return Partial(
                copy(value.function), copy(value.args), {name: copy(v) for name, v in value.keywords.items()}
            )
        if kind is BoundMethod:
            method = value.method if isinstance(value.method, str) else copy(value.method)
            return BoundMethod(copy(value.receiver), method, value.place)
        if kind is ModuleAttribute:
            return ModuleAttribute(copy(value.owner), value.name)
        if kind is FunctionValue and value.scope.serial < start:
            return value
        raise Unrepeatable

    def copy_mutable(value: Any, kind: type) -> Any:
        if value.serial < start:
            return value
        if id(value) in pairs:
            return pairs[id(value)][1]
        new: Any
        if kind is Instance:
            new = Instance(cls=value.cls, place=value.place)
            tie = value.copied
            if tie is not None and tie.generation == generation:
                new.copied = Copied(tie.template, {}, new_generation, tie, pairs)
        elif kind is Layer:
            args = {name: copy(each) for name, each in value.args.items()}
            new = Layer({}, next_serial(), value.name, value.spec, args, value.place, value.symbol, value.chooser)
            new.label, new.made = value.label, value.made
        elif kind is Array:
            new = Array(shape=copy(value.shape), base=copy(value.base), trained=value.trained)
        elif kind is ListValue or kind is DictValue:
            new = kind(open=value.open)
        else:
            raise Unrepeatable
        pairs[id(value)] = (value, new)
        if len(pairs) > _MAX_PARTS:
            raise BudgetExhausted
        new.cells = {key: copy(each) for key, each in value.cells.items()}
        return new

    return copy(instance), pairs
