"""What the names of a file mean: by its imports, those inside functions too, and by assignments of what they import."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import libcst as cst

from selulint.fix.statements import inner_blocks
from selulint.frameworks import SPECS
from selulint.syntax.lazy import File, Unit
from selulint.syntax.names import canonical

_ALIAS = re.compile(r"\s*\w+\s*=\s*[\w.]+\s*(#.*)?")


@dataclass(frozen=True, slots=True, eq=False)
class Bound:
    """A name that means `target`: by alias number `index` of an import statement, -1 for a star or an assignment."""

    target: str
    unit: Unit
    statement: cst.Import | cst.ImportFrom | None = None
    index: int = -1
    local_scope: bool = False


class Names:
    """The names of one file, looked up when they are asked for."""

    def __init__(self, file: File) -> None:
        self.file = file
        self._of_statement: dict[int, dict[str, list[Bound]]] = {}
        self._of_function: dict[int, tuple[dict[str, list[Bound]], frozenset[str]]] = {}
        self._meanings: dict[str, str | None] = {}

    def of(self, unit: Unit, node: Any) -> str | None:
        """The canonical name of what a name or attribute stands for; None where that is not known."""
        parts = dotted(node)
        if parts is None:
            return None
        found = {canonical(".".join([each.target, *parts[1:]])) for each in self.lookup(unit, node, parts[0])}
        return found.pop() if len(found) == 1 else None

    def meaning(self, name: str) -> str | None:
        """The canonical name that a name of the module stands for; None where it does not stand for just one."""
        if name not in self._meanings:
            found = {each.target for each in self._module(name)}
            self._meanings[name] = found.pop() if len(found) == 1 else None
        return self._meanings[name]

    def lookup(self, unit: Unit, node: Any, name: str) -> tuple[Bound, ...]:
        """What binds a name as it is seen at a node; () where that is no import."""
        for around in reversed(unit.ancestors(node)):
            if isinstance(around, cst.FunctionDef):
                imports, others = self._local(unit, around)
                if name in imports:
                    return tuple(imports[name])
                if name in others:
                    return ()
        return self._module(name)

    def is_local(self, at: tuple[Unit, Any] | None, name: str) -> bool:
        """Whether a function around a node binds the name itself."""
        if at is None:
            return False
        functions = (each for each in at[0].ancestors(at[1]) if isinstance(each, cst.FunctionDef))
        return any(name in names for each in functions for names in self._local(at[0], each))

    def stars(self) -> list[Bound]:
        """The star imports of the module; the target is the package."""
        return [
            Bound(canonical(f"{base_of(each.statement)}.Name").removesuffix(".Name"), each.unit, each.statement)
            for number in self.file.bindings.get("*", ())
            for each in self._statement(number).get("*", ())
        ]

    def from_imports(self) -> Iterator[Bound]:
        """The top-level absolute from-imports of the module, each by its last alias."""
        for number, statement in enumerate(self.file.statements):
            if statement.kind == "import":
                bound = [each for all_of_name in self._statement(number).values() for each in all_of_name]
                last = {id(each.statement): each for each in sorted(bound, key=lambda each: each.index)}
                for each in last.values():
                    if isinstance(each.statement, cst.ImportFrom) and each.index >= 0 and not each.statement.relative:
                        yield each

    def keras_root(self) -> str:
        """The package under which this file imports Keras."""
        for number, statement in enumerate(self.file.statements):
            if statement.kind == "import":
                for bound in (each for all_of_name in self._statement(number).values() for each in all_of_name):
                    for base in _modules(bound):
                        parts = base.split(".")
                        for cut in range(1, len(parts) + 1):
                            if canonical(".".join(parts[:cut])) == "keras":
                                return ".".join(parts[:cut])
        return "keras"

    def _module(self, name: str) -> tuple[Bound, ...]:
        found: list[Bound] = []
        for number in self.file.bindings.get(name, ()):
            if self.file.statements[number].kind in ("def", "class"):
                return ()
            bound = self._statement(number).get(name, ())
            if not bound and not self._is_none(number, name):
                return ()
            found += bound
        if found or name in self.file.bindings:
            return tuple(found)
        through = [Bound(canonical(f"{each.target}.{name}"), each.unit, each.statement) for each in self.stars()]
        return tuple(each for each in through if each.target in SPECS)

    def _is_none(self, number: int, name: str) -> bool:
        """Whether a statement binds the name to None only, as after a failed import."""
        statement = self.file.statements[number]
        text = self.file.source.text[statement.start : statement.end]
        values = re.findall(rf"^\s*{re.escape(name)}\s*=\s*(.*?)\s*(?:#.*)?$", text, re.M)
        return bool(values) and set(values) == {"None"}

    def _statement(self, number: int) -> dict[str, list[Bound]]:
        if number not in self._of_statement:
            statement = self.file.statements[number]
            text = self.file.source.text[statement.start : statement.end]
            # Known from the start: what a statement binds may be told by names that it binds itself.
            found: dict[str, list[Bound]] = {}
            self._of_statement[number] = found
            if statement.kind == "import" or (
                statement.kind == "other" and ("import" in text or _ALIAS.fullmatch(text))
            ):
                unit = self.file.unit(number)
                for small in simple_statements(unit.module):
                    self._collect(found, unit, small, False)
        return self._of_statement[number]

    def _collect(self, found: dict[str, list[Bound]], unit: Unit, small: Any, local: bool) -> None:
        for name, bound in _imported(unit, small, local):
            found.setdefault(name, []).append(bound)
        if isinstance(small, cst.Assign) and len(small.targets) == 1 and not local:
            target, parts = small.targets[0].target, dotted(small.value)
            if isinstance(target, cst.Name) and parts and parts[0] != target.value:
                meaning = self.of(unit, small.value) if parts[0] in self.file.bindings else None
                if meaning is not None:
                    found.setdefault(target.value, []).append(Bound(meaning, unit))

    def _local(self, unit: Unit, function: cst.FunctionDef) -> tuple[dict[str, list[Bound]], frozenset[str]]:
        if id(function) not in self._of_function:
            imports: dict[str, list[Bound]] = {}
            others = {name.value for name in _parameters(function.params)}
            for small in simple_statements(function.body):
                self._collect(imports, unit, small, True)
                others.update(_targets(small))
            self._of_function[id(function)] = imports, frozenset(others - set(imports))
        return self._of_function[id(function)]


@lru_cache(maxsize=4)
def names_of(file: File) -> Names:
    """The names of a file; a file has many fixes, and all of them ask for the same names."""
    return Names(file)


def base_of(statement: Any) -> str:
    """The module of a from-import as it is written."""
    parts = dotted(statement.module) if statement.module is not None else None
    return "." * len(statement.relative) + ".".join(parts or ())


def _imported(unit: Unit, small: Any, local: bool) -> Iterator[tuple[str, Bound]]:
    if isinstance(small, cst.ImportFrom) and isinstance(small.names, cst.ImportStar):
        yield "*", Bound(base_of(small), unit, small, -1, local)
    elif isinstance(small, cst.ImportFrom) and not isinstance(small.names, cst.ImportStar):
        for index, alias in enumerate(small.names):
            name = alias.evaluated_name
            target = canonical(f"{base_of(small)}.{name}")
            yield alias.evaluated_alias or name, Bound(target, unit, small, index, local)
    elif isinstance(small, cst.Import):
        for index, alias in enumerate(small.names):
            whole = alias.evaluated_name
            first = whole.partition(".")[0]
            yield (
                alias.evaluated_alias or first,
                Bound(canonical(whole if alias.asname else first), unit, small, index, local),
            )


def _modules(bound: Bound) -> Iterator[str]:
    statement = bound.statement
    if isinstance(statement, cst.ImportFrom):
        base = base_of(statement)
        yield base
        if not isinstance(statement.names, cst.ImportStar):
            yield from (f"{base}.{alias.evaluated_name}" for alias in statement.names)
    elif statement is not None:
        yield from (alias.evaluated_name for alias in statement.names)


def simple_statements(block: Any) -> Iterator[Any]:
    """The simple statements of a scope in order, and what its compound ones bind; not what only type checkers run."""
    stack = [block]
    while stack:
        node = stack.pop()
        if isinstance(node, cst.SimpleStatementLine | cst.SimpleStatementSuite):
            yield from node.body
        elif isinstance(node, cst.FunctionDef | cst.ClassDef):
            yield node
        elif isinstance(node, cst.If) and (dotted(node.test) or [""])[-1] == "TYPE_CHECKING":
            stack += [node.orelse] if node.orelse is not None else []
        else:
            yield node
            stack.extend(reversed(inner_blocks(node)))


def dotted(node: Any) -> list[str] | None:
    """`a.b.c` as its parts; None for any other expression."""
    parts: list[str] = []
    while isinstance(node, cst.Attribute):
        parts.append(node.attr.value)
        node = node.value
    return [node.value, *reversed(parts)] if isinstance(node, cst.Name) else None


def _parameters(params: cst.Parameters) -> Iterator[cst.Name]:
    stars = (params.star_arg, params.star_kwarg)
    for each in (*params.posonly_params, *params.params, *params.kwonly_params, *stars):
        if isinstance(each, cst.Param):
            yield each.name


def _targets(statement: Any) -> Iterator[str]:
    """The names that one statement itself binds, other than by import."""
    found: list[Any] = []
    match statement:
        case cst.Assign():
            found = [each.target for each in statement.targets]
        case cst.AnnAssign() | cst.AugAssign() | cst.For():
            found = [statement.target]
        case cst.With():
            found = [each.asname.name for each in statement.items if each.asname is not None]
        case cst.FunctionDef() | cst.ClassDef() | cst.ExceptHandler():
            found = [getattr(statement.name, "name", statement.name)]
    while found:
        node = found.pop()
        if isinstance(node, cst.Name):
            yield node.value
        elif isinstance(node, cst.Tuple | cst.List):
            found.extend(element.value for element in node.elements)
        elif isinstance(node, cst.StarredElement):
            found.append(node.value)
