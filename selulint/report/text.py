"""Reports to read: `full` with code frames, `concise` with a line each, and the table of statistics."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

import click

from selulint.diagnostic import Applicability, Diagnostic, Fix, Severity, Span
from selulint.report import Report, fix_level
from selulint.source import Source

CONTEXT = 2
TAB = 4
MAX_LINES = 6
MAX_CELLS = 160
MAX_REASONS = 5
COLORS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}


def full(report: Report) -> Iterator[str]:
    """Each diagnostic with its code, related places and fix, then the summary."""
    for diagnostic, source in report.entries:
        yield _headline(diagnostic, source, report.color) + "\n"
        for line in _details(diagnostic, source, report.color):
            yield line.rstrip() + "\n"
        yield "\n"
    yield from _summary(report)


def concise(report: Report) -> Iterator[str]:
    """A line for each diagnostic, then the summary."""
    marks = {Applicability.SAFE: " [fix]", Applicability.UNSAFE: " [unsafe fix]"}
    for diagnostic, source in report.entries:
        mark = marks.get(fix_level(diagnostic) or Applicability.DISPLAY, "")
        if report.fixing and diagnostic.refused:
            mark = f" [no fix: {diagnostic.refused}]"
        yield _headline(diagnostic, source, report.color) + mark + "\n"
    yield from _summary(report)


def statistics(report: Report) -> Iterator[str]:
    """A table of rules by number of findings, then the summary."""
    rows = [("count", "code", "rule", "fixable")]
    for code, name, count, safe, unsafe in report.by_rule():
        rows.append((str(count), code, name, f"{safe}" + (f" (+{unsafe} unsafe)" if unsafe else "")))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    if len(rows) > 1:
        for row in rows:
            yield f"{row[0]:>{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]:<{widths[2]}}  {row[3]}\n"
    yield from _summary(report)


def _style(text: str, color: bool, **style: object) -> str:
    return click.style(text, **style) if color else text  # type: ignore[arg-type]


def _place(path: str, span: Span | None, source: Source | None) -> str:
    path = path if path.isprintable() else "".join(each if each.isprintable() else repr(each)[1:-1] for each in path)
    if span is None or source is None:
        return path
    return f"{path}:{source.place(span.start)}"


def _headline(diagnostic: Diagnostic, source: Source | None, color: bool) -> str:
    place = _style(_place(diagnostic.path, diagnostic.span, source), color, bold=True)
    tint = COLORS[diagnostic.severity]
    code = _style(diagnostic.code, color, fg=tint, bold=True)
    severity = _style(f"[{diagnostic.severity.name.lower()}]", color, fg=tint)
    return f"{place}: {code} {diagnostic.name} {severity} {diagnostic.message}"


def _details(diagnostic: Diagnostic, source: Source | None, color: bool) -> Iterator[str]:
    if source is None or diagnostic.span is None:
        return
    spans = [diagnostic.span, *(related.span for related in diagnostic.related)]
    width = len(str(min(max(source.locate(span.end)[0] for span in spans) + CONTEXT, len(source.line_starts))))
    bar = " " * width + _style(" |", color, fg="blue")
    sign = " " * width + _style(" = ", color, fg="blue")
    yield bar
    yield from frame(source, diagnostic.span, width, CONTEXT, COLORS[diagnostic.severity], color)
    yield bar
    for related in diagnostic.related:
        yield f"{sign}note: {_place(diagnostic.path, related.span, source)}: {related.message}"
        yield from frame(source, related.span, width, 0, "blue", color)
    if diagnostic.fix is not None:
        yield sign + _fix(diagnostic.fix)
    elif diagnostic.refused:
        yield f"{sign}no fix: {diagnostic.refused}"


def _fix(fix: Fix) -> str:
    reason = f": {fix.reason}" if fix.reason else ""
    match fix.applicability:
        case Applicability.SAFE:
            return f"fix (safe): {fix.message}"
        case Applicability.UNSAFE:
            return f"fix (unsafe, needs --unsafe-fixes): {fix.message}{reason}"
        case _:
            return f"suggestion (not applied): {fix.message}{reason}"


def frame(source: Source, span: Span, width: int, context: int, tint: str, color: bool) -> Iterator[str]:
    """The lines of a span, with `context` lines around them, numbered, the span underlined."""
    first, start = source.locate(span.start)
    last, stop = source.locate(max(span.start, span.end - 1))
    stop += span.end > span.start
    (begin, _), (_, final) = source.extent(first), source.extent(last)
    above = first - source.position(span.start)[1]
    for number in _shown(max(begin, first - context), first, last, max(min(last + context, final), last)):
        if number is None:
            yield " " * width + _style(" |", color, fg="blue") + " ..."
            continue
        text = source.shown(number)
        inside = first <= number <= last
        left = start - 1 if number == first else len(text) - len(text.lstrip())
        right = stop - 1 if number == last else len(text.rstrip())
        cells, from_cell, to_cell = _fitted(text, left, right, inside)
        yield _style(f"{number - above:>{width}} |", color, fg="blue") + f" {cells}"
        if inside and (text.strip() or first == last):
            marks = " " * from_cell + _style("^" * max(1, to_cell - from_cell), color, fg=tint, bold=True)
            yield " " * width + _style(" |", color, fg="blue") + f" {marks}"


def _shown(begin: int, first: int, last: int, end: int) -> Sequence[int | None]:
    if last - first < MAX_LINES:
        return range(begin, end + 1)
    return [*range(begin, first + MAX_LINES - 2), None, *range(last, end + 1)]


def _fitted(text: str, left: int, right: int, inside: bool) -> tuple[str, int, int]:
    """A line as it is printed, and the cells between which `left` and `right` lie; a very long line is cut to them."""
    parts = _cells(text)
    skip = 0
    if inside and sum(width for _, width in parts[:right]) > MAX_CELLS:
        skip = max(0, min(left - 20, len(parts)))
    head = "..." if skip else ""
    shown, used, stop = [], len(head), skip
    for piece, width in parts[skip:]:
        if used + width > MAX_CELLS:
            break
        shown.append(piece)
        used += width
        stop += 1
    tail = "..." if stop < len(parts) else ""
    start = len(head) + sum(width for _, width in parts[skip:left])
    end = len(head) + sum(width for _, width in parts[skip : min(right, stop)])
    return head + "".join(shown) + tail, start, end


def _cells(text: str) -> list[tuple[str, int]]:
    """Each character as it is printed and its width in terminal cells; control characters must not reach a terminal."""
    if text.isascii() and text.isprintable():
        return [(character, 1) for character in text]
    parts: list[tuple[str, int]] = []
    column = 0
    for character in text:
        if character == "\t":
            size = TAB - column % TAB
            parts.append((" " * size, size))
        elif unicodedata.combining(character):
            parts.append((character, 0))
        elif not character.isprintable():
            parts.append((" " if character == "\f" else "\N{REPLACEMENT CHARACTER}", 1))
        else:
            parts.append((character, 2 if unicodedata.east_asian_width(character) in "WF" else 1))
        column += parts[-1][1]
    return parts


def _summary(report: Report) -> Iterator[str]:
    if report.fixed:
        yield f"Fixed {_plural(report.fixed, 'finding')} in {_plural(report.changed, 'file')}.\n"
    if not report.entries:
        if report.complete:
            yield _style("All checks passed!", report.color, fg="green") + "\n"
        return
    counts = [(report.count(severity), severity.name.lower()) for severity in reversed(Severity)]
    found = ", ".join(_plural(count, name) for count, name in counts if count)
    safe, unsafe = report.fixable(Applicability.SAFE), report.fixable(Applicability.UNSAFE)
    hints = [f"{safe} fixable with --fix"] if safe else []
    hints += [f"{unsafe}{' more' if safe else ' fixable'} with --unsafe-fixes"] if unsafe else []
    yield f"Found {found}" + (f" ({', '.join(hints)})" if hints else "") + ".\n"
    if report.fixing:
        yield from refused(report.refusals())


def refused(reasons: Sequence[tuple[str, int]]) -> Iterator[str]:
    """What was not fixed though a fix was asked for, and why."""
    if reasons:
        shown = [f"{reason} ({count})" for reason, count in reasons[:MAX_REASONS]]
        more = len(reasons) - len(shown)
        yield f"Not fixed, with a reason: {'; '.join(shown)}{f'; and {more} more' if more else ''}.\n"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")
