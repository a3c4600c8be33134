"""A fix that concerns a model while it is being composed: its edits, its doubts, and reasons to refuse it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from selulint.diagnostic import Applicability, Refusal, Refused, Repair
from selulint.graph import Model, Op, Place

if TYPE_CHECKING:
    from selulint.fix.edits import Draft


@dataclass(slots=True)
class Plan:
    """One fix in the making: its edits, what has been handled, and why it is not safe."""

    draft: Draft
    done: set[tuple[str, Place]] = field(default_factory=set)
    doubts: dict[str, None] = field(default_factory=dict)

    @property
    def migrates(self) -> bool:
        """Whether activations become SELU."""
        return any(what == "activation" for what, _ in self.done)

    def first(self, what: str, place: Place | None) -> bool:
        """Whether this is the first time that `what` is done at a place; refuses where there is no place."""
        if place is None:
            raise Refused("a part of the chain is not spelled in this file")
        key = (what, place)
        fresh = key not in self.done
        self.done.add(key)
        return fresh

    def doubt(self, reason: str) -> None:
        self.doubts[reason] = None

    def build(self, message: str) -> Repair:
        applicability = Applicability.UNSAFE if self.doubts else Applicability.SAFE
        fix = self.draft.build(message, applicability, "; ".join(self.doubts))
        return Refusal("its edits do not fit together") if fix is None else fix


def plan(model: Model) -> Plan:
    from selulint.fix.edits import Draft

    return Plan(Draft(model.file))


def composed(model: Model, message: str, compose: Callable[[Plan], None]) -> Repair:
    """The fix that `compose` plans, or why it refuses."""
    made = plan(model)
    try:
        compose(made)
    except Refused as reason:
        return Refusal(str(reason))
    return made.build(message)


def is_string(place: Place) -> bool:
    return type(place.node).__name__ == "SimpleString"


def like(place: Place, content: str) -> str:
    """A string literal with the quotes of the one at `place`."""
    quote = place.text.lstrip("rRbBuUfF")[0]
    return f"{quote}{content}{quote}"


def passes(op: Op, name: str, position: int) -> bool:
    node: Any = op.place.node if op.place is not None else None
    args = getattr(node, "args", ())
    return any(arg.keyword is not None and arg.keyword.value == name for arg in args) or (
        len([arg for arg in args if arg.keyword is None]) > position
    )
