"""The other places of a finding: the layer, the activation, the initialiser. No rule of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from selulint.diagnostic import Related
from selulint.graph import TRANSPARENT, Kind, Model, Op, Place

_NEAR = TRANSPARENT | {Kind.SCALE}
# A model of many equal layers says it with the first few.
_MOST = 8


def layers_and_selu(model: Model, layers: Iterable[Op]) -> tuple[Related, ...]:
    """For a finding at an initialiser: the layers that it serves, and a SELU that they feed."""
    found = list(layers)
    selus = [near for op in found for near in model.fed(op, "selu")]
    return (*_at("the layer in front of the SELU", found), *_at("the SELU that it feeds", selus[:1]))


def layers_and_activation(layers: Iterable[Op], behind: Op) -> tuple[Related, ...]:
    """For a finding at an initialiser: the layers that it serves, and the activation that they feed."""
    return (*_at("the layer", layers), *_at("the activation that it feeds", (behind,)))


def in_front(model: Model, op: Op) -> tuple[Related, ...]:
    """For a finding at an activation: the layer that feeds it, and that layer's initialiser."""
    before = model.upstream(op, merges=True)
    layers = [near for near in before if near.kind is Kind.PARAMETRIC and near.place is not None]
    inits = [near.weight.place for near in layers[:1] if near.weight is not None and near.weight.place is not None]
    return (*_at("the layer in front of it", layers[:1]), *(Related("its initialiser", each.span) for each in inits))


def selu_beside(model: Model, op: Op) -> tuple[Related, ...]:
    """For a finding at what stands between layers: the nearest SELU before it, else behind it."""
    near = (*reversed(model.upstream(op, merges=True)), *model.downstream(op, merges=True))
    return tuple(_at("the SELU", [each for each in near if each.function == "selu"][:1]))


def selu_behind(model: Model, op: Op) -> tuple[Related, ...]:
    """For a finding at what goes into a layer: the layer and its SELU."""
    layers = [near for near in model.downstream(op, _NEAR) if near.kind is Kind.PARAMETRIC][:1]
    selus = [near for layer in layers for near in model.fed(layer, "selu")]
    return (*_at("the first layer", layers), *_at("the SELU that it feeds", selus[:1]))


def _at(told: str, ops: Iterable[Op]) -> Iterator[Related]:
    places: dict[Place, None] = dict.fromkeys(op.place for op in ops if op.place is not None)
    yield from (Related(told, place.span) for place in list(places)[:_MOST])
