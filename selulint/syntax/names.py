"""What an imported name means: imports to canonical dotted names, one for each of the ways to reach the same object."""

from __future__ import annotations

import ast
import re
from functools import cache

# Packages that are another package, or a part of it, under another name; the first prefix that fits is replaced, again
# and again, so longer ones stand before the shorter ones that they contain.
_PREFIXES: tuple[tuple[str, str], ...] = (
    ("torch.nn.parallel.data_parallel.DataParallel", "torch.nn.DataParallel"),
    ("torch.nn.parallel.DataParallel", "torch.nn.DataParallel"),
    ("torch.nn.parameter", "torch.nn"),
    ("torch.functional.F", "torch.nn.functional"),
    ("torch._C._nn", "torch.nn.functional"),
    ("torch.ops.aten", "torch"),
    ("torch.functional.F", "torch.nn.functional"),
    ("tensorflow.contrib.keras", "keras"),
    ("tensorflow.compat.v1", "tensorflow"),
    ("tensorflow.compat.v2", "tensorflow"),
    ("tensorflow._api.v1", "tensorflow"),
    ("tensorflow._api.v2", "tensorflow"),
    ("tensorflow.python.keras", "keras"),
    ("tensorflow.python.ops.nn", "tensorflow.nn"),
    ("tensorflow.python.ops.nn_ops", "tensorflow.nn"),
    ("tensorflow.python.ops.nn_impl", "tensorflow.nn"),
    ("tensorflow.python.ops.gen_nn_ops", "tensorflow.nn"),
    ("tensorflow.python.ops.math_ops", "tensorflow.math"),
    ("tensorflow.python.ops.init_ops", "tensorflow"),
    ("tensorflow.python.layers", "tensorflow.layers"),
    ("tensorflow.keras", "keras"),
    # Slim is the layers of contrib under another name.
    ("tf_slim", "tensorflow.contrib.slim"),
    ("tensorflow.contrib.slim.python.slim", "tensorflow.contrib.slim"),
    ("tensorflow.contrib.slim.slim", "tensorflow.contrib.slim"),
    ("tensorflow.contrib.slim.ops.arg_scope", "tensorflow.contrib.layers"),
    ("tensorflow.contrib.slim.layers", "tensorflow.contrib.layers"),
    ("tensorflow.contrib.slim.initializers", "tensorflow.contrib.layers"),
    ("tensorflow.contrib.slim", "tensorflow.contrib.layers"),
    ("tensorflow.contrib.layers.layers", "tensorflow.contrib.layers"),
    ("tensorflow.contrib.framework.python.ops.arg_scope", "tensorflow.contrib.framework"),
    ("tensorflow.contrib.framework.python.ops", "tensorflow.contrib.framework"),
    ("tensorflow.contrib.framework.arg_scope", "tensorflow.contrib.layers.arg_scope"),
    ("tensorflow.contrib.framework.add_arg_scope", "tensorflow.contrib.layers.add_arg_scope"),
    ("tensorflow.contrib.layers.python.layers.layers", "tensorflow.contrib.layers"),
    ("tensorflow.contrib.layers.python.layers.initializers", "tensorflow.contrib.layers"),
    ("tensorflow.contrib.layers.python.layers", "tensorflow.contrib.layers"),
    ("tensorflow.contrib.layers.initializers", "tensorflow.contrib.layers"),
    ("tf_keras", "keras"),
    ("keras._tf_keras.keras", "keras"),
    ("keras.api", "keras"),
    # What is left of `keras.api._v2.keras` and the like once the part before it has been replaced.
    ("keras._v1.keras", "keras"),
    ("keras._v2.keras", "keras"),
    ("keras.python.keras", "keras"),
    ("keras.keras", "keras"),
    ("keras.src", "keras"),
    ("keras.models.Sequential", "keras.Sequential"),
    ("keras.models.Model", "keras.Model"),
    ("keras.models.sequential.Sequential", "keras.Sequential"),
    ("keras.models.model.Model", "keras.Model"),
    ("keras.engine.sequential.Sequential", "keras.Sequential"),
    ("keras.engine.training.Model", "keras.Model"),
    ("keras.engine.Model", "keras.Model"),
    ("keras.ops.numpy", "keras.ops"),
    ("keras.ops.core", "keras.ops"),
    ("keras.ops.nn", "keras.ops"),
    ("keras.activations.activations", "keras.activations"),
    ("keras.backend.tensorflow_backend", "keras.backend"),
    ("jax.experimental.stax", "jax.example_libraries.stax"),
    ("jax._src.nn.functions", "jax.nn"),
    ("jax._src.nn.initializers", "jax.nn.initializers"),
    ("flax.experimental.nnx", "flax.nnx"),
    ("flax.nnx.nn", "flax.nnx"),
    ("flax.linen.activation", "flax.linen"),
    ("flax.linen.linear", "flax.linen"),
    ("flax.linen.module", "flax.linen"),
    ("flax.linen.normalization", "flax.linen"),
    ("flax.linen.stochastic", "flax.linen"),
    ("flax.linen.attention", "flax.linen"),
    ("flax.linen.pooling", "flax.linen"),
    ("haiku.nets.mlp", "haiku.nets"),
)
# Classes (and the functional merges) of these packages are reached through any module inside; the package shows them all.
_FLATTENED = re.compile(
    r"(?P<package>torch\.nn)\.modules\.(?:[a-z]\w*\.)*(?P<name>[A-Z])"
    r"|(?P<keras>keras\.(?:layers|initializers|regularizers|constraints))\.(?!experimental\.[A-Z])(?:[a-z_]\w*\.)+(?P<class>[A-Z])"
    r"|keras\.engine\.(?:[a-z]\w*\.)*(?P<engine>[A-Z])"
    r"|keras\.layers\.(?:merge|merging\.\w+)\.(?P<merge>[a-z]\w*)$"
)
# What these names mean in code that leaves its imports out, as documentation and notebooks do.
CONVENTIONAL: dict[str, str] = {
    "torch": "torch",
    "nn": "torch.nn",
    "F": "torch.nn.functional",
    "tf": "tensorflow",
    "keras": "keras",
    "layers": "keras.layers",
    "np": "numpy",
    "math": "math",
}
_ROOTS = frozenset({"torch", "tensorflow", "tf_keras", "tf_slim", "keras", "jax", "flax", "haiku", "equinox"})


