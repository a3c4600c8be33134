"""Fixes that concern models, not lines: a chain is made self-normalizing as a whole or not at all."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from typing import TypeAlias

from selulint.diagnostic import Refused, Repair
from selulint.fix import initialisers
from selulint.fix.activations import to_selu
from selulint.fix.dropouts import PLAIN_DROPOUTS, before_dropout, is_idle, to_alpha
from selulint.fix.inputs import stays_in_unit_interval
from selulint.fix.mixed import with_mixed
from selulint.fix.norms import OTHER_NORMS, drop_norm, meets_unknown, norms_beside_selu, refuse_drift
from selulint.fix.plan import Plan, composed
from selulint.fix.residuals import residuals, scale
from selulint.graph import Kind, Model, Op, Place, ends_chain, factor_of
from selulint.moments.chains import stays_in_box
from selulint.moments.maps import SANE_WINDOW

Wanted: TypeAlias = Callable[[Model, Op], bool]

# Names by which people compare networks with ReLU and networks with SELU.
_RELU = re.compile(r"(?i)relu")
_SELF_NORMALIZING = re.compile(r"(?i)selu|(?<![a-z])snn|self_?normali[sz]")
_PLAIN_LAYERS = frozenset({"linear", "conv1d", "conv2d", "conv3d"})


def selu_chain(model: Model, functions: frozenset[str] = frozenset({"relu"})) -> Repair:
    """These hidden activations to SELU in all models that share code with this one, with all that belongs to it."""
    message = "make the chain self-normalizing: SELU, LeCun normal, AlphaDropout"
    return _repair(model, lambda each, op: op.function in functions and each.is_hidden(op), message)


def selu_at(model: Model, is_wanted: Wanted) -> Repair:
    """The activations that are wanted to SELU, in the SELU chains in which they stand."""
    return _repair(model, is_wanted, "use SELU, as the chain around it does")


def without_norms(model: Model) -> Repair:
    """Take the norms out of the SELU chains of this model's component and give their layers LeCun initialisation."""
    return _repair(model, None, "remove the norm and initialise with LeCun normal")


def _repair(model: Model, is_wanted: Wanted | None, message: str) -> Repair:
    def compose(made: Plan) -> None:
        wanted = {
            id(each): [op for op in each.of(Kind.ACTIVATION) if is_wanted is not None and is_wanted(each, op)]
            for each in model.component
        }
        spelled = {(op.function, op.place) for ops in wanted.values() for op in ops}
        for each in model.component:
            converted = wanted[id(each)]
            _add_ends(made, each, converted, spelled)
            if converted:
                _doubt_baselines(made, each)
                if stays_in_unit_interval(each):
                    made.doubt("the inputs stay in [0, 1], and SELU wants them standardised")
                _add_mixed(made, each, converted)
            chain = [*converted, *each.of(Kind.ACTIVATION, "selu")]
            if chain and (converted or is_wanted is None):
                _repair_one(made, each, chain, converted)

    return composed(model, message, compose)


def _add_ends(made: Plan, model: Model, converted: list[Op], spelled: Collection[tuple[str, Place | None]]) -> None:
    """A residual block ends in the activation behind its sum: what is written once for the inside and that end is the same
    in both, and so is what follows a branch with an activation of its own. The end of anything else may be meant to be
    positive."""
    ends = [
        op
        for op in model.of(Kind.ACTIVATION)
        if op not in converted
        and _ends_in_sum(model, op)
        and ((op.function, op.place) in spelled or _is_behind(model, op, converted))
    ]
    if ends:
        made.doubt("the same activation also ends a model")
    converted.extend(ends)


def _is_behind(model: Model, op: Op, others: Collection[Op]) -> bool:
    return any(near in others and near.function == op.function for near in model.upstream(op, merges=True))


def _ends_in_sum(model: Model, op: Op) -> bool:
    """Whether what `op` computes of a sum leaves the model, and does nothing else in it."""
    sums = any(near.kind is Kind.MERGE and near.function == "add" for near in model.upstream(op))
    return sums and op.index in model.outputs and not model.downstream(op, merges=True)


def _doubt_baselines(made: Plan, model: Model) -> None:
    """A network that is there to be compared with a self-normalizing one should stay what it is."""
    if _RELU.search(model.name):
        made.doubt(f"`{model.name}` is named for its ReLU")
    own = {each.name for each in model.component}
    for statement in model.file.statements:
        for name in statement.binds if statement.kind in ("def", "class") else ():
            if name not in own and not name.startswith("_init_weights") and _SELF_NORMALIZING.search(name):
                made.doubt(f"it may be there to be compared with `{name}`")


def _add_mixed(made: Plan, model: Model, converted: list[Op]) -> None:
    """Half a migration would leave another activation alone among SELUs: it becomes SELU too."""
    others = with_mixed(model, {op.index for op in converted})
    for name in dict.fromkeys(op.function for op in others):
        made.doubt(f"{name} becomes SELU too")
    converted.extend(others)


