"""What the frameworks mean: canonical dotted name to kind, signature and default initialisation. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Kind -> rows of (names, signature, default init); names are "Name=function ..." of one signature, separated by spaces.
Table = Mapping[str, tuple[tuple[str, str, str], ...]]


@dataclass(frozen=True, slots=True)
class Spec:
    """One framework callable.

    `kind` is a value of `graph.Kind`, or one of: "container", "initialiser", "loss", "shape".
    `signature` is the parameter list as the framework spells it, defaults as Python literals ("p=0.5, inplace=False") or
    as canonical names ("activation=jax.nn.relu"), `*` marks keyword-only; a leading "input" parameter (functional form)
    is the tensor.
    `function` names what it computes where several spellings compute the same ("relu", "selu", "dropout", "linear").
    `init` names the law of the default weights (see `INITS` in the framework's module); "" where there are none.
    `functional` is True where calling it applies it to a tensor; False where calling it builds a layer.
    """

    kind: str
    signature: str
    function: str
    init: str = ""
    functional: bool = False


def expand(prefix: str, table: Table, functional: bool = False) -> dict[str, Spec]:
    """The specs of a table, each under `prefix` and its name."""
    return {
        prefix + name: Spec(kind, signature, function, init, functional)
        for kind, rows in table.items()
        for names, signature, init in rows
        for name, _, function in (pair.partition("=") for pair in names.split())
    }


def _tables() -> dict[str, Spec]:
    from selulint.frameworks import companions, contrib, jax, keras, tensorflow, torch

    return {
        **torch.SPECS,
        **torch.PRIVATE,
        **keras.SPECS,
        **tensorflow.SPECS,
        **contrib.SPECS,
        **jax.SPECS,
        **companions.SPECS,
    }


# How the frameworks call the arguments of their layers that mean the same.
UNITS = (
    "units filters num_outputs features output_size output_channels out_features out_channels out_dim out_chan".split()
)
WIDTHS = "in_features in_channels".split()
KERNELS = "kernel_initializer weights_initializer kernel_init w_init W_init".split()
ACTIVATIONS = "activation activation_fn".split()
WINDOWS = "kernel_size kernel_shape filter_shape".split()
STRIDES = "strides stride".split()
GROUPS = "groups feature_group_count".split()

SPECS: dict[str, Spec] = _tables()
