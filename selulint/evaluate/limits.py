"""How large values may grow: what is beyond is cut, or unknown."""

from __future__ import annotations

# Alternatives that one value may stand for.
MAX_OPTIONS = 8
# Longer sequences are cut and open, longer strings unknown; what is nested deeper than this is not looked into.
MAX_ITEMS = 12_000
MAX_CHARACTERS = 10_000
MAX_BITS = 1_000
MAX_DEPTH = 6


class BudgetExhausted(Exception):
    """The code asks for more evaluation than a linter may spend on it."""
