"""What a migration does to the models of a file: predicted statistics before and after, and what stands in its way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from selulint.diagnostic import Applicability, Diagnostic
from selulint.graph import Kind, Model, Op
from selulint.moments import steps
from selulint.moments.maps import moments
from selulint.moments.steps import Statistics
from selulint.run import FileResult
from selulint.settings import Settings, is_named

_LAYERS = frozenset({"linear", "conv1d", "conv2d", "conv3d"})
_NORMS = frozenset({"batch_norm", "layer_norm", "group_norm", "instance_norm"})
_MOVING = frozenset(
    "identity flatten reshape permute squeeze unsqueeze index split roll repeat pixel_shuffle channel_shuffle".split()
)
# Activations that have no part in a chain of layers.
_HEADS = frozenset({"softmax", "log_softmax"})
_HUGE = 1e12


@dataclass(frozen=True, slots=True)
class Step:
    """One activation of a model: the layer in front of it, its line before, what it computes, and its statistics."""

    layer: str
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
    line: int | None
    steps: tuple[Step, ...]
    changed: bool
    held: tuple[Diagnostic, ...] = ()
    refused: tuple[Diagnostic, ...] = ()
    doubts: tuple[str, ...] = ()


def predicted(model: Model) -> list[Statistics | None]:
    """Mean and variance behind every op, in training and from standardised inputs; None where they are not known."""
    known: list[Statistics | None] = []
    for op in model.ops:
        parts = [known[index] for index in op.inputs]
        found = None if None in parts else _behind(op, [each for each in parts if each is not None])
        known.append(found if found is None or found.second < _HUGE else None)
    return known


def _behind(op: Op, parts: list[Statistics]) -> Statistics | None:
    if op.kind is Kind.INPUT:
        return None if op.args.get("unknown") else Statistics(0.0, 1.0)
    if not parts:
        return None
    if op.kind is Kind.MERGE:
        return _merged(op, parts)
    first = parts[0]
    if any(abs(each.mean - first.mean) + abs(each.variance - first.variance) > 1e-9 for each in parts):
        return None  # branches that differ: which of them runs is not known
    match op.kind:
        case Kind.PARAMETRIC:
            return _layer(op, first)
        case Kind.ACTIVATION if not op.rivals:
            found = moments(op.function, first.mean, first.variance)
            return Statistics(found.first, found.variance) if found is not None else None
        case Kind.NORM if op.function in _NORMS:
            return Statistics(0.0, 1.0)
        case Kind.DROPOUT:
            return _dropout(op, first)
        case Kind.RESHAPE if op.function in _MOVING:
            return first
        case Kind.SCALE if op.function in ("scale", "shift"):
            factor, shift = op.args.get("factor", 1.0), op.args.get("shift", 0.0)
            numbers = isinstance(factor, int | float) and isinstance(shift, int | float)
            return steps.affine(first, factor, shift) if numbers else None
    return None


def _layer(op: Op, before: Statistics) -> Statistics | None:
    if op.function not in _LAYERS or op.weight is None or op.weight.gain is None:
        return None
    behind = steps.layer(before, op.weight.gain, assumed=False)
    # PyTorch draws default biases from U(+-1/sqrt(fan_in)).
    draws = op.name.startswith("torch.") and op.bias is not None and op.bias.default and op.fan_in
    extra = 1.0 / (3.0 * op.fan_in) if draws and op.fan_in else 0.0
    return Statistics(behind.mean, behind.variance + extra)


def _dropout(op: Op, before: Statistics) -> Statistics | None:
    rate = op.args.get("p", op.args.get("rate"))
    if not isinstance(rate, int | float) or not 0 <= rate < 1:
        return None
    if op.function in ("alpha_dropout", "feature_alpha_dropout"):
        return steps.alpha_dropout(before, rate)
    second = before.second / (1.0 - rate)
    return Statistics(before.mean, second - before.mean**2)


def _merged(op: Op, parts: list[Statistics]) -> Statistics | None:
    if len(parts) < 2 or len(set(op.inputs)) < len(op.inputs):
        return None
    if op.function == "concat":
        return steps.concatenated(parts)
    if op.function == "add":
        return steps.added(parts)
    return steps.affine(steps.added(parts), 1 / len(parts), 0.0) if op.function == "average" else None


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
        line = model.file.source.locate(model.owner.span.start)[0] if model.owner is not None else None
        yield Migration(
            model.name,
            line,
            tuple(_steps(model, twin)),
            model.name in touched,
            tuple(each for each in own if each.fix is not None and each.fix.applicability is not Applicability.SAFE),
            tuple(each for each in own if each.refused),
            tuple(_doubts(result, model)),
        )


def _doubts(result: FileResult, model: Model) -> dict[str, None]:
    fixes = [each.fix for each in result.fixed if model.name in each.models and each.fix is not None]
    return dict.fromkeys(fix.reason for fix in fixes if fix.reason)


def _steps(model: Model, twin: Model | None) -> Iterator[Step]:
    old = _activations(model)
    new = _activations(twin) if twin is not None else []
    known, then = predicted(model), predicted(twin) if twin is not None else []
    paired = new if len(new) == len(old) else [None] * len(old)
    for op, other in zip(old, paired, strict=True):
        layers = [each.title for each in model.upstream(op, merges=True) if each.kind is Kind.PARAMETRIC]
        line = model.file.source.locate(op.place.span.start)[0] if op.place is not None else None
        now = other.function if other is not None else ""
        after = then[other.index] if other is not None else None
        yield Step(layers[-1] if layers else "", line, op.function, now, known[op.index], after)


def _activations(model: Model) -> list[Op]:
    return [op for op in model.of(Kind.ACTIVATION) if op.function not in _HEADS]
