"""How much evaluation may cost, and how large values may grow: what is beyond is cut, or unknown."""

from __future__ import annotations

STEPS_PER_FILE = 400_000
STEPS_PER_ROOT = 50_000
# What other files' code may cost, in one root and in all of them: a large library's blocks stay closed then.
STEPS_ABROAD = 3_000
STEPS_ABROAD_PER_FILE = 9_000
MAX_CALL_DEPTH = 40
# A recursion that unknown conditions lead into would go on for ever; one that constants decide comes to its end.
MAX_RECURSION = 3
MAX_DECIDED_RECURSION = 24
MAX_DEEP_CALLS = 200
# Alternatives that one value may stand for.
MAX_OPTIONS = 8
# Longer sequences are cut and open, longer strings unknown; what is nested deeper than this is not looked into.
MAX_ITEMS = 12_000
MAX_CHARACTERS = 10_000
MAX_BITS = 1_000
MAX_DEPTH = 6


class BudgetExhausted(Exception):
    """The code asks for more evaluation than a linter may spend on it."""
