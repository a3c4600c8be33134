"""A file as statements that are parsed with LibCST when somebody asks for them, and the spans of their nodes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import libcst as cst
from libcst._nodes.internal import CodegenState

from selulint.diagnostic import Span
from selulint.source import Source
from selulint.syntax import triage


class ParseError(Exception):
    """The text is no Python that LibCST can read."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message)
        self.message, self.line, self.column = message, line, column


class File:
    """One file: its statements, which names they bind, and their units."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.statements = triage.index(source.text)
        self._units: dict[int, Unit] = {}
        bindings: dict[str, list[int]] = {}
        for number, statement in enumerate(self.statements):
            for name in statement.binds:
                bindings.setdefault(name, []).append(number)
        self.bindings = {name: tuple(numbers) for name, numbers in bindings.items()}

    def unit(self, index: int) -> Unit:
        """The parsed statement; parsed on first use."""
        if index not in self._units:
            self._units[index] = Unit(self, index)
        return self._units[index]


class Unit:
    """One top-level statement (or several that share a line), parsed."""

    def __init__(self, file: File, index: int) -> None:
        self.file = file
        self.index = index
        statement = file.statements[index]
        self.start = statement.start
        try:
            self.module = cst.parse_module(file.source.text[statement.start : statement.end])
        except cst.ParserSyntaxError as error:
            line, _ = file.source.locate(statement.start)
            raise ParseError(error.message, line + error.raw_line - 1, error.raw_column + 1) from error
        self._spans: dict[int, Span] | None = None
        self._ancestors: dict[int, tuple[Any, ...]] = {}

    @property
    def body(self) -> Sequence[Any]:
        return self.module.body

    def span(self, node: object) -> Span:
        """Characters of a node in the file, without the whitespace and comments that it owns."""
        return self._located()[id(node)]

    def ancestors(self, node: object) -> tuple[Any, ...]:
        """The nodes around a node, outermost first."""
        self._located()
        return self._ancestors[id(node)]

    def _located(self) -> dict[int, Span]:
        if self._spans is None:
            state = _Locating(self.module.default_indent, self.module.default_newline)
            state.position = self.start
            self.module._codegen(state)
            self._spans, self._ancestors = state.spans, state.parents
        return self._spans


class _Locating(CodegenState):
    """A code generation that counts characters instead of keeping them."""

    def __init__(self, indent: str, newline: str) -> None:
        super().__init__(indent, newline)
        self.position = 0
        self.spans: dict[int, Span] = {}
        self.parents: dict[int, tuple[Any, ...]] = {}
        self._stack: tuple[Any, ...] = ()
        self._starts: list[int] = []

    def add_indent_tokens(self) -> None:
        self.position += sum(map(len, self.indent_tokens))

    def add_token(self, value: str) -> None:
        self.position += len(value)

    def before_codegen(self, node: cst.CSTNode) -> None:
        self.parents[id(node)] = self._stack
        self._stack = (*self._stack, node)
        self._starts.append(self.position)

    def after_codegen(self, node: cst.CSTNode) -> None:
        self._stack = self._stack[:-1]
        start = self._starts.pop()
        self.spans.setdefault(id(node), Span(start, self.position))

    def pop_trailing_newline(self) -> None:
        pass

    @contextmanager
    def record_syntactic_position(
        self, node: cst.CSTNode, *, start_node: cst.CSTNode | None = None, end_node: cst.CSTNode | None = None
    ) -> Iterator[None]:
        start = self.position
        yield
        first = self.spans[id(start_node)].start if start_node is not None else start
        last = self.spans[id(end_node)].end if end_node is not None else self.position
        self.spans[id(node)] = Span(first, last)
