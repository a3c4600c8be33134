"""Composing one fix on one file: point edits in its own style, so that comments and layout survive."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import libcst as cst

from selulint.diagnostic import Applicability, Edit, Fix, Span
from selulint.fix import layout, statements
from selulint.fix.arguments import Arguments
from selulint.fix.imports import Imports
from selulint.fix.signatures import parameters
from selulint.fix.wrapping import wrapped
from selulint.frameworks import SPECS
from selulint.graph import Place
from selulint.syntax.lazy import File


class Draft:
    """Collects the edits of one fix. Verbs return False (or None) where the edit cannot be made without harm.

    Edits are put together in `build`: several may concern one call or one import, and an edit may lie in the part that a
    replacement around it keeps.
    """

    def __init__(self, file: File) -> None:
        self.file = file
        self.text = file.source.text
        self.imports = Imports(file)
        self._calls: dict[int, Arguments] = {}
        self._replaced: dict[Span, tuple[Place, str]] = {}
        self._edits: dict[Edit, None] = {}
        self._defined: dict[str, tuple[int, tuple[str, ...]]] = {}
        self._deleted: dict[int, set[int]] = {}

    @property
    def quote(self) -> str:
        """The quote character that the file mostly uses."""
        return layout.quote(self.text)

    def replace(self, place: Place, text: str) -> None:
        """Put `text` in the place of a node."""
        self._replaced[place.span] = (place, text)

    def replace_call(self, call: Place, text: str) -> None:
        """Put `text` in the place of a call, all of it."""
        self.replace(call, text)

    def insert_behind(self, place: Place, text: str) -> None:
        """Insert right behind a node."""
        self._edits[Edit(place.span.end, place.span.end, text)] = None

    def respell(self, place: Place, canonical: str) -> bool:
        """Make the name or attribute at `place`, which spells a framework symbol, spell `canonical` in the same style."""
        text = self.refer_like(place, canonical)
        if text is None or not isinstance(place.node, cst.Attribute | cst.Name):
            return False
        base, _, last = text.rpartition(".")
        if isinstance(place.node, cst.Attribute) and base == Place(place.node.value, place.unit).text:
            self.replace(Place(place.node.attr, place.unit), last)
        else:
            self.replace(place, text)
        return True

    def refer(self, canonical: str) -> str | None:
        """Text that spells a framework symbol with the names that the file binds, adding the smallest import if none fits."""
        return self.imports.refer(canonical)

    def refer_like(self, place: Place, canonical: str) -> str | None:
        """Text for `canonical` in the style of the symbol at `place`, which it is going to replace."""
        return self.imports.sibling(place.unit, place.node, canonical)  # type: ignore[arg-type]

    def set_argument(self, call: Place, name: str, value: str, position: int | None = None) -> bool:
        """Give a call the argument `name`, in the place of the one it has (at `position`, where it is positional)."""
        return isinstance(call.node, cst.Call) and self._arguments(call).set(name, value, position)

    def remove_argument(self, call: Place, name: str, position: int | None = None) -> bool:
        """Take an argument out of a call; positional ones behind it are named, which needs a known signature."""
        return isinstance(call.node, cst.Call) and self._arguments(call).remove(name, position)

    def _arguments(self, call: Place) -> Arguments:
        known = self._calls.get(id(call.node))
        if known is None:
            symbol = self.imports.names.of(call.unit, call.node.func)  # type: ignore[arg-type]
            spec = SPECS.get(symbol) if symbol is not None else None
            known = Arguments(call, parameters(spec.signature) if spec is not None else ())
            self._calls[id(call.node)] = known
        return known

    def unwrap(self, call: Place, others: bool = False) -> bool:
        """`f(x)` becomes `x`, in brackets where it needs them; with `others`, `f(x, y)` does so too."""
        node = call.node
        if not isinstance(node, cst.Call) or not node.args or node.args[0].star or node.args[0].keyword:
            return False
        if len(node.args) > 1 and not others:
            return False
        span, inner = call.span, call.unit.span(node.args[0])
        if _stands_alone(node.args[0].value, self.text[inner.start : inner.end]):
            cuts = [Edit(span.start, inner.start, ""), Edit(inner.end, span.end, "")]
        else:
            bracket = self.text.index("(", call.unit.span(node.func).end)
            cuts = [Edit(span.start, bracket, "")]
            if len(node.args) > 1:
                cuts.append(Edit(inner.end, span.end - 1, ""))
        return self._take(cuts)

    def delete_statement(self, place: Place) -> bool:
        """Delete the simple statement around `place` with its lines; False where its block would be empty."""
        found, edit = statements.simple_statement(place), statements.deletion(place, self.text)
        if found is None or edit is None:
            return False
        line, block, number = found
        if len(line.body) == 1 and not isinstance(block, cst.Module):
            gone = self._deleted.setdefault(id(block), set())
            if len(gone | {id(line)}) == len(block.body):
                return False
            gone.add(id(line))
        elif len(line.body) > 1:
            gone = self._deleted.setdefault(id(line), set())
            if gone - {number}:
                return False
            gone.add(number)
        return self._take([edit])

    def delete_element(self, place: Place) -> bool:
        """Delete the element of a display or call that is exactly `place`, with its comma and, if alone there, its line."""
        return self._take(statements.element_deletion(place, self.text))

    def insert_after(self, place: Place, lines: Sequence[str]) -> bool:
        """Insert lines behind the simple statement around `place`, at its indentation."""
        edit = statements.lines_behind(place, self.text, self._indented(lines))
        return self._take(None if edit is None else [edit])

    def append_to_body(self, function: Place, lines: Sequence[str]) -> bool:
        """Insert lines at the end of a function's body, before a final return."""
        if not isinstance(function.node, cst.FunctionDef):
            return False
        edit = statements.lines_inside(function, self.text, self._indented(lines))
        return self._take(None if edit is None else [edit])

    def define(self, name: str, lines: Sequence[str], before: Place) -> str:
        """Define a function of the module for what stands at `before`; returns the name, another where that is taken.

        It goes before the first definition of the module, or before `before` if that comes first: so two fixes that need
        the same function put it in the same place, and share it.
        """
        first = lines[0]
        assert f"def {name}(" in first
        local = name
        while True:
            named = tuple(self._indented([first.replace(f"def {name}(", f"def {local}("), *lines[1:]]))
            number = self._number_for_definition(before)
            if local in self._defined and self._defined[local][1] == named:
                self._defined[local] = (min(number, self._defined[local][0]), named)
                return local
            if local not in self._defined and local not in self.file.bindings:
                self._defined[local] = (number, named)
                return local
            if local not in self._defined and self._is_defined(local, named, before):
                return local
            local += "_selu"

    def _number_for_definition(self, before: Place) -> int:
        index: int = before.unit.index  # type: ignore[attr-defined]
        kinds = (number for number in range(index) if self.file.statements[number].kind in ("def", "class"))
        return next(kinds, index)

    def _is_defined(self, name: str, lines: Sequence[str], before: Place) -> bool:
        """Whether the module defines exactly this function, in time for `before`."""
        numbers = self.file.bindings[name]
        index: int = before.unit.index  # type: ignore[attr-defined]
        if len(numbers) != 1 or (numbers[0] > index and self.file.statements[index].kind not in ("def", "class")):
            return False
        statement = self.file.statements[numbers[0]]
        present = self.text[statement.start : statement.end].splitlines()
        return [line.rstrip() for line in present if line.strip()] == [line for line in lines if line.strip()]

    def build(self, message: str, applicability: Applicability, reason: str = "") -> Fix | None:
        """The fix, imports included; None where nothing was edited, or the edits contradict each other."""
        point = [edit for call in self._calls.values() for edit in call.edits()]
        body = self._nested([*point, *self._edits])
        if not body:
            return None
        body = wrapped(self.text, body, [call.place.span for call in self._calls.values()])
        definitions = [self._definition(number) for number in sorted({number for number, _ in self._defined.values()})]
        imports = self.imports.edits([*body, *definitions])
        newline = self.file.source.newline
        edits = [
            Edit(edit.start, edit.end, layout.with_newlines(edit.content, newline))
            for edit in _merged([*imports, *definitions, *body])
        ]
        if any(one.span.overlaps(other.span) for one, other in zip(edits, edits[1:], strict=False)):
            return None
        return Fix(message, tuple(edits), applicability, reason)

    def _definition(self, number: int) -> Edit:
        """The functions defined before one statement, with two blank lines around, above its comments."""
        offset = layout.above_comments(self.text, self.file.statements[number].start)
        blocks = ["\n".join(lines) + "\n\n\n" for at, lines in self._defined.values() if at == number]
        return Edit(offset, offset, "\n" * max(0, 2 - layout.blank_lines_above(self.text, offset)) + "".join(blocks))

    def _nested(self, points: Sequence[Edit]) -> list[Edit] | None:
        """All edits of the body; a replacement around others keeps the text that they edit. None where it does not."""
        found = list(points)
        for span, (place, content) in sorted(self._replaced.items(), key=lambda each: each[0].end - each[0].start):
            inside = [edit for edit in found if edit.span.overlaps(span)]
            if not inside:
                found.append(Edit(span.start, span.end, content))
                continue
            kept = self._kept(place, content, min(e.start for e in inside), max(e.end for e in inside))
            if kept is None:
                return None
            at = content.index(self.text[kept.start : kept.end])
            found.append(Edit(span.start, kept.start, content[:at]))
            found.append(Edit(kept.end, span.end, content[at + kept.end - kept.start :]))
        return found

    def _kept(self, place: Place, content: str, start: int, end: int) -> Span | None:
        """The largest part of a replaced node that holds start:end and that its replacement repeats as it is."""
        nodes = list(place.node.children)
        while nodes:
            node: Any = nodes.pop()
            span = place.unit.span(node)
            if span.start <= start and end <= span.end:
                if content.count(self.text[span.start : span.end]) == 1:
                    return span
                nodes = list(node.children)
        return None

    def _indented(self, lines: Sequence[str]) -> list[str]:
        return layout.indented(lines, layout.indent_unit(self.text))

    def _take(self, edits: Iterable[Edit] | None) -> bool:
        if edits is None:
            return False
        self._edits.update(dict.fromkeys(edits))
        return True


def _merged(edits: Iterable[Edit]) -> list[Edit]:
    """Edits in order of place; insertions at one offset become one, in the order in which they are given."""
    insertions: dict[int, str] = {}
    rest: set[Edit] = set()
    for edit in edits:
        if edit.start == edit.end:
            insertions[edit.start] = insertions.get(edit.start, "") + edit.content
        else:
            rest.add(edit)
    return sorted([*rest, *(Edit(at, at, content) for at, content in insertions.items())])


_ATOMS = (cst.Name, cst.Attribute, cst.Call, cst.Subscript, cst.List, cst.Dict, cst.Set, cst.BaseNumber, cst.BaseString)
_OPEN_LINE = re.compile(r"[\r\n]")


def _stands_alone(node: Any, text: str) -> bool:
    """Whether an expression can stand anywhere without brackets around it."""
    if not node.lpar and not isinstance(node, _ATOMS):
        return False
    if _OPEN_LINE.search(text) is None:
        return True
    try:
        cst.parse_expression(text)
    except cst.ParserSyntaxError:
        return False
    return True
