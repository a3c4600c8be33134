from __future__ import annotations

from collections.abc import Iterator

from selulint.diagnostic import Finding, Severity
from selulint.fix.norms import OTHER_NORMS
from selulint.graph import Model
from selulint.rules import rule
from selulint.rules.batchnorm_with_selu import norm_findings


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
    Unsafe: the norm's keys leave the state_dict, and a trained model needs the norm, which also acts at inference.
    `nn.Identity()` takes its place, so that the other keys stay; the layer before it gets its bias back and LeCun
    initialisation, which the norm hid.

    ## References
    Klambauer et al., 2017; Ba et al., Layer Normalization, arXiv:1607.06450.
    """
    yield from norm_findings(model, *OTHER_NORMS)