@cache
def canonical(dotted: str) -> str:
    """The one name under which the framework tables know an object; other packages' names come back as they are."""
    if not is_framework(dotted):
        return dotted
    before = ""
    while before != dotted:
        before = dotted
        dotted = next((new + dotted[len(old) :] for old, new in _PREFIXES if _is_within(dotted, old)), dotted)
    return _flattened(dotted)


def is_framework(dotted: str) -> bool:
    return dotted.partition(".")[0] in _ROOTS


def _is_within(dotted: str, package: str) -> bool:
    return dotted.startswith(package) and (len(dotted) == len(package) or dotted[len(package)] == ".")


def _flattened(dotted: str) -> str:
    match = _FLATTENED.match(dotted)
    if match is None:
        return dotted
    for group, package in (("name", "torch.nn"), ("class", match["keras"]), ("engine", "keras.layers")):
        if match[group] is not None:
            return f"{package}.{dotted[match.start(group) :]}"
    return f"keras.layers.{match['merge']}"


def imported(node: ast.Import | ast.ImportFrom) -> dict[str, str]:
    """Local name to canonical dotted name for all that one import binds.

    Relative imports give names that start with "."; a star import gives `{"*": package}`, the package in which the names
    are to be looked up.
    """
    if isinstance(node, ast.Import):
        return dict(_module(alias) for alias in node.names)
    base = "." * node.level + (node.module or "")
    if node.names[0].name == "*":
        # A module like torch.nn.modules.activation is canonical only together with a name in it.
        package = canonical(_join(base, "Name")).removesuffix("Name")
        return {"*": package.rstrip(".") or package}
    return {alias.asname or alias.name: canonical(_join(base, alias.name)) for alias in node.names}


def _module(alias: ast.alias) -> tuple[str, str]:
    if alias.asname is not None:
        return alias.asname, canonical(alias.name)
    first = alias.name.partition(".")[0]
    return first, canonical(first)


def _join(base: str, name: str) -> str:
    return base + name if base.endswith(".") else f"{base}.{name}"
