"""The names that statements bind and read, from Python's own syntax trees. Never imports libcst."""

from __future__ import annotations

import ast
from collections.abc import Callable

DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
IMPORTS = (ast.Import, ast.ImportFrom)

# Whose names a node binds: another scope's, a comprehension's (where only `:=` reaches the module), the module's.
_FOREIGN, _COMPREHENSION, _MODULE = range(3)
# The fields in which a definition, lambda, comprehension or bare annotation differs from the scope around it.
_INNER_FIELDS = frozenset({"body", "elt", "key", "value", "generators", "target"})


class Names:
    """The names that statements bind in the module, and the names that they read anywhere."""

    def __init__(self) -> None:
        self.binds: dict[str, None] = {}
        self.reads: set[str] = set()
        self.imported: dict[str, str] = {}

    def scan(self, statement: ast.stmt) -> None:
        """Walk a statement in order; with a stack, as real files hold expressions deeper than the recursion limit."""
        stack: list[tuple[ast.AST, int]] = [(statement, _MODULE)]
        while stack:
            node, scope = stack.pop()
            if isinstance(node, ast.Name):
                self._name(node, scope)
                continue
            enter = _ENTER.get(type(node))
            inner = scope if enter is None else enter(self, node, scope)
            for field in reversed(node._fields):
                value = getattr(node, field, None)
                below = inner if field in _INNER_FIELDS else scope
                if isinstance(value, list):
                    stack.extend([(each, below) for each in reversed(value) if type(each) not in _LEAVES])
                elif isinstance(value, ast.AST) and type(value) not in _LEAVES:
                    stack.append((value, below))

    def _name(self, node: ast.Name, scope: int) -> None:
        if isinstance(node.ctx, ast.Load):
            self.reads.add(node.id)
        elif isinstance(node.ctx, ast.Store):
            self.bind(node.id, scope)

    def bind(self, name: str | None, scope: int) -> None:
        if name is not None and scope == _MODULE:
            self.binds[name] = None


# What each kind of node does to the names; the result is the scope of its inner fields.
def _definition(names: Names, node: ast.AST, scope: int) -> int:
    names.bind(getattr(node, "name", None), scope)
    return _FOREIGN


def _comprehension(names: Names, node: ast.AST, scope: int) -> int:
    return min(scope, _COMPREHENSION)


def _walrus(names: Names, node: ast.AST, scope: int) -> int:
    assert isinstance(node, ast.NamedExpr)
    if scope != _FOREIGN and isinstance(node.target, ast.Name):
        names.bind(node.target.id, _MODULE)
    return scope


def _augmented(names: Names, node: ast.AST, scope: int) -> int:
    assert isinstance(node, ast.AugAssign)
    if isinstance(node.target, ast.Name):
        names.reads.add(node.target.id)
    return scope


def _annotated(names: Names, node: ast.AST, scope: int) -> int:
    assert isinstance(node, ast.AnnAssign)
    return scope if node.value is not None else _FOREIGN


def _import(names: Names, node: ast.AST, scope: int) -> int:
    assert isinstance(node, IMPORTS)
    for alias in node.names:
        local = alias.asname or (alias.name.partition(".")[0] if isinstance(node, ast.Import) else alias.name)
        names.bind(local, scope)
        module = node.module if isinstance(node, ast.ImportFrom) else None
        names.imported[local] = f"{module}.{alias.name}" if module else alias.name
    return scope


def _named(names: Names, node: ast.AST, scope: int) -> int:
    names.bind(getattr(node, "name", None), scope)
    return scope


def _rest(names: Names, node: ast.AST, scope: int) -> int:
    names.bind(getattr(node, "rest", None), scope)
    return scope


_ENTER: dict[type[ast.AST], Callable[[Names, ast.AST, int], int]] = {
    **dict.fromkeys((*DEFINITIONS, ast.Lambda), _definition),
    **dict.fromkeys((ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp), _comprehension),
    **dict.fromkeys(IMPORTS, _import),
    **dict.fromkeys((ast.ExceptHandler, ast.MatchAs, ast.MatchStar), _named),
    ast.MatchMapping: _rest,
    ast.NamedExpr: _walrus,
    ast.AugAssign: _augmented,
    ast.AnnAssign: _annotated,
}
_LEAVES = frozenset({ast.Constant, ast.Load, ast.Store, ast.Del, ast.alias, str, type(None)})
