"""Calls that initialise a tensor of PyTorch: what they write, and writing them anew."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from selulint.graph import Init, Place

if TYPE_CHECKING:
    from selulint.fix.edits import Draft

_UNIFORM = frozenset({"kaiming_uniform_", "xavier_uniform_", "uniform_"})
# The `nonlinearity` whose gain PyTorch's initialisers have for an activation; every other has a rectifier's.
_NONLINEARITIES = {"selu": "linear", "tanh": "tanh", "sigmoid": "sigmoid"}
_OTHER_PARAMETERS = re.compile(r"\b(?:Parameter|PReLU)\b")


def rewrite(draft: Draft, init: Init, function_behind: str) -> bool:
    place, gain = init.place, _NONLINEARITIES.get(function_behind, "relu")
    assert place is not None
    node: Any = place.node
    function = getattr(node, "func", None)
    # Initialisers end in an underscore: what makes a new array (`torch.randn(4, 4)`) cannot be rewritten as one.
    if function is None or not init.name.endswith("_"):
        return False
    if (
        init.name in ("kaiming_normal_", "kaiming_uniform_")
        and not init.name.endswith("__")
        and _is_init_call(draft, place)
    ):
        for name, position in (("a", 1), ("mode", 2)):
            if has_argument(node, name, position) and not draft.remove_argument(place, name, position):
                return False
        quote = draft.quote
        return draft.set_argument(place, "nonlinearity", f"{quote}{gain}{quote}", position=3)
    target = target_of(draft, place)
    if target is None:
        return False
    name = "kaiming_uniform_" if init.name in _UNIFORM else "kaiming_normal_"
    canonical = f"torch.nn.init.{name}"
    spelled = (
        draft.refer_like(Place(function, place.unit), canonical)
        if _is_init_call(draft, place)
        else draft.refer(canonical)
    )
    if spelled is None:
        return False
    draft.replace(place, f"{spelled}({target}, nonlinearity={draft.quote}{gain}{draft.quote})")
    return True


def write_zeros(draft: Draft, place: Place) -> bool:
    node: Any = place.node
    function = getattr(node, "func", None)
    if function is None:
        return False
    if not _is_init_call(draft, place):
        draft.replace(place, f"{Place(function.value, place.unit).text}.zero_()")
        return True
    target, zeros = target_of(draft, place), draft.refer_like(Place(function, place.unit), "torch.nn.init.zeros_")
    if target is None or zeros is None:
        return False
    draft.replace(place, f"{zeros}({target})")
    return True


def may_write_more(draft: Draft, place: Place) -> bool:
    """Whether a bias is initialised by the name of any parameter, in a file that has others: scales, slopes."""
    target = target_of(draft, place) if hasattr(place.node, "func") else None
    return target is not None and "." not in target and _OTHER_PARAMETERS.search(draft.text) is not None


def _is_init_call(draft: Draft, place: Place) -> bool:
    """Whether this is `init.f(tensor, ...)`, not a method of the tensor."""
    function = place.node.func
    if type(function).__name__ == "Name":
        return True
    return draft.imports.names.of(place.unit, function) is not None  # type: ignore[arg-type]


def has_argument(node: Any, name: str, position: int) -> bool:
    positional = [arg for arg in node.args if arg.keyword is None]
    return len(positional) > position or any(arg.keyword is not None and arg.keyword.value == name for arg in node.args)


def target_of(draft: Draft, place: Place) -> str | None:
    """The text of the tensor that an initialiser writes: its first argument, or the weight whose method it is."""
    node: Any = place.node
    if _is_init_call(draft, place):
        first = next((arg for arg in node.args if arg.keyword is None or arg.keyword.value == "tensor"), None)
        return Place(first.value, place.unit).text if first is not None else None
    owner = node.func.value
    if getattr(getattr(owner, "attr", None), "value", None) == "data":
        owner = owner.value
    return Place(owner, place.unit).text
