from __future__ import annotations

import math
import re
from collections.abc import Iterator

from selulint.diagnostic import Finding, Severity
from selulint.graph import WEIGHTED_SUMS, Kind, Model, Op, ends_chain
from selulint.moments.maps import SELU_ALPHA, SELU_SCALE
from selulint.rules import rule
from selulint.rules.related import at, spelled

_LOWEST = -SELU_SCALE * SELU_ALPHA
_PASSED = frozenset({Kind.DROPOUT, Kind.RESHAPE})
_PROBABILITIES = frozenset({"softmax", "log_softmax", "sigmoid", "logsigmoid"})
_UNITS = ("out_features", "units", "features", "num_outputs", "output_size")
_CHANNELS = ("out_channels", "filters")
# Red, green, blue and alpha.
_COLOURS = 4
# Names that only a model's last layer has, and only whole models; a feature extractor ends in SELU for good reason.
_LAST = re.compile(
    r"(?:fc|dense|linear|layer)?_?(?:out|output|outputs|logits?|classifier|regressor|predictor|predictions?)"
    r"(?:_?(?:layer|fc|linear|dense|head))?"
)
_COUNTED = re.compile(r"(?:num|n|nb)_?(?:class(?:es)?|labels?|actions?|targets?)|class_num|num_cls|action_(?:size|dim)")
_WHOLE = re.compile(
    r"(?:Classifier|Regressor|Critic|Discriminator|Auto[Ee]ncoder|DQN|QNet(?:work)?|PolicyNet(?:work)?)$"
)


@rule("SELU104", Severity.WARNING)
def selu_output(model: Model) -> Iterator[Finding]:
    """SELU on the model's output.

    ## What
    Reports a SELU that nothing but dropout, a reshape, softmax or sigmoid separates from what the model returns, where
    something shows that this is the result of a whole model and no features: a softmax or sigmoid follows (a global pool
    may stand before it), the last layer has one unit or channel, as many as there are classes, or an output's name, the
    Keras model is compiled, or an autoencoder returns to the width or the channels of its input.

    ## Why
    A SELU gives nothing below -1.758. A regression cannot reach such targets, a softmax cannot rule a class out, and a
    sigmoid behind it never falls below 0.147.

    ## Example
    ```python
    nn.Sequential(nn.Linear(64, 64), nn.SELU(), nn.Linear(64, 1), nn.SELU())
    ```

    ## Use instead
    ```python
    nn.Sequential(nn.Linear(64, 64), nn.SELU(), nn.Linear(64, 1))
    ```

    ## Fix safety
    There is no fix: without the SELU the model computes something else, and what should be there depends on the targets.

    ## References
    Klambauer et al., 2017, section 2.
    """
    if model.part:
        return
    for op in model.of(Kind.ACTIVATION, "selu"):
        place = op.seat
        if place is None or op.rivals or op.chooser is not None:
            continue
        last = _last_layer(model, op)
        ends = _ends(model, op)
        if last is None or not ends or not model.activations_before(last):
            continue
        reason = _evidence(model, op, last, ends)
        if reason:
            related = (*at("the last layer", [last]), *spelled(op.place, place))
            yield Finding(place.span, f"`{op.title}` is on the model's output: {reason}", related)


def _last_layer(model: Model, op: Op) -> Op | None:
    before = model.upstream(op, _PASSED)
    return before[0] if len(before) == 1 and before[0].function in WEIGHTED_SUMS else None


