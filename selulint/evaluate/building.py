"""The graph while it is being built: ops are appended as tensors flow; layers give their initialisation at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from selulint.evaluate.values import Const, Either, Layer, ListValue, Splice, Tensor, TupleValue, Unknown, Value
from selulint.graph import Init, Kind, Op, Place

MAX_OPS = 4_000


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
    spelled: Mapping[str, Place] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Builder:
    """The ops of one root in order of evaluation."""

    ops: list[Draft] = field(default_factory=list)
    promoted: dict[Unknown, Tensor] = field(default_factory=dict)

    def emit(self, draft: Draft) -> Tensor:
        """Append an op; past the bound everything that follows hangs on one opaque op."""
        if len(self.ops) >= MAX_OPS:
            return Tensor((MAX_OPS - 1,))
        count = len(self.ops)
        if draft.inputs and max(draft.inputs) >= count:  # a tensor of another graph, kept in a closure
            draft.inputs = tuple(index for index in draft.inputs if index < count)
        self.ops.append(draft)
        return Tensor((count,))

    def until(self, count: int) -> Builder:
        """This graph as it was when it had `count` ops."""
        promoted = {value: tensor for value, tensor in self.promoted.items() if tensor.sources[0] < count}
        return Builder(self.ops[:count], promoted)

    @property
    def is_full(self) -> bool:
        return len(self.ops) >= MAX_OPS

    def has_room(self, count: int) -> bool:
        return len(self.ops) + count <= MAX_OPS

    def overflow(self) -> Tensor:
        """Fill up, so that what follows hangs on one opaque op."""
        self.ops.extend(Draft(Kind.OPAQUE, "", "too many operations", ()) for _ in range(MAX_OPS - len(self.ops)))
        return Tensor((MAX_OPS - 1,))

    def input(self, unknown: bool = False, features: int | None = None) -> Tensor:
        """A tensor that comes from outside; `unknown` where it is no argument of the model (a buffer, a table)."""
        return self.emit(Draft(Kind.INPUT, "", "input", (), args={"unknown": unknown}, features=features))

    def promote(self, value: Value | None) -> Tensor:
        """The tensor that something unknown must be, since a layer takes it; the same one every time."""
        if not isinstance(value, Unknown):
            return self.input(unknown=True)
        if value not in self.promoted:
            self.promoted[value] = self.input(unknown=not value.parameter)
        return self.promoted[value]

    def features(self, tensor: Tensor) -> int | None:
        """Size of the channel axis, where all sources agree on it."""
        sizes = {self.ops[source].features for source in tensor.sources if source < len(self.ops)}
        return sizes.pop() if len(sizes) == 1 else None

    def set_rivals(self, arms: list[range]) -> None:
        """Tell the activations and dropouts of each arm of a branch what the other arms apply instead."""
        if sum(map(bool, arms)) < 2:
            return
        for kind in (Kind.ACTIVATION, Kind.DROPOUT):
            functions = [{self.ops[i].function for i in arm if self.ops[i].kind is kind} for arm in arms]
            for position, arm in enumerate(arms):
                others = frozenset().union(*functions[:position], *functions[position + 1 :]) - functions[position]
                for index in arm:
                    if others and self.ops[index].kind is kind:
                        self.ops[index].rivals |= others

    def finish(self, file: Any) -> tuple[Op, ...]:
        """Frozen ops, each with the initialisation that is in force now; what another file spells has no place."""

        def own(place: Place | None) -> Place | None:
            return place if place is None or place.unit.file is file else None

        return tuple(_finish(index, draft, own) for index, draft in enumerate(self.ops))


def _finish(index: int, draft: Draft, own: Callable[[Place | None], Place | None]) -> Op:
    layer = draft.layer
    weight = draft.weight or (layer.init("weight") if layer else None)
    bias = layer.init("bias") if layer else None
    spelled = draft.spelled or (places(layer.args) if layer else {})
    return Op(
        index,
        draft.kind,
        draft.name,
        draft.function,
        draft.inputs,
        own(draft.place),
        own(draft.symbol),
        own(draft.call),
        layer.serial if layer else 0,
        layer.label if layer else "",
        draft.args,
        weight if weight is None or own(weight.place) is weight.place else replace(weight, place=None),
        bias if bias is None or own(bias.place) is bias.place else replace(bias, place=None),
        draft.fan_in,
        draft.fan_out,
        own(draft.chooser),
        draft.rivals,
        {name: place for name, place in spelled.items() if own(place)} if spelled else spelled,
        bool(layer and layer.cells.get("addressed")),
    )


def tensors_in(value: Value, depth: int = 4) -> list[Tensor]:
    """Every tensor inside a value: itself, or in tuples, lists, dicts and alternatives."""
    if type(value) not in _HOLDERS:
        return []
    match value:
        case Tensor():
            return [value]
        case TupleValue(items=items) | Either(options=items):
            return [each for item in items for each in (tensors_in(item, depth - 1) if depth else ())]
        case ListValue():
            return [each for item in value.items for each in (tensors_in(item, depth - 1) if depth else ())]
        case Splice():
            return [
                each for run in value.options for item in run for each in (tensors_in(item, depth - 1) if depth else ())
            ]
    return []


_HOLDERS = frozenset({Tensor, TupleValue, Either, ListValue, Splice})


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
