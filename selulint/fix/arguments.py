"""Edits of a call's arguments: small insertions and deletions that keep the layout of the call."""

from __future__ import annotations

from typing import Any

from selulint.diagnostic import Edit
from selulint.graph import Place


def set_argument(call: Place, name: str, value: str, position: int | None) -> list[Edit] | None:
    """Replace or add a keyword argument; None where stars may already carry it."""
    node: Any = call.node
    found = _find(node, name, position)
    if found is not None:
        span = Place(found.value, call.unit).span
        return [Edit(span.start, span.end, value)]
    if any(arg.star == "**" for arg in node.args) or (position is not None and any(arg.star for arg in node.args)):
        return None
    return [_addition(call, f"{name}={value}")]


def _find(node: Any, name: str, position: int | None) -> Any:
    for index, arg in enumerate(node.args):
        if arg.keyword is not None and arg.keyword.value == name:
            return arg
        if arg.keyword is None and arg.star == "" and index == position:
            return arg
    return None


def _addition(call: Place, argument: str) -> Edit:
    node: Any = call.node
    text = call.unit.file.source.text
    close = call.span.end - 1
    if not node.args:
        return Edit(close, close, argument)
    last = Place(node.args[-1], call.unit).span
    tail = text[last.end : close]
    comma = tail.find(",") if _has_comma(node.args[-1]) else -1
    line_start = max(text.rfind("\n", 0, last.start), text.rfind("\r", 0, last.start)) + 1
    indent = text[line_start : last.start]
    own_line = not indent.strip() and ("\n" in tail or "\r" in tail)
    if comma >= 0:
        offset = last.end + comma + 1
        return Edit(offset, offset, f"\n{indent}{argument}," if own_line else f" {argument}")
    return Edit(last.end, last.end, f",\n{indent}{argument}" if own_line else f", {argument}")


def _has_comma(arg: Any) -> bool:
    return type(arg.comma).__name__ == "Comma"


def remove_argument(call: Place, name: str, position: int | None) -> list[Edit] | None:
    """Remove an argument; None where a positional one cannot go because others follow it, or where it is not there."""
    node: Any = call.node
    found = _find(node, name, position)
    if found is None:
        return None
    index = node.args.index(found)
    if found.keyword is None and any(arg.keyword is None for arg in node.args[index + 1 :]):
        return None
    span = Place(found, call.unit).span
    if index > 0:
        return [Edit(Place(node.args[index - 1], call.unit).span.end, span.end, "")]
    if len(node.args) > 1:
        return [Edit(span.start, Place(node.args[1], call.unit).span.start, "")]
    return [Edit(span.start, call.span.end - 1, "")]
