"""How blocks of statements end."""

from __future__ import annotations

from enum import Enum


class Flow(Enum):
    """How a block ended."""

    NORMAL = 0
    RETURN = 1
    BREAK = 2
    CONTINUE = 3


# The ends behind which the statement after a branch runs.
FALLS_THROUGH = (Flow.NORMAL, Flow.CONTINUE)
