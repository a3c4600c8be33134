"""Changes of one call's arguments, collected and then made together, so that they do not get into each other's way."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import libcst as cst

from selulint.diagnostic import Edit
from selulint.fix.sequences import Sequenced, rewritten
from selulint.graph import Place

# Behind the function's name, which may have brackets of its own.
_BRACKET = re.compile(r"[\s)\\]*\(")


@dataclass(slots=True)
class Arguments:
    """The arguments of the call at `place`; `names` are the parameters of what it calls, () where they are not known.

    Numbers count arguments as they are written: those `removed`, with new `values`, or `named` though they were positional.
    """

    place: Place
    names: Sequence[str] = ()
    removed: set[int] = field(default_factory=set)
    values: dict[int, str] = field(default_factory=dict)
    named: dict[int, str] = field(default_factory=dict)
    added: dict[str, str] = field(default_factory=dict)

    @property
    def written(self) -> Sequence[cst.Arg]:
        args: Sequence[cst.Arg] = self.place.node.args
        return args

    def set(self, name: str, value: str, position: int | None = None) -> bool:
        """Pass `value` as `name`; False where stars may pass it already."""
        number = self._number(name, position)
        if number is not None:
            self.values[number] = value
            if number in self.removed:
                self.removed.discard(number)
                self.named[number] = name
            return True
        if any(arg.star or _is_bare_generator(arg) for arg in self.written):
            return False
        self.added[name] = value
        return True

    def remove(self, name: str, position: int | None = None) -> bool:
        """Do not pass `name`; False where it is not there, or positional ones behind it cannot be named."""
        if self.added.pop(name, None) is not None:
            return True
        number = self._number(name, position)
        if number is None or number in self.removed:
            return False
        if self.written[number].keyword is None and number not in self.named:
            later = [each for each in self._positional() if each > number]
            if any(arg.star == "*" for arg in self.written[number:]) or (later and later[-1] >= len(self.names)):
                return False
            self.named.update({each: self.names[each] for each in later})
        self.removed.add(number)
        self.values.pop(number, None)
        return True

    def _number(self, name: str, position: int | None) -> int | None:
        """The number of the argument that passes `name`."""
        for number, arg in enumerate(self.written):
            if arg.keyword is not None and arg.keyword.value == name:
                return number
        if position is None and name in self.names:
            position = self.names.index(name)
        before = self.written[: position + 1] if position is not None else ()
        if position is None or len(before) <= position or any(arg.star or arg.keyword is not None for arg in before):
            return None
        return position

    def _positional(self) -> Iterator[int]:
        for number, arg in enumerate(self.written):
            if arg.keyword is None and not arg.star and number not in self.removed and number not in self.named:
                yield number

    def edits(self) -> list[Edit]:
        unit, text = self.place.unit, self.place.unit.file.source.text
        spans = [unit.span(arg) for arg in self.written]
        edits = []
        for number in sorted({*self.values, *self.named} - self.removed):
            arg = self.written[number]
            span = spans[number] if number in self.named else unit.span(arg.value)
            prefix = f"{self.named[number]}=" if number in self.named else ""
            if number not in self.values:
                edits.append(Edit(span.start, span.start, prefix))
            elif text[span.start : span.end] != prefix + self.values[number]:
                edits.append(Edit(span.start, span.end, prefix + self.values[number]))
        close = self.place.span.end - 1
        last = max(self.removed, default=len(spans) - 1)
        added = {last: [f"{name}={value}" for name, value in self.added.items()]} if self.added else {}
        return edits + rewritten(Sequenced(text, spans, _behind_bracket(self.place), close), self.removed, added)


def _is_bare_generator(arg: cst.Arg) -> bool:
    """`f(x for x in y)`, which no other argument may follow."""
    return isinstance(arg.value, cst.GeneratorExp) and not arg.value.lpar


def _behind_bracket(place: Place) -> int:
    text: str = place.unit.file.source.text
    bracket = _BRACKET.match(text, place.unit.span(place.node.func).end)
    return bracket.end() if bracket else place.span.end - 1
