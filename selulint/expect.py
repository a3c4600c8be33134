"""What the source of a model that was run lets one expect of each activation, beside what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from selulint.graph import Kind, Model, Op
from selulint.moments.propagate import Statistics
from selulint.predict import predictions
from selulint.run import ModelsError, models_in
from selulint.verify.parent import Outcome
from selulint.verify.readings import HANDWRITTEN, HIDDEN, Expected, Measured

# What a run is measured at.
_SEEN = HIDDEN | {"sigmoid"}


def with_expected(outcome: Outcome, path: str, name: str) -> Outcome:
    """The outcome with what is predicted of the model called `name` in a file; nothing where the graph that is read from
    the source does not have the activations that ran."""
    try:
        named = [each for each in models_in(path, parts=True) if name in (each.name, each.name.partition(".")[0])]
        # What a function returns is called by its class.
        models = named or models_in(path)
    except ModelsError:
        return outcome
    fitting = [model for model in models if _fits(_activations(model), outcome.verdict.layers)]
    if not fitting or (len(fitting) > 1 and not named):
        return outcome
    return _told(outcome, fitting[-1])


def _activations(model: Model) -> list[Op]:
    return [op for op in model.of(Kind.ACTIVATION) if op.function in _SEEN]


def _fits(ops: Sequence[Op], layers: Sequence[Measured]) -> bool:
    return len(ops) == len(layers) and all(
        op.function == each.reading.function or (each.reading.function == HANDWRITTEN and op.handwritten is not None)
        for op, each in zip(ops, layers, strict=True)
    )


def _told(outcome: Outcome, model: Model) -> Outcome:
    batch = float(outcome.shapes[0][0]) if outcome.shapes and outcome.shapes[0] else 1.0
    found = predictions(model, outcome.shapes, training=outcome.train, batch=max(batch, 1.0))
    layers = tuple(
        replace(each, expected=_expected(found[op.index]))
        for op, each in zip(_activations(model), outcome.verdict.layers, strict=True)
    )
    return replace(outcome, verdict=replace(outcome.verdict, layers=layers))


def _expected(found: Statistics | None) -> Expected | None:
    return None if found is None else Expected(found.mean, found.variance, *(found.band or (None, None)))
