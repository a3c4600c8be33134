"""The graph of one model: typed ops in order, data-flow edges, and the queries that rules ask."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from selulint.diagnostic import Span
from selulint.ops import FRAMEWORKS, Handwritten, Init, Kind, Lost, Op, Place, Unit

__all__ = ["FRAMEWORKS", "Handwritten", "Init", "Kind", "Lost", "Model", "Op", "Place", "Unit"]

# Between a layer and its activation these keep "what feeds what" true.
TRANSPARENT = frozenset({Kind.NORM, Kind.DROPOUT, Kind.POOL, Kind.RESHAPE})
_LAYERS = TRANSPARENT | {Kind.PARAMETRIC}
PASSING_MERGES = frozenset({"add", "concat", "average", "subtract"})
# Layers whose units are weighted sums and nothing else: no recurrence, no attention, no table.
WEIGHTED_SUMS = frozenset(
    ("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
    + ("depthwise_conv1d", "depthwise_conv2d", "separable_conv1d", "separable_conv2d")
)
GLOBAL_POOLS = frozenset({"global_avg_pool", "global_max_pool", "mean", "sum"})
# Ops that one formula is made of, at most.
_LONGEST_FORMULA = 32
_STARTS = frozenset({Kind.INPUT, Kind.ACTIVATION, Kind.OPAQUE})
# What weighs another tensor: its values are weights.
_WEIGHTS = frozenset({"sigmoid", "hardsigmoid", "softmax"})
_GATES = _WEIGHTS | {"tanh", "hardtanh"}


def is_transparent(op: Op) -> bool:
    """Whether an op keeps "what feeds what" true between a layer and its activation."""
    return op.kind in TRANSPARENT or is_factor(op)


def factor_of(op: Op) -> float | None:
    """The known number by which an op multiplies, if it does nothing else."""
    if op.kind is not Kind.SCALE or op.function not in ("scale", "rescaling") or op.args.get("offset", 0) != 0:
        return None
    factor = op.args.get("factor", op.args.get("scale"))
    return float(factor) if isinstance(factor, int | float) else None


def is_factor(op: Op) -> bool:
    factor = factor_of(op)
    return factor is not None and factor > 0


_MOST_REPEATED = 16


def _is_same(op: Op, other: Op) -> bool:
    return op.kind is Kind.ACTIVATION and op.function == other.function


def ends_chain(op: Op) -> bool:
    """Whether an op pools whole feature maps, behind which a head begins; an adaptive pool that leaves some size does not."""
    left = op.args.get("output_size", 1)
    sizes = left if isinstance(left, tuple | list) else (left,)
    return op.kind is Kind.POOL and op.function in GLOBAL_POOLS and not any(isinstance(n, int) and n > 1 for n in sizes)


def _is_start(op: Op) -> bool:
    """Whether a tensor comes from here as far as sums are concerned: an input or a part of one, an activation's output."""
    return op.kind in _STARTS or op.function in ("index", "split")


def _is_term(op: Op) -> bool:
    """Whether an op is a term of the sum behind it: neither a sum itself nor a mere move of values."""
    is_move = op.kind is Kind.RESHAPE and not _is_start(op)
    return not is_move and not (op.kind is Kind.MERGE and op.function == "add")


def _is_raised(op: Op) -> bool:
    """Whether an op brings a map to a higher resolution."""
    return op.function.startswith("upsample")


def _is_raised_or_term(op: Op) -> bool:
    return _is_raised(op) or _is_term(op)


