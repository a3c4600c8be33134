from __future__ import annotations

from collections.abc import Iterator

from selulint.diagnostic import Finding, Related, Severity
from selulint.fix.migration import selu_at
from selulint.graph import WEIGHTED_SUMS, Kind, Model, Op
from selulint.moments.maps import moments
from selulint.rules import rule

# Bounded ones are often meant: a code between -1 and 1, an image, a gate. They must stand between SELUs.
_BOUNDED = frozenset({"tanh", "sigmoid", "hardtanh", "hardsigmoid", "softsign", "softplus"})
_UNBOUNDED = frozenset({"elu", "celu", "gelu", "silu", "mish", "hardswish", "leaky_relu", "prelu", "rrelu"})
_WIDTHS = ("out_features", "out_channels", "units", "filters")
_GATED = frozenset({"multiply", "matmul", "einsum"})


@rule("SELU103", Severity.WARNING)
def mixed_activation(model: Model) -> Iterator[Finding]:
    """Another hidden activation inside a SELU chain.

    ## What
    Reports GELU, ELU, SiLU, LeakyReLU, tanh, sigmoid and the like between the layers of a network whose other hidden
    activations are mostly SELU. Outputs, gates, attention scores, codes of autoencoders and what an option chooses are
    not reported; ReLU is `relu-activation`.

    ## Why
    Only SELU maps mean 0 and variance 1 to mean 0 and variance 1. One other activation among SELUs gives the layers
    behind it other statistics, and it takes them about ten layers to recover; alternating SELU and tanh settles at
    variance 0.17.

    ## Example
    ```python
    nn.Sequential(nn.Linear(64, 64), nn.SELU(), nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 64), nn.SELU())
    ```

    ## Use instead
    ```python
    nn.Sequential(nn.Linear(64, 64), nn.SELU(), nn.Linear(64, 64), nn.SELU(), nn.Linear(64, 64), nn.SELU())
    ```

    ## Fix safety
    One fix makes all of them SELU, with LeCun initialisation and AlphaDropout where the chain lacks them. It is safe where
    the chain is plain and understood, unsafe where the file shows trained weights, where branches are added, or where
    PReLU's slopes leave the state_dict.

    ## References
    Klambauer et al., 2017, Theorem 1.
    """
    fix, said = None, False
    for op in model.of(Kind.ACTIVATION, *_BOUNDED, *_UNBOUNDED):
        if not is_mixed(model, op):
            continue
        assert op.place is not None
        if not said:
            fix, said = selu_at(model, is_mixed), True
        selu = next(near for near in (*model.activations_before(op), *model.activations_after(op)) if _is_selu(near))
        related = (Related("the SELU", selu.place.span),) if selu.place else ()
        yield Finding(op.place.span, f"`{op.title}` among SELUs {_effect(op)}", related, fix)


def is_mixed(model: Model, op: Op) -> bool:
    """Whether an activation other than SELU and ReLU stands in a chain of SELUs for no reason of its own."""
    if op.place is None or op.rivals or op.chooser is not None or op.function not in _BOUNDED | _UNBOUNDED:
        return False
    if not any(_is_selu(each) for each in model.ops) or not model.is_hidden(op) or _scores(model, op):
        return False
    if any(near.kind is Kind.PARAMETRIC and near.function not in WEIGHTED_SUMS for near in model.upstream(op)):
        return False
    hidden = [each for each in model.of(Kind.ACTIVATION) if model.is_hidden(each)]
    selus = sum(map(_is_selu, hidden))
    before, after = model.activations_before(op), model.activations_after(op)
    if any(map(_is_selu, before)) and any(map(_is_selu, after)):
        return 2 * selus > len(hidden) and (op.function in _UNBOUNDED or _keeps_width(model, op))
    # At either end of a chain, only where it is clearly the odd one out and in no branch of its own.
    if op.function not in _UNBOUNDED or selus < 2 or 3 * selus < 2 * len(hidden) or model.beside_norm(op):
        return False
    near = (*model.activations_before(op, merges=False), *model.activations_after(op, merges=False))
    beside = [each for each in near if model.is_hidden(each)]
    return bool(beside) and all(map(_is_selu, beside))


def _is_selu(op: Op) -> bool:
    return op.kind is Kind.ACTIVATION and op.function == "selu" and not op.rivals


def _scores(model: Model, op: Op) -> bool:
    """Whether the layers behind an activation compute only weights of other tensors: attention scores."""
    layers = [near for near in model.downstream(op, merges=True) if near.kind is Kind.PARAMETRIC]
    return bool(layers) and all(_weighs(model, layer) for layer in layers)


def _weighs(model: Model, layer: Op) -> bool:
    after = model.downstream(layer)
    softmax = [near for near in after if near.function == "softmax" and near.kind is Kind.ACTIVATION]
    gated = [near for each in (softmax or [layer]) for near in model.downstream(each)]
    return any(near.kind is Kind.MERGE and near.function in _GATED for near in gated)


def _keeps_width(model: Model, op: Op) -> bool:
    """Whether the layer in front of `op` is neither a bottleneck nor the widest: no code, no output of an inner model."""
    layer = next((near for near in model.upstream(op) if near.kind is Kind.PARAMETRIC), None)
    if layer is None:
        return False
    here = _width(layer)
    before = [_width(near) for near in _layers_before(model, layer)]
    after = [_width(near) for near in model.downstream(op, merges=True) if near.kind is Kind.PARAMETRIC]
    if here is None or not before or not after or None in before or None in after:
        return False
    around = [width for width in (*before, *after) if width is not None]
    return min(around) <= here <= max(around)


def _layers_before(model: Model, layer: Op) -> list[Op]:
    before = model.upstream(layer, _PASSED, merges=True)
    return [near for near in before if near.kind is Kind.PARAMETRIC]


_PASSED = frozenset({Kind.NORM, Kind.DROPOUT, Kind.POOL, Kind.RESHAPE, Kind.ACTIVATION})


def _width(op: Op) -> int | None:
    found = (op.args.get(name) for name in _WIDTHS)
    return next((width for width in found if isinstance(width, int)), None)


def _effect(op: Op) -> str:
    """What the activation makes of mean 0 and variance 1."""
    found = moments(op.function, 0.0, 1.0)
    if found is None:
        return "does not keep mean 0 and variance 1, as they do"
    mean = round(found.first, 9) + 0.0
    return f"turns mean 0 and variance 1 into {mean:.2g} and {found.variance:.2g}; SELU keeps them"
