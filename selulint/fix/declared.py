"""Initialisers that are arguments of layers: how Keras, TF 1, Slim, Flax and Haiku spell LeCun's law."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from selulint.diagnostic import Refused
from selulint.fix.fans import scaled_to_inputs
from selulint.fix.plan import Plan, is_string, like
from selulint.graph import Init, Model, Op, Place

if TYPE_CHECKING:
    from selulint.fix.edits import Draft

_CONTRIB, _TF_LAYERS = "tensorflow.contrib.layers.", "tensorflow.layers."


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
    if op.name.startswith("keras.") and "transpose" in op.function:
        return "kernel_initializer", scaled_to_inputs(draft, op)
    if "transpose" in op.function:
        raise Refused(f"`{op.name}` counts the inputs of its units in another way")
    if op.name.startswith("keras."):
        return "kernel_initializer", f"{quote}lecun_normal{quote}"
    if op.name.startswith(_TF_LAYERS):
        name = _beside(draft, op, ".layers." + op.name.removeprefix(_TF_LAYERS), "tensorflow")
        return "kernel_initializer", f"{name}(scale=1.0, mode={quote}fan_in{quote})"
    if op.name.startswith(_CONTRIB):
        name = _beside(draft, op, "." + _last(op), _CONTRIB[:-1])
        return "weights_initializer", f"{name}(factor=1.0, mode={quote}FAN_IN{quote})"
    if op.name.startswith("haiku."):
        symbol = op.symbol.text if op.symbol is not None else ""
        root = symbol.removesuffix(".nets.MLP").removesuffix(f".{_last(op)}")
        if root == "hk" or "." in symbol:
            return "w_init", f"{root}.initializers.VarianceScaling()"
        return "w_init", f"{_referred(draft, 'haiku.initializers.VarianceScaling')}()"
    raise Refused(f"`{op.name}` takes no initialiser")


def _last(op: Op) -> str:
    return op.name.rpartition(".")[2]


def _beside(draft: Draft, op: Op, ending: str, package: str) -> str:
    """The name of the scaled initialiser that stands where the layer stands, as the file spells that place.

    TF 2 has the same layers under other paths, so that the package must be the one that the layer is taken from.
    """
    from selulint.fix.scopes import base_of  # imports LibCST, which listing the rules must not do

    symbol = op.symbol
    text = symbol.text if symbol is not None else ""
    root = text.removesuffix(ending)
    if root.endswith("slim.layers"):
        root = root.removesuffix(".layers")  # a module of layers only; Slim itself has the initialisers too
    if root != text and root.replace(".", "").isidentifier():
        return f"{root}.variance_scaling_initializer"
    first = text.partition(".")[0]
    bound = draft.imports.names.lookup(symbol.unit, symbol.node, first) if symbol is not None else ()  # type: ignore[arg-type]
    bases = {base_of(each.statement) for each in bound if type(each.statement).__name__ == "ImportFrom"}
    if not bases or any(not base.startswith("tensorflow") or ".compat" in base for base in bases):
        raise Refused("this spelling of the layer leaves no way to spell the initialiser")
    return _referred(draft, f"{package}.variance_scaling_initializer")


def _referred(draft: Draft, canonical: str) -> str:
    name = draft.refer(canonical)
    if name is None:
        raise Refused("the file's imports leave no way to spell the initialiser")
    return name


def edit(draft: Draft, op: Op, init: Init, author: str = "lecun") -> bool:
    """Rewrite an explicit initialiser where it is spelled, to the law of an author: "lecun", "he" or "glorot"."""
    place = init.place
    assert place is not None
    name = init.name.lower()
    law = f"{author}_uniform" if name.endswith("uniform") and name not in _PLAIN_UNIFORM else f"{author}_normal"
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


def zeros_at(draft: Draft, op: Op, place: Place) -> None:
    """Write zeros in the place of an initialiser; refuses where the framework's are spelled in no known way."""
    if is_string(place) or op.name.startswith("keras."):
        draft.replace(place, like(place, "zeros") if is_string(place) else f"{draft.quote}zeros{draft.quote}")
        return
    function = getattr(place.node, "func", None)
    canonical = draft.imports.names.of(place.unit, function) if function is not None else None  # type: ignore[arg-type]
    package, _, last = (canonical or "").rpartition(".")
    new, call = "", ""
    if package.endswith(".initializers") and package.startswith(("jax.", "flax.")):
        new = f"{package}.zeros"
    elif package.startswith("tensorflow") and last.endswith("_initializer"):
        new, call = f"{package}.zeros_initializer", "()"
    name = draft.refer_like(Place(function, place.unit), new) if new else None
    if name is None:
        raise Refused("this spelling leaves no way to spell zeros")
    draft.replace(place, f"{name}{call}")


_PLAIN_UNIFORM = frozenset({"randomuniform", "uniform"})
# Scale and fan of the laws by author: Klambauer et al. 2017 after LeCun et al. 1998, He et al. 2015, Glorot and Bengio 2010.
_SCALED = {"lecun": ("1.0", "fan_in"), "he": ("2.0", "fan_in"), "glorot": ("1.0", "fan_avg")}


def _called(draft: Draft, place: Place, law: str) -> str | None:
    """A call of a law beside the initialiser that is called at a place; None where it has no known neighbours."""
    node: Any = place.node
    function = getattr(node, "func", None)
    canonical = draft.imports.names.of(place.unit, function) if function is not None else None  # type: ignore[arg-type]
    if canonical is None or _says_more(node):
        return None
    package, scaled = canonical.rpartition(".")[0], "variance_scaling_initializer"
    quote = draft.quote
    scale, fan = _SCALED[law.partition("_")[0]]
    if package + "." == _CONTRIB:
        new, arguments = f"{package}.{scaled}", f"factor={scale}, mode={quote}{fan.upper()}{quote}"
    elif package == "tensorflow" and canonical.endswith("_initializer"):
        new, arguments = f"{package}.{scaled}", f"scale={scale}, mode={quote}{fan}{quote}"
    elif package == "haiku.initializers":
        # Its defaults are LeCun's law.
        is_lecun = law.startswith("lecun_")
        new, arguments = f"{package}.VarianceScaling", "" if is_lecun else f"{scale}, {quote}{fan}{quote}"
    elif package.endswith(".initializers") and package.startswith(("jax.", "flax.", "keras.")):
        new, arguments = f"{package}.{law}", ""
    else:
        return None
    name = draft.refer_like(Place(function, place.unit), new)
    return None if name is None else f"{name}({arguments})"


def _says_more(node: Any) -> bool:
    """Whether a call tells an initialiser what its successor would have to be told too: axes, seeds."""
    told = {arg.keyword.value for arg in node.args if arg.keyword is not None}
    return bool(told & {"in_axis", "out_axis", "batch_axis", "fan_in_axes", "seed"})
