"""Initialisers that are arguments of layers: how Keras, TF 1, Slim, Flax and Haiku spell LeCun's law."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from selulint.fix.plan import Plan, Refused, is_string, like
from selulint.graph import Init, Model, Op, Place

if TYPE_CHECKING:
    from selulint.fix.edits import Draft

_CONTRIB, _TF_LAYERS = "tensorflow.contrib.layers.", "tensorflow.layers."


def is_declared(op: Op) -> bool:
    """Whether a layer takes its initialiser as an argument, or has none that could be set (Equinox)."""
    return bool(op.name) and not op.name.startswith("torch.")


def set_lecun(made: Plan, model: Model, op: Op) -> None:
    """Give a layer that has none an initialiser; refuses where its framework or its spelling leaves no way."""
    assert op.place is not None
    if is_legacy(model):
        raise Refused("the model is written for Keras 1")
    name, value = _argument(made.draft, op)
    if not made.draft.set_argument(op.place, name, value):
        raise Refused("the arguments of a layer are not known")


def is_legacy(model: Model) -> bool:
    return any(op.args.get("legacy") for each in model.component for op in each.ops)


def _argument(draft: Draft, op: Op) -> tuple[str, str]:
    quote = draft.quote
    if op.name.startswith("keras."):
        return "kernel_initializer", f"{quote}lecun_normal{quote}"
    if op.name.startswith(_TF_LAYERS):
        root = _without(op, ".layers." + op.name.removeprefix(_TF_LAYERS))
        return "kernel_initializer", _scaled(root, "scale", "fan_in", quote)
    if op.name.startswith(_CONTRIB):
        return "weights_initializer", _scaled(_without(op, "." + _last(op)), "factor", "FAN_IN", quote)
    if op.name.startswith("haiku."):
        root = _without(op, ".nets.MLP", f".{_last(op)}")
        return "w_init", f"{root}.initializers.VarianceScaling()"
    raise Refused(f"`{op.name}` takes no initialiser")


def _last(op: Op) -> str:
    return op.name.rpartition(".")[2]


def _scaled(root: str, scale: str, mode: str, quote: str) -> str:
    return f"{root}.variance_scaling_initializer({scale}=1.0, mode={quote}{mode}{quote})"


def _without(op: Op, *endings: str) -> str:
    """What stands before the end of a layer's name as the file spells it: `tf` of `tf.layers.dense`."""
    text = op.symbol.text if op.symbol is not None else ""
    root = next((text.removesuffix(ending) for ending in endings if text.endswith(ending)), "")
    if not root.replace(".", "").isidentifier():
        raise Refused("this spelling of the layer leaves no way to spell the initialiser")
    return root


def edit(draft: Draft, op: Op, init: Init) -> bool:
    """Rewrite an explicit initialiser where it is spelled."""
    place = init.place
    assert place is not None
    name = init.name.lower()
    law = "lecun_uniform" if name.endswith("uniform") and name not in _PLAIN_UNIFORM else "lecun_normal"
    if is_string(place):
        draft.replace(place, like(place, law))
        return True
    if op.name.startswith("keras."):
        draft.replace(place, f"{draft.quote}{law}{draft.quote}")
        return True
    text = _called(draft, place, law)
    if text is None:
        return False
    draft.replace(place, text)
    return True


_PLAIN_UNIFORM = frozenset({"randomuniform", "uniform"})


def _called(draft: Draft, place: Place, law: str) -> str | None:
    """A call of LeCun's law beside the initialiser that is called at a place; None where it has no known neighbours."""
    node: Any = place.node
    function = getattr(node, "func", None)
    base = getattr(function, "value", None)
    canonical = draft.imports.names.of(place.unit, function) if function is not None else None  # type: ignore[arg-type]
    if canonical is None or base is None or isinstance(base, str) or _says_more(node):
        return None
    root, package = Place(base, place.unit).text, canonical.rpartition(".")[0]
    if package + "." == _CONTRIB:
        return _scaled(root, "factor", "FAN_IN", draft.quote)
    if package == "tensorflow" and canonical.endswith("_initializer"):
        return _scaled(root, "scale", "fan_in", draft.quote)
    if package in ("jax.nn.initializers", "flax.linen.initializers", "flax.nnx.initializers"):
        return f"{root}.{law}()"
    if package == "keras.initializers":
        return f"{root}.{law}()"
    return f"{root}.VarianceScaling()" if package == "haiku.initializers" else None


def _says_more(node: Any) -> bool:
    """Whether a call tells an initialiser what its successor would have to be told too: axes, seeds."""
    told = {arg.keyword.value for arg in node.args if arg.keyword is not None}
    return bool(told & {"in_axis", "out_axis", "batch_axis", "fan_in_axes", "seed"})
