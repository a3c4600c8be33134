"""Norms beside SELU: which of them only do what SELU does by itself, and taking one out of a model."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from selulint.diagnostic import Refused
from selulint.fix.callers import refuse_entry
from selulint.fix.keras_layers import remove_keras_layer, take_call_out
from selulint.fix.plan import Plan
from selulint.graph import TRANSPARENT, WEIGHTED_SUMS, Kind, Model, Op, Place
from selulint.moments.propagate import Statistics
from selulint.predict import BATCH, Walk

# Norms other than BatchNorm: they also act at inference, and often serve something else than the activation.
OTHER_NORMS = ("layer_norm", "group_norm", "instance_norm", "rms_norm", "local_response_norm")
_TO_NORM = TRANSPARENT - {Kind.NORM}
_CHAIN = frozenset({Kind.ACTIVATION, Kind.PARAMETRIC})
# Past this factor a variance does not fall back: max pools stay below it, averages over some places do not.
_DRIFT = 2.0
# Packages whose norms are made in the expression that applies them.
_INLINE = ("flax.linen.", "haiku.", "tensorflow.layers.", "tensorflow.contrib.layers.")
_PARAMETERS = frozenset({"weight", "bias", "running_mean", "running_var"})


def norms_beside_selu(model: Model, *functions: str) -> Iterator[tuple[Op, Op]]:
    """The norms right before or right behind a SELU, behind a layer, that serve nothing but the chain; each with its SELU."""
    for op in model.of(Kind.NORM, *functions):
        before, after = model.upstream(op, _TO_NORM), model.downstream(op, _TO_NORM)
        near = (*before, *after)
        selus = [each for each in near if each.kind is Kind.ACTIVATION and each.function == "selu" and not each.rivals]
        if op.place is None or not selus:
            continue
        if op.function == "batch_norm":
            if any(each.kind is not Kind.INPUT for each in model.upstream(op)):
                yield op, selus[0]
            continue
        is_inside = any(each.kind is Kind.PARAMETRIC for each in near)
        if is_inside and not any(each.kind is Kind.INPUT for each in before) and _serves_chain(model, op):
            yield op, selus[0]


def meets_unknown(model: Model, op: Op) -> bool:
    """Whether what a norm stands next to anywhere is not understood: it may have to be normalized there."""
    for each in model.component:
        for other in each.of(Kind.NORM):
            near = (*each.upstream(other), *each.downstream(other)) if other.place == op.place else ()
            if any(found.kind is Kind.OPAQUE for found in near):
                return True
    return False


def _serves_chain(model: Model, op: Op) -> bool:
    """Whether a norm feeds nothing but the chain's next activation or layer.

    Attention, residual streams and results that leave the model are normalized for reasons of their own.
    """
    after = model.downstream(op)
    if not after or _leaves(model, op) or any(each.kind not in _CHAIN for each in after):
        return False
    layers = [each for each in after if each.kind is Kind.PARAMETRIC]
    if not layers:
        # Right before the SELU: behind a sum of branches it holds more than this SELU's input.
        return all(each.kind is Kind.PARAMETRIC for each in model.upstream(op))
    if any(each.function not in WEIGHTED_SUMS for each in layers):
        return False
    return not any(_meet(near) for each in layers for near in model.downstream(each, TRANSPARENT | {Kind.SCALE}))


def _leaves(model: Model, op: Op) -> bool:
    stack, seen = [op], set[int]()
    while stack:
        near = stack.pop()
        if near.index in model.outputs:
            return True
        if near.index not in seen:
            seen.add(near.index)
            stack.extend(each for each in model.users(near) if each.kind in TRANSPARENT)
    return False


def _meet(op: Op) -> bool:
    """Whether queries, keys and values meet in an op, or may do so."""
    several = len(op.inputs) > 1
    if op.function in ("attention", "matmul"):
        return True
    return several and (op.function == "multiply" or op.kind in (Kind.OPAQUE, Kind.PARAMETRIC))


def drop_norm(made: Plan, model: Model, op: Op) -> None:
    """Take a norm out of a model and restore the bias of the layer in front; in PyTorch `nn.Identity()` takes its place."""
    if op.place is None or op.symbol is None:
        raise Refused("the norm is not spelled in this file")
    if op.addressed:
        raise Refused("code elsewhere uses the parameters of the norm")
    if not op.name.startswith(("torch.", "keras.", *_INLINE)):
        raise Refused("a norm that is an argument or a function cannot be taken out")
    refuse_entry(made.draft, op)
    if any(near.kind is Kind.INPUT for near in model.upstream(op)):
        raise Refused("the norm standardises the input")
    if not made.first("norm", op.place):
        pass
    elif op.name.startswith(_INLINE):
        _drop_inline(made, op)
    elif op.layer == 0:
        _drop_call(made, op.place, op.name)
    else:
        made.doubt("removing the norm removes its keys from the state_dict")
        _drop_layer(made, model, op)
    for layer in model.upstream(op):
        if layer.kind is Kind.PARAMETRIC and made.first("bias", layer.place):
            _restore_bias(made, model, layer)


def _drop_layer(made: Plan, model: Model, op: Op) -> None:
    assert op.place is not None and op.symbol is not None
    if model.framework == "keras":
        if not remove_keras_layer(made.draft, op):
            raise Refused("the norm cannot be taken out of this expression")
        return
    name = made.draft.refer_like(op.symbol, "torch.nn.Identity")
    if name is None:
        raise Refused("the norm is not built here")
    # Where a class is passed around, every norm that is made of it goes: Identity takes any arguments.
    made.draft.replace(op.place, f"{name}()" if hasattr(op.place.node, "args") else name)


def _drop_inline(made: Plan, op: Op) -> None:
    """What is made where it is applied (`x = nn.LayerNorm()(x)`, `tf.layers.batch_normalization(x)`), or by a layer itself
    (`normalizer_fn=`)."""
    made.doubt("removing the norm removes its variables from checkpoints")
    place, call = op.place, op.call
    assert place is not None
    around = place.unit.ancestors(place.node)
    if call is None or len(around) < 2:
        raise Refused("the norm is not made where it is applied")
    node, keyword = call.node, getattr(getattr(around[-1], "keyword", None), "value", "")
    if keyword == "normalizer_fn" and around[-2] is node:
        given = {each.keyword.value for each in node.args if each.keyword is not None}
        done = all(made.draft.remove_argument(call, each) for each in ("normalizer_params", keyword) if each in given)
    elif node is place.node or node is around[-1]:
        done = take_call_out(made.draft, call, others=True)
    else:
        raise Refused("the norm is not made where it is applied")
    if not done:
        raise Refused("this norm cannot be taken out of its expression")


def _drop_call(made: Plan, place: Place, name: str) -> None:
    """`F.layer_norm(x, (64,))` becomes `x`."""
    made.doubt("removing the norm changes what a trained model computes")
    call: Any = place.node
    others = [arg.keyword.value if arg.keyword is not None else "" for arg in getattr(call, "args", ())[1:]]
    if others.count("") > 1 or any(each in _PARAMETERS for each in others) or name.endswith(".batch_norm"):
        raise Refused("the norm has parameters of its own")
    if not name.startswith("torch.nn.functional.") or not made.draft.unwrap(place, others=True):
        raise Refused("this norm cannot be taken out of its expression")


def _restore_bias(made: Plan, model: Model, layer: Op) -> None:
    assert layer.place is not None
    name = "bias" if layer.name.startswith("torch.") else "with_bias" if layer.name.startswith("haiku.") else "use_bias"
    if layer.args.get(name) is False and not made.draft.remove_argument(layer.place, name):
        raise Refused("the bias of the layer before the norm cannot be restored")


def refuse_drift(model: Model, norms: Collection[Op], repaired: Collection[int]) -> None:
    """Refuse to take norms out where they, and not SELU, keep the statistics: behind pools, for the most part.

    `repaired` are ops that are as they should be once the fix is applied: layers, dropout, scaled sums.
    """
    dropped = {op.index for op in norms}
    kept, free = (_variances(model, repaired, gone) for gone in (frozenset[int](), dropped))
    for index, here in free.items():
        before = kept.get(index)
        if before is not None and not here.is_in_box and not 1 / _DRIFT < here.variance / before.variance < _DRIFT:
            raise Refused(
                f"without it the predicted variance at a SELU is {here.variance:.2g}, with it {before.variance:.2g}"
            )


def _variances(model: Model, repaired: Collection[int], dropped: Collection[int]) -> dict[int, Statistics]:
    """The statistics behind the SELUs of a model."""
    walk = Walk(model, lambda op: op.index in repaired, biases=False, batch=BATCH)
    found: dict[int, Statistics] = {}
    for op in model.ops:
        here = walk.step(op)
        if op.index in dropped and len(op.inputs) == 1:
            walk.reset(op, walk.known[op.inputs[0]])
        elif here is not None and op.kind is Kind.ACTIVATION and op.function == "selu" and here.variance > 0:
            found[op.index] = here
    return found
