"""How the models of a file relate: what is part of what, which show nothing new, which belong together."""

from __future__ import annotations

import ast
from collections.abc import Collection
from dataclasses import replace

from selulint.evaluate.initialise import UNKNOWN_INIT
from selulint.evaluate.machine import Machine
from selulint.graph import Kind, Model, Op, Place


def covered(model: Model, others: list[Model], left_out: Collection[int]) -> bool:
    """Whether other models show every layer and activation of this one, and all that they do to data.

    Norms and dropouts of a SELU network whose nodes are `left_out` are switched off wherever the file uses them; of any
    other network they are shown, since a fix that makes it a SELU network has to change them too.
    """
    if any(op.function != "selu" for op in model.of(Kind.ACTIVATION)):
        left_out = ()
    places = {op.place for other in others for op in other.ops if op.place is not None}
    fed = {op.place for other in others for op in other.ops if op.place is not None and other.reads_input(op)}
    telling = (Kind.PARAMETRIC, Kind.ACTIVATION, Kind.DROPOUT, Kind.NORM)
    return not model.unfinished and all(
        op.place in (fed if model.reads_input(op) else places)
        or (op.kind in (Kind.DROPOUT, Kind.NORM) and id(op.place.syntax) in left_out)
        for op in model.ops
        if (op.kind in telling or op.handwritten is not None) and op.place is not None
    )


def without_covered(vm: Machine, found: list[Model]) -> list[Model]:
    whole = [model for model in found if not model.part]
    left_out = {id(node) for arm in vm.left_out for node in ast.walk(arm)}
    return whole + [model for model in found if model.part and not covered(model, whole, left_out)]


def group(found: list[Model]) -> None:
    """Models that share a source place belong together: what one fix changes, all of them feel."""
    parent = list(range(len(found)))

    def root_of(number: int) -> int:
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    first: dict[Place, int] = {}
    for number, model in enumerate(found):
        for place in {op.place for op in model.ops if op.place is not None}:
            one, other = sorted((root_of(first.setdefault(place, number)), root_of(number)))
            parent[other] = one
    members: dict[int, list[Model]] = {}
    for number, model in enumerate(found):
        members.setdefault(root_of(number), []).append(model)
    for number, model in enumerate(found):
        model.component = tuple(members[root_of(number)])


def adopt(found: list[Model]) -> None:
    """Parts take over how the whole models of the file initialise them; by themselves they only know their defaults."""
    wholes: dict[Place, list[Op]] = {}
    for model in found:
        for op in model.of(Kind.PARAMETRIC) if not model.part else ():
            if op.place is not None:
                wholes.setdefault(op.place, []).append(op)
    for model in found:
        if model.part:
            model.ops = tuple(_adopted(op, wholes.get(op.place, [])) if op.place else op for op in model.ops)


def _adopted(op: Op, wholes: list[Op]) -> Op:
    """A layer as the whole models have it, where none of them leaves it its default."""
    if op.kind is not Kind.PARAMETRIC or op.weight is None or not op.weight.default or not wholes:
        return op
    weights = [whole.weight for whole in wholes if whole.weight is not None and not whole.weight.default]
    if len(weights) < len(wholes):
        return op
    first = wholes[0]
    agree = all((each.name, each.place) == (weights[0].name, weights[0].place) for each in weights)
    return replace(op, weight=first.weight if agree else UNKNOWN_INIT, bias=first.bias)
