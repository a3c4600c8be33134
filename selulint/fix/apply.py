"""Fixes put into a text: each whole or not at all, none on top of another."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence

from selulint.diagnostic import Edit, Fix


def apply(text: str, fixes: Sequence[Fix]) -> tuple[str, tuple[Fix, ...]]:
    """The text with as many of the fixes as fit together, and which ones these are, in the order they were taken.

    A fix is skipped whole when one of its edits overlaps a different edit of a fix taken before; identical edits merge.
    An insertion at the border of a replacement does not overlap it.
    """
    chosen = compatible(in_order(fixes), len(text))
    return splice(text, (edit for fix in chosen for edit in fix.edits)), chosen


def in_order(fixes: Iterable[Fix]) -> list[Fix]:
    """Distinct fixes, safest first, then by place; of those that start alike the one with more edits first."""
    return sorted(dict.fromkeys(fixes), key=_rank)


def _rank(fix: Fix) -> tuple[object, ...]:
    edits = sorted(fix.edits)
    first = edits[0].start if edits else 0
    return -fix.applicability, first, -len(edits), edits, fix.message, fix.reason


def compatible(fixes: Iterable[Fix], length: int) -> tuple[Fix, ...]:
    """The fixes that can be applied together to a text of `length` characters, earlier ones preferred."""
    taken: list[Edit] = []
    chosen = []
    for fix in fixes:
        together = _joined(taken, fix, length)
        if together is not None:
            taken = together
            chosen.append(fix)
    return tuple(chosen)


def _joined(taken: list[Edit], fix: Fix, length: int) -> list[Edit] | None:
    """The edits taken so far and those of `fix`, sorted; None where they do not fit together or into the text."""
    together = list(taken)
    for edit in set(fix.edits):
        at = bisect_left(together, edit)
        if at < len(together) and together[at] == edit:
            continue
        # Edits that do not overlap are sorted by place, so that only the neighbours can stand in the way.
        if any(edit.span.overlaps(near.span) for near in together[max(at - 1, 0) : at + 1]):
            return None
        if not 0 <= edit.start <= edit.end <= length:
            return None
        insort(together, edit)
    return together if fix.edits else None


def splice(text: str, edits: Iterable[Edit]) -> str:
    """The text after edits that do not overlap; equal ones count once, insertions come before what they border on."""
    parts: list[str] = []
    here = 0
    for edit in sorted(set(edits)):
        parts += (text[here : edit.start], edit.content)
        here = edit.end
    return "".join((*parts, text[here:]))
