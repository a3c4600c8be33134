"""The graph of one model: typed ops in order, data-flow edges, bound arguments, initialisation, and source places."""

from __future__ import annotations

from ast import AST
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

from selulint.diagnostic import Span


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


@dataclass(slots=True, eq=False)
class Place:
    """Where something is spelled: a syntax node and the statement that holds it. The span is computed when asked for.

    `syntax` is a node of Python's own tree; fixes, which ask for `node`, get LibCST's in its place, and make places of these.
    Not frozen, because evaluation makes one for every expression and most are never looked at.
    """

    syntax: Any
    unit: Unit

    @property
    def node(self) -> Any:
        """LibCST's node. Raises Refused where LibCST cannot read the statement."""
        return self.unit.counterpart(self.syntax) if isinstance(self.syntax, AST) else self.syntax

    @property
    def span(self) -> Span:
        return self.unit.span(self.syntax)

    @property
    def text(self) -> str:
        span = self.span
        text: str = self.unit.file.source.text[span.start : span.end]
        return text

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
    """

    name: str
    gain: float | None
    default: bool
    place: Place | None
    args: Mapping[str, Any] = field(default_factory=dict)
    gain_out: float | None = None
    source: int = 0


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
    expression that makes it (constructor or functional call, a string literal for Keras); `symbol` the expression that
    spells the framework's name; `call` where it is applied; `layer` the identity of the layer object (shared instances
    have one). `args` holds the bound arguments that are constants. `chooser` is the default value (a string) that
    selected this op out of several. `rivals` are the functions that run instead of it on a condition nobody knows.
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

    @property
    def framework(self) -> str:
        """What to call the framework of a layer whose defaults it has."""
        package = self.name.partition(".")[0]
        return FRAMEWORKS.get(package, "the framework")

    @property
    def title(self) -> str:
        """The name to say to the user: the attribute it is stored under, else how it is spelled."""
        if self.label:
            return self.label
        if self.place is None:
            return self.name.rpartition(".")[2]
        text = " ".join(self.place.text.split())
        if len(text) > _LONGEST_TITLE and self.symbol is not None and text.startswith(f"{self.symbol.text}("):
            return f"{self.symbol.text}(...)"
        return text


# Between a layer and its activation these keep "what feeds what" true.
TRANSPARENT = frozenset({Kind.NORM, Kind.DROPOUT, Kind.POOL, Kind.RESHAPE})
_LAYERS = TRANSPARENT | {Kind.PARAMETRIC}
PASSING_MERGES = frozenset({"add", "concat", "average", "subtract"})
# Layers whose units are weighted sums and nothing else: no recurrence, no attention, no table.
WEIGHTED_SUMS = frozenset(
    ("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
    + ("depthwise_conv1d", "depthwise_conv2d", "separable_conv1d", "separable_conv2d")
)
GLOBAL_POOLS = frozenset({"global_avg_pool", "global_max_pool", "mean", "sum"})
_STARTS = frozenset({Kind.INPUT, Kind.ACTIVATION, Kind.OPAQUE})


def ends_chain(op: Op) -> bool:
    """Whether an op pools whole feature maps, behind which a head begins; an adaptive pool that leaves some size does not."""
    left = op.args.get("output_size", 1)
    sizes = left if isinstance(left, tuple | list) else (left,)
    return op.kind is Kind.POOL and op.function in GLOBAL_POOLS and not any(isinstance(n, int) and n > 1 for n in sizes)


def _is_start(op: Op) -> bool:
    """Whether a tensor comes from here as far as sums are concerned: an input or a part of one, an activation's output."""
    return op.kind in _STARTS or op.function in ("index", "split")


def _is_term(op: Op) -> bool:
    """Whether an op is a term of the sum behind it: neither a sum itself nor a mere move of values."""
    is_move = op.kind is Kind.RESHAPE and not _is_start(op)
    return not is_move and not (op.kind is Kind.MERGE and op.function == "add")


