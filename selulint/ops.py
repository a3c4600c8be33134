"""The nouns of a graph: one operation on tensors, the initialisation of its parameters, and where each is spelled."""

from __future__ import annotations

from ast import AST
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

from selulint.diagnostic import Refused, Span


class Kind(Enum):
    """What an op does to a tensor, as far as its statistics care."""

    INPUT = "input"
    PARAMETRIC = "parametric"
    ACTIVATION = "activation"
    NORM = "norm"
    DROPOUT = "dropout"
    POOL = "pool"
    MERGE = "merge"
    RESHAPE = "reshape"
    SCALE = "scale"
    OPAQUE = "opaque"


class Unit(Protocol):
    """One top-level statement of a file; knows where each of its nodes stands (see `syntax.lazy`)."""

    file: Any

    def span(self, node: Any) -> Span: ...

    def ancestors(self, node: Any) -> tuple[Any, ...]: ...

    def counterpart(self, node: Any) -> Any: ...

    def is_default(self, node: Any) -> bool: ...

    def is_scoped(self, node: Any) -> bool: ...

    def named_in(self, node: Any) -> Span | None: ...

    def are_together(self, node: Any, other: Any) -> bool: ...


@dataclass(slots=True, eq=False)
class Place:
    """Where something is spelled: a syntax node and the statement that holds it. The span is computed when asked for.

    `syntax` is a node of Python's own tree; fixes, which ask for `node`, get LibCST's in its place, and make places of these.
    Not frozen, because evaluation makes one for every expression and most are never looked at.
    `inside` marks what a ready-made block is made of: it stands where the block is called, and no fix can edit it there.
    """

    syntax: Any
    unit: Unit
    inside: bool = False

    @property
    def node(self) -> Any:
        """LibCST's node. Raises Refused where LibCST cannot read the statement, and for what is inside a block."""
        if self.inside:
            raise Refused(f"it is a part of `{self.callee}`")
        return self.unit.counterpart(self.syntax) if isinstance(self.syntax, AST) else self.syntax

    @property
    def span(self) -> Span:
        return self.unit.span(self.syntax)

    @property
    def text(self) -> str:
        span = self.span
        text: str = self.unit.file.source.text[span.start : span.end]
        return text

    @property
    def callee(self) -> str:
        """The last name of what a call calls."""
        return self.text.partition("(")[0].rpartition(".")[2].strip()

    @property
    def is_default(self) -> bool:
        """Whether it is, or is part of, the default value of a parameter."""
        return self.unit.is_default(self.syntax)

    @property
    def is_scoped(self) -> bool:
        """Whether an `arg_scope` sets it for the calls inside it."""
        return self.unit.is_scoped(self.syntax)

    def is_named_for(self, use: Place) -> bool:
        """Whether an assignment gives it a name by which `use` may know it, without anybody passing it on."""
        scope = self.unit.named_in(self.syntax)
        return scope is not None and self.unit.file is use.unit.file and scope.start <= use.span.start < scope.end

    def is_passed_with(self, other: Place) -> bool:
        """Whether both are arguments of one call, as a class and what it shall be called with are in a partial."""
        return self != other and self.unit.are_together(self.syntax, other.syntax)

    def encloses(self, other: Place) -> bool:
        """Whether another place lies inside this one, or is the same."""
        outer, inner = self.span, other.span
        return other.unit is self.unit and outer.start <= inner.start and inner.end <= outer.end

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Place) and other.syntax is self.syntax

    def __hash__(self) -> int:
        return id(self.syntax)


@dataclass(frozen=True, slots=True)
class Init:
    """The initialisation in force of one parameter.

    `gain` is tau = fan_in * Var(w) as one unit sees it, None where it is unknown. `name` is the initialiser's last name
    component ("xavier_uniform_", "he_normal"), "default" for the framework's own, "loaded" where trained weights took its
    place, "unknown" where it cannot be told.
    `gain_out` is fan_out * Var(w), told only where the gain does not fit: 1 where somebody took the wrong fan.
    `place` is the expression that spells it (a call for PyTorch, the argument's value for Keras), None for a default.
    `source` is the identity of the object that draws the same numbers each time (Keras), 0 where every layer has its own.
    `chooser` is the default value (a string) that selected it among several, `caller` the call by which this file reaches
    an initialiser that another file spells; it then is the `place` too.
    """

    name: str
    gain: float | None
    default: bool
    place: Place | None
    args: Mapping[str, Any] = field(default_factory=dict)
    gain_out: float | None = None
    source: int = 0
    chooser: Place | None = None
    caller: Place | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """An initialisation that somebody asks for and that a layer does not get.

    `cause` is "derived" (written to a weight that is computed from other parameters), "overwritten" (by the next one, in
    the same constructor) or "early" (applied before the layer is made). `place` is where the finding belongs, `by` what
    overwrites, or what initialises too early.
    """

    init: Init
    place: Place
    cause: str
    by: Place | None = None


