"""Calls whose arguments a fix changes, broken into lines as formatters do, where the file looks formatted.

A formatter (Black, and Ruff's) writes a call in one of three ways, the first that fits: in one line; the arguments in a line
of their own; an argument a line, with a comma behind the last. What was written otherwise is left as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from selulint.diagnostic import Edit, Span
from selulint.fix.apply import splice
from selulint.fix.layout import indent_unit, line_start, line_tail, quote

# Limits that formatters are commonly given, the usual one first.
_LIMITS = (88, 100, 110, 119, 120)
# What may stand before and behind a call that alone decides how its statement is broken.
_BEFORE = re.compile(r"[ \t]*(?:(?:\w[\w.]* \+?= |return )?)")
_LONG_STRING = re.compile(r"(\"\"\"|''').*?\1", re.DOTALL)
_INDENT = re.compile(r"[ \t]*")
# A string, a bracket or a comma.
_MARK = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[()\[\]{},]")
# What may stand before the first bracket of a line, between its brackets and behind the last.
_HEAD = re.compile(r"(?:\w[\w.]* \+?= |return |\w+=)?(?:\w[\w.]*)?")
_TRAILER = re.compile(r"(?:\.\w+)*")
_BEHIND_BRACKETS = re.compile(r",?")
_BEHIND = re.compile(r"(?:\([\w., ]*\))?,?")


def wrapped(text: str, edits: Sequence[Edit], calls: Iterable[Span]) -> list[Edit]:
    """The edits, and with them the line breaks of those calls whose arguments they change."""
    limit = _limit(text)
    found = list(edits)
    if limit is None:
        return found
    for call in calls:
        start = line_start(text, call.start)
        line = Span(start + len(_INDENT.match(text, start)[0]), line_tail(text, call.start))  # type: ignore[index]
        if call.end <= line.end:
            found = _with_line(text, found, line, limit)
            continue
        inside = [edit for edit in found if call.start < edit.start and edit.end < call.end]
        around = [edit for edit in found if edit not in inside and edit.span.overlaps(call)]
        if not inside or around:
            continue
        moved = [Edit(edit.start - call.start, edit.end - call.start, edit.content) for edit in inside]
        old = text[call.start : call.end]
        new = _laid_out(text, call, limit, *(each.replace("\r\n", "\n") for each in (old, splice(old, moved))))
        if new is not None:
            first = min(edit.start for edit in inside)
            start = call.start + min(_common(old, new), first - call.start)
            found = [edit for edit in found if edit not in inside]
            found.append(Edit(start, call.end, new[start - call.start :]))
    return found


def _common(old: str, new: str) -> int:
    """How many characters two texts begin with alike."""
    return next((i for i, (one, other) in enumerate(zip(old, new, strict=False)) if one != other), 0)


def _with_line(text: str, edits: list[Edit], line: Span, limit: int) -> list[Edit]:
    """The edits, with those inside a line that they make too long put together to one that breaks it."""
    inside = [edit for edit in edits if line.start <= edit.start and edit.end <= line.end]
    if not inside or any(edit.span.overlaps(line) for edit in edits if edit not in inside):
        return edits
    old = text[line.start : line.end]
    new = splice(old, [Edit(edit.start - line.start, edit.end - line.start, edit.content) for edit in inside])
    indent = text[line_start(text, line.start) : line.start]
    if "\n" in new or "#" in new or len(indent) + len(old) > limit or len(indent) + len(new) <= limit:
        return edits
    broken = _broken_line(new, indent, indent_unit(text), limit)
    if broken is None or not _is_same("".join(broken), new):
        return edits
    shape = "\n".join(broken)[len(indent) :]
    first = min(min(edit.start for edit in inside) - line.start, _common(old, shape))
    rest = [edit for edit in edits if edit not in inside]
    return [*rest, Edit(line.start + first, line.end, shape[first:])]


def _broken_line(text: str, indent: str, unit: str, limit: int) -> list[str] | None:
    """A line as it is broken at its last bracket behind which it still fits, and what is inside of it in turn.

    None where that would take more than brackets and commas.
    """
    if len(indent) + len(text) <= limit:
        return [indent + text]
    pairs = _outer_brackets(text)
    if (
        not pairs
        or not _HEAD.fullmatch(text[: pairs[0][0]])
        or not _BEHIND_BRACKETS.fullmatch(text[pairs[-1][1] + 1 :])
    ):
        return None
    between = (text[one[1] + 1 : other[0]] for one, other in zip(pairs, pairs[1:], strict=False))
    if not all(_TRAILER.fullmatch(each) for each in between):
        return None
    fitting = [pair for pair in pairs if len(indent) + pair[0] + 1 <= limit and pair[1] > pair[0] + 1]
    if not fitting:
        return None
    opening, closing = fitting[-1]
    body = _body(text[opening + 1 : closing], indent + unit, unit, limit)
    return None if body is None else [indent + text[: opening + 1], *body, indent + text[closing:]]


def _body(text: str, indent: str, unit: str, limit: int) -> list[str] | None:
    """What stands in brackets: in a line of its own, else an item a line."""
    if len(indent) + len(text) <= limit:
        return [indent + text]
    items = _items(text)
    if len(items) == 1:
        return _broken_line(text, indent, unit, limit)
    if any(item.startswith("*") for item in items):
        return None  # whether a comma may follow depends on the versions of Python that the formatter is told of
    lines: list[str] = []
    for item in items:
        found = _broken_line(f"{item},", indent, unit, limit)
        if found is None:
            return None
        lines += found
    return lines


def _outer_brackets(text: str) -> list[tuple[int, int]]:
    """Where the brackets that stand in no other begin and end."""
    pairs, depth, start = [], 0, 0
    for mark in _MARK.finditer(text):
        if mark[0] in "([{":
            start = start if depth else mark.start()
            depth += 1
        elif mark[0] in ")]}":
            depth -= 1
            if not depth:
                pairs.append((start, mark.start()))
    return pairs


def _items(text: str) -> list[str]:
    """The parts between the commas that stand in no bracket."""
    cuts, depth = [-1], 0
    for mark in _MARK.finditer(text):
        depth += (mark[0] in "([{") - (mark[0] in ")]}")
        if mark[0] == "," and not depth:
            cuts.append(mark.start())
    found = [text[one + 1 : other].strip() for one, other in zip(cuts, [*cuts[1:], len(text)], strict=True)]
    return [item for item in found if item]


def _laid_out(text: str, call: Span, limit: int, old: str, new: str) -> str | None:
    """A changed call of several lines as a formatter writes it; None where it is right, or not known to be formatted."""
    before = text[line_start(text, call.start) : call.start]
    behind = text[call.end : line_tail(text, call.end)]
    parts = _parts(new)
    if parts is None or not _BEFORE.fullmatch(before) or not _BEHIND.fullmatch(behind):
        return None
    indent = before[: len(before) - len(before.lstrip())]
    unit = indent_unit(text)
    if not _is_hugged(old, indent, indent + unit) or _fitted(before, old, behind, limit):
        return None
    fits = len(before) + len(_line(*parts)) + len(behind) <= limit
    shape = _line(*parts) if fits else _broken(*parts, indent, unit, limit)
    return shape if shape is not None and shape != new and _is_same(shape, new) else None


def _line(head: str, items: Sequence[str]) -> str:
    return f"{head}({', '.join(items)})"


def _broken(head: str, items: Sequence[str], indent: str, unit: str, limit: int) -> str | None:
    """A call that does not fit in its line."""
    inner = indent + unit
    own = inner + ", ".join(items)
    if len(own) <= limit:
        return f"{head}(\n{own}\n{indent})"
    if any(item.startswith("*") for item in items):
        return None  # whether a comma may follow depends on the versions of Python that the formatter is told of
    return f"{head}(\n{''.join(f'{inner}{item},{chr(10)}' for item in items)}{indent})"


def _parts(call: str) -> tuple[str, list[str]] | None:
    """What is called and the texts of its arguments; None where comments or long strings are among them."""
    pairs = _outer_brackets(call)
    if not pairs or pairs[-1][1] != len(call) - 1 or "#" in call:
        return None
    head, items = call[: pairs[-1][0]], _items(call[pairs[-1][0] + 1 : -1])
    return (head, items) if items and not any("\n" in each for each in (head, *items)) else None


def _is_hugged(call: str, indent: str, inner: str) -> bool:
    """Whether a call's arguments stand in one line of their own."""
    lines = call.split("\n")
    return (
        len(lines) == 3
        and lines[0].endswith("(")
        and lines[1].startswith(inner)
        and not lines[1][len(inner)].isspace()
        and not lines[1].endswith(",")
        and lines[2] == f"{indent})"
    )


