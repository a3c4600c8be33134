from __future__ import annotations

from collections.abc import Iterator

from selulint.diagnostic import Finding, Related, Severity
from selulint.fix.order import in_order, own_initialisers
from selulint.graph import Kind, Lost, Model, Op, Place
from selulint.rules import rule


@rule("SELU207", Severity.ERROR)
def init_without_effect(model: Model) -> Iterator[Finding]:
    """Initialisation that is lost.

    ## What
    Reports an initialiser that writes into a weight which is computed from other parameters: after `weight_norm` (the old
    function or the parametrization) the weight is made anew from its direction and length for every forward. And, in front
    of SELUs: `self.apply(init)` or a loop over `self.modules()` that runs before a layer is made, which so keeps the
    default; an initialiser whose weights, and no others, the same constructor overwrites with another one; and one Keras
    initialiser object that gives several layers of one shape the same weights.

    ## Why
    The call succeeds and changes nothing: the layer keeps the initialisation that it had before it was wrapped, which in
    PyTorch is the default with gain 1/3, or starts with another law than the code seems to say. In Keras 3 an initialiser
    object draws its seed once, when it is made: layers that share it start equal, and what the second one computes of the
    first is no sum of independent terms.

    ## Example
    ```python
    self.fc = weight_norm(nn.Linear(64, 64))
    nn.init.kaiming_normal_(self.fc.weight, nonlinearity="linear")
    ```

    ## Use instead
    ```python
    fc = nn.Linear(64, 64)
    nn.init.kaiming_normal_(fc.weight, nonlinearity="linear")
    self.fc = weight_norm(fc)
    ```

    ## Fix safety
    Safe: `self.apply(init)` moves to the end of its constructor where nothing else is initialised by other means, an
    overwritten initialiser goes, layers that share LeCun's object get the string that stands for it. A seed that goes makes
    the last one unsafe. What comes after `weight_norm` has no fix: the order of the statements has to change, and only
    their author knows what stands between them.

    ## References
    torch.nn.utils.parametrizations.weight_norm; Salimans and Kingma, 2016, arXiv:1602.07868; keras.initializers, where an
    object is documented to give the same values each time it is called.
    """
    by_place: dict[tuple[Place, str], list[tuple[Op, Lost]]] = {}
    for op in model.of(Kind.PARAMETRIC):
        for lost in op.lost:
            if _matters(model, op, lost):
                by_place.setdefault((lost.place, lost.cause), []).append((op, lost))
    for (place, cause), found in by_place.items():
        op, lost = found[0]
        # What is overwritten does no harm by itself: what is in force may well be right.
        severity = Severity.WARNING if cause == "overwritten" else None
        related = tuple(_related(found))
        yield Finding(place.span, _message(found), related, in_order(model, lost), severity)
    yield from _shared(model)


def _matters(model: Model, op: Op, lost: Lost) -> bool:
    """Whether it makes a difference to a SELU that an initialisation does not arrive; a dead one is always said."""
    if lost.cause == "derived":
        return True
    is_early = lost.cause == "early"
    return bool(model.fed(op, "selu")) and op.weight is not None and op.weight.default is is_early


def _message(found: list[tuple[Op, Lost]]) -> str:
    op, lost = found[0]
    more = len({each.layer for each, _ in found}) - 1
    title = f"`{op.title}`" + (f" (and {more} more)" if more else "")
    if lost.cause == "early":
        return (
            f"`{' '.join(lost.place.text.split())}` comes before {title} is made, "
            f"which keeps {op.framework}'s default init"
        )
    if lost.cause == "overwritten":
        by = f"`{op.weight.name}`" if op.weight is not None else "another one"
        return f"`{lost.init.name}` has no effect on {title}: {by} overwrites it before the first use"
    where = ":" if op.constraints else " where"  # not every run wraps it
    return f"this initialiser does not reach {title}{where} `weight_norm` computes its weight from other parameters"


_TOLD = {"early": "the initialiser that does not reach it", "overwritten": "what overwrites it"}


def _related(found: list[tuple[Op, Lost]]) -> Iterator[Related]:
    op, lost = found[0]
    yield from (Related("the wrapper that computes the weight", place.span) for _, place in op.constraints[:1])
    if lost.by is not None:
        yield Related(_TOLD[lost.cause], lost.by.span)
    places = dict.fromkeys(each.place for each, _ in found if each.place is not None)
    yield from (Related("the layer", place.span) for place in list(places)[:3])


def _shared(model: Model) -> Iterator[Finding]:
    """Layers of one shape in front of SELUs whose kernels one object draws: they start equal."""
    same: dict[tuple[object, ...], dict[int, Op]] = {}
    for op in model.of(Kind.PARAMETRIC):
        init = op.weight
        if init is not None and init.source and init.gain and op.fan_in and op.fan_out and model.fed(op, "selu"):
            key = (init.source, init.place, op.function, op.fan_in, op.fan_out, op.args.get("kernel_size"))
            same.setdefault(key, {})[op.layer] = op
    said: set[Place] = set()
    for layers in same.values():
        first, *others = layers.values()
        place = first.weight.place if first.weight is not None else None
        if not others or place is None or place in said:
            continue
        said.add(place)
        related = tuple(Related("one of the layers", op.place.span) for op in (first, others[0]) if op.place)
        message = (
            f"one initialiser object draws the weights of {len(layers)} layers of the same shape, "
            f"`{first.title}` among them: in Keras 3 they start equal"
        )
        assert first.weight is not None
        yield Finding(place.span, message, related, own_initialisers(model, list(layers.values()), first.weight))