@dataclass(frozen=True, slots=True)
class Handwritten:
    """A SELU that is spelled out: its constants, and the variance at which they settle (None where they diverge).

    `overflows` says that its gradient is NaN for large inputs; `parts` are the ops it is made of, the outermost first.
    """

    scale: float
    alpha: float
    variance: float | None
    overflows: bool
    parts: tuple[Op, ...] = field(repr=False)


# An expression that is longer is told by the name of what it calls.
_LONGEST_TITLE = 60
FRAMEWORKS = {
    "torch": "PyTorch",
    "keras": "Keras",
    "tensorflow": "TensorFlow",
    "flax": "Flax",
    "haiku": "Haiku",
    "equinox": "Equinox",
    "jax": "JAX",
}


@dataclass(frozen=True, slots=True)
class Op:
    """One operation on tensors.

    `name` is the canonical framework name, `function` what it computes ("relu", "linear", "batch_norm"); `place` is the
    expression that makes it (constructor or functional call, a string literal for Keras), or what that call goes by where
    it is spelled elsewhere (a class that is passed around), and `made` the call; `symbol` the expression that spells the
    framework's name; `call` where it is applied; `layer` the identity of the layer object (shared instances have one).
    `args` holds the bound arguments that are constants. `chooser` is the default value (a string) that selected this op
    out of several. `rivals` are the functions that run instead of it on a condition nobody knows.
    `spelled` tells where constant arguments are written; `addressed` that code elsewhere reads the layer's parameters.
    `constraints` name what recomputes or holds down the weight, and where; `lost` are initialisations that do not reach it.
    `handwritten` marks an expression that was meant as a SELU; one with the right constants is the activation "selu".
    """

    index: int
    kind: Kind
    name: str
    function: str
    inputs: tuple[int, ...]
    place: Place | None = None
    symbol: Place | None = None
    call: Place | None = None
    made: Place | None = None
    layer: int = 0
    label: str = ""
    args: Mapping[str, Any] = field(default_factory=dict)
    weight: Init | None = None
    bias: Init | None = None
    fan_in: float | None = None
    fan_out: float | None = None
    chooser: Place | None = None
    rivals: frozenset[str] = frozenset()
    spelled: Mapping[str, Place] = field(default_factory=dict)
    addressed: bool = False
    constraints: tuple[tuple[str, Place], ...] = ()
    lost: tuple[Lost, ...] = ()
    handwritten: Handwritten | None = None

    def site(self, place: Place | None) -> Place | None:
        """Where a finding about what `place` spells for this op stands: there, or at the call that makes the op of it."""
        if place is None or self.made is None or self.made.encloses(place) or place.is_scoped:
            return place
        return place if self.symbol is not None and place.is_passed_with(self.symbol) else self.made

    @property
    def seat(self) -> Place | None:
        """Where a finding about the op itself stands: as `site`, but at the default of a parameter where that decides.

        An activation that is handed on, or is one of a table, is somebody's choice there.
        """
        place, made = self.place, self.made
        if place is None or made is None or place.is_default:
            return place
        if self.kind is Kind.ACTIVATION and not place.is_named_for(made):
            return place
        return self.site(place)

    @property
    def framework(self) -> str:
        """What to call the framework of a layer whose defaults it has."""
        package = self.name.partition(".")[0]
        return FRAMEWORKS.get(package, "the framework")

    @property
    def title(self) -> str:
        """The name to say to the user: the attribute it is stored under, else how it is spelled."""
        last = self.name.rpartition(".")[2]
        if self.place is not None and self.place.inside:
            return f"{self.label or last} of {self.place.callee}"
        if self.label:
            return self.label
        if self.place is None:
            return last
        text = " ".join(self.place.text.split())
        if len(text) > _LONGEST_TITLE and self.symbol is not None and text.startswith(f"{self.symbol.text}("):
            return f"{self.symbol.text}(...)"
        return text
