from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from selulint.diagnostic import Finding, Prediction, Related, Severity
from selulint.fix.dropouts import is_off
from selulint.fix.residuals import residuals
from selulint.graph import Kind, Model, Op, Place
from selulint.moments import steps
from selulint.moments.maps import SANE_WINDOW
from selulint.moments.steps import Statistics
from selulint.rules import rule

_LAYERS = frozenset({"linear", "conv1d", "conv2d", "conv3d"})
_STANDARDISING = frozenset({"batch_norm", "layer_norm", "group_norm", "instance_norm"})
# Reshapes that only move values about.
_MOVING = frozenset(
    "identity flatten reshape permute squeeze unsqueeze index split roll repeat pixel_shuffle channel_shuffle".split()
)
_STANDARD = Statistics(0.0, 1.0)
# A change of the second moment that is worth naming as a cause.
_NOTABLE = 0.03


@rule("SELU601", Severity.ERROR)
def predicted_statistics(model: Model) -> Iterator[Finding]:
    """Predicted mean or variance outside the box of Theorem 1.

    ## What
    Follows mean and variance from standardised inputs through layers, SELUs, factors, sums, products and AlphaDropout, and
    reports the first SELU whose output leaves the box in which self-normalization is proved (mean within 0.1, variance
    0.8 to 1.5). What another rule reports already (default and unfit initialisers, plain Dropout, unscaled residual sums)
    counts here as it should be, so that only what remains is said: factors and offsets between layers, sums of several
    branches, averages, products, explicit gains that are each near 1 but drift over many layers.

    ## Why
    SELU pulls statistics back by a fifth of the error a layer. A cause that repeats, or is large, is never made good.

    ## Example
    ```python
    x = (x + F.selu(self.fc(x))) / 2
    ```

    ## Use instead
    ```python
    x = (x + F.selu(self.fc(x))) * 0.5**0.5
    ```

    ## Fix safety
    There is no fix: which part of the computation is not meant, only its author knows.

    ## References
    Klambauer et al., 2017, Theorem 1 and equations 4 and 5.
    """
    if not any(op.function == "selu" and op.kind is Kind.ACTIVATION for op in model.ops):
        return
    walk = _Walk(model)
    feeding = _feeding(model)
    for op in model.ops:
        found = walk.step(op)
        if found is not None and op.function == "selu" and not found.is_in_box and op.index in feeding:
            yield from _finding(model, walk, op, found)
            found = _STANDARD  # what comes later is judged by itself
            walk.forgotten.add(op.index)
        walk.known.append(found)


def _feeding(model: Model) -> set[int]:
    """The ops whose values reach a layer: what only leaves the model is no chain."""
    found: set[int] = set()
    for op in reversed(model.ops):
        if op.kind is Kind.PARAMETRIC or op.index in found:
            found.update(op.inputs)
    return found


def _finding(model: Model, walk: _Walk, selu: Op, found: Statistics) -> Iterator[Finding]:
    causes = walk.causes(selu)
    named = [op for op in causes if op.kind is not Kind.PARAMETRIC][-1:] or causes
    place = _place(named[0] if named and named[0].kind is not Kind.PARAMETRIC else selu)
    if place is None or not named:
        return
    layers = [op.title for op in model.upstream(selu, merges=True) if op.kind is Kind.PARAMETRIC]
    behind = f" behind `{layers[-1]}`" if layers else ""
    why = _why(named, walk)
    fixed = ", whatever else is repaired" if found.assumed else ""
    message = (
        f"predicted mean {found.mean:.2g} and variance {found.variance:.2g} of the SELU{behind} leave the box of Theorem 1 "
        f"(0.1; 0.8 to 1.5){fixed}: {why}"
    )
    spelled = selu.place
    related = (Related("the SELU", spelled.span),) if spelled is not None and spelled != place else ()
    title = layers[-1] if layers else selu.title
    yield Finding(place.span, message, related, prediction=Prediction(title, found.mean, found.variance))


def _why(causes: list[Op], walk: _Walk) -> str:
    if causes[0].kind is not Kind.PARAMETRIC:
        op = causes[0]
        place = _place(op)
        text = " ".join(place.text.split()) if place is not None else op.function
        return f"`{text if len(text) <= 60 else text[:57] + '...'}` multiplies the second moment by {walk.ratio[op.index]:.3g}"
    gains = [f"`{op.title}` {walk.ratio[op.index]:.3g}" for op in causes[:4]]
    return f"gains add up ({', '.join(gains)}{', ...' * (len(causes) > 4)})"


def _place(op: Op) -> Place | None:
    return op.call if op.kind is Kind.MERGE and op.layer else op.place


