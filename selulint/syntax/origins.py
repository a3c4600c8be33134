"""Where values that are passed around come from: defaults of parameters, arguments of calls, what gets a name."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from selulint.diagnostic import Span


@dataclass(slots=True)
class Origins:
    """`defaults` are all nodes of default values; `named` gives for a value that an assignment names where that holds,
    `calls` for an argument the call that takes it; `scoped` are the values that an `arg_scope` sets for many calls.
    """

    defaults: set[object] = field(default_factory=set)
    named: dict[object, Span] = field(default_factory=dict)
    calls: dict[object, ast.Call] = field(default_factory=dict)
    scoped: set[object] = field(default_factory=set)

    def add_defaults(self, values: Iterable[ast.expr | None]) -> None:
        self.defaults.update(node for value in values if value is not None for node in ast.walk(value))

    def add_named(self, value: ast.expr | None, scope: Span) -> None:
        """What is looked up (`getattr(nn, name)`) or chosen is an entry of a table, whatever names it."""
        match value:
            case ast.Tuple():
                self.named.update(dict.fromkeys(value.elts, scope))
            case ast.Name() | ast.Attribute() | ast.Constant():
                self.named[value] = scope


def origins(body: Sequence[ast.AST], whole: Span, span: Callable[[ast.AST], Span]) -> Origins:
    """The origins in statements of a file that takes up `whole`."""
    found = Origins()
    stack: list[tuple[Any, Span | None]] = [(each, whole) for each in body]
    while stack:
        node, scope = stack.pop()
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                scope = span(node)
            case ast.arguments():
                found.add_defaults((*node.defaults, *node.kw_defaults))
            case ast.ClassDef():  # the fields of a data class, or of a module of Flax
                found.add_defaults(each.value for each in node.body if isinstance(each, ast.AnnAssign | ast.Assign))
            case ast.If():  # one of several, by the choice of whoever decides
                scope = None
            case ast.Assign() | ast.AnnAssign() if scope is not None:
                found.add_named(node.value, scope)
            case ast.Call():
                found.calls.update(dict.fromkeys((*node.args, *(each.value for each in node.keywords)), node))
                if getattr(node.func, "attr", getattr(node.func, "id", "")) == "arg_scope":
                    found.scoped.update(each.value for each in node.keywords)
        stack.extend((each, scope) for each in ast.iter_child_nodes(node))
    return found
