"""Where lines go and how they look: indentation, quotes, newlines, blank lines around definitions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import libcst as cst

from selulint.diagnostic import Edit
from selulint.graph import Place
from selulint.syntax.lazy import File

_INDENT = re.compile(r"^([ \t]+)\S", re.MULTILINE)
_COMMENT = re.compile(r"[ \t]*#[^\r\n]*(\r\n|\r|\n)\Z")
_END_OF_LINE = re.compile(r"[^\r\n]*(\r\n|\r|\n|\Z)")
_DOUBLE, _SINGLE = re.compile(r'(?<!")"(?!")'), re.compile(r"(?<!')'(?!')")


def quote(text: str) -> str:
    return "'" if len(_SINGLE.findall(text)) > len(_DOUBLE.findall(text)) else '"'


def with_newlines(content: str, newline: str) -> str:
    return content.replace("\r\n", "\n").replace("\n", newline)


def indent_unit(text: str) -> str:
    """One level of indentation as the file has it."""
    found = _INDENT.search(text)
    return found.group(1) if found else "    "


def indented(lines: Sequence[str], text: str) -> list[str]:
    """Lines that are written with four spaces a level, at the file's own indentation."""
    unit = indent_unit(text)
    result = []
    for line in lines:
        body = line.lstrip(" ")
        result.append(unit * ((len(line) - len(body)) // 4) + body)
    return result


def line_start(text: str, offset: int) -> int:
    return max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1


def line_end(text: str, offset: int) -> int:
    """Offset behind the newline of the line that holds `offset`."""
    found = _END_OF_LINE.match(text, offset)
    return found.end() if found else len(text)


def _statement(place: Place) -> tuple[Any, Any] | None:
    """The simple statement line around a node and the block that holds it; None inside one-line suites."""
    chain = [*place.unit.ancestors(place.node), place.node]
    for position in range(len(chain) - 1, 0, -1):
        if isinstance(chain[position], cst.SimpleStatementLine):
            return chain[position], chain[position - 1]
        if isinstance(chain[position], cst.SimpleStatementSuite):
            return None
    return None


def deleted_statement(place: Place, text: str) -> list[Edit] | None:
    found = _statement(place)
    if found is None:
        return None
    statement, block = found
    if len(statement.body) != 1 or (len(block.body) < 2 and not isinstance(block, cst.Module)):
        return None
    span = place.unit.span(statement)
    return [Edit(line_start(text, span.start), line_end(text, span.end), "")]


def deleted_element(place: Place, text: str) -> list[Edit] | None:
    chain = place.unit.ancestors(place.node)
    if len(chain) < 2:
        return None
    element, parent = chain[-1], chain[-2]
    siblings: Any = getattr(parent, "elements", None) or getattr(parent, "args", None) or ()
    index = next((i for i, each in enumerate(siblings) if each is element), None)
    if index is None or len(siblings) < 2:
        return None
    span = place.span
    start, end = line_start(text, span.start), line_end(text, span.end)
    after = text[span.end : end].split("#")[0].strip()
    if not text[start : span.start].strip() and after == ",":
        return [Edit(start, end, "")]
    if index > 0:
        return [Edit(place.unit.span(siblings[index - 1].value).end, span.end, "")]
    return [Edit(span.start, place.unit.span(siblings[1].value).start, "")]


def lines_after(place: Place, text: str, lines: Sequence[str]) -> list[Edit] | None:
    found = _statement(place)
    if found is None:
        return None
    span = place.unit.span(found[0])
    start = line_start(text, span.start)
    indent = text[start : span.start]
    return [_insertion(text, line_end(text, span.end), indent, lines)] if not indent.strip() else None


def _insertion(text: str, offset: int, indent: str, lines: Sequence[str]) -> Edit:
    block = "".join(f"{indent}{line}\n" for line in lines)
    if offset and text[offset - 1 : offset] not in ("\n", "\r"):
        return Edit(offset, offset, "\n" + block.removesuffix("\n"))
    return Edit(offset, offset, block)


def lines_at_end(function: Place, text: str, lines: Sequence[str]) -> list[Edit] | None:
    """Lines at the end of a function's body; None for one-line bodies and where a return in the middle skips them."""
    body: Any = function.node.body
    if not isinstance(body, cst.IndentedBlock):
        return None
    first, last = body.body[0], body.body[-1]
    start = function.unit.span(first).start
    indent = text[line_start(text, start) : start]
    if indent.strip():
        return None
    if isinstance(last, cst.SimpleStatementLine) and isinstance(last.body[-1], cst.Return):
        offset = line_start(text, function.unit.span(last).start)
        return [Edit(offset, offset, "".join(f"{indent}{line}\n" for line in lines))]
    end = function.unit.span(_innermost(last)).end
    return [_insertion(text, line_end(text, end), indent, lines)]


def _innermost(statement: Any) -> Any:
    """The last simple statement inside a statement."""
    for name in ("finalbody", "orelse"):
        inner = getattr(statement, name, None)
        if inner is not None:
            return _innermost(inner)
    handlers = getattr(statement, "handlers", ()) or getattr(statement, "cases", ())
    if handlers:
        return _innermost(handlers[-1])
    block = getattr(statement, "body", None)
    return _innermost(block.body[-1]) if isinstance(block, cst.IndentedBlock) else statement


def is_defined(file: File, name: str, lines: Sequence[str]) -> bool:
    """Whether the file already defines exactly this function."""
    wanted = [line.strip() for line in lines]
    for index in file.bindings.get(name, ()):
        statement = file.statements[index]
        body = file.source.text[statement.start : statement.end].splitlines()
        if [line.strip() for line in body if line.strip()] == wanted:
            return True
    return False


def definition(before: Place, text: str, lines: Sequence[str]) -> tuple[int, str]:
    """Where and how to write a function in front of a top-level statement: two blank lines around, above its comments."""
    unit: Any = before.unit
    offset = unit.file.statements[unit.index].start
    while (comment := _COMMENT.search(text, line_start(text, max(offset - 1, 0)), offset)) and comment.start() < offset:
        offset = comment.start()
    before_text = text[:offset].rstrip(" \t")
    blank = len(before_text) - len(before_text.rstrip("\r\n"))
    newlines = len(re.findall(r"\r\n|\r|\n", before_text[len(before_text) - blank :])) if blank else 0
    lead = "" if not before_text.strip() else "\n" * max(0, 3 - newlines)
    return offset, lead + "\n".join(lines) + "\n\n\n"
