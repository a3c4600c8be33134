from __future__ import annotations

from collections.abc import Iterator, Sequence

from selulint.diagnostic import Finding, Refusal, Severity
from selulint.fix.initialisers import fitting_init
from selulint.graph import TRANSPARENT, Kind, Model, Op, Place
from selulint.moments.fitting import misfit
from selulint.rules import rule
from selulint.rules.related import at_sites, layers_and_activation, spelled

_SHARED = Refusal("its layers feed different activations")
_THROUGH = TRANSPARENT - {Kind.NORM}
# Layers whose units have the fan-in that initialisers go by; transposed and depthwise ones are wrong in other ways.
_LAYERS = frozenset({"linear", "conv1d", "conv2d", "conv3d"})
_REASONS = {
    "lecun": "in front of `{behind}` halves the signal at every layer; He initialisation keeps it",
    "selu": 'asks for the "selu" gain, but `{behind}` follows',
    "he": "has a rectifier's gain, but `{behind}` follows",
    "wild": "in front of `{behind}` has gain {gain:.3g}, which drives it far out of range",
    "equal": "makes all units in front of `{behind}` equal, and equal they stay",
}


@rule("SELU206", Severity.WARNING)
def activation_init_mismatch(model: Model) -> Iterator[Finding]:
    """Explicit initialiser that does not fit the activation that follows.

    ## What
    Reports, in front of hidden activations other than SELU: LeCun initialisation or PyTorch's "selu" gain where ReLU and
    its kin follow, constants, standard deviations that drive every unit far out of range, and (as a note) He
    initialisation where tanh or sigmoid follow. What differs by less, such as Glorot before ReLU, is not reported, nor
    are layers beside a norm, nor an initialiser that fits one of the other activations that it serves.

    ## Why
    ReLU passes half of the second moment, so weights need variance 2/n: with LeCun's 1/n the signal is down to a
    thousandth after ten layers. Units that start equal stay equal.

    ## Example
    ```python
    keras.layers.Dense(64, activation="relu", kernel_initializer="lecun_normal")
    ```

    ## Use instead
    ```python
    keras.layers.Dense(64, activation="relu", kernel_initializer="he_normal")
    ```

    ## Fix safety
    Safe: an initialiser changes neither names nor shapes of parameters, and loading weights overwrites it. Unsafe where
    callers choose its arguments.

    ## References
    He et al., 2015, arXiv:1502.01852; Glorot and Bengio, 2010; torch.nn.init.calculate_gain.
    """
    misfits: dict[Place, list[Op]] = {}
    for place, ops in _by_place(model).items():
        wrong = [op for op in ops if _misfit(model, op) is not None]
        if wrong and _only_misfits(model, place):
            misfits[place] = wrong
    for place, ops, sharing in at_sites(misfits):
        yield from _finding(model, place, ops, sharing)


def _finding(model: Model, place: Place, layers: Sequence[Op], sharing: Sequence[Op]) -> Iterator[Finding]:
    """The finding at `place` about the initialiser of `layers`, all of which it misfits as it does the others `sharing` it."""
    init, found = layers[0].weight, _misfit(model, layers[0])
    assert init is not None and found is not None
    reason, behind = found
    names = list(dict.fromkeys(f"`{op.label}`" for op in layers if op.label))
    told = " of " * bool(names) + ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")
    why = _REASONS[reason].format(behind=behind.title, gain=init.gain or 0.0)
    related = (*layers_and_activation(layers, behind), *spelled(init.place, place))
    functions = {each[1].function for op in sharing if (each := _misfit(model, op)) is not None}
    fix = fitting_init(model, sharing, behind.function) if len(functions) == 1 else _SHARED
    yield Finding(place.span, f"`{init.name}`{told} {why}", related, fix, Severity.NOTE if reason == "he" else None)


def _by_place(model: Model) -> dict[Place, list[Op]]:
    found: dict[Place, list[Op]] = {}
    for op in model.of(Kind.PARAMETRIC):
        if op.weight is not None and op.weight.place is not None and not op.weight.default:
            found.setdefault(op.weight.place, []).append(op)
    return found


def _misfit(model: Model, op: Op) -> tuple[str, Op] | None:
    """The reason and the activation, where all that `op` feeds are hidden activations that its initialiser does not fit."""
    init = op.weight
    behind = model.downstream(op, _THROUGH)
    if (
        init is None
        or op.function not in _LAYERS
        or not behind
        or any(near.kind is not Kind.ACTIVATION for near in behind)
    ):
        return None
    functions = {near.function for near in behind}
    if len(functions) != 1 or any(near.rivals or not model.is_hidden(near) for near in behind):
        return None
    reason = misfit(init.name, init.args, init.gain, functions.pop())
    return (reason, behind[0]) if reason and not _beside_norm(model, op, behind) else None


def _beside_norm(model: Model, op: Op, behind: list[Op]) -> bool:
    """Whether a norm sets what goes into a layer, or what comes out of its activation, so that a gain hardly matters."""
    return model.beside_norm(op) or any(map(model.beside_norm, behind))


def _only_misfits(model: Model, place: Place) -> bool:
    """Whether no layer that the initialiser serves feeds an activation that it fits."""
    for each in model.component:
        for op in _by_place(each).get(place, ()):
            feeds = [near for near in each.downstream(op) if near.kind is Kind.ACTIVATION and each.is_hidden(near)]
            if feeds and _misfit(each, op) is None:
                return False
    return True
