"""Calls whose arguments a fix changes, broken into lines as formatters do, where the file looks formatted.

A formatter (Black, and Ruff's) writes a call in one of three ways, the first that fits: in one line; the arguments in a line
of their own; an argument a line, with a comma behind the last. What was written otherwise is left as it is.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from selulint.diagnostic import Edit, Span
from selulint.fix.apply import splice
from selulint.fix.layout import indent_unit, line_start, line_tail

# Limits that formatters are commonly given, the usual one first.
_LIMITS = (88, 100, 110, 119, 120)
# What may stand before and behind a call that alone decides how its statement is broken.
_BEFORE = re.compile(r"[ \t]*(?:(?:\w[\w.]* \+?= |return )?)")
_LONG_STRING = re.compile(r"(\"\"\"|''').*?\1", re.DOTALL)
# What stands before a call that is the only argument of another.
_ONLY = re.compile(r"[ \t]*\w[\w.]*\(")
_BEHIND = re.compile(r"(?:\([\w., ]*\))?,?")


def wrapped(text: str, edits: Sequence[Edit], calls: Iterable[Span]) -> list[Edit]:
    """The edits, and with them the line breaks of those calls whose arguments they change."""
    found = list(edits)
    for call in calls:
        inside = [edit for edit in found if call.start < edit.start and edit.end < call.end]
        around = [edit for edit in found if edit not in inside and edit.span.overlaps(call)]
        if not inside or around:
            continue
        moved = [Edit(edit.start - call.start, edit.end - call.start, edit.content) for edit in inside]
        old = text[call.start : call.end]
        new = _laid_out(text, call, *(each.replace("\r\n", "\n") for each in (old, splice(old, moved))))
        if new is not None:
            first = min(edit.start for edit in inside)
            start = call.start + min(_common(old, new), first - call.start)
            found = [edit for edit in found if edit not in inside]
            found.append(Edit(start, call.end, new[start - call.start :]))
    return found


def _common(old: str, new: str) -> int:
    """How many characters two texts begin with alike."""
    return next((i for i, (one, other) in enumerate(zip(old, new, strict=False)) if one != other), 0)


def _laid_out(text: str, call: Span, old: str, new: str) -> str | None:
    """The changed call as a formatter writes it; None where it is right as it is, or not known to be formatted."""
    before = text[line_start(text, call.start) : call.start]
    behind = text[call.end : line_tail(text, call.end)]
    parts = _parts(new)
    limit = _limit(text)
    alone, only = _BEFORE.fullmatch(before) and _BEHIND.fullmatch(behind), _ONLY.fullmatch(before) and behind == ")"
    if parts is None or limit is None or not (alone or only):
        return None
    indent = before[: len(before) - len(before.lstrip())]
    unit = indent_unit(text)
    fits = len(before) + len(_line(*parts)) + len(behind) <= limit
    if "\n" not in old:
        if fits:
            return None
    elif only or not _is_hugged(old, indent, indent + unit) or _fitted(before, old, behind, limit):
        return None
    if fits:
        shape: str | None = _line(*parts)
    elif alone:
        shape = _broken(*parts, indent, unit, limit)
    else:
        deep = indent + unit
        whole = _line(*parts) if len(deep) + len(_line(*parts)) <= limit else _broken(*parts, deep, unit, limit)
        shape = f"\n{deep}{whole}\n{indent}" if whole is not None else None
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
    try:
        tree = ast.parse(call, mode="eval").body
    except SyntaxError:
        return None
    if not isinstance(tree, ast.Call) or "#" in call or not (tree.args or tree.keywords):
        return None
    nodes: list[ast.expr | ast.keyword] = [*tree.args, *tree.keywords]
    nodes.sort(key=lambda node: (node.lineno, node.col_offset))
    items = [ast.get_source_segment(call, node) for node in nodes]
    head = ast.get_source_segment(call, tree.func)
    if head is None or "\n" in head or not call.startswith(head + "("):
        return None
    known = [item for item in items if item is not None and "\n" not in item]
    return (head, known) if len(known) == len(items) else None


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
    """The line length that a file keeps to, as far as its lines show; strings and comments may be longer."""
    lines = _LONG_STRING.sub("", text).split("\n")
    longest = max((len(line) for line in lines if not re.search("[\"'#]", line)), default=0)
    return next((limit for limit in _LIMITS if longest <= limit), None)


def _is_same(one: str, other: str) -> bool:
    return re.sub(r"[\s,]", "", one) == re.sub(r"[\s,]", "", other)
