"""Which models of a file other models show already, and which belong together."""

from __future__ import annotations

import ast
from collections.abc import Collection

from selulint.evaluate.machine import Machine
from selulint.graph import Kind, Model, Place


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
    """The models that no other model of the file contains, and those parts that show something of their own."""
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
