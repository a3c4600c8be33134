from __future__ import annotations

from collections.abc import Iterator

from selulint.diagnostic import Finding, Severity
from selulint.fix.dropouts import is_conditional, is_inside, is_off, training_switch
from selulint.graph import Kind, Model, Op
from selulint.rules import rule
from selulint.rules.related import selu_beside


@rule("SELU404", Severity.ERROR)
def alpha_dropout_inactive(model: Model) -> Iterator[Finding]:
    """AlphaDropout that training does not switch.

    ## What
    Reports `F.alpha_dropout` and `F.feature_alpha_dropout` without `training`, and `tf.contrib.nn.alpha_dropout` with a
    fixed `keep_prob` on no condition. `training=False` in so many words is left alone.

    ## Why
    The functional forms have opposite defaults: `F.dropout` is on unless told otherwise, `F.alpha_dropout` is off. Without
    the argument it returns its input, and the network trains without any dropout. The one of TensorFlow 1 has no switch
    at all: it drops at inference too.

    ## Example
    ```python
    x = F.alpha_dropout(F.selu(self.fc(x)), 0.05)
    ```

    ## Use instead
    ```python
    x = F.alpha_dropout(F.selu(self.fc(x)), 0.05, training=self.training)
    ```

    ## Fix safety
    Safe: in a method of an `nn.Module` the module's own switch is passed. There is no fix elsewhere.

    ## References
    PyTorch's signatures of `torch.nn.functional.dropout` and `torch.nn.functional.alpha_dropout`.
    """
    for op in model.of(Kind.DROPOUT, "alpha_dropout", "feature_alpha_dropout"):
        place = op.seat
        if place is None:
            continue
        if op.name.startswith("torch.nn.functional.") and is_off(op):
            message = f"`{op.title}` does nothing: its `training` is False unless it is passed"
            yield Finding(place.span, message, selu_beside(model, op), training_switch(model, op))
        elif op.name == "tensorflow.contrib.nn.alpha_dropout" and _is_always_on(op):
            message = f"`{op.title}` drops at inference too: nothing switches it off"
            yield Finding(place.span, message, selu_beside(model, op))


def _is_always_on(op: Op) -> bool:
    keep = op.args.get("keep_prob")
    if not isinstance(keep, int | float) or keep >= 1 or op.place is None:
        return False
    return is_inside(op.spelled.get("keep_prob"), op.place) and not is_conditional(op.place)
