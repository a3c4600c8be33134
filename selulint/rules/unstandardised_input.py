from __future__ import annotations

from collections.abc import Iterator

from selulint.diagnostic import Finding, Related, Severity
from selulint.graph import Kind, Model, Op
from selulint.rules import rule
from selulint.rules.related import selu_behind

_UNIT = (1 / 256, 1 / 255)
_MOVING = frozenset({Kind.RESHAPE, Kind.DROPOUT})


@rule("SELU504", Severity.WARNING)
def unstandardised_input(model: Model) -> Iterator[Finding]:
    """Inputs of a SELU model that are only brought into [0, 1].

    ## What
    Reports data that the same file visibly divides by 255 (in front of the first layer, with Keras' `Rescaling`, before
    `fit` or a `DataLoader`), or turns into [0, 1] by torchvision's `ToTensor` without `Normalize`, where every model of
    the file is a SELU model, once for all data of the file. Anything that standardises data anywhere in the file silences
    it; norms inside of the model do not.

    ## Why
    SELU's fixed point is mean 0 and variance 1. Pixels in [0, 1] have mean 0.13 and variance 0.09 (MNIST) or 0.47 and
    0.06 (CIFAR), so that the first layers work at variance 0.1 and below; it takes about ten layers to recover.

    ## Example
    ```python
    transform = transforms.Compose([transforms.ToTensor()])
    ```

    ## Use instead
    ```python
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
    ```

    ## Fix safety
    There is no fix: mean and standard deviation are those of your data.

    ## References
    Klambauer et al., 2017, section 2 (normalized inputs).
    """
    if not _is_selu_model(model):
        return
    inside = [op for op in model.ops if _rescales(op) and _is_raw(model, op)]
    for op in inside:
        place = op.place or op.call
        if place is not None and _feeds_selu(model, op):
            shown = " ".join(place.text.split())
            message = f"`{shown}` brings inputs into [0, 1], but SELU wants mean 0 and variance 1"
            yield Finding(place.span, message, selu_behind(model, op))
    fed = [op for op in model.of(Kind.INPUT) if _feeds_selu(model, op)]
    if inside or not fed:
        return
    for span in model.rescaled[:1]:
        shown = " ".join(model.file.source.text[span.start : span.end].split())
        message = f"`{shown}` leaves data in [0, 1], but the SELU model wants mean 0 and variance 1"
        others = tuple(Related("other data of the file", each) for each in model.rescaled[1:])
        yield Finding(span, message, (*others, *selu_behind(model, fed[0])))


def _is_selu_model(model: Model) -> bool:
    """Whether all hidden activations of a model are SELU."""
    hidden = [op for op in model.of(Kind.ACTIVATION) if model.is_hidden(op)]
    return bool(hidden) and all(op.function == "selu" and not op.rivals for op in hidden)


def _rescales(op: Op) -> bool:
    """Whether an op divides by 255 or 256, and does no more."""
    if op.function == "rescaling":
        factor, offset = op.args.get("scale"), op.args.get("offset", 0.0)
    else:
        factor, offset = op.args.get("factor") if op.function == "scale" else None, 0.0
    is_unit = isinstance(factor, int | float) and any(abs(factor / unit - 1) < 1e-3 for unit in _UNIT)
    return is_unit and offset == 0


def _is_raw(model: Model, op: Op) -> bool:
    """Whether nothing but moves lies between the model's input and an op."""
    before = model.upstream(op, _MOVING)
    return bool(before) and all(near.kind is Kind.INPUT and not near.args.get("unknown") for near in before)


def _feeds_selu(model: Model, op: Op) -> bool:
    """Whether data goes straight into a layer in front of a SELU: no norm, offset or anything unknown in between."""
    layers = model.downstream(op, _MOVING)
    if not layers or any(near.kind is not Kind.PARAMETRIC or near.function == "embedding" for near in layers):
        return False
    return all(model.fed(near, "selu") for near in layers)
