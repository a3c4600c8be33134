"""A file as statements with their syntax trees, where nodes stand, and the trees for edits that are read on demand."""

from __future__ import annotations

import ast
from functools import cached_property
from typing import TYPE_CHECKING, Any

from selulint.diagnostic import Span
from selulint.source import Source
from selulint.syntax import triage
from selulint.syntax.origins import Origins, origins

if TYPE_CHECKING:
    import libcst as cst

    from selulint.syntax.concrete import Concrete


class File:
    """One file: its statements, which names they bind, and their units.

    `bindings` gives for every name that the module binds the numbers of the statements that do, in order; "*" stands for
    the star imports. Raises SyntaxError where the text is no Python.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.starts = triage.line_starts(source.text)
        self.statements = triage.index(source.text, self.starts)
        self._is_ascii = source.text.isascii()
        self._units: dict[int, Unit] = {}
        bindings: dict[str, list[int]] = {}
        for number, statement in enumerate(self.statements):
            for name in statement.binds:
                bindings.setdefault(name, []).append(number)
        self.bindings = {name: tuple(numbers) for name, numbers in bindings.items()}

    def unit(self, index: int) -> Unit:
        """One top-level statement."""
        if index not in self._units:
            self._units[index] = Unit(self, index)
        return self._units[index]

    def name_of_statement(self, index: int) -> str:
        """The name of a definition, else the first name that the statement binds, else ""."""
        return next(iter(self.statements[index].binds), "")

    def offset(self, line: int, octets: int) -> int:
        """Offset of a place that Python's parser gives as a line (from 1) and the number of UTF-8 bytes before it."""
        start = self.starts[line - 1]
        if self._is_ascii:
            return start + octets
        text = self.source.text[start : start + octets]
        return start + (octets if text.isascii() else len(text.encode()[:octets].decode(errors="ignore")))


class Unit:
    """One top-level statement (or several that share a line)."""

    def __init__(self, file: File, index: int) -> None:
        self.file = file
        self.index = index
        statement = file.statements[index]
        self.start, self.end = statement.start, statement.end
        self.body = statement.nodes
        self._concrete: Concrete | None = None

    @property
    def code(self) -> str:
        return self.file.source.text[self.start : self.end]

    @property
    def concrete(self) -> Concrete:
        """LibCST's tree. Raises Refused where LibCST cannot read the statement."""
        if self._concrete is None:
            from selulint.syntax.concrete import Concrete

            self._concrete = Concrete(self.code, self.start)
        return self._concrete

    @property
    def module(self) -> cst.Module:
        return self.concrete.module

    def span(self, node: Any) -> Span:
        """Characters of a node in the file: of Python's own tree, or of LibCST's without the parentheses around it.

        Raises KeyError for LibCST's node of another unit.
        """
        if not isinstance(node, ast.AST):
            return self.concrete.span(node)
        start = self.file.offset(node.lineno, node.col_offset)  # type: ignore[attr-defined]
        end = self.file.offset(node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]
        return Span(start, end)

    def text(self, node: object) -> str:
        """The source text of a node's span."""
        span = self.span(node)
        return self.file.source.text[span.start : span.end]

    def ancestors(self, node: Any) -> tuple[cst.CSTNode, ...]:
        """LibCST's nodes around one of its nodes, outermost (the unit's module) first."""
        return self.concrete.ancestors(node)

    def counterpart(self, node: ast.AST) -> cst.CSTNode:
        """LibCST's node for one of Python's. Raises Refused where there is none."""
        return self.concrete.counterpart(node, self.span(node))

    def is_default(self, node: Any) -> bool:
        """Whether a node of Python's tree is, or is part of, the default value of a parameter."""
        return node in self._origins.defaults

    def is_scoped(self, node: Any) -> bool:
        """Whether a node of Python's tree is what an `arg_scope` sets for the calls inside it."""
        return node in self._origins.scoped

    def named_in(self, node: Any) -> Span | None:
        """The function, else the file, in which an assignment gives a node of Python's tree a name; None where none does."""
        return self._origins.named.get(node)

    def are_together(self, node: Any, other: Any) -> bool:
        """Whether two nodes of Python's tree are arguments of one call, as in a partial."""
        call = self._origins.calls.get(node)
        return call is not None and self._origins.calls.get(other) is call

    @cached_property
    def _origins(self) -> Origins:
        return origins(self.body, Span(0, len(self.file.source.text)), self.span)
