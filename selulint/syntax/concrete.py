"""LibCST's tree of one statement, for edits: read when a fix asks for it, and where its nodes stand."""

from __future__ import annotations

import ast
import sys
import threading

import libcst as cst
from libcst._nodes.internal import CodegenState

from selulint.diagnostic import Refused, Span

# Printing a tree takes a few Python frames for every level; thousand-line string concatenations are that deep.
_DEEP = 20_000
# Statements from this length on are parsed on a stack of this size; beyond the other they are not read at all.
_LONG = 40_000
_STACK = 512 * 1024 * 1024
_MAX_LENGTH = 1_000_000
_BLANK = " \t\f\r\n\\"
_LITERALS = (cst.SimpleString, cst.ConcatenatedString, cst.Integer, cst.Float, cst.Imaginary, cst.Name, cst.Ellipsis)
# What LibCST calls the nodes of Python's own syntax trees that places hold.
_COUNTERPARTS: dict[type[ast.AST], tuple[type[cst.CSTNode], ...]] = {
    ast.Name: (cst.Name,),
    ast.Attribute: (cst.Attribute,),
    ast.Call: (cst.Call,),
    ast.Constant: _LITERALS,
    ast.JoinedStr: (cst.FormattedString, cst.ConcatenatedString),
    ast.Subscript: (cst.Subscript,),
    ast.Compare: (cst.Comparison,),
    ast.BoolOp: (cst.BooleanOperation,),
    ast.BinOp: (cst.BinaryOperation,),
    ast.UnaryOp: (cst.UnaryOperation,),
    ast.AugAssign: (cst.AugAssign,),
    ast.FunctionDef: (cst.FunctionDef,),
    ast.AsyncFunctionDef: (cst.FunctionDef,),
    ast.ClassDef: (cst.ClassDef,),
    ast.Lambda: (cst.Lambda,),
    ast.IfExp: (cst.IfExp,),
    ast.Tuple: (cst.Tuple,),
    ast.List: (cst.List,),
    ast.Set: (cst.Set,),
    ast.Dict: (cst.Dict,),
}


_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, cst.FunctionDef, cst.ClassDef)
_TELLING = frozenset(kind for kinds in _COUNTERPARTS.values() for kind in kinds)


class Concrete:
    """The tree of a text that stands at an offset of a file. Raises Refused where LibCST cannot read it."""

    def __init__(self, code: str, start: int) -> None:
        if len(code) > _MAX_LENGTH:
            raise Refused(f"a definition of {len(code):,} characters is too long to be edited")
        self.code, self.start = code, start
        try:
            self.module = _parsed(code) if len(code) < _LONG else _parsed_deep(code)
            self._places = _locate(self.module, code, start)
        except cst.ParserSyntaxError as error:
            raise Refused("LibCST cannot read the code around it") from error
        except RecursionError as error:
            raise Refused("the code around it is too deeply nested to be edited") from error
        self._found: dict[tuple[int, int], list[cst.CSTNode]] | None = None

    def span(self, node: object) -> Span:
        """Characters of a node in the file, without the whitespace, comments and parentheses around it.

        Without its comma or semicolon, too; a decorated class or function begins at its `class`, `def` or `async`. Raises
        KeyError for a node of another tree.
        """
        start, end = self._places.spans[id(node)]
        limit = self.start + len(self.code)  # LibCST ends a last line that has no newline
        return Span(min(start, limit), min(end, limit))

    def ancestors(self, node: object) -> tuple[cst.CSTNode, ...]:
        """The nodes around a node, outermost (the module) first. Raises KeyError for a node of another tree."""
        parents = self._places.parents
        found: list[cst.CSTNode] = []
        parent = parents[id(node)]
        while parent is not None:
            found.append(parent)
            parent = parents[id(parent)]
        return tuple(reversed(found))

    def counterpart(self, node: ast.AST, span: Span) -> cst.CSTNode:
        """The node that stands for one of Python's own trees. Raises Refused where there is none."""
        if self._found is None:
            self._found = {}
            for each in self._places.nodes:
                if type(each) in _TELLING:
                    self._found.setdefault(_where(each, self.span(each)), []).append(each)
        kinds = _COUNTERPARTS.get(type(node), ())
        for each in self._found.get(_where(node, span), ()):
            if isinstance(each, kinds):
                return each
        raise Refused("the code around it is laid out in a strange way")


def _where(node: ast.AST | cst.CSTNode, span: Span) -> tuple[int, int]:
    """By what a node is found in both trees: they differ in where a definition ends."""
    return span.start, span.start if isinstance(node, _DEFINITIONS) else span.end


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
        self.nodes: list[cst.CSTNode] = []
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
        self.nodes.append(node)
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
