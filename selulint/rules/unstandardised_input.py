from __future__ import annotations

from collections.abc import Iterator

from selulint.diagnostic import Finding, Related, Severity
from selulint.fix.inputs import feeds, rescaling
from selulint.graph import Kind, Model
from selulint.rules import rule
from selulint.rules.related import selu_behind


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
    inside = rescaling(model)
    for op in inside:
        place = op.place or op.call
        if place is not None and feeds(model, op):
            shown = " ".join(place.text.split())
            message = f"`{shown}` brings inputs into [0, 1], but SELU wants mean 0 and variance 1"
            yield Finding(place.span, message, selu_behind(model, op))
    fed = [op for op in model.of(Kind.INPUT) if feeds(model, op)]
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
