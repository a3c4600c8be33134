from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from selulint.diagnostic import Finding, Prediction, Related, Severity
from selulint.fix.dropouts import is_off
from selulint.fix.residuals import selu_residuals
from selulint.graph import Kind, Model, Op, Place
from selulint.moments.maps import SANE_WINDOW
from selulint.moments.propagate import Statistics, standard
from selulint.preactivations import default_layers
from selulint.predict import Walk
from selulint.rules import rule

_LAYERS = frozenset({"linear", "conv1d", "conv2d", "conv3d"})
_ALPHA_DROPOUTS = frozenset({"alpha_dropout", "feature_alpha_dropout"})
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
    chain = _Chain(model)
    feeding = _feeding(model)
    for op in model.ops:
        found = chain.step(op)
        if found is not None and op.function == "selu" and not found.is_in_box and op.index in feeding:
            yield from _finding(model, chain, op, found)
            chain.forget(op)


def _feeding(model: Model) -> set[int]:
    """The ops whose values reach a layer: what only leaves the model is no chain."""
    found: set[int] = set()
    for op in reversed(model.ops):
        if op.kind is Kind.PARAMETRIC or op.index in found:
            found.update(op.inputs)
    return found


def _finding(model: Model, chain: _Chain, selu: Op, found: Statistics) -> Iterator[Finding]:
    # What pulls the other way is no cause.
    is_low, causes = found.second < 1.0, chain.causes(selu)
    causes = [op for op in causes if (chain.ratio[op.index] < 1.0) is is_low] or causes
    named = [op for op in causes if op.kind is not Kind.PARAMETRIC][-1:] or causes
    place = _place(named[0] if named and named[0].kind is not Kind.PARAMETRIC else selu)
    if place is None or not named:
        return
    layers = [op.title for op in model.upstream(selu, merges=True) if op.kind is Kind.PARAMETRIC]
    behind = f" behind `{layers[-1]}`" if layers else ""
    fixed = ", whatever else is repaired" if found.assumed else ""
    end = chain.end(selu)
    after = f"; mean {end.mean:.2g} and variance {end.variance:.2g} at the last SELU" if end is not None else ""
    message = (
        f"predicted mean {found.mean:.2g} and variance {found.variance:.2g} of the SELU{behind} leave the box of Theorem 1 "
        f"(0.1; 0.8 to 1.5){fixed}: {_why(named, chain.ratio)}{after}"
    )
    spelled = selu.seat
    related = [Related("the SELU", spelled.span)] if spelled is not None and spelled != place else []
    related += [Related("a layer whose gain is named", each.span) for each in _layers(named)]
    title = layers[-1] if layers else selu.title
    yield Finding(place.span, message, tuple(related), prediction=Prediction(title, found.mean, found.variance, end))


def _why(causes: list[Op], ratio: dict[int, float]) -> str:
    if causes[0].kind is not Kind.PARAMETRIC:
        op = causes[0]
        place = _place(op)
        text = " ".join(place.text.split()) if place is not None else op.function
        return (
            f"`{text if len(text) <= 60 else text[:57] + '...'}` multiplies the second moment by {ratio[op.index]:.3g}"
        )
    gains = [f"`{op.title}` {ratio[op.index]:.3g}" for op in causes[:4]]
    return f"gains add up ({', '.join(gains)}{', ...' * (len(causes) > 4)})"


def _layers(causes: list[Op]) -> list[Place]:
    return list(dict.fromkeys(op.place for op in causes if op.kind is Kind.PARAMETRIC and op.place is not None))[:4]


def _place(op: Op) -> Place | None:
    return op.call if op.kind is Kind.MERGE and op.layer else op.seat


