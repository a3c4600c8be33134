"""The other places of a finding: the layer, the activation, the initialiser. No rule of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from selulint.diagnostic import Related
from selulint.graph import TRANSPARENT, Kind, Model, Op, Place

_NEAR = TRANSPARENT | {Kind.SCALE}
# A model of many equal layers says it with the first few.
_MOST = 8


def at_sites(by_place: Mapping[Place, Sequence[Op]]) -> Iterator[tuple[Place, list[Op], Sequence[Op]]]:
    """Where findings about initialisers stand, by the places that spell them: each with its layers, and all that share it.

    What layers take as an argument concerns each where it is made; a call that writes weights stands for itself.
    """
    for place, sharing in by_place.items():
        found: dict[Place, list[Op]] = {}
        for op in sharing:
            is_argument = op.layer != 0 and not op.name.startswith("torch.")
            found.setdefault((op.site(place) if is_argument else None) or place, []).append(op)
        yield from ((site, ops, sharing) for site, ops in found.items())


def spelled(place: Place | None, site: Place) -> tuple[Related, ...]:
    """For a finding at a call that only names what it is about: where that is spelled."""
    return (Related("where it is spelled", place.span),) if place is not None and not site.encloses(place) else ()


def layers_and_selu(model: Model, layers: Iterable[Op]) -> tuple[Related, ...]:
    """For a finding at an initialiser: the layers that it serves, and a SELU that they feed."""
    found = list(layers)
    selus = [near for op in found for near in model.fed(op, "selu")]
    return (*at("the layer in front of the SELU", found), *at("the SELU that it feeds", selus[:1]))


def layers_and_activation(layers: Iterable[Op], behind: Op) -> tuple[Related, ...]:
    """For a finding at an initialiser: the layers that it serves, and the activation that they feed."""
    return (*at("the layer", layers), *at("the activation that it feeds", (behind,)))


def in_front(model: Model, op: Op) -> tuple[Related, ...]:
    """For a finding at an activation: the layer that feeds it, and that layer's initialiser."""
    before = model.upstream(op, merges=True)
    layers = [near for near in before if near.kind is Kind.PARAMETRIC and near.place is not None]
    inits = [near.weight.place for near in layers[:1] if near.weight is not None and near.weight.place is not None]
    return (*at("the layer in front of it", layers[:1]), *(Related("its initialiser", each.span) for each in inits))


def selu_beside(model: Model, op: Op) -> tuple[Related, ...]:
    """For a finding at what stands between layers: the nearest SELU before it, else behind it."""
    near = (*reversed(model.upstream(op, merges=True)), *model.downstream(op, merges=True))
    return tuple(at("the SELU", [each for each in near if each.function == "selu"][:1]))


def selu_behind(model: Model, op: Op) -> tuple[Related, ...]:
    """For a finding at what goes into a layer: the layer and its SELU."""
    layers = [near for near in model.downstream(op, _NEAR) if near.kind is Kind.PARAMETRIC][:1]
    selus = [near for layer in layers for near in model.fed(layer, "selu")]
    return (*at("the first layer", layers), *at("the SELU that it feeds", selus[:1]))


def at(told: str, ops: Iterable[Op]) -> Iterator[Related]:
    """The places of ops."""
    places: dict[Place, None] = dict.fromkeys(place for op in ops if (place := op.seat) is not None)
    yield from (Related(told, place.span) for place in list(places)[:_MOST])
