"""The names of a file: what they mean, how a framework symbol is spelled with them, and which imports that needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import libcst as cst

from selulint.diagnostic import Edit, Span
from selulint.fix.scopes import Bound, base_of, names_of
from selulint.fix.sequences import Sequenced, rewritten
from selulint.fix.uses import WORD, uses
from selulint.syntax.lazy import File, Unit
from selulint.syntax.names import canonical


@dataclass(slots=True)
class _Change:
    """What happens to one from-import: names that are used instead of an alias, names that are put behind one."""

    unit: Unit
    statement: cst.ImportFrom
    instead: dict[int, dict[str, None]] = field(default_factory=dict)
    behind: dict[str, None] = field(default_factory=dict)

    @property
    def aliases(self) -> Sequence[cst.ImportAlias]:
        names = self.statement.names
        return () if isinstance(names, cst.ImportStar) else names


class Imports:
    """What one fix does to the imports of a file."""

    def __init__(self, file: File) -> None:
        self.file = file
        self.names = names_of(file)
        self._changes: dict[int, _Change] = {}
        self._lines: dict[str, None] = {}
        self._new: dict[str, str] = {}
        self._meaningful: tuple[str, ...] | None = None

    def refer(self, symbol: str, at: tuple[Unit, Any] | None = None) -> str | None:
        """Text that spells `symbol` with the names of the module (as seen `at` a node), the shortest one; else by an import."""
        found = [
            text
            for name in (*self._imported(), *self._new)
            if (text := self._through(name, symbol)) is not None and not self.names.is_local(at, name)
        ]
        if found:
            return min(found, key=lambda text: text.count("."))
        return self._through_star(symbol) or self._extended(symbol, at) or self._fresh(symbol, at)

    def _imported(self) -> tuple[str, ...]:
        """The names of the module that stand for something outside it; most names of a large file do not."""
        if self._meaningful is None:
            self._meaningful = tuple(n for n in self.file.bindings if n != "*" and self.names.meaning(n) is not None)
        return self._meaningful

    def _through(self, name: str, symbol: str) -> str | None:
        """`symbol` as an attribute of a name of the module."""
        if name == "*":
            return None
        meaning = self._new.get(name) or self.names.meaning(name)
        if meaning == symbol:
            return name
        if meaning is not None and symbol.startswith(f"{meaning}."):
            return name + symbol[len(meaning) :]
        if meaning == "tensorflow" and symbol.startswith("keras."):
            return f"{name}.{symbol}"
        return None

    def _through_star(self, symbol: str) -> str | None:
        package, _, last = symbol.rpartition(".")
        known = last in self.file.bindings or last in self._new
        return None if known or not any(star.target == package for star in self.names.stars()) else last

    def sibling(self, unit: Unit, node: Any, symbol: str) -> str | None:
        """Text for `symbol` in the style of the name or attribute that stands at a node and will be gone from there."""
        last = symbol.rpartition(".")[2]
        if isinstance(node, cst.Attribute):
            base = self.names.of(unit, node.value)
            if base is None or (offers(base, last) and canonical(f"{base}.{last}") == symbol):
                return f"{unit.text(node.value)}.{last}"
        if isinstance(node, cst.Name):
            bound = self.names.lookup(unit, node, node.value)
            aliases = [each for each in bound if isinstance(each.statement, cst.ImportFrom) and each.index >= 0]
            if bound and len(aliases) == len(bound):
                local = self._renamed(aliases, unit, node, symbol)
                if local is not None:
                    return local
        return self.refer(symbol, (unit, node))

    def _renamed(self, aliases: Sequence[Bound], unit: Unit, node: Any, symbol: str) -> str | None:
        """The name for `symbol` where the imports of `aliases` can provide it too."""
        last = symbol.rpartition(".")[2]
        for each in aliases:
            base = base_of(each.statement)
            if not offers(base, last) or canonical(f"{base}.{last}") != symbol:
                return None
        exact = [name for name in (*self.file.bindings, *self._new) if self._through(name, symbol) == name]
        exact = [name for name in exact if not self.names.is_local((unit, node), name)]
        if not exact and not self._is_free(last, (unit, node)):
            return None
        known = exact[0] if exact else last
        for each in aliases:
            change = self._change(each)
            news = change.instead.setdefault(each.index, {})
            if known not in self.file.bindings:
                news[last] = None
        if known not in self.file.bindings and not aliases[0].local_scope:
            self._new[known] = symbol
        return known

    def _change(self, bound: Bound) -> _Change:
        statement = bound.statement
        assert isinstance(statement, cst.ImportFrom)
        return self._changes.setdefault(id(statement), _Change(bound.unit, statement))

    def _is_free(self, name: str, at: tuple[Unit, Any] | None) -> bool:
        return name not in self.file.bindings and name not in self._new and not self.names.is_local(at, name)

    def _extended(self, symbol: str, at: tuple[Unit, Any] | None) -> str | None:
        """`symbol` by one more name in a from-import that the module has, of the nearest package."""
        parts = symbol.split(".")
        for cut in range(len(parts) - 1, 0, -1):
            first = parts[cut]
            for bound in reversed(list(self.names.from_imports())):
                base = base_of(bound.statement)
                if not offers(base, first) or canonical(f"{base}.{'.'.join(parts[cut:])}") != symbol:
                    continue
                if self._is_free(first, at):
                    self._change(bound).behind[first] = None
                    self._new[first] = ".".join(parts[: cut + 1])
                    return ".".join(parts[cut:])
        return None

    def _fresh(self, symbol: str, at: tuple[Unit, Any] | None) -> str | None:
        """`symbol` by a new import statement."""
        for package, line, name in _fresh_lines(symbol, self.names.keras_root()):
            if symbol.startswith(f"{package}.") and self._is_free(name, at):
                self._lines[line] = None
                self._new[name] = package
                return name + symbol[len(package) :]
        return None

    def edits(self, others: Iterable[Edit]) -> list[Edit]:
        """The edits of import statements that the fix needs, given its other edits."""
        others = list(others)
        found: list[Edit] = []
        aliases = [
            change.unit.span(alias)
            for change in self._changes.values()
            for index, alias in enumerate(change.aliases)
            if index in change.instead
        ]
        for change in self._changes.values():
            found += self._changed(change, others, aliases)
        if self._lines:
            found.append(self._inserted(others))
        return found

    def _changed(self, change: _Change, others: list[Edit], ignored: list[Span]) -> list[Edit]:
        names = change.aliases
        removed, added = set(), dict[int, list[str]]()
        present: set[str] = set()
        for index, news in change.instead.items():
            fresh = [new for new in news if new not in present]
            present.update(fresh)
            local = names[index].evaluated_alias or names[index].evaluated_name
            if not self._is_used(names[index], local, others, ignored):
                removed.add(index)
            if fresh:
                added[index] = fresh
        if len(removed) == len(names) and not added and not change.behind:
            return []
        rest = [new for new in change.behind if new not in present]
        if rest:
            added.setdefault(len(names) - 1, []).extend(rest)
        spans = [change.unit.span(each) for each in names]
        whole = change.unit.span(change.statement)
        bracketed = change.statement.lpar is not None
        text = self.file.source.text
        return rewritten(Sequenced(text, spans, spans[0].start, whole.end - bracketed, bracketed), removed, added)

    def _is_used(self, alias: cst.ImportAlias, local: str, others: Iterable[Edit], ignored: Iterable[Span]) -> bool:
        """Whether a name is needed after the edits; in doubt (re-exports, annotations in strings) it is."""
        if self.file.source.path.endswith("__init__.py") or alias.evaluated_alias == alias.evaluated_name:
            return True
        changed = [*ignored, *(edit.span for edit in others)]
        if any(not any(span.overlaps(each) for each in changed) for span in uses(self.file, local)):
            return True
        return any(local in WORD.findall(edit.content) for edit in others)

    def _inserted(self, others: Iterable[Edit]) -> Edit:
        """New import statements behind the last import above the first place that needs them."""
        first = min((edit.start for edit in others), default=len(self.file.source.text))
        block = "".join(f"{line}\n" for line in self._lines)
        head = None
        for number, statement in enumerate(self.file.statements):
            if statement.end > first:
                break
            if statement.kind == "import" or (number == 0 and self._is_docstring(number)):
                head = number
        if head is None:
            start = self.file.statements[0].start
            return Edit(start, start, f"{block}\n\n")
        end = self.file.statements[head].end
        if self.file.statements[head].kind != "import":
            block = f"\n{block}"
        if not self.file.source.text[:end].endswith(("\n", "\r")):
            block = "\n" + block
        return Edit(end, end, block)

    def _is_docstring(self, number: int) -> bool:
        statement = self.file.unit(number).module.body[0]
        small = statement.body[0] if isinstance(statement, cst.SimpleStatementLine) else None
        return isinstance(small, cst.Expr) and isinstance(small.value, cst.SimpleString | cst.ConcatenatedString)


def offers(module: str, name: str) -> bool:
    """Whether `name` can be expected where `module` was good for a sibling: modules deep inside hold few names."""
    if canonical(f"{module}.Name").removesuffix(".Name") == canonical(module):
        return True
    deep = module.removeprefix("torch.nn.modules")
    return deep in ("", ".dropout" if "Dropout" in name else ".activation" if name == "SELU" else "")


def _fresh_lines(symbol: str, keras: str) -> Iterator[tuple[str, str, str]]:
    """Package, import statement and name by which a file without a fitting import can reach `symbol`, best first."""
    yield "torch.nn.functional", "import torch.nn.functional as F", "F"
    yield "torch.nn", "from torch import nn", "nn"
    yield "torch", "import torch", "torch"
    yield "math", "import math", "math"
    parts = symbol.split(".")
    if parts[0] == "keras" and len(parts) > 2:
        yield f"keras.{parts[1]}", f"from {keras} import {parts[1]}", parts[1]
    if keras == "keras":
        yield "keras", "import keras", "keras"
    else:
        yield "keras", f"from {keras.rpartition('.')[0]} import keras" if "." in keras else f"import {keras}", "keras"
    yield "tensorflow", "import tensorflow as tf", "tf"
    yield "jax", "import jax", "jax"
    yield "haiku", "import haiku as hk", "hk"
