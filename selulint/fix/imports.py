"""The imports of a file: spelling framework symbols with them, extending them, adding one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import libcst as cst

from selulint.diagnostic import Edit, Span
from selulint.fix import layout
from selulint.syntax.lazy import File
from selulint.syntax.names import imported

# What to import when a file has no name that leads to a package, and how it is then spelled.
_FRESH = (
    ("torch.nn.init", "from torch.nn import init", "init"),
    ("torch.nn", "from torch import nn", "nn"),
    ("torch", "import torch", "torch"),
    ("keras.layers", "from keras import layers", "layers"),
    ("keras", "import keras", "keras"),
    ("tensorflow", "import tensorflow as tf", "tf"),
)


class Imports:
    """What one fix does to the imports of a file."""

    def __init__(self, file: File) -> None:
        self.file = file
        self._renamed: dict[str, dict[str, list[Span]]] = {}
        self._added: dict[str, None] = {}
        self._names = self._bound()

    def _bound(self) -> dict[str, str]:
        """Names that only top-level imports bind, with their canonical dotted names."""
        found: dict[str, str] = {}
        for index, statement in enumerate(self.file.statements):
            if statement.kind == "import":
                for node in _import_nodes(self.file.unit(index).body):
                    found.update(imported(node))
        others = {name for each in self.file.statements if each.kind != "import" for name in each.binds}
        return {name: dotted for name, dotted in found.items() if name not in others and name != "*"}

    def refer(self, canonical: str) -> str | None:
        """Text that spells `canonical`, by the longest package that a name stands for."""
        best: tuple[int, str] | None = None
        for name, dotted in self._names.items():
            if canonical == dotted:
                return name
            if canonical.startswith(f"{dotted}.") and (best is None or len(dotted) > best[0]):
                best = (len(dotted), name + canonical[len(dotted) :])
        if best is not None:
            return best[1]
        for package, statement, name in _FRESH:
            if canonical.startswith(f"{package}.") and not self._is_taken(name):
                self._added[statement] = None
                self._names[name] = package
                return name + canonical[len(package) :]
        return None

    def rename(self, old: str, canonical: str, span: Span) -> str | None:
        """The name for `canonical` at a use of the imported name `old`; its import is extended, or changed if that was all."""
        for name, dotted in self._names.items():
            if dotted == canonical and name not in self._renamed.get(old, {}):
                return name
        new = canonical.rpartition(".")[2]
        if old not in self._names or self._import_of(old) is None:
            return None
        if self._is_taken(new) and new not in self._renamed.get(old, {}):
            return None
        self._renamed.setdefault(old, {}).setdefault(new, []).append(span)
        self._names.setdefault(new, canonical)
        return new

    def _is_taken(self, name: str) -> bool:
        if any(name in names for names in self._renamed.values()):
            return False
        pattern = rf"(?<![\w.]){re.escape(name)}\b"
        return name in self.file.bindings or re.search(pattern, self.file.source.text) is not None

    def _import_of(self, name: str) -> tuple[Any, Any, Any] | None:
        """The unit, the statement and the alias of the from-import that binds a name."""
        for index in self.file.bindings.get(name, ()):
            unit = self.file.unit(index)
            for node in _import_nodes(unit.body):
                if isinstance(node, cst.ImportFrom) and not isinstance(node.names, cst.ImportStar):
                    for alias in node.names:
                        local = alias.evaluated_alias if alias.asname is not None else alias.evaluated_name
                        if local == name:
                            return unit, node, alias
        return None

    def edits(self, edited: Sequence[Span], quote: str) -> Iterator[Edit]:
        """The edits of import statements that the fix needs, given the spans that it edits otherwise."""
        for old, names in self._renamed.items():
            found = self._import_of(old)
            if found is None:
                continue
            unit, _, alias = found
            span = unit.span(alias)
            if len(names) == 1 and not self._is_still_used(old, span, edited):
                yield Edit(span.start, span.end, next(iter(names)))
                continue
            yield self._extension(span, [name for name in names])
        if self._added:
            yield self._fresh_imports()

    def _is_still_used(self, name: str, alias: Span, edited: Sequence[Span]) -> bool:
        if self.file.source.path.endswith("__init__.py"):
            return True
        for found in re.finditer(rf"\b{re.escape(name)}\b", self.file.source.text):
            span = Span(found.start(), found.end())
            if (
                not alias.overlaps(span)
                and not any(each.overlaps(span) for each in edited)
                and not self._is_attribute(span)
            ):
                return True
        return False

    def _is_attribute(self, span: Span) -> bool:
        return self.file.source.text[span.start - 1 : span.start] == "."

    def _extension(self, span: Span, names: Sequence[str]) -> Edit:
        text = self.file.source.text
        start = layout.line_start(text, span.start)
        indent = text[start : span.start]
        rest = re.match(r",[ \t]*(#[^\r\n]*)?(?=[\r\n])", text[span.end :])
        if rest is not None and not indent.strip():
            offset = span.end + rest.end()
            return Edit(offset, offset, "".join(f"\n{indent}{name}," for name in names))
        return Edit(span.end, span.end, "".join(f", {name}" for name in names))

    def _fresh_imports(self) -> Edit:
        last = None
        for statement in self.file.statements:
            if statement.kind == "import":
                last = statement
            elif last is not None:
                break
        block = "".join(f"{statement}\n" for statement in self._added)
        if last is not None:
            return Edit(last.end, last.end, block)
        first = self.file.statements[0]
        docstring = self.file.source.text[first.start : first.end].lstrip().startswith(('"', "'", 'r"'))
        offset = first.end if docstring else first.start
        return Edit(offset, offset, f"\n{block}" if docstring else f"{block}\n")


def _import_nodes(body: Sequence[Any]) -> Iterator[cst.Import | cst.ImportFrom]:
    for statement in body:
        for small in statement.body if isinstance(statement, cst.SimpleStatementLine) else ():
            if isinstance(small, cst.Import | cst.ImportFrom):
                yield small
