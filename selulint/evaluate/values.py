"""Abstract values: what an expression of model-building code may evaluate to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from selulint.frameworks import Spec
from selulint.graph import Init, Place

_SERIALS = count(1)
MAX_OPTIONS = 8


def next_serial() -> int:
    return next(_SERIALS)


class Value:
    """Base of all abstract values.

    They are not frozen, though only `Mutable` ones are ever written: creating a frozen one takes twice the time, and a
    large file creates a million.
    """

    __slots__ = ()


@dataclass(slots=True, eq=False)
class Unknown(Value):
    """What the evaluator cannot tell, and why. `parameter` marks an argument of the code being looked at itself."""

    reason: str
    parameter: bool = False


@dataclass(slots=True, eq=False)
class Const(Value):
    """A Python constant and where it is spelled.

    `assumed` is the default of a parameter that callers may override; `chooser` is the place of the assumed string that
    decided a comparison; `origin` names the gain that `calculate_gain` was asked for.
    """

    value: Any
    place: Place | None = None
    assumed: bool = False
    chooser: Place | None = None
    origin: str = ""


@dataclass(slots=True, eq=False)
class Symbol(Value):
    """A name of a framework or another package by its canonical dotted name."""

    name: str
    place: Place | None = None
    chooser: Place | None = None


@dataclass(slots=True, eq=False)
class Tensor(Value):
    """An abstract tensor: the ops that may have produced it (several where branches joined)."""

    sources: tuple[int, ...]


@dataclass(slots=True, eq=False)
class Shape(Value):
    """The shape of a tensor, of which at most the last size is known."""

    last: int | None = None


@dataclass(slots=True, eq=False)
class TupleValue(Value):
    items: tuple[Value, ...]


@dataclass(slots=True, eq=False)
class Splice(Value):
    """Inside a sequence: one of several runs of items, depending on a condition nobody knows."""

    options: tuple[tuple[Value, ...], ...]


@dataclass(slots=True, eq=False)
class Either(Value):
    """One of several values, depending on a condition nobody knows."""

    options: tuple[Value, ...]


@dataclass(slots=True, eq=False)
class Partial(Value):
    function: Value
    args: tuple[Value, ...]
    keywords: dict[str, Value]


@dataclass(slots=True, eq=False)
class BoundMethod(Value):
    """A method of a value: a user function, or the name of a method that the evaluator implements."""

    receiver: Value
    method: FunctionValue | str
    place: Place | None = None


@dataclass(slots=True, eq=False)
class Builtin(Value):
    name: str


@dataclass(slots=True, eq=False)
class Super(Value):
    instance: Value
    after: ClassValue


@dataclass(slots=True, eq=False)
class ModuleAttribute(Value):
    """`layer.weight` as a handle: what initialisers write to."""

    owner: Layer
    name: str


@dataclass(slots=True, eq=False)
class Mutable(Value):
    """A value with cells that evaluation may write; writes are journalled so that branches can be joined."""

    cells: dict[str, Any] = field(default_factory=dict)
    serial: int = field(default_factory=next_serial)


@dataclass(slots=True, eq=False)
class ListValue(Mutable):
    """A list or set; the cell `items` is a tuple. `open` means that its real length is unknown."""

    open: bool = False

    @classmethod
    def of(cls, items: Iterable[Value], open: bool = False) -> ListValue:
        return cls({"items": tuple(items)}, open=open)

    @property
    def items(self) -> tuple[Value, ...]:
        items: tuple[Value, ...] = self.cells["items"]
        return items


@dataclass(slots=True, eq=False)
class DictValue(Mutable):
    """A dict with constant keys; `open` means that it may hold keys nobody knows.

    `outside` says that only callers from outside the file may put them there, as with the `**kwargs` of an entry point.
    """

    open: bool = False
    outside: bool = False

    @property
    def entries(self) -> dict[Any, Value]:
        return self.cells


@dataclass(slots=True, eq=False)
class Scope(Mutable):
    """Names of one call or of the module."""

    parent: Scope | None = None
    unit: Any = None
    returns: list[Value] = field(default_factory=list)
    yields: list[Value] = field(default_factory=list)
    owner: ClassValue | None = None
    instance: Value | None = None
    globals: frozenset[str] = frozenset()


@dataclass(slots=True, eq=False)
class FunctionValue(Value):
    node: Any
    unit: Any
    scope: Scope
    defaults: dict[str, Value]
    owner: ClassValue | None = None
    decorators: frozenset[str] = frozenset()
    _parameters: tuple[list[str], frozenset[str], str, str] | None = None

    @property
    def name(self) -> str:
        name = getattr(self.node, "name", None)
        return name.value if name is not None else "<lambda>"

    @property
    def parameters(self) -> tuple[list[str], frozenset[str], str, str]:
        """Names of what may be positional, of all that keywords may bind, of `*args` and of `**kwargs` ("" for none)."""
        if self._parameters is None:
            params = self.node.params
            names = [param.name.value for param in (*params.posonly_params, *params.params)]
            keywords = frozenset((*names, *(param.name.value for param in params.kwonly_params)))
            star = getattr(getattr(params.star_arg, "name", None), "value", "")  # a bare `*` has no name
            self._parameters = (names, keywords, star, params.star_kwarg.name.value if params.star_kwarg else "")
        return self._parameters


@dataclass(slots=True, eq=False)
class ClassValue(Mutable):
    node: Any = None
    unit: Any = None
    bases: tuple[Value, ...] = ()
    _order: list[Value] = field(default_factory=list)

    @property
    def name(self) -> str:
        name: str = self.node.name.value
        return name

    def mro(self) -> list[Value]:
        """The order of look-up, each base behind all classes that inherit from it; a class that inherits from itself ends."""
        if not self._order:
            self._order = self._linearised()
        return self._order

    def _linearised(self) -> list[Value]:
        # Reverse postorder is what Python computes wherever the bases stand in a consistent order.
        seen: set[int] = set()
        order: list[Value] = []

        def visit(value: Value) -> None:
            if id(value) in seen:
                return
            seen.add(id(value))
            for base in reversed(value.bases) if isinstance(value, ClassValue) else ():
                visit(base)
            order.append(value)

        visit(self)
        return order[::-1]

    def find(self, name: str, after: ClassValue | None = None) -> Value | None:
        """The class attribute `name` along the linearisation, starting behind `after` where given."""
        order = self.mro()
        if after is not None and after in order:
            order = order[order.index(after) + 1 :]
        for base in order:
            if isinstance(base, ClassValue) and name in base.cells:
                found: Value = base.cells[name]
                return found
        return None


@dataclass(slots=True, eq=False)
class Instance(Mutable):
    """An object of a class that the file defines."""

    cls: ClassValue = None  # type: ignore[assignment]
    place: Place | None = None


@dataclass(slots=True, eq=False)
class Layer(Mutable):
    """A framework object: layer, activation, container, optimiser. Cells: `items` of containers, `weight`/`bias` inits."""

    name: str = ""
    spec: Spec = None  # type: ignore[assignment]
    args: dict[str, Value] = field(default_factory=dict)
    place: Place | None = None
    symbol: Place | None = None
    chooser: Place | None = None
    label: str = ""

    def constant(self, argument: str) -> Any:
        """The constant bound to an argument, or None where it is unknown (or None itself)."""
        value = self.args.get(argument)
        return value.value if isinstance(value, Const) else None

    @property
    def is_container(self) -> bool:
        return self.spec.kind == "container"

    def init(self, name: str) -> Init | None:
        return self.cells.get(name)


@dataclass(slots=True, eq=False)
class HostFunction(Value):
    """A function that the evaluator itself provides (a method of a container, say)."""

    call: Callable[..., Value]


NONE = Const(None)


def same(left: Any, right: Any) -> bool:
    """Whether two values need no join: identical, or equal constants and symbols."""
    if left is right:
        return True
    if isinstance(left, Const) and isinstance(right, Const):
        return type(left.value) is type(right.value) and left.value == right.value and left.assumed == right.assumed
    if isinstance(left, Symbol) and isinstance(right, Symbol):
        return left.name == right.name and left.place == right.place
    return False


def join(values: Iterable[Any]) -> Any:
    """One value that stands for each of `values`: tensors merge, tuples join by position, the rest becomes Either."""
    options: list[Any] = []
    values = tuple(values)
    if len(values) == 1:
        return values[0]
    for value in values:
        for option in value.options if isinstance(value, Either) else (value,):
            if not any(same(option, seen) for seen in options):
                options.append(option)
    if len(options) == 1:
        return options[0]
    if options and all(isinstance(option, Init) or option is None for option in options):
        return Init("unknown", None, False, None)
    tensors = [option for option in options if isinstance(option, Tensor)]
    if len(tensors) > 1:
        merged = Tensor(tuple(dict.fromkeys(source for tensor in tensors for source in tensor.sources)))
        return join([merged, *(option for option in options if not isinstance(option, Tensor))])
    tuples = [option for option in options if isinstance(option, TupleValue)]
    if len(tuples) == len(options) and len({len(option.items) for option in tuples}) == 1:
        return TupleValue(tuple(join(column) for column in zip(*(option.items for option in tuples), strict=True)))
    if len(options) > MAX_OPTIONS:
        return Unknown("too many alternatives")
    return Either(tuple(options))


def join_items(runs: list[tuple[Value, ...]]) -> tuple[Value, ...]:
    """Join of the same list as several branches left it: the common head, then one splice of the differing tails."""
    head = 0
    while all(len(run) > head for run in runs) and all(same(run[head], runs[0][head]) for run in runs):
        head += 1
    tails = tuple(dict.fromkeys(run[head:] for run in runs))
    return runs[0][:head] + ((Splice(tails),) if len(tails) > 1 else ())


def flatten(items: Iterable[Value]) -> list[Value]:
    """Items with every splice laid flat, each option's items one after the other."""
    flat: list[Value] = []
    for item in items:
        if isinstance(item, Splice):
            for option in item.options:
                flat.extend(flatten(option))
        else:
            flat.append(item)
    return flat
