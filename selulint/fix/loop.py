"""Fixing until nothing is left to fix: every step is checked again, and a fix that does harm is taken back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from selulint.diagnostic import Applicability, Diagnostic
from selulint.fix.apply import apply
from selulint.source import Source

MAX_PASSES = 10
Check = Callable[[Source], list[Diagnostic]]
_Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class FixOutcome:
    """A text after fixing, what was fixed, what is left, which fixes were refused and why, and what went wrong."""

    text: str
    applied: tuple[Diagnostic, ...]
    remaining: tuple[Diagnostic, ...]
    refused: tuple[tuple[Diagnostic, str], ...] = ()
    error: str | None = None


def fix_text(source: Source, settings: object, check: Check, applicability: Applicability) -> FixOutcome:
    """Apply every fix of at least this applicability until a pass changes nothing, at most MAX_PASSES times.

    A step is kept only if its result parses, the findings it is for are gone, and there is no more of any other; a step
    that fails is tried again fix by fix. A text that was there before ends the loop: fixes chase each other.
    Raises what `check` raises on the text as it is.
    """
    current, found = source, check(source)
    seen, applied = {source.text}, list[Diagnostic]()
    refused: dict[_Key, tuple[Diagnostic, str]] = {}
    error = None
    for _ in range(MAX_PASSES):
        wanted = [d for d in found if d.fix and d.fix.applicability >= applicability and _key(d) not in refused]
        if not wanted:
            break
        step = _step(current, found, wanted, check, refused)
        if step is None:
            continue
        after, remaining, done = step
        if after.text in seen:
            error = f"fixes undo each other: {', '.join(sorted({d.name for d in done}))}"
            break
        seen.add(after.text)
        current, found = after, remaining
        applied += done
    else:
        error = f"fixes do not settle after {MAX_PASSES} passes: {', '.join(sorted({d.name for d in found if d.fix}))}"
    left = tuple(replace(d, fix=None) if _key(d) in refused else d for d in found)
    return FixOutcome(current.text, tuple(applied), left, tuple(refused.values()), error)


def _key(diagnostic: Diagnostic) -> _Key:
    return diagnostic.code, diagnostic.message, diagnostic.fix.message if diagnostic.fix else ""


_Step = tuple[Source, list[Diagnostic], list[Diagnostic]]


def _step(
    source: Source,
    found: list[Diagnostic],
    wanted: Sequence[Diagnostic],
    check: Check,
    refused: dict[_Key, tuple[Diagnostic, str]],
) -> _Step | None:
    """One pass over all wanted fixes together; if that fails, over those that hold alone; None if none does."""
    outcome = _attempt(source, found, wanted, check)
    if not isinstance(outcome, str):
        return outcome
    good: list[Diagnostic] = []
    for fix in dict.fromkeys(d.fix for d in wanted if d.fix):
        concerned = [d for d in wanted if d.fix == fix]
        alone = _attempt(source, found, concerned, check)
        if isinstance(alone, str):
            refused.update({_key(d): (d, alone) for d in concerned})
        else:
            good += concerned
    if not good:
        return None
    together = _attempt(source, found, good, check)
    if not isinstance(together, str):
        return together
    first = [d for d in good if d.fix == good[0].fix]
    outcome = _attempt(source, found, first, check)
    return None if isinstance(outcome, str) else outcome


def _attempt(source: Source, found: list[Diagnostic], wanted: Sequence[Diagnostic], check: Check) -> _Step | str:
    """The text after these fixes and what is found in it, or why it is not acceptable."""
    text, accepted = apply(source.text, [d.fix for d in wanted if d.fix])
    done = [d for d in wanted if d.fix in accepted]
    after = Source(source.path, text, source.encoding, source.bom)
    try:
        source.encode(text)
        remaining = check(after)
    except UnicodeEncodeError as problem:
        return f"the result cannot be written in {source.encoding}: {problem.reason}"
    except Exception as problem:  # whatever a changed text does to the checker, the text as it was stays
        return f"the result cannot be checked: {problem}"
    reason = _objection(found, remaining, done)
    return reason or (after, remaining, done)


def _objection(found: Sequence[Diagnostic], remaining: Sequence[Diagnostic], done: Sequence[Diagnostic]) -> str | None:
    before, after, fixed = (Counter(d.name for d in each) for each in (found, remaining, done))
    for name, count in after.items():
        if count > before[name]:
            return f"it would add a finding of {name}"
        if count > before[name] - fixed[name]:
            return f"the finding of {name} would stay"
    return None
