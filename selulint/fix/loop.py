"""Fixing a text until nothing is left to fix: every step is verified, and a fix that spoils something is refused."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from selulint.diagnostic import FAILURES, Applicability, Diagnostic, Edit, Fix
from selulint.fix.apply import compatible, in_order, splice
from selulint.fix.tidy import tidied
from selulint.source import Source
from selulint.syntax import triage

MAX_PASSES = 10
# What concerns choices of the user that a fix keeps, and that matter only once there is a SELU: a dropout's rate, and,
# where a fix is unsafe for it, data that stay in [0, 1].
UNCOVERED = frozenset({"SELU403"})
UNSAFELY_UNCOVERED = UNCOVERED | {"SELU504"}

Check: TypeAlias = Callable[[Source], list[Diagnostic]]


@dataclass(frozen=True, slots=True)
class FixOutcome:
    """What fixing made of a text.

    `applied` are the findings that were fixed (their spans refer to the text of their pass), `remaining` those of the
    new text. `refused` holds the remaining ones whose fix was tried and taken back, each with the reason. `error` says
    why fixing stopped before it was done, "" where it did not.
    """

    text: str
    applied: tuple[Diagnostic, ...]
    remaining: tuple[Diagnostic, ...]
    refused: tuple[tuple[Diagnostic, str], ...]
    error: str = ""


@dataclass(slots=True)
class _Pass:
    """One text with its findings, the fixes that may go in, and which of them were tried in vain."""

    source: Source
    found: Sequence[Diagnostic]
    check: Check
    level: Applicability
    seen: frozenset[str]
    refused: dict[Fix, str] = field(default_factory=dict)

    def fixes(self) -> list[Fix]:
        return in_order(each.fix for each in self.found if each.fix and each.fix.applicability >= self.level)


@dataclass(frozen=True, slots=True)
class _Step:
    """Fixes that are good together, and what the check says of the text that they make."""

    fixes: tuple[Fix, ...]
    source: Source
    found: Sequence[Diagnostic]


def fix_text(source: Source, settings: object, check: Check, applicability: Applicability) -> FixOutcome:
    """Apply all fixes that are at least as safe as `applicability`, again and again until none is left.

    `check` lints a text (under `settings`); what it raises for `source` itself is passed on. A step is kept only if its
    result compiles, keeps the statements that no edit touches, can be written in the file's encoding, no longer has
    the findings that it is for, and has no other finding that was not there.
    """
    found: Sequence[Diagnostic] = check(source)
    applied: list[Diagnostic] = []
    seen = frozenset({source.text})
    error = ""
    for count in range(MAX_PASSES + 1):
        turn = _Pass(source, found, check, applicability, seen)
        fixes = turn.fixes()
        if count == MAX_PASSES and fixes:
            error = f"the fixes did not come to an end after {MAX_PASSES} passes"
            break
        step = _settle(turn, _Step((), source, found), fixes)
        if not step.fixes:
            break
        applied += [each for each in found if each.fix in step.fixes]
        source, found = step.source, step.found
        seen |= {source.text}
    return _outcome(turn, applied, error)


def _outcome(turn: _Pass, applied: Sequence[Diagnostic], error: str) -> FixOutcome:
    remaining, refused = [], []
    for each in turn.found:
        reason = turn.refused.get(each.fix) if each.fix is not None else None
        if reason is not None:
            each = replace(each, fix=None, refused=reason)
            refused.append((each, reason))
        remaining.append(each)
    return FixOutcome(turn.source.text, tuple(applied), tuple(remaining), tuple(refused), error)


def _settle(turn: _Pass, before: _Step, fixes: Sequence[Fix]) -> _Step:
    """Add as many of the fixes as prove good; halving finds the bad ones. One that only overlaps waits for the next pass."""
    chosen = compatible((*before.fixes, *fixes), len(turn.source.text))
    fresh = chosen[len(before.fixes) :]
    if not fresh:
        turn.refused.update((fix, "its edits do not fit together") for fix in fixes if not _fits(turn, fix))
        return before
    step, reason = _tried(turn, chosen)
    if step is not None:
        return step
    if len(fixes) == 1:
        turn.refused[fixes[0]] = reason
        return before
    half = len(fixes) // 2
    return _settle(turn, _settle(turn, before, fixes[:half]), fixes[half:])


def _fits(turn: _Pass, fix: Fix) -> bool:
    return bool(compatible((fix,), len(turn.source.text)))


def _tried(turn: _Pass, fixes: tuple[Fix, ...]) -> tuple[_Step | None, str]:
    """The step that these fixes make, or why they may not be applied."""
    edits = sorted({edit for fix in fixes for edit in fix.edits})
    old = turn.source
    text = splice(old.text, edits)
    if text == old.text:
        return None, "the fix changes nothing"
    if text in turn.seen:
        return None, "the fix leads back to an earlier text"
    reason = _broken(text, old) or _disturbed(old.text, text, edits)
    if reason:
        return None, reason
    neat = tidied(old, text)
    text = text if _broken(neat, old) else neat
    source = old.with_text(text)
    try:
        source.encode(text)
        found = turn.check(source)
    except UnicodeEncodeError as error:
        return None, f"the result cannot be written in {old.encoding}: {error.reason}"
    except Exception as error:  # a barrier: what the checker cannot read again must not be written
        return None, f"the result cannot be checked: {error}"
    reason = _worse(turn.found, found, frozenset(fixes))
    return (None, reason) if reason else (_Step(fixes, source, found), "")


def _broken(text: str, source: Source) -> str:
    """Why the text is no valid Python; compiling also sees what the grammar does not, such as repeated keywords."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, source.path, "exec", source.compile_flags, dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return f"the result is no valid Python: {error}"
    return ""


def _disturbed(old: str, new: str, edits: Sequence[Edit]) -> str:
    """Whether a top-level statement that no edit touches is missing, or no statement of its own any more."""
    present = iter(new[each.start : each.end].rstrip("\r\n") for each in triage.index(new))
    for each in triage.index(old):
        if any(each.start < edit.end and edit.start < each.end for edit in edits):
            continue
        text = old[each.start : each.end].rstrip("\r\n")
        if text not in present:  # consumes the iterator: order counts too
            return "the result changes a statement that the fix does not touch"
    return ""


def _worse(before: Sequence[Diagnostic], after: Sequence[Diagnostic], fixes: frozenset[Fix]) -> str:
    """Whether a finding is new or has outlived its fix. Counted by code: messages and places change with every fix."""
    was, now = (Counter(each.code for each in each_time) for each_time in (before, after))
    due = Counter(each.code for each in before if each.fix in fixes)
    names = {each.code: each.name for each in (*before, *after)}
    is_safe = all(each.applicability is Applicability.SAFE for each in fixes)
    for code in sorted(now.keys() - (UNCOVERED if is_safe else UNSAFELY_UNCOVERED)):
        if code in FAILURES:
            return f"the result gives `{names[code]}`"
        if now[code] > was[code]:
            return f"the fix adds a finding: `{names[code]}`"
        if now[code] > was[code] - due[code]:
            return f"the finding outlives its fix: `{names[code]}`"
    return ""