def _ends(model: Model, op: Op) -> list[Op]:
    """The ops that are returned and that only dropout, reshapes, global pools or a law of probabilities part from `op`.

    Empty where something else reads it too.
    """
    found: list[Op] = []
    stack, seen, is_pooled = [op], set[int](), False
    while stack:
        near = stack.pop()
        if near.index in seen:
            continue
        seen.add(near.index)
        users = model.users(near)
        is_returned = near.index in model.outputs or near.index in model.targets
        # What nothing reads is a result in Keras, whose functional models are no values of their own.
        if is_returned or (not users and model.framework == "keras"):
            found.append(near)
        elif not users:
            return []
        if near is not op and near.kind is Kind.ACTIVATION and users:
            return []
        for user in users:
            is_mean = ends_chain(user) and user.function != "sum"
            if user.kind not in _PASSED and user.function not in _PROBABILITIES and not is_mean:
                return []
            is_pooled = is_pooled or is_mean
            stack.append(user)
    # Pooled features are features, unless they are taken for logits.
    return found if not is_pooled or all(end.function in _PROBABILITIES for end in found) else []


def _evidence(model: Model, op: Op, last: Op, ends: list[Op]) -> str:
    """What shows that this is the output of a whole model, as the user is told it; "" where nothing does."""
    probabilities = next((end for end in ends if end.function in _PROBABILITIES), None)
    if probabilities is not None:
        return f"`{probabilities.title}` behind it gets nothing below {_LOWEST:.4g}"
    units = next((last.args[name] for name in (*_UNITS, *_CHANNELS) if name in last.args), None)
    is_told = units == 1 or any(end.index in model.targets for end in ends) or _is_named(model, last)
    return (
        f"nothing below {_LOWEST:.4g} can be predicted"
        if is_told or _returns(model, last) or _is_image(model, last)
        else ""
    )


def _is_named(model: Model, last: Op) -> bool:
    if _LAST.fullmatch(last.label.lower()) or _WHOLE.search(model.name):
        return True
    if last.place is None:
        return False
    # PyTorch's layers take their inputs first; Keras's only the units.
    sizes = last.place.text if model.framework == "keras" else last.place.text.partition(",")[2]
    return any(map(_COUNTED.fullmatch, re.findall(r"\w+", sizes.lower())))


def _is_image(model: Model, last: Op) -> bool:
    """Whether a convolution makes as many channels as the model's first one sees, few, with more of them in between; where
    nobody knows what that one sees, whether it enlarges what it is given."""
    layers = [op for op in model.of(Kind.PARAMETRIC) if op.function in WEIGHTED_SUMS]
    widths = [next((op.args[name] for name in _CHANNELS if name in op.args), None) for op in layers]
    known = [width for width in widths if isinstance(width, int)]
    made = next((last.args[name] for name in _CHANNELS if name in last.args), None)
    if not isinstance(made, int) or not made <= _COLOURS < max(known):
        return False
    seen = _channels_of(layers[0])
    return seen == made if seen is not None else last.function.startswith("conv_transpose")


def _channels_of(op: Op) -> float | None:
    """How many channels a convolution sees."""
    given, size = op.args.get("in_channels"), op.args.get("kernel_size")
    if isinstance(given, int):
        return given
    sides = (
        list(size)
        if isinstance(size, tuple | list)
        else [size] * int(op.function[-2])
        if op.function[-1] == "d"
        else []
    )
    known = [side for side in sides if isinstance(side, int) and side > 0]
    return op.fan_in / math.prod(known) if op.fan_in is not None and known and len(known) == len(sides) else None


def _returns(model: Model, last: Op) -> bool:
    """Whether a chain of at least four dense layers narrows and then widens to as many units as it has inputs."""
    layers = list(model.of(Kind.PARAMETRIC))
    if len(layers) < 4 or any(op.function != "linear" for op in layers) or layers[-1].index != last.index:
        return False
    widths = [layers[0].fan_in, *(next((op.args.get(n) for n in _UNITS if n in op.args), None) for op in layers)]
    known = [width for width in widths if isinstance(width, int | float)]
    if len(known) != len(widths) or known[0] != known[-1]:
        return False
    waist = known.index(min(known))
    narrows = known[: waist + 1] == sorted(known[: waist + 1], reverse=True)
    return narrows and known[waist:] == sorted(known[waist:]) and 1 < waist < len(known) - 2
