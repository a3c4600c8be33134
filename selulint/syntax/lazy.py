"""A file as statements that are parsed with LibCST when somebody asks for them, and the spans of their nodes."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Sequence
from typing import TypeAlias

import libcst as cst
from libcst._nodes.internal import CodegenState

from selulint.diagnostic import Span
from selulint.source import Source
from selulint.syntax import triage

# Printing a tree takes a few Python frames for every level; thousand-line string concatenations are that deep.
_DEEP = 20_000
# Statements from this length on are parsed on a stack of this size; beyond the other they are not read at all.
_LONG = 40_000
_STACK = 512 * 1024 * 1024
_MAX_LENGTH = 1_000_000
_REASON = re.compile(r"(?:\w+ error: )?(?:error at (?P<line>\d+):(?P<column>\d+): )?(?P<text>.*)", re.DOTALL)
_BLANK = " \t\f\r\n\\"

Statement: TypeAlias = cst.SimpleStatementLine | cst.BaseCompoundStatement


class ParseError(Exception):
    """The text is no Python that LibCST can read; `line` and `column` count from 1 in the whole file."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message)
        self.message, self.line, self.column = message, line, column


class File:
    """One file: its statements, which names they bind, and their units.

    `bindings` gives for every name that the module binds the numbers of the statements that do, in order; "*" stands for
    the star imports. Raises SyntaxError where the text is no Python.
    """

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
        """The parsed statement; parsed on first use. Raises ParseError where LibCST refuses it."""
        if index not in self._units:
            self._units[index] = Unit(self, index)
        return self._units[index]

    def name_of_statement(self, index: int) -> str:
        """The name of a definition, else the first name that the statement binds, else ""."""
        return next(iter(self.statements[index].binds), "")


class Unit:
    """One top-level statement (or several that share a line), parsed."""

    def __init__(self, file: File, index: int) -> None:
        self.file = file
        self.index = index
        statement = file.statements[index]
        self.start = statement.start
        self.code = file.source.text[statement.start : statement.end]
        if len(self.code) > _MAX_LENGTH:
            message = f"a definition of {len(self.code):,} characters is too long to be read"
            raise ParseError(message, file.source.locate(statement.start)[0], 1)
        try:
            self.module = _parsed(self.code) if len(self.code) < _LONG else _parsed_deep(self.code)
        except cst.ParserSyntaxError as error:
            raise _parse_error(error, file.source.locate(statement.start)[0]) from error
        self._places: _Places | None = None

    @property
    def body(self) -> Sequence[Statement]:
        return self.module.body

    def span(self, node: object) -> Span:
        """Characters of a node in the file, without the whitespace and comments around it.

        As LibCST counts: without the node's own parentheses, comma or semicolon; a decorated class or function begins at
        its `class`, `def` or `async`. Raises KeyError for a node that is not in this unit.
        """
        start, end = self._located().spans[id(node)]
        limit = self.start + len(self.code)  # LibCST ends a last line that has no newline
        return Span(min(start, limit), min(end, limit))

    def text(self, node: object) -> str:
        """The source text of a node's span."""
        span = self.span(node)
        return self.file.source.text[span.start : span.end]

    def ancestors(self, node: object) -> tuple[cst.CSTNode, ...]:
        """The nodes around a node, outermost (the unit's module) first. Raises KeyError for a node of another unit."""
        parents = self._located().parents
        found: list[cst.CSTNode] = []
        parent = parents[id(node)]
        while parent is not None:
            found.append(parent)
            parent = parents[id(parent)]
        return tuple(reversed(found))

    def _located(self) -> _Places:
        if self._places is None:
            try:
                self._places = _locate(self.module, self.code, self.start)
            except RecursionError as error:
                line = self.file.source.locate(self.start)[0]
                raise ParseError("too deeply nested to be told where things stand", line, 1) from error
        return self._places


def _parsed(code: str) -> cst.Module:
    """The tree of a text. What the parser builds is valid; without checking every node again it takes a sixth less time."""
    check = cst.CSTNode.__post_init__
    cst.CSTNode.__post_init__ = _trusted  # type: ignore[assignment,method-assign]
    try:
        return cst.parse_module(code)
    finally:
        cst.CSTNode.__post_init__ = check  # type: ignore[method-assign]


def _parsed_deep(code: str) -> cst.Module:
    """The tree of a long text: it may nest as deep as it is long, and LibCST's parser recurses on the thread's stack."""
    found: list[cst.Module | BaseException] = []

    def parse() -> None:
        try:
            found.append(_parsed(code))
        except BaseException as error:
            found.append(error)

    before = threading.stack_size(_STACK)
    try:
        thread = threading.Thread(target=parse)
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    if isinstance(found[0], BaseException):
        raise found[0]
    return found[0]


