"""`# selulint: ignore[rule, ...] reason` and `ignore-file[...]`: hiding findings, and reporting what hides nothing."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from selulint.diagnostic import FAILURES, UNUSED_SUPPRESSION, Applicability, Diagnostic, Edit, Fix, Span
from selulint.settings import Settings, known_rules, matches, unknown_selector
from selulint.source import Source

MARKER = "selulint:"
_COMMENT = re.compile(r"#\s*selulint:\s*(?P<verb>[\w-]*)\s*(?P<list>\[[^\]#]*\])?[^#]*")
VERBS = ("ignore", "ignore-file")


@dataclass(frozen=True, slots=True)
class Directive:
    """One suppression comment: its span (of this part of the comment), line, verb and selectors, and what is wrong."""

    span: Span
    line: int
    whole_file: bool
    selectors: tuple[str, ...]
    alone: bool
    listed: Span
    fault: str = ""


def suppress(source: Source, diagnostics: Sequence[Diagnostic], settings: Settings) -> list[Diagnostic]:
    """The diagnostics that no comment of the file hides, and one for each comment, or part of one, that hides none."""
    if MARKER not in source.text:
        return list(diagnostics)
    directives = list(_directives(source))
    if not directives:
        return list(diagnostics)
    targets = _targets(source, directives)
    used: set[tuple[int, str]] = set()
    kept, hidden = [], set()
    for each in diagnostics:
        if _hidden(each, source, directives, targets, used):
            hidden.add(each.fix)
        else:
            kept.append(each)
    kept = [_held_back(each) if each.fix in hidden else each for each in kept]
    reports = _reports(source, directives, used, settings)
    kept += [each for each in reports if not _hidden(each, source, directives, targets, used)]
    return sorted(kept, key=lambda each: (each.span or Span(0, 0), each.code))


def _held_back(diagnostic: Diagnostic) -> Diagnostic:
    """A fix that also removes a hidden finding would change what the user asked to leave alone."""
    if diagnostic.fix is None:
        return diagnostic
    reason = "it also changes a place where a comment suppresses the finding"
    return replace(diagnostic, fix=replace(diagnostic.fix, applicability=Applicability.DISPLAY, reason=reason))


def _directives(source: Source) -> Iterator[Directive]:
    for line, column, comment in _comments(source.text):
        start = source.line_starts[line - 1] + column
        alone = not source.line(line)[:column].strip()
        for match in _COMMENT.finditer(comment):
            end = start + match.start() + len(match.group().rstrip())
            selectors = tuple(part.strip() for part in (match["list"] or "").strip("[]").split(",") if part.strip())
            group = "list" if match["list"] else "verb"
            listed = Span(start + match.start(group), start + match.end(group))
            span = Span(start + match.start(), end)
            fault = _fault(match["verb"], match["list"], selectors)
            selectors = selectors if match["verb"] in VERBS else ()
            yield Directive(span, line, match["verb"] == "ignore-file", selectors, alone, listed, fault)


def _comments(text: str) -> Iterator[tuple[int, int, str]]:
    """Line (from 1), column (from 0) and text of each comment that holds the marker. Strings are told from comments."""
    lines = io.StringIO(text.replace("\r\n", "\n").replace("\r", "\n"))
    try:
        for token in tokenize.generate_tokens(lines.readline):
            if token.type == tokenize.COMMENT and MARKER in token.string:
                yield token.start[0], token.start[1], token.string
    except (tokenize.TokenError, SyntaxError):
        return


def _fault(verb: str, listed: str | None, selectors: tuple[str, ...]) -> str:
    if verb not in VERBS:
        return f"unknown suppression `{verb}`, expected `ignore[...]` or `ignore-file[...]`"
    if not selectors:
        return f"`{verb}` needs the rules it hides in brackets" + (", these are empty" if listed else "")
    faults = [reason for selector in selectors if (reason := unknown_selector(selector))]
    return "; ".join(faults)


def _targets(source: Source, directives: Iterable[Directive]) -> dict[int, list[Directive]]:
    """Line number to the directives that hide findings there: its own, and those alone on the lines above it."""
    last = len(source.line_starts)
    targets: dict[int, list[Directive]] = {}
    for directive in directives:
        line = directive.line
        while directive.alone and line < last and source.line(line).lstrip().startswith("#"):
            line += 1
        targets.setdefault(line, []).append(directive)
        if line != directive.line:
            targets.setdefault(directive.line, []).append(directive)
    return targets


def _hidden(
    diagnostic: Diagnostic,
    source: Source,
    directives: Iterable[Directive],
    targets: dict[int, list[Directive]],
    used: set[tuple[int, str]],
) -> bool:
    """Whether a directive hides the diagnostic; every selector that does goes into `used`."""
    if diagnostic.code in FAILURES:
        return False
    near = [directive for directive in directives if directive.whole_file]
    if diagnostic.span is not None:
        first = source.locate(diagnostic.span.start)[0]
        last = source.locate(max(diagnostic.span.start, diagnostic.span.end - 1))[0]
        near += [each for line in {first, last} for each in targets.get(line, ()) if not each.whole_file]
    hits = {
        (directive.span.start, selector)
        for directive in near
        for selector in directive.selectors
        if matches(selector, diagnostic.code, diagnostic.name)
    }
    used |= hits
    return bool(hits)


def _reports(
    source: Source, directives: Iterable[Directive], used: set[tuple[int, str]], settings: Settings
) -> Iterator[Diagnostic]:
    notice = UNUSED_SUPPRESSION
    if not settings.enabled(notice.code, notice.name, path=source.path):
        return
    for directive in directives:
        idle = [
            selector
            for selector in directive.selectors
            if (directive.span.start, selector) not in used and _judgeable(selector, settings, source.path)
        ]
        if directive.fault:
            message, fix = directive.fault, None
        elif idle:
            names = ", ".join(f"`{selector}`" for selector in idle)
            message, fix = f"unused suppression of {names}", _removal(source, directive, idle)
        else:
            continue
        yield Diagnostic(notice.code, notice.name, notice.severity, message, source.path, directive.span, fix=fix)


def _judgeable(selector: str, settings: Settings, path: str) -> bool:
    """Whether this run would have shown the selector's findings: one that was not looked for proves nothing."""
    named = [(code, name, default) for code, (name, default) in known_rules().items() if matches(selector, code, name)]
    if any(name == UNUSED_SUPPRESSION.name for _, name, _ in named):
        return False
    running = [settings.enabled(code, name, default, path) for code, name, default in named]
    return any(running) and all(on for on, (_, _, default) in zip(running, named, strict=True) if default)


def _removal(source: Source, directive: Directive, idle: Sequence[str]) -> Fix:
    rest = [selector for selector in directive.selectors if selector not in idle]
    if rest:
        edit = Edit(directive.listed.start, directive.listed.end, f"[{', '.join(rest)}]")
        return Fix("remove what is unused from the suppression", (edit,), Applicability.SAFE)
    text, start, end = source.text, directive.span.start, directive.span.end
    begin = source.line_starts[directive.line - 1]
    before = text[begin:start]
    after = text[end : begin + len(source.line(directive.line))]
    if not after.strip():
        end += len(after)
        start = begin + len(before.rstrip())
        if not before.strip():
            start = begin
            end = source.line_starts[directive.line] if directive.line < len(source.line_starts) else end
    else:
        end += len(after) - len(after.lstrip())
    return Fix("remove the suppression", (Edit(start, end, ""),), Applicability.SAFE)