def _repair_one(made: Plan, model: Model, chain: list[Op], converted: list[Op]) -> None:
    _look_around(made, model, chain, has_converted=bool(converted))
    indices = {op.index for op in chain}
    if converted and any(_is_gain(op) and _touches(model, op, indices) for op in model.of(Kind.SCALE)):
        raise Refused("a factor that makes up for another activation stands in the chain")
    for op in converted:
        to_selu(made, model, op, indices)
    for op in model.of(Kind.DROPOUT, *PLAIN_DROPOUTS):
        if _touches(model, op, indices) and not is_idle(op):
            to_alpha(made, model, op)
    norms = _norms_to_drop(made, model, indices, has_converted=bool(converted))
    dropped = {op.index for op in norms}
    kept = {other.place for other in model.of(Kind.NORM) if other.index not in dropped}
    for op in norms:
        if op.place in kept:
            raise Refused("the same norm is also used beside no SELU")
        drop_norm(made, model, op)
    layers = [op for op in model.of(Kind.PARAMETRIC) if any(n.index in indices for n in model.downstream(op))]
    repaired = {op.index for op in (*layers, *model.of(Kind.DROPOUT, *PLAIN_DROPOUTS))}
    # Sums that a norm, or nothing at all, kept in check are as wrong in a SELU network as plain dropout.
    for residual in residuals(model, indices, dropped):
        scale(made, residual)
        layers += [op for op in residual.layers if op not in layers and op.weight is not None]
        repaired.update((residual.op.index, *(op.index for op in residual.layers)))
    if norms and not converted:
        refuse_drift(model, norms, repaired)
    initialisers.make_lecun(made, model, layers)


def _is_gain(op: Op) -> bool:
    """Whether an op multiplies by more or less than rounding: NF-ResNets' factors for ReLU, say."""
    factor = factor_of(op)
    return factor is not None and factor > 0 and not SANE_WINDOW[0] <= factor * factor <= SANE_WINDOW[1]


def _norms_to_drop(made: Plan, model: Model, chain: set[int], has_converted: bool) -> list[Op]:
    """The norms of a chain, unless one has a purpose of its own: then it stays, and a migration is refused."""
    redundant = {op.index for op, _ in norms_beside_selu(model, *OTHER_NORMS)} if not has_converted else set()
    found = []
    for op in model.of(Kind.NORM):
        # A batch norm that ends a branch stands before the activation behind the sum.
        if not _touches(model, op, chain, merges=op.function == "batch_norm"):
            continue
        if not has_converted and meets_unknown(model, op):
            made.doubt("a norm beside what is not understood stays")
        elif op.function == "batch_norm" or op.index in redundant:
            found.append(op)
        elif has_converted:
            raise Refused(f"{op.function} stays in the chain")
        else:
            made.doubt("a norm that serves another part of the model stays")
    return found


def _look_around(made: Plan, model: Model, chain: list[Op], has_converted: bool) -> None:
    """Refuse what is not understood next to the chain; doubt what is understood but changes the statistics."""
    for op in chain:
        if op.rivals:
            raise Refused("the activation is chosen at run time")
        for near in (*model.upstream(op, merges=True), *model.downstream(op, merges=True)):
            if near.kind is Kind.OPAQUE and has_converted:
                raise Refused(f"{near.function} is not understood")
        if any(near.function == op.function and near.kind is op.kind for near in model.upstream(op)):
            raise Refused("the same activation follows twice")
    if any(op.kind is Kind.OPAQUE for op in model.ops):
        made.doubt("parts of the model are not understood")
    if any(op.kind is Kind.MERGE and op.function != "concat" for op in model.ops):
        made.doubt("branches are added or multiplied")
    if any(True for _ in model.of(Kind.POOL, "aggregate")):
        made.doubt("what a graph's neighbours add up to is not known")
    indices = {op.index for op in chain}
    others = (op for op in model.of(Kind.ACTIVATION) if op.index not in indices)
    hidden = {op.function for op in others if op.function != "relu" and model.is_hidden(op)}
    if hidden:
        made.doubt(f"{', '.join(sorted(hidden))} stays between its layers")
    if any(op.function not in _PLAIN_LAYERS for op in model.of(Kind.PARAMETRIC)):
        made.doubt("the model has layers that the theory does not cover")
    ends = (op for op in model.of(Kind.ACTIVATION, "relu") if op.index not in indices and not model.is_hidden(op))
    if any(_is_behind_layer(model, op) for op in ends):
        made.doubt("a ReLU at the end of the model stays")
    if model.trained:
        made.doubt("the file shows trained weights")
    if not stays_in_box(_statistics(model, indices)):
        made.doubt("pooling moves the predicted statistics out of Theorem 1's box")


def _is_behind_layer(model: Model, op: Op) -> bool:
    return any(near.kind is Kind.PARAMETRIC for near in model.upstream(op, merges=True))


def _statistics(model: Model, chain: set[int]) -> Iterator[tuple[str, float]]:
    """The ops between activations of the chain that change moments: ("max_pool", window) and so on, in order."""
    for op in model.ops:
        if op.index in chain:
            yield "selu", 1.0
        elif op.kind is Kind.POOL and not ends_chain(op) and _feeds(model, op, chain):
            yield op.function, _window(op)


def _window(op: Op) -> float:
    size = next((op.args[name] for name in ("kernel_size", "pool_size", "window_shape") if name in op.args), None)
    digits = [character for character in op.function if character.isdigit()]
    if isinstance(size, tuple):
        product = 1.0
        for each in size:
            product *= each
        return product
    return float(size ** (int(digits[-1]) if digits else 2)) if isinstance(size, int) else 4.0


def _feeds(model: Model, op: Op, chain: set[int]) -> bool:
    """Whether another activation of the chain follows behind the next layer."""
    after = [near for near in model.downstream(op) if near.kind is Kind.PARAMETRIC]
    return any(near.index in chain for layer in after for near in model.downstream(layer))


def _touches(model: Model, op: Op, chain: set[int], merges: bool = False) -> bool:
    """Whether an activation of the chain is right before or right behind `op`, with no global pool in between."""
    if any(near.index in chain for near in model.downstream(op, merges=merges)):
        return True
    return any(near.index in chain for near in before_dropout(model, op))
