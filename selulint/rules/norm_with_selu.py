from __future__ import annotations

from collections.abc import Iterator

from selulint.diagnostic import Finding, Related, Severity
from selulint.graph import TRANSPARENT, WEIGHTED_SUMS, Kind, Model, Op
from selulint.rules import rule

_THROUGH = TRANSPARENT - {Kind.NORM}
_CHAIN = frozenset({Kind.ACTIVATION, Kind.PARAMETRIC})
_NORMS = ("layer_norm", "group_norm", "instance_norm", "rms_norm", "local_response_norm")


@rule("SELU302", Severity.WARNING)
def norm_with_selu(model: Model) -> Iterator[Finding]:
    """Layer, group, instance or RMS norm in a SELU chain.

    ## What
    Reports a norm other than BatchNorm between a layer and its SELU, or between a SELU and the next layer. A norm that
    serves something else as well is not reported: attention, a residual stream, the raw input, the model's result.

    ## Why
    Each of these forces the statistics that SELU keeps by itself, per sample, group or channel. SELU's fixed point is
    never used then, the norm hides a wrong initialiser, and its cost buys nothing that the activation does not give.

    ## Example
    ```python
    nn.Sequential(nn.Linear(64, 64), nn.LayerNorm(64), nn.SELU())
    ```

    ## Use instead
    ```python
    nn.Sequential(nn.Linear(64, 64), nn.SELU())  # with LeCun normal initialisation
    ```

    ## Fix safety
    There is no fix: unlike BatchNorm, these norms also act at inference, so that a trained model needs them.

    ## References
    Klambauer et al., 2017; Ba et al., Layer Normalization, arXiv:1607.06450.
    """
    for op in model.of(Kind.NORM, *_NORMS):
        before, after = model.upstream(op, _THROUGH), model.downstream(op, _THROUGH)
        selus = [
            each
            for each in (*before, *after)
            if each.kind is Kind.ACTIVATION and each.function == "selu" and not each.rivals
        ]
        is_inside = any(each.kind is Kind.PARAMETRIC for each in (*before, *after))
        if op.place is None or not selus or not is_inside or any(each.kind is Kind.INPUT for each in before):
            continue
        if not _serves_chain(model, op):
            continue
        related = tuple(Related("the SELU", each.place.span) for each in selus[:1] if each.place)
        message = f"`{op.title}` normalizes what the SELU beside it normalizes by itself, and hides the initialiser"
        yield Finding(op.place.span, message, related)


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
