"""The graph while it is being built: ops are appended as tensors flow; layers give their initialisation at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from selulint.evaluate.order import LOST
from selulint.evaluate.parametrise import constraints
from selulint.evaluate.values import (
    Const,
    Either,
    Formula,
    Layer,
    ListValue,
    Splice,
    Tensor,
    TupleValue,
    Unknown,
    Value,
)
from selulint.graph import Init, Kind, Lost, Op, Place

MAX_OPS = 4_000
SELF_NORMALIZING = frozenset({"selu", "alpha_dropout", "feature_alpha_dropout"})
_BASES = count(0, MAX_OPS)


@dataclass(slots=True, eq=False)
class Draft:
    """An op in the making. `features` is the size of the channel axis of its output, None where unknown."""

    kind: Kind
    name: str
    function: str
    inputs: tuple[int, ...]
    place: Place | None = None
    symbol: Place | None = None
    call: Place | None = None
    layer: Layer | None = None
    args: Mapping[str, Any] = field(default_factory=dict)
    chooser: Place | None = None
    rivals: frozenset[str] = frozenset()
    features: int | None = None
    fan_in: float | None = None
    fan_out: float | None = None
    weight: Init | None = None
    bias: Init | None = None
    spelled: Mapping[str, Place] = field(default_factory=dict)
    made: Place | None = None

    def copy(self, inputs: tuple[int, ...], layer: Layer | None) -> Draft:
        """The same op elsewhere (`dataclasses.replace` takes five times as long, and large models have many ops)."""
        return Draft(
            self.kind,
            self.name,
            self.function,
            inputs,
            self.place,
            self.symbol,
            self.call,
            layer,
            self.args,
            self.chooser,
            self.rivals,
            self.features,
            self.fan_in,
            self.fan_out,
            self.weight,
            self.bias,
            self.spelled,
            self.made,
        )


@dataclass(slots=True, eq=False)
class Builder:
    """The ops of one root in order of evaluation.

    Tensors name their ops by numbers that no two builders share: `base` is that of the first. A tensor that another graph
    made (in `__init__`, say, and kept) is an input of this one. `targets` are those that a loss compares with what they
    should be.
    """

    ops: list[Draft] = field(default_factory=list)
    promoted: dict[Unknown, Tensor] = field(default_factory=dict)
    targets: set[int] = field(default_factory=set)
    base: int = field(default_factory=lambda: next(_BASES))
    _foreign: dict[int, int] = field(default_factory=dict)

    @property
    def end(self) -> int:
        """The number that the next op gets."""
        return self.base + len(self.ops)

    def op(self, source: int) -> Draft:
        return self.ops[source - self.base]

    def emit(self, draft: Draft) -> Tensor:
        """Append an op; past the bound everything that follows hangs on one opaque op."""
        if len(self.ops) >= MAX_OPS:
            return Tensor((self.base + MAX_OPS - 1,))
        if any(source < self.base or source >= self.end for source in draft.inputs):
            draft.inputs = tuple(dict.fromkeys(self._own(source) for source in draft.inputs))
        self.ops.append(draft)
        return Tensor((self.end - 1,))

    def _own(self, source: int) -> int:
        if self.base <= source < self.end:
            return source
        if source not in self._foreign:
            self._foreign[source] = self.input(unknown=True).sources[0]
        return self._foreign[source]

    def until(self, count: int) -> Builder:
        """This graph as it was when it had `count` ops."""
        end = self.base + count
        promoted = {value: tensor for value, tensor in self.promoted.items() if tensor.sources[0] < end}
        return Builder(self.ops[:count], promoted, base=self.base)

    @property
    def is_full(self) -> bool:
        return len(self.ops) >= MAX_OPS

    def has_room(self, count: int) -> bool:
        return len(self.ops) + count <= MAX_OPS

    def overflow(self) -> Tensor:
        """Fill up, so that what follows hangs on one opaque op."""
        self.ops.extend(Draft(Kind.OPAQUE, "", "too many operations", ()) for _ in range(MAX_OPS - len(self.ops)))
        return Tensor((self.base + MAX_OPS - 1,))

    def input(self, unknown: bool = False, features: int | None = None) -> Tensor:
        """A tensor that comes from outside; `unknown` where it is no argument of the model (a buffer, a table)."""
        return self.emit(Draft(Kind.INPUT, "", "input", (), args={"unknown": unknown}, features=features))

    def promote(self, value: Value | None) -> Tensor:
        """The tensor that something unknown must be, since a layer takes it; the same one every time."""
        if not isinstance(value, Unknown):
            return self.input(unknown=True)
        if value not in self.promoted:
            # Arithmetic with an argument is then arithmetic with a tensor, which the next run shows.
            data = _argument_in(value)
            self.promoted[value] = self.promote(data) if data else self.input(unknown=not value.parameter)
        return self.promoted[value]

    def features(self, tensor: Tensor) -> int | None:
        """Size of the channel axis, where all sources agree on it."""
        sizes = {self.op(source).features if self.base <= source < self.end else None for source in tensor.sources}
        return sizes.pop() if len(sizes) == 1 else None

    def set_rivals(self, arms: list[range]) -> None:
        """Tell the activations and dropouts of each arm of a branch what another arm applies in their place instead."""
        if sum(map(bool, arms)) < 2:
            return
        for kind in (Kind.ACTIVATION, Kind.DROPOUT):
            of_kind = [[i for i in arm if self.ops[i].kind is kind] for arm in arms]
            functions = [{self.ops[i].function for i in found} for found in of_kind]
            for position, found in enumerate(of_kind):
                others = frozenset().union(*functions[:position], *functions[position + 1 :]) - functions[position]
                if not others or not found:
                    continue
                elsewhere = [i for each in (*of_kind[:position], *of_kind[position + 1 :]) for i in each]
                last = self._last(arms)
                for index in found:
                    op = self.ops[index]
                    # Whoever has SELU in one arm means what the other has.
                    meant = others & SELF_NORMALIZING if op.function not in SELF_NORMALIZING else frozenset()
                    places = {self.ops[i].function for i in elsewhere if self._in_place(index, i, last)}
                    op.rivals |= meant | (others & places)

    def _in_place(self, one: int, other: int, last: set[int]) -> bool:
        """Whether two ops of different arms stand in the same place: behind the same layer, or both at the end."""
        return (one in last and other in last) or not self._fed_by(one).isdisjoint(self._fed_by(other))

    def _fed_by(self, index: int) -> set[object]:
        inputs = (self.op(source) for source in self.ops[index].inputs)
        return {each.layer or each.place or each for each in inputs if each.kind is not Kind.INPUT}

    def _last(self, arms: list[range]) -> set[int]:
        """Positions of the ops behind which no more layer stands in their arm."""
        followed: set[int] = set()
        for arm in arms:
            for index in reversed(arm):
                op = self.ops[index]
                if op.kind is Kind.PARAMETRIC or index in followed:
                    followed.update(source - self.base for source in op.inputs)
        return {index for arm in arms for index in arm} - followed

    def finish(self, file: Any) -> tuple[Op, ...]:
        """Frozen ops, each with the initialisation that is in force now; what another file spells has no place."""

        def own(place: Place | None) -> Place | None:
            return place if place is None or place.unit.file is file else None

        return tuple(_finish(index, self.base, draft, own) for index, draft in enumerate(self.ops))

    def numbers(self, values: Iterable[Value]) -> frozenset[int]:
        """Positions of the ops that made the tensors inside these values."""
        found = (source for value in values for source in sources(tensors_in(value)))
        return frozenset(source - self.base for source in found if self.base <= source < self.end)


def _argument_in(value: Value) -> Unknown | None:
    """The argument of the code being looked at that a formula computes with."""
    found = (
        each if not isinstance(each, Formula) and each.parameter else _argument_in(each)
        for each in (value.operands if isinstance(value, Formula) else ())
        if isinstance(each, Unknown)
    )
    return next(filter(None, found), None)


def _finish(index: int, base: int, draft: Draft, own: Callable[[Place | None], Place | None]) -> Op:
    layer = draft.layer
    weight = draft.weight or (layer.init("weight") if layer else None)
    held = constraints(layer) if layer and draft.kind is Kind.PARAMETRIC else ()
    bias = draft.bias or (layer.init("bias") if layer else None)
    # What this file does to its own layers by another file's code counts where it calls that.
    is_own = own(draft.place) is not None
    spelled = draft.spelled or (places(layer.args) if layer else {})
    made = draft.made or (layer.made if layer else None)
    return Op(
        index,
        draft.kind,
        draft.name,
        draft.function,
        tuple([source - base for source in draft.inputs]),
        own(draft.place),
        own(draft.symbol),
        own(draft.call),
        own(made),
        layer.serial if layer else 0,
        layer.label if layer else "",
        draft.args,
        weight if weight is None or own(weight.place) is weight.place else _from_afar(weight, own, is_own),
        bias if bias is None or own(bias.place) is bias.place else _from_afar(bias, own, is_own),
        draft.fan_in,
        draft.fan_out,
        own(_naming(draft)),
        draft.rivals,
        {name: place for name, place in spelled.items() if own(place)} if spelled else spelled,
        bool(layer and layer.cells.get("addressed")),
        constraints=tuple([(name, place) for name, place in held if own(place)]) if held else (),
        lost=_lost(layer, own) if layer and draft.kind is Kind.PARAMETRIC else (),
    )


def _from_afar(init: Init, own: Callable[[Place | None], Place | None], is_own: bool) -> Init:
    return replace(init, place=own(init.caller) if is_own else None)


def _lost(layer: Layer, own: Callable[[Place | None], Place | None]) -> tuple[Lost, ...]:
    found = layer.cells.get(LOST)
    if not isinstance(found, tuple):
        return ()
    return tuple(replace(each, by=own(each.by)) for each in found if own(each.place) is not None)


def _naming(draft: Draft) -> Place | None:
    """The default that selected an op by its name; one that decided something larger (a kind of network) selects no op."""
    spelled = getattr(draft.chooser.syntax, "value", None) if draft.chooser is not None else None
    if not isinstance(spelled, str):
        return None
    names = (draft.function, draft.name.rpartition(".")[2])
    return draft.chooser if any(_bare(name) in _bare(spelled) for name in names if name) else None


def _bare(name: str) -> str:
    return "".join(filter(str.isalnum, name.lower()))


def tensors_in(value: Value) -> list[Tensor]:
    """Every tensor inside a value: itself, or in tuples, lists and alternatives, as far as they are worth looking at."""
    kind = type(value)
    if kind is Tensor:
        return [value]  # type: ignore[list-item]
    return _tensors_within(value) if kind in _HOLDERS else []


def _tensors_within(value: Value) -> list[Tensor]:
    found: list[Tensor] = []
    seen: set[int] = set()
    stack: list[tuple[Any, int]] = [(value, 0)]
    visited = 0
    while stack and visited < _MAX_VISITED:
        each, depth = stack.pop()
        visited += 1
        kind = type(each)
        if kind is Tensor:
            found.append(each)
        elif kind in _HOLDERS and depth <= _MAX_NESTING and id(each) not in seen:
            seen.add(id(each))
            inner: Any = each.options if kind is Either else each.items if kind is not Splice else sum(each.options, ())
            stack.extend([(item, depth + 1) for item in reversed(inner) if type(item) in _LOOKED_INTO])
    return found


_HOLDERS = frozenset({TupleValue, Either, ListValue, Splice})
_LOOKED_INTO = _HOLDERS | {Tensor}
_MAX_NESTING = 4
_MAX_VISITED = 20_000


def sources(tensors: Iterable[Tensor]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(source for tensor in tensors for source in tensor.sources))


def constants(arguments: Mapping[str, Value]) -> dict[str, Any]:
    """The arguments whose value is a constant (tuples of constants too)."""
    known: dict[str, Any] = {}
    for name, value in arguments.items():
        if isinstance(value, Const):
            known[name] = value.value
        elif isinstance(value, TupleValue) and all(isinstance(item, Const) for item in value.items):
            known[name] = tuple(item.value for item in value.items if isinstance(item, Const))
    return known


def places(arguments: Mapping[str, Value]) -> dict[str, Place]:
    """Where the constants among the arguments are written."""
    return {name: v.place for name, v in arguments.items() if isinstance(v, Const) and v.place is not None}
