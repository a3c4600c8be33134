"""Skip paths whose sum nobody scales: finding them in SELU networks, and multiplying them by 1 / sqrt(terms)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from selulint.diagnostic import Refused, Repair, Span
from selulint.fix.initialisers import make_lecun
from selulint.fix.plan import Plan, composed
from selulint.graph import TRANSPARENT, Kind, Model, Op, Place
from selulint.moments.maps import SANE_WINDOW
from selulint.preactivations import Share, shares

_BRANCH = frozenset({Kind.PARAMETRIC, Kind.ACTIVATION, Kind.DROPOUT, Kind.RESHAPE, Kind.POOL})
# A branch whose last layer starts this small adds next to nothing at first (zero-init, SkipInit, Fixup).
_NEGLIGIBLE = 0.2
_SPACED_POWER = re.compile(r"[\w)\]] \*\* [\w(]")
# Where an expression stands between separators, so that it needs no brackets of its own.
_FREE = ("Arg", "Assign", "AnnAssign", "Return", "Element", "NamedExpr")


@dataclass(frozen=True, slots=True)
class Residual:
    """One sum of a skip path and a branch: the merge, where it is spelled, and the layers that end the two.

    `terms` says how many summands it has; `parallel` that they are nothing but layers side by side.
    """

    op: Op
    place: Place
    ends_in_selu: bool
    before_selu: bool
    layers: tuple[Op, ...]
    terms: int
    parallel: bool


@lru_cache(maxsize=2)
def selu_residuals(model: Model) -> tuple[Residual, ...]:
    """The unscaled sums of a SELU network, but for parallel layers whose gains in force add up to 1 by themselves."""
    chain = {op.index for op in model.of(Kind.ACTIVATION, "selu") if not op.rivals}
    found = list(residuals(model, chain)) if chain else []
    known = shares(model) if any(each.parallel for each in found) else []
    return tuple([each for each in found if not (each.parallel and _is_even(known[each.op.index]))])


def _is_even(share: Share | None) -> bool:
    return share is not None and SANE_WINDOW[0] <= share.written <= SANE_WINDOW[1]


def residuals(model: Model, chain: Collection[int], ignored: Collection[int] = ()) -> Iterator[Residual]:
    """The unscaled residual sums of a model in which the ops `chain` are all hidden activations, and SELU.

    `ignored` are norms that will be gone. A merge is silent where anything that is not understood, or scales, or
    normalizes, takes part in it.
    """
    merges = [op for op in model.of(Kind.MERGE, "add") if _place(op) is not None and len(op.inputs) > 1]
    merges = [op for op in merges if op.args.get("alpha", None if op.name.startswith("torch.") else 1) == 1]
    if not merges:
        return
    hidden = [op for op in model.of(Kind.ACTIVATION) if model.is_hidden(op)]
    if any(op.index not in chain or op.rivals for op in hidden):
        return
    above = _ancestors(model)
    spans = [(place.unit, place.span) for place in map(_place, merges) if place is not None]
    for op in merges:
        place = _place(op)
        assert place is not None
        if not any(unit is place.unit and _is_around(span, place.span) for unit, span in spans):
            found = _residual(model, op, place, chain, frozenset(ignored), above)
            if found is not None:
                yield found


def _is_around(outer: Span, inner: Span) -> bool:
    return outer != inner and outer.start <= inner.start and inner.end <= outer.end


def _place(op: Op) -> Place | None:
    """The expression (or `x += y`) that adds."""
    place = op.call or op.place
    return place if type(getattr(place, "node", None)).__name__ in ("BinaryOperation", "AugAssign", "Call") else None


def _ancestors(model: Model) -> list[set[int]]:
    """For each op the ops that its value depends on, itself included."""
    above: list[set[int]] = []
    for op in model.ops:
        above.append({op.index}.union(*(above[index] for index in op.inputs if index < op.index)))
    return above


def _residual(
    model: Model, op: Op, place: Place, chain: Collection[int], ignored: frozenset[int], above: list[set[int]]
) -> Residual | None:
    after = _followers(model, op, ignored)
    if after is None or not any(near.kind in (Kind.PARAMETRIC, Kind.ACTIVATION) for near in after):
        return None
    before_selu = any(near.index in chain for near in after)
    terms = _summands(model, op, place)
    for skip in terms:
        fork, projection = _fork(model, skip, [each for each in terms if each != skip], above)
        if fork is None or not model.reads_input(model.ops[fork]):
            continue
        ends = [each for each in terms if each != skip and fork in above[each] and each != fork]
        branch = {i for end in ends for i in above[end] if fork in above[i] and i != fork}
        ops = [model.ops[index] for index in sorted(branch) if index not in ignored]
        layers = [each for each in ops if each.kind is Kind.PARAMETRIC]
        if not layers or not all(_is_plain(each, chain) for each in ops):
            continue
        selus = [each for each in ops if each.index in chain]
        last = [each for end in ends for each in _last_layers(model, end)]
        if not (selus or before_selu) or any(_is_negligible(each) for each in last):
            continue
        ends_in_selu = any(each.index in chain for each in selus if each.index in ends)
        parallel = bool(projection) and all(model.ops[each].kind is Kind.PARAMETRIC for each in terms) and not selus
        return Residual(op, place, ends_in_selu, before_selu, (*last, *projection), len(terms), parallel)
    return None


def _summands(model: Model, op: Op, place: Place) -> list[int]:
    """What a sum adds, sums inside its own expression taken apart."""
    found: list[int] = []
    for near in model.inputs(op):
        inner = _place(near) if near.kind is Kind.MERGE and near.function == "add" else None
        found += _summands(model, near, place) if inner is not None and _is_inside(inner, place) else [near.index]
    return found


def _is_inside(inner: Place, place: Place) -> bool:
    return inner.unit is place.unit and any(each is place.node for each in place.unit.ancestors(inner.node))


def _fork(model: Model, skip: int, others: list[int], above: list[set[int]]) -> tuple[int | None, tuple[Op, ...]]:
    """Where a skip path leaves the branch, and the layer that projects it; a skip path has no activation."""
    projection: tuple[Op, ...] = ()
    near = model.ops[skip]
    while not any(near.index in above[other] for other in others):
        if near.kind is Kind.PARAMETRIC and not projection:
            projection = (near,)
        elif near.kind not in (Kind.RESHAPE, Kind.POOL):
            return None, ()
        if len(near.inputs) != 1:
            return None, ()
        near = model.ops[near.inputs[0]]
    return near.index, projection


def _is_plain(op: Op, chain: Collection[int]) -> bool:
    """Whether an op of a branch keeps the variance as far as a linter knows."""
    if op.kind is Kind.MERGE:
        return op.function in ("add", "concat")
    return op.kind in _BRANCH and (op.kind is not Kind.ACTIVATION or op.index in chain)


def _last_layers(model: Model, end: int) -> list[Op]:
    """The layers that end a branch, with nothing behind them that has moments of its own."""
    op = model.ops[end]
    if op.kind is Kind.PARAMETRIC:
        return [op]
    near = model.upstream(op) if op.kind in TRANSPARENT else []
    return [each for each in near if each.kind is Kind.PARAMETRIC]


def _is_negligible(op: Op) -> bool:
    init = op.weight
    return init is not None and not init.default and init.gain is not None and init.gain < _NEGLIGIBLE


def _followers(model: Model, op: Op, ignored: frozenset[int]) -> list[Op] | None:
    """The nearest ops behind a sum that matter; None where one of them scales or normalizes it, or is not understood."""
    found: list[Op] = []
    stack, seen = list(model.users(op)), set[int]()
    while stack:
        near = stack.pop()
        if near.index in seen:
            continue
        seen.add(near.index)
        if near.kind is Kind.SCALE or (near.kind is Kind.NORM and near.index not in ignored):
            return None
        if near.kind is Kind.OPAQUE or (near.kind is Kind.MERGE and near.function not in ("add", "concat")):
            return None
        if near.kind in TRANSPARENT or near.kind is Kind.MERGE:
            stack.extend(model.users(near))
        else:
            found.append(near)
    return found


def scaled_residual(model: Model, residual: Residual) -> Repair:
    """The sum times 1 / sqrt(terms), and LeCun initialisation for the layers that end its paths."""

    def compose(made: Plan) -> None:
        scale(made, residual)
        make_lecun(made, model, [each for each in residual.layers if each.weight is not None])

    return composed(model, "scale the sum to unit variance", compose)


def scale(made: Plan, residual: Residual) -> None:
    """Add to a plan what multiplies a residual sum by 1 / sqrt(terms)."""
    place = residual.place
    if not made.first("residual", place):
        return
    node: Any = place.node
    terms = _terms(node)
    if terms is None:
        raise Refused("the terms of a sum cannot be told")
    made.doubt("scaling a residual sum changes the function")
    spaced = _SPACED_POWER.search(place.unit.file.source.text) is not None
    factor = f"{1 / terms:.15g} ** 0.5" if spaced else f"{1 / terms:.15g}**0.5"
    if terms not in (2, 4):
        factor = f"{terms} ** -0.5" if spaced else f"{terms}**-0.5"
    made.draft.replace(place, _scaled(place, node, factor))


def _terms(node: Any) -> int | None:
    """How many summands an addition has."""
    kind = type(node).__name__
    if kind == "BinaryOperation":
        left = _terms(node.left) if _is_addition(node.left) else 1
        right = _terms(node.right) if _is_addition(node.right) else 1
        return left + right if left and right else None
    if kind == "AugAssign":
        value = _terms(node.value) if _is_addition(node.value) else 1
        return 1 + value if value else None
    args: Any = getattr(node, "args", ())
    if any(arg.star for arg in args):
        return None
    if len(args) == 1 and type(args[0].value).__name__ in ("List", "Tuple"):
        elements = args[0].value.elements
        return len(elements) if all(type(each).__name__ == "Element" for each in elements) else None
    is_method = len(args) == 1 and type(node.func).__name__ == "Attribute" and node.func.attr.value == "add"
    return 2 if len(args) == 2 or is_method else None


def _is_addition(node: Any) -> bool:
    return type(node).__name__ == "BinaryOperation" and type(node.operator).__name__ == "Add"


def _scaled(place: Place, node: Any, factor: str) -> str:
    if type(node).__name__ == "AugAssign":
        if type(node.operator).__name__ != "AddAssign" or type(node.value).__name__ in ("IfExp", "Lambda", "Tuple"):
            raise Refused("this assignment cannot be rewritten")
        target, value = Place(node.target, place.unit).text, Place(node.value, place.unit).text
        return f"{target} = ({target} + {value}) * {factor}"
    if type(node).__name__ == "BinaryOperation":
        return f"({place.text}) * {factor}"
    text = f"{place.text} * {factor}"
    return text if node.lpar or type(place.unit.ancestors(node)[-1]).__name__ in _FREE else f"({text})"
