"""Composing one fix on one file: point edits in its own style, so that comments and layout survive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import libcst as cst

from selulint.diagnostic import Applicability, Edit, Fix, Span
from selulint.fix import arguments, layout
from selulint.fix.imports import Imports
from selulint.graph import Place
from selulint.syntax.lazy import File


class Draft:
    """Collects the edits of one fix. Verbs return False (or None) where the edit cannot be made without harm."""

    def __init__(self, file: File) -> None:
        self.file = file
        self.text = file.source.text
        self.imports = Imports(file)
        self._edits: dict[Span, str] = {}
        self._defined: dict[str, tuple[str, ...]] = {}

    @property
    def quote(self) -> str:
        """The quote character that the file mostly uses."""
        return layout.quote(self.text)

    def edit(self, start: int, end: int, content: str) -> None:
        """Replace characters; insertions at the same offset queue up, the same one twice counts once."""
        content = layout.with_newlines(content, self.file.source.newline)
        span = Span(start, end)
        before = self._edits.get(span)
        if before is not None and start == end and content not in before:
            content = before + content
        elif before is not None and start == end:
            content = before
        self._edits[span] = content

    def replace(self, place: Place, text: str) -> None:
        """Put `text` in the place of a node."""
        self.edit(place.span.start, place.span.end, text)

    def insert_behind(self, place: Place, text: str) -> None:
        """Insert right behind a node."""
        self.edit(place.span.end, place.span.end, text)

    def respell(self, place: Place, canonical: str) -> bool:
        """Make the name or attribute at `place` spell another member of the same package, as the file spells it."""
        last = canonical.rpartition(".")[2]
        if isinstance(place.node, cst.Attribute):
            self.replace(Place(place.node.attr, place.unit), last)
            return True
        if not isinstance(place.node, cst.Name):
            return False
        local = self.imports.rename(place.node.value, canonical, place.span)
        if local is None:
            return False
        self.replace(place, local)
        return True

    def refer(self, canonical: str) -> str | None:
        """Text that spells a framework symbol with the names that the file imports, adding an import where none fits."""
        return self.imports.refer(canonical)

    def refer_like(self, place: Place, canonical: str) -> str | None:
        """Text for a sibling of the symbol at `place`: the same qualifier, else an import beside its import."""
        node = place.node
        if isinstance(node, cst.Attribute):
            return f"{Place(node.value, place.unit).text}.{canonical.rpartition('.')[2]}"
        if not isinstance(node, cst.Name):
            return self.refer(canonical)
        return self.imports.rename(node.value, canonical, place.span) or self.refer(canonical)

    def set_argument(self, call: Place, name: str, value: str, position: int | None = None) -> bool:
        """Give a call the keyword argument `name`, replacing the one it has (or the positional one at `position`)."""
        return self._all(arguments.set_argument(call, name, value, position))

    def remove_argument(self, call: Place, name: str, position: int | None = None) -> bool:
        """Take an argument out of a call; a positional one only where no other follows it."""
        return self._all(arguments.remove_argument(call, name, position))

    def unwrap(self, call: Place) -> bool:
        """`f(x)` becomes `x`."""
        node: Any = call.node
        if len(node.args) != 1 or node.args[0].star or node.args[0].keyword is not None:
            return False
        inner = Place(node.args[0].value, call.unit).span
        self.edit(call.span.start, inner.start, "")
        self.edit(inner.end, call.span.end, "")
        return True

    def delete_statement(self, place: Place) -> bool:
        """Delete the simple statement around `place` with its lines; not the only statement of a block."""
        return self._all(layout.deleted_statement(place, self.text))

    def delete_element(self, place: Place) -> bool:
        """Delete the element of a display or call that is exactly `place`, with its comma and, if alone there, its line."""
        return self._all(layout.deleted_element(place, self.text))

    def insert_after(self, place: Place, lines: Sequence[str]) -> bool:
        """Insert lines behind the simple statement around `place`, at its indentation."""
        return self._all(layout.lines_after(place, self.text, lines))

    def append_to_body(self, function: Place, lines: Sequence[str]) -> bool:
        """Insert lines at the end of a function's body, before a closing return."""
        return self._all(layout.lines_at_end(function, self.text, lines))

    def define(self, name: str, lines: Sequence[str], before: Place) -> str:
        """Define a function before the top-level statement around `before`; returns the name, another where it is taken."""
        wanted = tuple(layout.indented(lines, self.text))
        while True:
            if self._defined.get(name, wanted) == wanted and name not in self.file.bindings:
                break
            if layout.is_defined(self.file, name, wanted):
                return name
            name += "_selu"
            wanted = tuple(line.replace("def _init_weights", f"def {name}", 1) for line in wanted)
        if name not in self._defined:
            self._defined[name] = wanted
            offset, content = layout.definition(before, self.text, wanted)
            self.edit(offset, offset, content)
        return name

    def build(self, message: str, applicability: Applicability, reason: str = "") -> Fix | None:
        """The fix, imports included; None where nothing was edited."""
        if not self._edits:
            return None
        newline = self.file.source.newline
        for edit in self.imports.edits([span for span in self._edits], self.quote):
            self.edit(edit.start, edit.end, layout.with_newlines(edit.content, newline))
        edits = tuple(sorted(Edit(span.start, span.end, content) for span, content in self._edits.items()))
        return Fix(message, edits, applicability, reason)

    def _all(self, edits: Sequence[Edit] | None) -> bool:
        for each in edits or ():
            self.edit(each.start, each.end, each.content)
        return edits is not None
