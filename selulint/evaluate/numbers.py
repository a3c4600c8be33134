"""Numbers that hang on unknown ones: formulas over sizes, and what is true of them whatever the sizes are."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from selulint.evaluate.values import Const, Formula, Number, Unknown, Value

# Numbers that packages have under a name.
NAMED: dict[str, float] = {
    f"{package}.{name}": getattr(math, name)
    for package in ("math", "numpy", "jax.numpy", "torch")
    for name in ("pi", "e")
}
# Formulas are computed recursively; a loop that grows one without end is not worth following.
_MAX_DEPTH = 40
# Sizes that layers may have. In the last two worlds every other unknown is small and every other one large, both ways
# round, so that what hangs on which of two sizes is the larger does not look settled.
_SIZES = ((48, 3_000), (48, 3_000), (12, 25), (4_096, 16_384))
_WORLDS = 4
_TOLERANCE = 1e-3


def formula(function: Callable[..., Any], *operands: Value) -> Value:
    """`function` of operands of which some are not known."""
    depth = 1 + max((each.depth for each in operands if isinstance(each, Formula)), default=0)
    if depth > _MAX_DEPTH:
        return Unknown("arithmetic on something unknown")

    def compute(number: Number) -> float | None:
        known = [number(operand) for operand in operands]
        return None if None in known else function(*known)

    return Formula("arithmetic on something unknown", compute=compute, depth=depth, operands=operands)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def may_be_number(value: Value) -> bool:
    return isinstance(value, Unknown) or (isinstance(value, Const) and is_number(value.value))


def combined(function: Callable[..., Any], *operands: Value) -> Value:
    """`function` of operands: a constant where all of them are, else a formula; Unknown for what is no number."""
    if not all(map(may_be_number, operands)):
        return Unknown("arithmetic on something unknown")
    if any(isinstance(operand, Unknown) for operand in operands):
        return formula(function, *operands)
    try:
        return Const(function(*(operand.value for operand in operands if isinstance(operand, Const))))
    except (ArithmeticError, ValueError):
        return Unknown("arithmetic that fails")


def settled(compute: Callable[[Number], float | None]) -> float | None:
    """The number that a computation gives whatever the unknown numbers in it are; None where they matter."""
    found: float | None = None
    for world in range(_WORLDS):
        sample = Sample(world)
        value = compute(sample.number)
        if value is None or not math.isfinite(value):
            return None
        if not sample.guessed:
            return value
        if found is not None and abs(value - found) > _TOLERANCE * max(abs(value), abs(found)):
            return None
        found = value if found is None else found
    return found


class Sample:
    """One possible world: a size for everything unknown, the same one each time it is asked for."""

    __slots__ = ("_known", "_world", "guessed")

    def __init__(self, world: int) -> None:
        self._world = world
        self._known: dict[Unknown, float | None] = {}
        self.guessed = 0

    def number(self, value: Value | None) -> float | None:
        if isinstance(value, Const):
            found: float | None = value.value if is_number(value.value) else None
            return found
        if not isinstance(value, Unknown):
            return None
        if value not in self._known:
            self._known[value] = self._computed(value) if isinstance(value, Formula) else self._drawn()
        return self._known[value]

    def _computed(self, value: Formula) -> float | None:
        try:
            found = value.compute(self.number)
        except Exception:  # the user's arithmetic may fail in any way on sizes of ours
            return None
        return found if is_number(found) else None

    def _drawn(self) -> int:
        """A size, from a multiplicative hash of its number; the second and fourth world mirror the one before them."""
        low, high = _SIZES[self._world if self._world < 2 else 2 + (self.guessed + self._world) % 2]
        offset = (self.guessed + 1) * 2_654_435_761 % (high - low)
        self.guessed += 1
        return high - offset if self._world % 2 else low + offset