@dataclass(eq=False, slots=True)
class Model:
    """One model as the evaluator understood it: ops in order of evaluation, outputs, and who builds it.

    `owner` is the class or the expression that builds the model, `init` the `__init__` to which an initialisation can be
    appended, `part` says that another model of the file contains it, `trained` that the file shows trained weights.
    `unfinished` says that it was too much to evaluate and has no ops.
    `rescaled` are the places outside of models where the file brings data into [0, 1], if it does not standardise them and
    all its models are SELU models.
    `component` lists all models of the file that share a source place with this one, itself included; `targets` are the
    ops whose output the file trains towards targets (a Keras model that is compiled).
    `assumed` are names that nothing in the file binds and that were taken for what everybody calls so (`nn`, `F`, `tf`).
    """

    name: str
    framework: str
    ops: tuple[Op, ...]
    outputs: frozenset[int]
    file: Any
    owner: Place | None = None
    init: Place | None = None
    part: bool = False
    trained: bool = False
    unfinished: bool = False
    rescaled: tuple[Span, ...] = ()
    component: tuple[Model, ...] = ()
    targets: frozenset[int] = frozenset()
    assumed: tuple[str, ...] = ()
    _users: dict[int, list[Op]] = field(default_factory=dict, repr=False)
    _fed_by_input: set[int] | None = field(default=None, repr=False)
    _hidden: dict[int, bool] = field(default_factory=dict, repr=False)
    _unknown_users: dict[int, bool] = field(default_factory=dict, repr=False)

    def of(self, kind: Kind, *functions: str) -> Iterator[Op]:
        """The ops of a kind (and, where given, of these functions) in order."""
        return (op for op in self.ops if op.kind is kind and (not functions or op.function in functions))

    def inputs(self, op: Op) -> list[Op]:
        return [self.ops[index] for index in op.inputs]

    def users(self, op: Op) -> list[Op]:
        if not self._users:
            for user in self.ops:
                for index in dict.fromkeys(user.inputs):
                    self._users.setdefault(index, []).append(user)
        return self._users.get(op.index, [])

    def _meets_unknown(self, op: Op) -> bool:
        """Whether something that is not understood reads an op."""
        if op.index not in self._unknown_users:
            self._unknown_users[op.index] = any(user.kind is Kind.OPAQUE for user in self.users(op))
        return self._unknown_users[op.index]

    def upstream(self, op: Op, through: frozenset[Kind] = TRANSPARENT, merges: bool = False) -> list[Op]:
        """The nearest ops before `op` that are neither factors nor of the kinds in `through` (nor, with `merges`, additive
        merges)."""
        return self._nearest(op, self.inputs, through, merges)

    def downstream(self, op: Op, through: frozenset[Kind] = TRANSPARENT, merges: bool = False) -> list[Op]:
        """The nearest ops after `op`, as in `upstream`."""
        return self._nearest(op, self.users, through, merges)

    def _nearest(
        self,
        op: Op,
        step: Any,
        through: frozenset[Kind],
        merges: bool,
        more: Callable[[Op, set[int]], bool] | None = None,
        factors: bool = True,
    ) -> list[Op]:
        """The first ops on each way that are not passed; `more` says which others are, of an op and those passed before."""
        found: list[Op] = []
        seen: set[int] = set()
        passed = {op.index}
        stack = list(step(op))
        while stack:
            near = stack.pop()
            if near.index in seen:
                continue
            seen.add(near.index)
            passes = near.kind in through or (factors and near.kind is Kind.SCALE and is_factor(near))
            passes = passes or (merges and near.kind is Kind.MERGE and near.function in PASSING_MERGES)
            if passes or (more is not None and more(near, passed)):
                passed.add(near.index)
                stack.extend(step(near))
            else:
                found.append(near)
        return sorted(found, key=lambda near: near.index)

    def is_hidden(self, op: Op) -> bool:
        """A hidden activation: a parametric layer feeds it, it feeds a parametric layer, and it only gates nothing."""
        if op.index not in self._hidden:
            inside = {part.index for each in self.ops if each.handwritten for part in each.handwritten.parts}
            # The last ones first: whether one is hidden may hang on the next.
            for each in reversed([*self.of(Kind.ACTIVATION), op]):
                self._hidden[each.index] = each.index not in inside and self._is_hidden(each)
        return self._hidden[op.index]

    def _is_hidden(self, op: Op) -> bool:
        before = self._nearest(op, self.inputs, TRANSPARENT, True, self._is_passed)
        if any(self._leaves(near) for near in self.inputs(op)) or self._fuses(op) or self._is_part_of_formula(op):
            return False
        # The same activation twice (not by the thousand) is as good as once.
        before += self._nearest(
            op,
            self.inputs,
            TRANSPARENT,
            False,
            lambda near, passed: len(passed) < _MOST_REPEATED and _is_same(near, op),
        )
        if not any(near.kind is Kind.PARAMETRIC and self.reads_input(near) for near in before):
            return False
        reached = self._nearest(op, self.users, TRANSPARENT, True, self._is_passed)
        if any(near.kind is Kind.PARAMETRIC and not self.feeds_gate(near) for near in reached):
            return True
        # What ends a branch is inside the model even where the same activation behind the sum is its end.
        direct = self._nearest(op, self.users, TRANSPARENT, False, self._is_passed)
        again = [near for near in reached if _is_same(near, op)]
        return any(self._hidden.get(near.index, False) or near not in direct for near in again)

    def _is_passed(self, op: Op, passed: set[int]) -> bool:
        """What else does not hide that one op feeds another: a product that weighs it, and a module that nobody knows
        (somebody's own dropout or norm)."""
        if op.kind is Kind.MERGE:
            return op.function in ("multiply", "matmul") and self._is_weighing(op, passed)
        return op.kind is Kind.OPAQUE and bool(op.args.get("module"))

    def _is_weighing(self, op: Op, passed: set[int]) -> bool:
        """Whether a product holds what comes from the ops in `passed`: gates weigh it, or it is fused with features of other
        inputs, each with each or pair by pair.
        """
        factors = self.inputs(op)
        if len(factors) > 1 and all(map(self._has_own_axis, factors)):
            return True
        if op.function != "multiply" or len(factors) == 1:
            return False
        values = [factor for factor in factors if not self._is_gate(factor)]
        if len(values) == 1:
            return values[0].index in passed or passed.isdisjoint(op.inputs)
        sources = [self._sources(factor) for factor in factors]
        return sum(map(len, sources)) == len(set().union(*sources))

    def _sources(self, op: Op) -> set[int]:
        """All that the value of an op depends on, itself included."""
        return {op.index, *(near.index for near in self._back(op))}

    def _has_own_axis(self, op: Op) -> bool:
        if op.kind is Kind.MERGE and op.function == "multiply":
            return all(map(self._has_own_axis, self.inputs(op)))
        return op.kind is Kind.RESHAPE and op.function == "unsqueeze"

    def _ends(self, op: Op) -> list[Op]:
        """What the values of an op come from, an activation from itself."""
        return [op] if op.kind is Kind.ACTIVATION else self.upstream(op, TRANSPARENT | {Kind.SCALE})

    def _is_gate(self, op: Op) -> bool:
        """Whether the values of an op are weights of something else."""
        ends = self._ends(op)
        return bool(ends) and all(end.kind is Kind.ACTIVATION and end.function in _GATES for end in ends)

    def _leaves(self, op: Op) -> bool:
        """Whether a layer's own output is already a result, beside what an activation makes of it (FPN's extra levels)."""
        escapes = op.index in self.outputs or self._meets_unknown(op)
        return op.kind is Kind.PARAMETRIC and escapes

    def _fuses(self, op: Op) -> bool:
        """Whether `op` stands behind a sum that fuses feature maps (HRNet): one of the terms comes as it is, or in another
        resolution, and no other starts from it or from what it is made of, as the branches of a residual block do.
        """
        sums = self.upstream(op)
        if len(sums) != 1 or sums[0].kind is not Kind.MERGE or sums[0].function != "add":
            return False
        terms = [near for near in self._back(sums[0], _is_term) if self.reads_input(near)]
        raised = [near for near in self._back(sums[0], _is_raised_or_term) if _is_raised(near)]
        resized = {near.index for each in raised for near in self._back(each, _is_term)}
        moved = resized if len(resized) < len(terms) else set()
        return len(terms) > 1 and any(
            (_is_start(term) or term.index in moved) and self._is_apart(term, terms) for term in terms
        )

    def _is_apart(self, term: Op, terms: list[Op]) -> bool:
        above = {near.index for near in (term, *self._back(term))}
        others = [other for other in terms if other is not term]
        starts = [near for other in others for near in ([other] if _is_start(other) else self._back(other, _is_start))]
        reached = {near.index for other in others for near in self._back(other)}
        return term.index not in reached and not any(near.index in above for near in starts)

    def _is_part_of_formula(self, op: Op) -> bool:
        """Whether a ReLU is a part of another function of its input: of sparsemax, whose threshold is computed from the
        values above it, or of ELU and its like, which add an exponential.
        """
        for near in self.inputs(op):
            if near.function == "subtract" and len(near.inputs) > 1:
                first, second = near.inputs[:2]
                return first in {each.index for each in self._computed_from(self.ops[second])}
        sums = [near for near in self.downstream(op, frozenset({Kind.SCALE})) if near.function in ("add", "subtract")]
        made = [self._computed_from(term) for near in sums for term in self.inputs(near)]
        return any(
            any(each.function in ("exp", "expm1") for each in formula)
            and not {each.index for each in formula}.isdisjoint(op.inputs)
            for formula in made
        )

    def _computed_from(self, op: Op) -> list[Op]:
        """An op and the values from which a formula computes it: back to the layers before it."""
        found, stack = {op.index: op}, [op]
        while stack and len(found) < _LONGEST_FORMULA:
            near = stack.pop()
            if near.kind not in (Kind.PARAMETRIC, Kind.INPUT):
                fresh = [each for each in self.inputs(near) if each.index not in found]
                found.update((each.index, each) for each in fresh)
                stack.extend(fresh)
        return list(found.values())

    def _back(self, op: Op, stops: Callable[[Op], bool] | None = None) -> list[Op]:
        """All ops before `op`; with `stops`, the first ones on each way back for which it holds."""
        found: dict[int, Op] = {}
        seen: set[int] = set()
        stack = self.inputs(op)
        while stack:
            near = stack.pop()
            if near.index in seen:
                continue
            seen.add(near.index)
            if stops is None or stops(near):
                found[near.index] = near
            if stops is None or not stops(near):
                stack.extend(self.inputs(near))
        return list(found.values())

    def feeds_gate(self, op: Op) -> bool:
        """Whether all that `op` computes only weighs another tensor: squeeze-and-excitation, attention maps, gated units."""
        after = self.downstream(op, TRANSPARENT | {Kind.ACTIVATION, Kind.OPAQUE, Kind.SCALE}, merges=True)
        return bool(after) and all(self._is_weighed_by(near, op) for near in after)

    def _is_weighed_by(self, product: Op, op: Op) -> bool:
        """Whether a product has another factor, and that of `op` ends in a gate or has a source in common with it; towers
        over different inputs are features on both sides.
        """
        if product.kind is not Kind.MERGE or product.function != "multiply":
            return False
        above = self._sources(op)
        sides = {factor.index: self._sources(factor) for factor in self.inputs(product)}
        own = [index for index, sources in sides.items() if op.index in sources]
        others = [index for index in sides if index not in own]
        is_gate = all(self._is_gate(self.ops[index]) for index in own)
        # What only gates stand beside is what they weigh; a tanh may be either, a sigmoid is a weight.
        is_weight = is_gate and any(end.function in _WEIGHTS for index in own for end in self._ends(self.ops[index]))
        if not others or (not is_weight and all(self._is_gate(self.ops[index]) for index in others)):
            return False
        return is_gate or any(not above.isdisjoint(sides[index]) for index in others)

    def reads_input(self, op: Op) -> bool:
        """Whether data of the model's own inputs reaches `op` (a buffer or a table does not count)."""
        if self._fed_by_input is None:
            self._fed_by_input = fed = set[int]()
            for each in self.ops:
                is_input = each.kind is Kind.INPUT and not each.args.get("unknown")
                if is_input or not fed.isdisjoint(each.inputs):
                    fed.add(each.index)
        return op.index in self._fed_by_input

    def activations_before(self, op: Op, merges: bool = True) -> list[Op]:
        """The activations whose output reaches `op` through layers and what is transparent (and additive merges)."""
        before = self.upstream(op, _LAYERS, merges)
        return [near for near in before if near.kind is Kind.ACTIVATION]

    def activations_after(self, op: Op, merges: bool = True) -> list[Op]:
        """The activations that the output of `op` reaches, as in `activations_before`."""
        after = self.downstream(op, _LAYERS, merges)
        return [near for near in after if near.kind is Kind.ACTIVATION]

    def beside_norm(self, op: Op) -> bool:
        """Whether a norm stands right before or right behind `op`."""
        through = TRANSPARENT - {Kind.NORM}
        return any(near.kind is Kind.NORM for near in (*self.upstream(op, through), *self.downstream(op, through)))

    def fed(self, op: Op, function: str) -> list[Op]:
        """The activations `function` that `op` feeds with no norm in between, if nothing else may run in their place."""
        after = self._nearest(op, self.users, TRANSPARENT - {Kind.NORM}, False, factors=False)
        return [
            near for near in after if near.kind is Kind.ACTIVATION and near.function == function and not near.rivals
        ]
