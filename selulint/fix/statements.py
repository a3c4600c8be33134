"""Whole statements: where one stands, taking one out, putting lines behind or inside one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import libcst as cst

from selulint.diagnostic import Edit
from selulint.fix.layout import line_end, line_start, line_tail
from selulint.fix.sequences import Sequenced, rewritten
from selulint.graph import Place


def simple_statement(place: Place) -> tuple[cst.SimpleStatementLine, Any, int] | None:
    """The line of the simple statement around a node, the block that holds it, and the statement's number in the line.

    None where the node is in the head of a compound statement or in a suite on its line.
    """
    chain = [*place.unit.ancestors(place.node), place.node]
    for depth in range(len(chain) - 1, 0, -1):
        node = chain[depth]
        if isinstance(node, cst.SimpleStatementLine):
            inside = chain[depth + 1] if depth + 1 < len(chain) else node.body[0]
            return node, chain[depth - 1], next(i for i, each in enumerate(node.body) if each is inside)
        if isinstance(node, cst.SimpleStatementSuite | cst.BaseCompoundStatement):
            return None
    return None


def indent_of(text: str, offset: int) -> str | None:
    """The indentation of what begins its line at `offset`, None where something stands before it."""
    before = text[line_start(text, offset) : offset]
    return before if not before.strip() else None


def deletion(place: Place, text: str) -> Edit | None:
    """The deletion of a simple statement: its lines with their comment, or its part of a line."""
    found = simple_statement(place)
    if found is None:
        return None
    line, _, number = found
    spans = [place.unit.span(each) for each in line.body]
    if len(spans) == 1:
        return Edit(line_start(text, spans[0].start), line_end(text, place.unit.span(line).end), "")
    if number + 1 < len(spans):
        return Edit(spans[number].start, spans[number + 1].start, "")
    return Edit(spans[number - 1].end, spans[number].end, "")


def element_deletion(place: Place, text: str) -> list[Edit] | None:
    """The deletion of an element of a list, tuple, set or call that is exactly `place`; a tuple keeps two elements."""
    chain = place.unit.ancestors(place.node)
    if len(chain) < 2 or not isinstance(chain[-1], cst.Element | cst.Arg):
        return None
    element, parent = chain[-1], chain[-2]
    siblings: Sequence[Any] = getattr(parent, "elements", None) or getattr(parent, "args", None) or ()
    least = 3 if isinstance(parent, cst.Tuple) else 1 if isinstance(parent, cst.List | cst.Call) else 2
    if len(siblings) < least or (isinstance(element, cst.Arg) and (element.keyword or element.star)):
        return None
    number = next(i for i, each in enumerate(siblings) if each is element)
    spans = [place.unit.span(each) for each in siblings]
    outer = place.unit.span(parent)
    bracketed = not isinstance(parent, cst.Tuple) or bool(parent.lpar)
    # A tuple's brackets do not belong to its span; its last comma does.
    close = line_tail(text, outer.end) if isinstance(parent, cst.Tuple) else outer.end - 1
    return rewritten(Sequenced(text, spans, spans[0].start, close, bracketed), {number}, {})


def lines_behind(place: Place, text: str, lines: Sequence[str]) -> Edit | None:
    """Lines behind the simple statement around `place`, as deep as it is; None where that is not on lines of its own."""
    found = simple_statement(place)
    if found is None:
        return None
    span = place.unit.span(found[0])
    indent = indent_of(text, span.start)
    return None if indent is None else _behind(text, span.end, indent, lines)


def _behind(text: str, end: int, indent: str, lines: Sequence[str]) -> Edit:
    # At the end of the line, not at the begin of the next: that may be where a definition goes, or the end of the file.
    offset = line_tail(text, end)
    return Edit(offset, offset, "".join(f"\n{indent}{line}" for line in lines))


def lines_inside(function: Place, text: str, lines: Sequence[str]) -> Edit | None:
    """Lines at the end of a function's body, before a final `return`; None where some way out would miss them."""
    body = function.node.body
    if not isinstance(body, cst.IndentedBlock) or any(_leaves(each) for each in body.body[:-1]):
        return None
    last = body.body[-1]
    start = function.unit.span(last).start
    if isinstance(last, cst.SimpleStatementLine) and isinstance(last.body[-1], cst.Return | cst.Raise):
        indent = indent_of(text, start)
        if len(last.body) > 1 or isinstance(last.body[-1], cst.Raise) or indent is None:
            return None
        if len(body.body) == 1:
            begin = line_start(text, start)
            return Edit(begin, begin, "".join(f"{indent}{line}\n" for line in lines))
        return _behind(text, function.unit.span(body.body[-2]).end, indent, lines)
    if _leaves(last):
        return None
    first = function.unit.span(_first_token(body.body[0])).start
    indent = indent_of(text, first)
    return None if indent is None else _behind(text, function.unit.span(last).end, indent, lines)


def _first_token(statement: Any) -> Any:
    """What a statement begins with: its first decorator, where it has one."""
    decorators = getattr(statement, "decorators", ())
    return decorators[0] if decorators else statement


def _leaves(statement: Any) -> bool:
    """Whether a statement of a function's body may return from the function."""
    stack = [statement]
    while stack:
        node = stack.pop()
        if isinstance(node, cst.SimpleStatementLine | cst.SimpleStatementSuite):
            if any(isinstance(each, cst.Return) for each in node.body):
                return True
        elif not isinstance(node, cst.FunctionDef | cst.ClassDef):
            stack.extend(inner_blocks(node))
    return False


def inner_blocks(node: Any) -> list[Any]:
    """The statements and blocks right inside a block or compound statement."""
    found: list[Any] = []
    for name in ("body", "handlers", "cases", "orelse", "finalbody"):
        inner = getattr(node, name, None)
        if isinstance(inner, Sequence):
            found.extend(inner)
        elif inner is not None:
            found.append(inner)
    return found
