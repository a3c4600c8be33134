"""Applying fixes to a text: each whole or not at all, never two that touch the same characters."""

from __future__ import annotations

from collections.abc import Sequence

from selulint.diagnostic import Edit, Fix


def apply(text: str, fixes: Sequence[Fix]) -> tuple[str, tuple[Fix, ...]]:
    """The text with every fix that fits, and those fixes. Safer fixes come first, then earlier ones; the order in which
    they are given does not matter. Equal edits of several fixes count once; a fix with an edit that overlaps another's
    is left out whole."""
    accepted: list[Fix] = []
    edits: set[Edit] = set()
    for fix in sorted(set(fixes), key=_rank):
        fresh = set(fix.edits) - edits
        if fix.edits and not any(new.span.overlaps(old.span) for new in fresh for old in edits):
            accepted.append(fix)
            edits |= fresh
    return splice(text, sorted(edits)), tuple(accepted)


def _rank(fix: Fix) -> tuple[int, tuple[Edit, ...], str]:
    return -fix.applicability, tuple(sorted(fix.edits)), fix.message


def splice(text: str, edits: Sequence[Edit]) -> str:
    """The text with sorted edits made that do not overlap; at one offset an insertion comes before a replacement."""
    parts: list[str] = []
    position = 0
    for edit in edits:
        parts += (text[position : edit.start], edit.content)
        position = edit.end
    return "".join((*parts, text[position:]))
