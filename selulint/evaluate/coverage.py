"""Which models of a file show nothing that others do not, and which belong together."""

from __future__ import annotations

from selulint.graph import Kind, Model, Place


def covered(model: Model, others: list[Model]) -> bool:
    """Whether other models show every layer and activation of this one, and all that they do to data."""
    places = {op.place for other in others for op in other.ops if op.place is not None}
    fed = {op.place for other in others for op in other.ops if op.place is not None and other.reads_input(op)}
    telling = (Kind.PARAMETRIC, Kind.ACTIVATION, Kind.DROPOUT, Kind.NORM)
    return not model.unfinished and all(
        op.place in (fed if model.reads_input(op) else places)
        for op in model.ops
        if (op.kind in telling or op.handwritten is not None) and op.place is not None
    )


def without_covered(found: list[Model]) -> list[Model]:
    whole = [model for model in found if not model.part]
    return whole + [model for model in found if model.part and not covered(model, whole)]


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
