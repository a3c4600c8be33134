"""Local names that fixes made vain: what they are assigned, where that does nothing else, goes too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import libcst as cst

from selulint.diagnostic import Edit, Refused
from selulint.fix.layout import line_end, line_start
from selulint.fix.scopes import names_of, simple_statements
from selulint.syntax.lazy import File, Unit

# What makes values and does nothing else.
_PURE = ("keras.regularizers.", "keras.constraints.", "keras.initializers.", "jax.nn.initializers.", "numpy.", "math.")
_WHOLES = (cst.Name, cst.Attribute, cst.BaseNumber, cst.SimpleString, cst.UnaryOperation, cst.BinaryOperation)


def leftovers(before: File, after: File) -> Iterator[Edit]:
    """The deletion of local assignments that were read in `before` and are not in `after`."""
    old = {before.source.text[each.start : each.end].strip() for each in before.statements}
    texts: dict[str, str] | None = None
    for number, each in enumerate(after.statements):
        if each.kind not in ("def", "class") or after.source.text[each.start : each.end].strip() in old:
            continue
        if texts is None:
            texts = {name: unit.text(node) for unit, name, node in _all_functions(before)}
        unit = after.unit(number)
        for name, node in _functions(unit):
            if name in texts:
                yield from _unread(unit, node, texts[name])


def _all_functions(file: File) -> Iterator[tuple[Unit, str, cst.FunctionDef]]:
    for number, each in enumerate(file.statements):
        if each.kind in ("def", "class"):
            unit = file.unit(number)
            yield from ((unit, name, node) for name, node in _functions(unit))


def _functions(unit: Unit) -> Iterator[tuple[str, cst.FunctionDef]]:
    """The functions and methods of a definition that are in no other function, with their dotted names."""
    try:
        stack: list[tuple[str, Any]] = [("", each) for each in unit.module.body]
    except Refused:
        return
    while stack:
        prefix, node = stack.pop()
        if isinstance(node, cst.FunctionDef):
            yield prefix + node.name.value, node
        elif isinstance(node, cst.ClassDef):
            stack += [(f"{prefix}{node.name.value}.", each) for each in node.body.body]


def _unread(unit: Unit, function: cst.FunctionDef, old: str) -> Iterator[Edit]:
    text, whole = unit.file.source.text, unit.text(function)
    names = [each for each in simple_statements(function.body) if _binds_one(unit, each)]
    gone: list[str] = []
    # A name may be read by another that goes: the last ones first.
    for statement in reversed(names):
        name, span = statement.targets[0].target.value, unit.span(statement)
        word = re.compile(rf"(?<![\w.]){name}\b")
        left = len(word.findall(whole)) - sum(len(word.findall(each)) for each in gone)
        line = text[line_start(text, span.start) : line_end(text, span.end)]
        if left == 1 < len(word.findall(old)) and line.split("#")[0].strip() == text[span.start : span.end]:
            gone.append(text[span.start : span.end])
            start = line_start(text, span.start)
            yield Edit(start, start + len(line), "")


def _binds_one(unit: Unit, statement: Any) -> bool:
    """Whether a statement of a block only gives a value a name."""
    if not isinstance(statement, cst.Assign) or len(statement.targets) != 1:
        return False
    around = unit.ancestors(statement)
    has_company = len(getattr(around[-2], "body", ())) > 1
    return isinstance(statement.targets[0].target, cst.Name) and has_company and _is_pure(unit, statement.value)


def _is_pure(unit: Unit, node: Any) -> bool:
    if isinstance(node, cst.Call):
        called = names_of(unit.file).of(unit, node.func) or ""
        return called.startswith(_PURE) and all(_is_pure(unit, each.value) for each in node.args)
    if not isinstance(node, _WHOLES):
        return False
    parts = [getattr(node, side) for side in ("left", "right", "expression") if hasattr(node, side)]
    return all(_is_pure(unit, each) for each in parts)