@dataclass(eq=False, slots=True)
class Model:
    """One model as the evaluator understood it: ops in order of evaluation, outputs, and who builds it.

    `owner` is the class or the expression that builds the model, `init` the `__init__` to which an initialisation can be
    appended, `part` says that another model of the file contains it, `trained` that the file shows trained weights.
    `unfinished` says that it was too much to evaluate and has no ops.
    `rescaled` are the places outside of models where the file brings data into [0, 1], if it does not standardise them and
    all its models are SELU models.
    `component` lists all models of the file that share a source place with this one, itself included; `targets` are the
    ops whose output the file trains towards targets (a Keras model that is compiled).
    `assumed` are names that nothing in the file binds and that were taken for what everybody calls so (`nn`, `F`, `tf`).
    """

    name: str
    framework: str
    ops: tuple[Op, ...]
    outputs: frozenset[int]
    file: Any
    owner: Place | None = None
    init: Place | None = None
    part: bool = False
    trained: bool = False
    unfinished: bool = False
    rescaled: tuple[Span, ...] = ()
    component: tuple[Model, ...] = ()
    targets: frozenset[int] = frozenset()
    assumed: tuple[str, ...] = ()
    _users: dict[int, list[Op]] = field(default_factory=dict, repr=False)
    _fed_by_input: set[int] = field(default_factory=set, repr=False)
    _hidden: dict[int, bool] = field(default_factory=dict, repr=False)
    _unknown_users: dict[int, bool] = field(default_factory=dict, repr=False)

    def of(self, kind: Kind, *functions: str) -> Iterator[Op]:
        """The ops of a kind (and, where given, of these functions) in order."""
        return (op for op in self.ops if op.kind is kind and (not functions or op.function in functions))

    def inputs(self, op: Op) -> list[Op]:
        return [self.ops[index] for index in op.inputs]

    def users(self, op: Op) -> list[Op]:
        if not self._users:
            for user in self.ops:
                for index in dict.fromkeys(user.inputs):
                    self._users.setdefault(index, []).append(user)
        return self._users.get(op.index, [])

    def _meets_unknown(self, op: Op) -> bool:
        """Whether something that is not understood reads an op."""
        if op.index not in self._unknown_users:
            self._unknown_users[op.index] = any(user.kind is Kind.OPAQUE for user in self.users(op))
        return self._unknown_users[op.index]

    def upstream(self, op: Op, through: frozenset[Kind] = TRANSPARENT, merges: bool = False) -> list[Op]:
        """The nearest ops before `op` that are not of the kinds in `through` (nor, with `merges`, additive merges)."""
        return self._nearest(op, self.inputs, through, merges)

    def downstream(self, op: Op, through: frozenset[Kind] = TRANSPARENT, merges: bool = False) -> list[Op]:
        """The nearest ops after `op`, as in `upstream`."""
        return self._nearest(op, self.users, through, merges)

    def _nearest(self, op: Op, step: Any, through: frozenset[Kind], merges: bool, modules: bool = False) -> list[Op]:
        found: list[Op] = []
        seen: set[int] = set()
        stack = list(step(op))
        while stack:
            near = stack.pop()
            if near.index in seen:
                continue
            seen.add(near.index)
            passes = near.kind in through or (merges and near.kind is Kind.MERGE and near.function in PASSING_MERGES)
            if passes or (modules and near.kind is Kind.OPAQUE and near.args.get("module")):
                stack.extend(step(near))
            else:
                found.append(near)
        return sorted(found, key=lambda near: near.index)

    def is_hidden(self, op: Op) -> bool:
        """A hidden activation: a parametric layer feeds it, it feeds a parametric layer, and it only gates nothing."""
        if op.index not in self._hidden:
            # The last ones first: whether one is hidden may hang on the next.
            for each in reversed([*self.of(Kind.ACTIVATION), op]):
                self._hidden[each.index] = self._is_hidden(each)
        return self._hidden[op.index]

    def _is_hidden(self, op: Op) -> bool:
        # A module that nobody knows (somebody's own dropout or norm) does not hide what it stands between.
        before = self._nearest(op, self.inputs, TRANSPARENT, merges=True, modules=True)
        if any(self._leaves(near) for near in self.inputs(op)) or self._fuses(op):
            return False
        if not any(near.kind is Kind.PARAMETRIC and self.reads_input(near) for near in before):
            return False
        reached = self._nearest(op, self.users, TRANSPARENT, merges=True, modules=True)
        after = [near for near in reached if near.kind is Kind.PARAMETRIC]
        if any(not self.feeds_gate(near) for near in after):
            return True
        # What ends a branch is inside the model even where the same activation behind the sum is its end.
        again = [near for near in reached if near.kind is Kind.ACTIVATION and near.function == op.function]
        if not again:
            return False
        direct = self._nearest(op, self.users, TRANSPARENT, merges=False, modules=True)
        return any(self._hidden.get(near.index, False) or near not in direct for near in again)

    def _leaves(self, op: Op) -> bool:
        """Whether a layer's own output is already a result, beside what an activation makes of it (FPN's extra levels)."""
        escapes = op.index in self.outputs or self._meets_unknown(op)
        return op.kind is Kind.PARAMETRIC and escapes

    def _fuses(self, op: Op) -> bool:
        """Whether `op` stands behind a sum that fuses feature maps (HRNet): one of the terms comes as it is, and no other
        starts from it or from what it is made of, as the branches of a residual block do.
        """
        sums = self.upstream(op)
        if len(sums) != 1 or sums[0].kind is not Kind.MERGE or sums[0].function != "add":
            return False
        terms = [near for near in self._back(sums[0], _is_term) if self.reads_input(near)]
        return len(terms) > 1 and any(_is_start(term) and self._is_apart(term, terms) for term in terms)

    def _is_apart(self, term: Op, terms: list[Op]) -> bool:
        above = {near.index for near in (term, *self._back(term))}
        others = [other for other in terms if other is not term]
        starts = [near for other in others for near in ([other] if _is_start(other) else self._back(other, _is_start))]
        reached = {near.index for other in others for near in self._back(other)}
        return term.index not in reached and not any(near.index in above for near in starts)

    def _back(self, op: Op, stops: Callable[[Op], bool] | None = None) -> list[Op]:
        """All ops before `op`; with `stops`, the first ones on each way back for which it holds."""
        found: dict[int, Op] = {}
        seen: set[int] = set()
        stack = self.inputs(op)
        while stack:
            near = stack.pop()
            if near.index in seen:
                continue
            seen.add(near.index)
            if stops is None or stops(near):
                found[near.index] = near
            if stops is None or not stops(near):
                stack.extend(self.inputs(near))
        return list(found.values())

    def feeds_gate(self, op: Op) -> bool:
        """Whether all that `op` computes only multiplies another tensor: squeeze-and-excitation, attention maps."""
        after = self.downstream(op, TRANSPARENT | {Kind.ACTIVATION, Kind.OPAQUE}, merges=True)
        return bool(after) and all(
            near.kind is Kind.MERGE and near.function == "multiply" and len(near.inputs) > 1 for near in after
        )

    def reads_input(self, op: Op) -> bool:
        """Whether data of the model's own inputs reaches `op` (a buffer or a table does not count)."""
        if not self._fed_by_input:
            for each in self.ops:
                is_input = each.kind is Kind.INPUT and not each.args.get("unknown")
                if is_input or any(index in self._fed_by_input for index in each.inputs):
                    self._fed_by_input.add(each.index)
        return op.index in self._fed_by_input

    def activations_before(self, op: Op, merges: bool = True) -> list[Op]:
        """The activations whose output reaches `op` through layers and what is transparent (and additive merges)."""
        before = self.upstream(op, _LAYERS, merges)
        return [near for near in before if near.kind is Kind.ACTIVATION]

    def activations_after(self, op: Op, merges: bool = True) -> list[Op]:
        """The activations that the output of `op` reaches, as in `activations_before`."""
        after = self.downstream(op, _LAYERS, merges)
        return [near for near in after if near.kind is Kind.ACTIVATION]

    def behind_norm(self, op: Op) -> bool:
        """Whether on the way from `op` to its next activation a norm hides its initialisation."""
        return any(near.kind is Kind.NORM for near in self.downstream(op, TRANSPARENT - {Kind.NORM}))

    def beside_norm(self, op: Op) -> bool:
        """Whether a norm stands right before or right behind `op`."""
        through = TRANSPARENT - {Kind.NORM}
        return any(near.kind is Kind.NORM for near in (*self.upstream(op, through), *self.downstream(op, through)))

    def fed(self, op: Op, function: str) -> list[Op]:
        """The activations `function` that `op` feeds with no norm in between, if nothing else may run in their place."""
        after = self.downstream(op, TRANSPARENT - {Kind.NORM})
        return [
            near for near in after if near.kind is Kind.ACTIVATION and near.function == function and not near.rivals
        ]