def _trusted(node: cst.CSTNode) -> None:
    """Stands for the check of a node that need not be checked."""


def _parse_error(error: cst.ParserSyntaxError, first_line: int) -> ParseError:
    """LibCST's error in the file's coordinates; its parser tells where the bad token ends, its tokenizer tells nothing."""
    match = _REASON.match(error.message)
    if match is None or match["line"] is None:
        return ParseError(match["text"] if match else error.message, first_line, 1)
    return ParseError(match["text"], first_line + int(match["line"]) - 1, max(int(match["column"]), 1))


class _Places(CodegenState):
    """A code generation that keeps where nodes stand; offsets count from `start`.

    A node's span runs from its first to its last token that is no whitespace, or is what LibCST calls its syntactic
    position.
    """

    def __init__(self, module: cst.Module, start: int) -> None:
        super().__init__(module.default_indent, module.default_newline)
        self.position = start
        self.spans: dict[int, tuple[int, int]] = {}
        self.parents: dict[int, cst.CSTNode | None] = {}
        self._stack: list[cst.CSTNode] = []
        self._entered: list[tuple[int, int]] = []
        self._firsts: list[int] = []
        self._last = start

    def add_indent_tokens(self) -> None:
        self.tokens.extend(self.indent_tokens)
        self.position += sum(map(len, self.indent_tokens))

    def add_token(self, value: str) -> None:
        self.tokens.append(value)
        if value.strip(_BLANK) and value[0] != "#":
            self._firsts.append(self.position)
            self._last = self.position + len(value)
        self.position += len(value)

    def before_codegen(self, node: cst.CSTNode) -> None:
        self.parents[id(node)] = self._stack[-1] if self._stack else None
        self._stack.append(node)
        self._entered.append((self.position, len(self._firsts)))

    def after_codegen(self, node: cst.CSTNode) -> None:
        self._stack.pop()
        start, tokens = self._entered.pop()
        if id(node) not in self.spans:
            solid = len(self._firsts) > tokens
            self.spans[id(node)] = (self._firsts[tokens], self._last) if solid else (start, self.position)

    def record_syntactic_position(  # type: ignore[override]
        self, node: cst.CSTNode, *, start_node: cst.CSTNode | None = None, end_node: cst.CSTNode | None = None
    ) -> _Mark:
        return _Mark(self, node, start_node, end_node)


class _Mark:
    """Records the tokens printed while it is entered; a generator would take a quarter of the whole printing's time."""

    __slots__ = ("first", "last", "node", "places", "start")

    def __init__(self, places: _Places, node: cst.CSTNode, first: cst.CSTNode | None, last: cst.CSTNode | None) -> None:
        self.places, self.node, self.first, self.last = places, node, first, last

    def __enter__(self) -> None:
        self.start = self.places.position

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            return
        places = self.places
        start = self.start if self.first is None else places.spans[id(self.first)][0]
        end = places.position if self.last is None else places.spans[id(self.last)][1]
        if start < end:  # the parentheses of an empty tuple are all there is of it
            places.spans[id(self.node)] = (start, end)


def _locate(module: cst.Module, code: str, start: int) -> _Places:
    try:
        places = _printed(module, start)
    except RecursionError:
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(max(limit, _DEEP))
        try:
            places = _printed(module, start)
        finally:
            sys.setrecursionlimit(limit)
    printed = "".join(places.tokens)
    places.tokens.clear()
    if printed != code:
        _realign(places, printed, code, start)
    return places


def _printed(module: cst.Module, start: int) -> _Places:
    places = _Places(module, start)
    module._codegen(places)
    return places


def _realign(places: _Places, printed: str, code: str, start: int) -> None:
    """Move the spans to where the file has them: LibCST drops form feeds, some blank lines and lone carriage returns."""
    at: list[int] = []
    here = 0
    for char in printed:
        if not char.isspace():
            while here < len(code) and code[here] != char and (code[here].isspace() or code[here] == "\\"):
                here += 1
        if here < len(code) and code[here] == char:
            at.append(here)
            here += 1
        elif char.isspace():
            at.append(here)
        else:
            raise ValueError("LibCST printed another text than it read")
    for node, (first, last) in places.spans.items():
        begin, end = (at[min(each - start, len(at) - 1)] for each in (first, max(first, last - 1)))
        places.spans[node] = (start + begin, start + (end + 1 if last > first else begin))
