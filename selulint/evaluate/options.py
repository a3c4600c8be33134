"""Options: strings by which callers choose among several networks, and what else may stand where a model shows one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from selulint.evaluate.building import SELF_NORMALIZING
from selulint.evaluate.values import Const, FunctionValue, Value
from selulint.graph import Kind, Model, Op, Place

# How many other values of its options one root is evaluated with.
MAX_OTHERS = 3
# Stands for every string that nothing is compared with.
_ANOTHER = "another"
# Where an option may have one of these, another stands for it otherwise.
_CHOSEN = (Kind.ACTIVATION, Kind.DROPOUT)
# The functions among which an option chooses at each place.
Options = dict[Place, frozenset[str]]


def others(asked: dict[Place, set[str]], function: Value | None) -> Iterator[dict[str, Value]]:
    """Arguments for the options of a function that the file compares with other strings than their defaults.

    What is run with one of them may ask for more.
    """
    defaults = function.defaults if isinstance(function, FunctionValue) else {}
    left = MAX_OTHERS
    for name, default in defaults.items():
        place = default.place if isinstance(default, Const) else None
        tried = {default.value} if isinstance(default, Const) else set()
        while left and place in asked and (fresh := {*asked[place], _ANOTHER} - tried):
            value = min(fresh, key=lambda each: (each == _ANOTHER, each))
            tried.add(value)
            left -= 1
            yield {name: Const(value, place, assumed=True)}


def compared(first: Sequence[Model], runs: Iterable[Sequence[Model]], found: Options) -> list[Model]:
    """The models of other runs that are networks of their own: those that choose another activation or dropout are not.

    What they choose among is added to `found`.
    """
    usual = {op.place for op in _ops(first)}
    kept: list[Model] = []
    for models in runs:
        unusual = {op.place for op in _ops(models)}
        here = [op for op in _ops(models) if op.place not in usual]
        there = [op for op in _ops(first) if op.place not in unusual]
        for one, other in ((here, there), (there, here)):
            for op in one:
                rivals = _functions(other, op.kind) - {op.function}
                if op.kind in _CHOSEN and op.place is not None and rivals:
                    found[op.place] = found.get(op.place, frozenset()) | rivals
        if here and not any(_functions(here, kind) - _functions(there, kind) for kind in _CHOSEN):
            kept.extend(models)
    return kept


def _ops(models: Sequence[Model]) -> list[Op]:
    return [op for model in models for op in model.ops if op.place is not None]


def _functions(ops: Sequence[Op], kind: Kind) -> frozenset[str]:
    return frozenset(op.function for op in ops if op.kind is kind)


def tell(models: Sequence[Model], found: Options) -> None:
    """Where callers may have SELU or AlphaDropout instead of what an expression makes, it is an option in every model.

    The default of an option is told where it is spelled.
    """
    for op in (op for model in models for op in model.ops):
        if op.place is not None and op.rivals & SELF_NORMALIZING:
            found[op.place] = found.get(op.place, frozenset()) | op.rivals
    options = {place: functions & SELF_NORMALIZING for place, functions in found.items()}
    for model in models if any(options.values()) else ():
        model.ops = tuple(
            replace(op, rivals=options[op.place])
            if op.place is not None and options.get(op.place) and not op.rivals and op.chooser is None
            else op
            for op in model.ops
        )