def _fitted(before: str, call: str, behind: str, limit: int) -> bool:
    """Whether a call of several lines could have been written in one, which a formatter would have done."""
    return len(before) + len("".join(line.strip() for line in call.split("\n"))) + len(behind) <= limit


@lru_cache(maxsize=4)
def _limit(text: str) -> int | None:
    """The line length that a formatter keeps a file to, as far as its lines show; None where none has written them."""
    if quote(text) == "'":
        return None
    longest, previous = 0, ""
    for line in _LONG_STRING.sub("", text).split("\n"):
        if "#" in line or "\\" in line + previous:
            previous = line
            continue
        previous = line
        pairs, is_open = _outer_brackets(line), _leaves_open(line)
        # A formatter breaks behind the bracket, and lines that are too long for anything but a single string.
        if is_open and not line.rstrip().endswith(("(", "[", "{")):
            return None
        has_items = any(len(_items(line[start + 1 : end])) > 1 for start, end in pairs)
        if has_items or not re.search("[\"']", line):
            longest = max(longest, len(line))
    return next((limit for limit in _LIMITS if longest <= limit), None)


def _leaves_open(line: str) -> bool:
    """Whether a line opens more brackets than it closes."""
    marks = [mark[0] for mark in _MARK.finditer(line)]
    return sum(mark in "([{" for mark in marks) > sum(mark in ")]}" for mark in marks)


def _is_same(one: str, other: str) -> bool:
    return re.sub(r"[\s,]", "", one) == re.sub(r"[\s,]", "", other)
