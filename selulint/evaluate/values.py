"""Abstract values: what an expression of model-building code may evaluate to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from selulint.evaluate.limits import MAX_ITEMS
from selulint.frameworks import Spec
from selulint.graph import Init, Place

_SERIALS = count(1)


def next_serial() -> int:
    return next(_SERIALS)


class Value:
    """Base of all abstract values. None is frozen, though only `Mutable` ones are written: that takes twice the time."""

    __slots__ = ()


@dataclass(slots=True, eq=False)
class Unknown(Value):
    """What the evaluator cannot tell, and why. `parameter` marks an argument of the code being looked at itself."""

    reason: str
    parameter: bool = False


@dataclass(slots=True, eq=False)
class More(Unknown):
    """Stands in a sequence for any number of items that nobody knows."""

    reason: str = "items that are not known"


@dataclass(slots=True, eq=False)
class Round(Unknown):
    """What a loop of unknown length counts: `index` in its first round; that of the second stands for all that follow."""

    index: int = 0
    is_first: bool = False

    def samples(self, near: int) -> tuple[int, ...]:
        """Numbers among which every answer to a comparison with `near` can be found."""
        return (self.index,) if self.is_first else (self.index, max(near, self.index), max(near, self.index) + 1)


# What gives the number that a value stands for in some possible world; None for what is no number.
Number = Callable[[Any], float | None]


@dataclass(slots=True, eq=False)
class Formula(Unknown):
    """A number that hangs on unknown ones: what computes it from the numbers of a possible world (see `numbers`)."""

    compute: Callable[[Number], float | None] = lambda number: None
    depth: int = 1
    operands: tuple[Value, ...] = ()


@dataclass(slots=True, eq=False)
class Const(Value):
    """A Python constant and where it is spelled.

    `assumed` is the default of a parameter that callers may override, `omitted` one that a call of the file's own leaves
    alone, or what such a default decides; `chooser` is the place of the assumed string that decided a comparison; `origin`
    names the gain that `calculate_gain` was asked for.
    """

    value: Any
    place: Place | None = None
    assumed: bool = False
    chooser: Place | None = None
    origin: str = ""
    omitted: bool = False


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
class Size(TupleValue):
    """The shape of a parameter: what makes a tensor of a tuple's numbers makes one of this shape of it."""


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
    """A value with cells that evaluation may write; writes are journalled so that branches can be joined.

    `tied` says that there may be copies which are taken to behave alike (see `replay`).
    """

    cells: dict[str, Any] = field(default_factory=dict)
    serial: int = field(default_factory=next_serial)
    tied: bool = field(default=False, kw_only=True)


@dataclass(slots=True, eq=False)
class ListValue(Mutable):
    """A list or set; the cell `items` is a tuple. `open` means that its real length is unknown."""

    open: bool = False

    @classmethod
    def of(cls, items: Iterable[Value], open: bool = False) -> ListValue:
        kept = tuple(items)
        if len(kept) > MAX_ITEMS:
            kept, open = kept[:MAX_ITEMS], True
        return cls({"items": kept}, open=open)

    @property
    def items(self) -> tuple[Value, ...]:
        items: tuple[Value, ...] = self.cells["items"]
        return items


@dataclass(slots=True, eq=False)
class DictValue(Mutable):
    """A dict with constant keys; `open` means that it may hold keys nobody knows.

    `outside` says that only callers from outside the file may put them there, as with the `**kwargs` of an entry point;
    `fed` that they put a model's inputs there.
    """

    open: bool = False
    outside: bool = False
    fed: bool = False

    @property
    def entries(self) -> dict[Any, Value]:
        return self.cells


@dataclass(slots=True, eq=False)
class Scope(Mutable):
    """Names of one call or of the module; `branches` are those of unknown conditions around the call."""

    parent: Scope | None = None
    unit: Any = None
    returns: list[Value] = field(default_factory=list)
    yields: list[Value] = field(default_factory=list)
    owner: ClassValue | None = None
    instance: Value | None = None
    globals: frozenset[str] = frozenset()
    branches: int = 0


@dataclass(slots=True, eq=False)
class Module(Scope):
    """The names of one file, evaluated when somebody asks for them; `file` is None for a directory of modules.

    `position` is the statement up to which names have been bound: a name means its last binding before that.
    """

    path: str = ""
    file: Any = None
    position: int = -1
    loading: set[int] = field(default_factory=set)


@dataclass(slots=True, eq=False)
class Imported(Value):
    """A name that another file of the project defines: what it means is found out when it is looked up."""

    dotted: str
    path: str
    names: tuple[str, ...]


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
        return getattr(self.node, "name", "<lambda>")

    @property
    def parameters(self) -> tuple[list[str], frozenset[str], str, str]:
        """Names of what may be positional, of all that keywords may bind, of `*args` and of `**kwargs` ("" for none)."""
        if self._parameters is None:
            params = self.node.args
            names = [param.arg for param in (*params.posonlyargs, *params.args)]
            keywords = frozenset((*names, *(param.arg for param in params.kwonlyargs)))
            star, stars = params.vararg, params.kwarg
            self._parameters = (names, keywords, star.arg if star else "", stars.arg if stars else "")
        return self._parameters


@dataclass(slots=True, eq=False)
class Array(Mutable):
    """Numbers that the program makes itself, such as a weight that belongs to no layer.

    Cells: `mean` and `std` of its elements (numbers as values) and `init`, what wrote them last; its gain is told where
    the array is used. `base` is what a view shows a part of; `trained` marks a parameter.
    """

    shape: tuple[Value, ...] | None = None
    base: Value | None = None
    trained: bool = False


@dataclass(slots=True, eq=False)
class ClassValue(Mutable):
    node: Any = None
    unit: Any = None
    bases: tuple[Value, ...] = ()
    _order: list[Value] = field(default_factory=list)

    @property
    def name(self) -> str:
        name: str = self.node.name
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
        stack: list[tuple[Value, bool]] = [(self, False)]
        while stack:
            value, is_done = stack.pop()
            if is_done:
                order.append(value)
            elif id(value) not in seen:
                seen.add(id(value))
                stack.append((value, True))
                stack.extend((base, False) for base in (value.bases if isinstance(value, ClassValue) else ()))
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


# The cell of a class that holds its metaclass, where it names one.
METACLASS = "metaclass"
# The cell in which an object of a class that inherits from a layer (`nn.Linear`) keeps that layer.
BASE = "base layer"


@dataclass(slots=True, eq=False)
class Instance(Mutable):
    """An object of a class that the file defines."""

    cls: ClassValue = None  # type: ignore[assignment]
    place: Place | None = None
    copied: Any = None


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
    made: Place | None = None

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