@dataclass(slots=True)
class _Walk:
    """Statistics behind every op so far (None where they are not known), and what each op does to second moments."""

    model: Model
    known: list[Statistics | None] = field(default_factory=list)
    ratio: dict[int, float] = field(default_factory=dict)
    forgotten: set[int] = field(default_factory=set)
    _layered: set[int] = field(default_factory=set)
    _scaled: frozenset[int] | None = None
    _places: frozenset[Place] | None = None

    def step(self, op: Op) -> Statistics | None:
        before = [self.known[index] for index in op.inputs]
        if op.kind is Kind.PARAMETRIC or not self._layered.isdisjoint(op.inputs):
            self._layered.add(op.index)
        elif op.kind is Kind.INPUT:
            return None if op.args.get("unknown") else _STANDARD
        elif op.kind is not Kind.OPAQUE:
            return None if None in before else _STANDARD  # whatever is done to the inputs standardises them
        parts = [each for each in before if each is not None]
        if not parts or len(parts) < len(before):
            return None
        found = self._merged(op, parts) if op.kind is Kind.MERGE else self._single(op, parts)
        if found is not None and op.kind in (Kind.MERGE, Kind.SCALE, Kind.PARAMETRIC):
            self.ratio[op.index] = found.second / max(sum(part.second for part in parts) / len(parts), 1e-30)
        return found

    def causes(self, selu: Op) -> list[Op]:
        """The ops before a SELU that change the second moment, as far back as the last SELU that was reported."""
        seen: set[int] = set()
        stack = list(selu.inputs)
        while stack:
            index = stack.pop()
            if index not in seen and index not in self.forgotten:
                seen.add(index)
                stack.extend(self.model.ops[index].inputs)
        return [self.model.ops[i] for i in sorted(seen) if abs(self.ratio.get(i, 1.0) - 1) > _NOTABLE]

    def _single(self, op: Op, parts: list[Statistics]) -> Statistics | None:
        before = parts[0]
        if any(abs(each.second - before.second) + abs(each.mean - before.mean) > _NOTABLE for each in parts):
            return None  # branches that differ: which of them runs is not known
        match op.kind:
            case Kind.PARAMETRIC:
                return self._layer(op, before)
            case Kind.ACTIVATION:
                return steps.selu(before) if op.function == "selu" and not op.rivals else None
            case Kind.NORM:
                return _STANDARD if op.function in _STANDARDISING else None
            case Kind.DROPOUT:
                return _dropout(op, before)
            case Kind.RESHAPE:
                return before if op.function in _MOVING else None
            case Kind.SCALE:
                return _affine(op, before)
        return None

    def _layer(self, op: Op, before: Statistics) -> Statistics | None:
        init = op.weight
        if init is None or op.function not in _LAYERS:
            return None
        is_said = bool(self.model.fed(op, "selu")) or (init.place is not None and init.place in self._said_places())
        std = init.args.get("std", init.args.get("stddev"))
        if is_said and (init.default or (init.gain is None and isinstance(std, int | float))):
            return steps.layer(before, 1.0, assumed=True)
        if init.gain is None:
            return None
        if is_said and not SANE_WINDOW[0] <= init.gain <= SANE_WINDOW[1]:
            return steps.layer(before, 1.0, assumed=True)
        return steps.layer(before, init.gain, assumed=False)

    def _merged(self, op: Op, parts: list[Statistics]) -> Statistics | None:
        if op.function == "concat":
            return steps.concatenated(parts)
        if len(parts) < 2 or not self._is_plain(op):
            return None
        if op.function == "subtract":
            return steps.added([parts[0], steps.affine(parts[1], -1.0, 0.0)])
        if op.function == "add":
            return Statistics(0.0, 1.0, assumed=True) if op.index in self._residuals() else steps.added(parts)
        if op.function == "average":
            return steps.affine(steps.added(parts), 1 / len(parts), 0.0)
        return steps.multiplied(parts) if op.function == "multiply" else None

    def _is_plain(self, op: Op) -> bool:
        """Whether each input of a merge is one operand, and they are different tensors."""
        place = _place(op)
        is_operator = place is not None and type(place.syntax).__name__ in ("BinOp", "AugAssign")
        roots = {self._root(each) for each in self.model.inputs(op)}
        return len(roots) == len(op.inputs) and (not is_operator or len(op.inputs) == 2)

    def _root(self, op: Op) -> int:
        """Where a tensor comes from before it was moved about, scaled or dropped from."""
        while op.kind in (Kind.RESHAPE, Kind.DROPOUT, Kind.SCALE) and len(op.inputs) == 1:
            op = self.model.ops[op.inputs[0]]
        return op.index

    def _said_places(self) -> frozenset[Place]:
        """The initialisers of layers in front of a SELU: one that does not fit is reported once for all that it serves."""
        if self._places is None:
            layers = (
                op for op in self.model.of(Kind.PARAMETRIC) if op.weight is not None and self.model.fed(op, "selu")
            )
            self._places = frozenset(op.weight.place for op in layers if op.weight is not None and op.weight.place)
        return self._places

    def _residuals(self) -> frozenset[int]:
        if self._scaled is None:
            chain = {op.index for op in self.model.of(Kind.ACTIVATION, "selu") if not op.rivals}
            self._scaled = frozenset(each.op.index for each in residuals(self.model, chain))
        return self._scaled


def _dropout(op: Op, before: Statistics) -> Statistics | None:
    if op.function not in ("alpha_dropout", "feature_alpha_dropout"):
        return Statistics(before.mean, before.variance, assumed=True)
    rate = op.args.get("p", op.args.get("rate"))
    if not isinstance(rate, int | float) or is_off(op):
        return before
    return steps.alpha_dropout(before, rate) if 0 <= rate < 1 else None


def _affine(op: Op, before: Statistics) -> Statistics | None:
    factor, shift = op.args.get("factor", 1.0), op.args.get("shift", 0.0)
    if not isinstance(factor, int | float) or not isinstance(shift, int | float):
        return None
    return steps.affine(before, factor, shift) if op.function in ("scale", "shift") else None