@dataclass(slots=True)
class _Chain:
    """The walk through a model of which the rest is repaired, and what each op does to second moments on the way."""

    model: Model
    ratio: dict[int, float] = field(default_factory=dict)
    _walk: Walk = field(init=False)
    _forgotten: set[int] = field(default_factory=set)
    _defaults: dict[int, Op] | None = None
    _places: frozenset[Place] | None = None

    def __post_init__(self) -> None:
        self._walk = Walk(self.model, self._is_said, biases=False)

    def step(self, op: Op) -> Statistics | None:
        found = self._walk.step(op)
        if found is not None and _is_foreign(op):
            found = None
            self._walk.reset(op, None)
        if found is not None and op.kind in (Kind.MERGE, Kind.SCALE, Kind.PARAMETRIC):
            parts = [each.second for index in op.inputs if (each := self._walk.known[index]) is not None]
            self.ratio[op.index] = found.second / max(sum(parts) / len(parts), 1e-30) if parts else 1.0
        return found

    def forget(self, op: Op) -> None:
        """What comes behind an op is judged by itself."""
        self._walk.reset(op, standard())
        self._forgotten.add(op.index)

    def causes(self, selu: Op) -> list[Op]:
        """The ops before a SELU that change the second moment, as far back as the last SELU that was reported."""
        seen: set[int] = set()
        stack = list(selu.inputs)
        while stack:
            index = stack.pop()
            if index not in seen and index not in self._forgotten:
                seen.add(index)
                stack.extend(self.model.ops[index].inputs)
        return [self.model.ops[i] for i in sorted(seen) if abs(self.ratio.get(i, 1.0) - 1) > _NOTABLE]

    def end(self, selu: Op) -> Prediction | None:
        """The last SELU that this one leads to, if nothing on the way is repaired that is not said elsewhere."""
        walk = Walk(self.model, self._is_said, biases=False)
        reached = {selu.index}
        last = None
        for op in self.model.ops:
            found = walk.step(op)
            if found is not None and _is_foreign(op):
                walk.reset(op, None)
            elif op.index > selu.index and not reached.isdisjoint(op.inputs):
                reached.add(op.index)
                if op.kind is Kind.ACTIVATION and found is not None:
                    last = op, found
        if last is None:
            return None
        layers = [op.title for op in self.model.upstream(last[0], merges=True) if op.kind is Kind.PARAMETRIC]
        return Prediction(layers[-1] if layers else last[0].title, last[1].mean, last[1].variance)

    def _is_said(self, op: Op) -> bool:
        """Whether another rule reports what is wrong with an op."""
        match op.kind:
            case Kind.PARAMETRIC:
                return self._is_layer_said(op)
            case Kind.DROPOUT:
                return op.function not in _ALPHA_DROPOUTS or is_off(op)
        return op.kind is Kind.MERGE and any(each.op is op for each in selu_residuals(self.model))

    def _is_layer_said(self, op: Op) -> bool:
        init = op.weight
        if init is None or op.function not in _LAYERS:
            return False
        if init.default and op.index in self._default_layers():
            return True
        if not self.model.fed(op, "selu") and (init.place is None or init.place not in self._said_places()):
            return False
        if init.default:
            return True
        if init.gain is None:
            return isinstance(init.args.get("std", init.args.get("stddev")), int | float)
        return not SANE_WINDOW[0] <= init.gain <= SANE_WINDOW[1]

    def _said_places(self) -> frozenset[Place]:
        """The initialisers of layers in front of a SELU: one that does not fit is reported once for all that it serves."""
        if self._places is None:
            layers = (
                op for op in self.model.of(Kind.PARAMETRIC) if op.weight is not None and self.model.fed(op, "selu")
            )
            self._places = frozenset(op.weight.place for op in layers if op.weight is not None and op.weight.place)
        return self._places

    def _default_layers(self) -> dict[int, Op]:
        if self._defaults is None:
            terms = {each.op.index: each.terms for each in selu_residuals(self.model)}
            self._defaults = default_layers(self.model, terms)
        return self._defaults


def _is_foreign(op: Op) -> bool:
    """Whether what comes behind is not judged: other activations, tables, and pools, whose effect hangs on the images."""
    if op.kind is Kind.ACTIVATION:
        return op.function != "selu"
    return op.kind is Kind.POOL or (op.kind is Kind.PARAMETRIC and op.function not in _LAYERS)
