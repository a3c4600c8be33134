"""What several fixes leave behind together: names imported twice or for nothing, one function defined twice."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from selulint.diagnostic import Edit
from selulint.fix.apply import splice
from selulint.fix.layout import line_end, line_start
from selulint.fix.leftovers import leftovers
from selulint.fix.sequences import Sequenced, rewritten
from selulint.fix.uses import used_outside_imports
from selulint.source import Source
from selulint.syntax.lazy import File


def tidied(old: Source, text: str) -> str:
    """The text that fixes made of `old`, without imports that only they made vain, and without what they wrote twice."""
    before, after = File(old), File(old.with_text(text))
    edits = list(leftovers(before, after))
    if edits:
        text = splice(text, edits)
        after = File(old.with_text(text))
    read, wanted = used_outside_imports(before), used_outside_imports(after)
    if read is None or wanted is None:
        return text
    edits = list(_repeated(before, after))
    in_vain = frozenset() if old.path.endswith("__init__.py") else read - wanted
    for number, statement in enumerate(after.statements):
        if statement.kind == "import":
            edits += _without(after, number, in_vain)
    return splice(text, edits)


def _repeated(before: File, after: File) -> Iterator[Edit]:
    """The deletion of functions that are defined again in the same words."""
    known = {before.source.text[each.start : each.end].strip() for each in before.statements if each.kind == "def"}
    text, seen = after.source.text, set[str]()
    for number, each in enumerate(after.statements):
        body = text[each.start : each.end].strip()
        if each.kind != "def" or body in known:
            continue
        if body in seen and number + 1 < len(after.statements):
            yield Edit(each.start, after.statements[number + 1].start, "")
        seen.add(body)


def _without(file: File, number: int, in_vain: frozenset[str]) -> list[Edit]:
    """The edits that take names out of one import statement: those that nothing reads now, and repeated ones."""
    unit = file.unit(number)
    line = unit.module.body[0]
    statement = line.body[0] if isinstance(line, cst.SimpleStatementLine) and len(line.body) == 1 else None
    if not isinstance(statement, cst.Import | cst.ImportFrom) or isinstance(statement.names, cst.ImportStar):
        return []
    gone, seen = set[int](), set[tuple[str, str | None]]()
    for index, alias in enumerate(statement.names):
        name, local = alias.evaluated_name, alias.evaluated_alias
        is_vain = (local or name) in in_vain and name != local and len(file.bindings.get(local or name, ())) == 1
        if is_vain or (name, local) in seen:
            gone.add(index)
        seen.add((name, local))
    whole, text = unit.span(statement), file.source.text
    if len(gone) == len(statement.names):
        return [_whole_line(text, line_start(text, whole.start), line_end(text, whole.end))]
    spans = [unit.span(each) for each in statement.names]
    bracketed = isinstance(statement, cst.ImportFrom) and statement.lpar is not None
    return rewritten(Sequenced(text, spans, spans[0].start, whole.end - bracketed, bracketed), gone, {}) if gone else []


def _whole_line(text: str, start: int, end: int) -> Edit:
    """The deletion of a line, and of the blank one behind it where it stood alone."""
    behind = line_end(text, end)
    is_alone = not text[:start].strip(" \t\r\n") or text[:start].endswith(("\n\n", "\n\r\n"))
    return Edit(start, behind if is_alone and not text[end:behind].strip() else end, "")
