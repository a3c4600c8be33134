"""What a migration does to the models of a file: predicted statistics before and after, and what stands in its way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from selulint.diagnostic import Applicability, Diagnostic
from selulint.graph import Kind, Model, Op, Place
from selulint.moments.propagate import Statistics
from selulint.predict import predictions
from selulint.run import FileResult
from selulint.settings import Settings, is_named

# Activations that have no part in a chain of layers.
_HEADS = frozenset({"softmax", "log_softmax"})


@dataclass(frozen=True, slots=True)
class Step:
    """One activation of a model: the layer before it, its cell and line, what it computes, its statistics."""

    layer: str
    cell: int | None
    line: int | None
    was: str
    now: str
    before: Statistics | None
    after: Statistics | None


@dataclass(frozen=True, slots=True)
class Migration:
    """One model of a file: its steps, whether fixes change it, and the findings that are held back or refused.

    `doubts` are the reasons why fixes that were made are not safe.
    """

    name: str
    cell: int | None
    line: int | None
    steps: tuple[Step, ...]
    changed: bool
    held: tuple[Diagnostic, ...] = ()
    refused: tuple[Diagnostic, ...] = ()
    doubts: tuple[str, ...] = ()


def migrations(result: FileResult, before: list[Model], after: list[Model], settings: Settings) -> Iterator[Migration]:
    """What fixes made of each model of a file; `result` is that of fixing, the models those of the two texts."""
    names = settings.names_in(result.path)
    twins: dict[str, list[Model]] = {}
    for model in after:
        twins.setdefault(model.name, []).append(model)
    touched = {name for each in result.fixed for name in each.models}
    for model in before:
        others = twins.get(model.name)
        twin = others.pop(0) if others else None
        if names and not is_named(model.name, names):
            continue
        own = [each for each in result.diagnostics if model.name in each.models]
        yield Migration(
            model.name,
            *_position(model, model.owner),
            tuple(_steps(model, twin)),
            model.name in touched,
            tuple(each for each in own if each.fix is not None and each.fix.applicability is not Applicability.SAFE),
            tuple(each for each in own if each.refused),
            tuple(_doubts(result, model)),
        )


def _position(model: Model, place: Place | None) -> tuple[int | None, int | None]:
    return model.file.source.position(place.span.start)[:2] if place is not None else (None, None)


def _doubts(result: FileResult, model: Model) -> dict[str, None]:
    fixes = [each.fix for each in result.fixed if model.name in each.models and each.fix is not None]
    return dict.fromkeys(fix.reason for fix in fixes if fix.reason)


def _steps(model: Model, twin: Model | None) -> Iterator[Step]:
    old = _activations(model)
    new = _activations(twin) if twin is not None else []
    known, then = _predicted(model), _predicted(twin) if twin is not None else []
    paired = new if len(new) == len(old) else [None] * len(old)
    for op, other in zip(old, paired, strict=True):
        layers = [each.title for each in model.upstream(op, merges=True) if each.kind is Kind.PARAMETRIC]
        now = other.function if other is not None else ""
        after = then[other.index] if other is not None else None
        yield Step(layers[-1] if layers else "", *_position(model, op.place), op.function, now, known[op.index], after)


def _activations(model: Model) -> list[Op]:
    return [op for op in model.of(Kind.ACTIVATION) if op.function not in _HEADS]


def _predicted(model: Model) -> list[Statistics | None]:
    """In training, for that is when Dropout scatters, and from inputs that are standardised somewhere."""
    return predictions(model, training=True, standardised=True)
