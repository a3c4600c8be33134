"""Comma-separated lists in a text: items added and taken out so that the layout stays what it was."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from selulint.diagnostic import Edit, Span
from selulint.fix.layout import line_end, line_start

_GAP = re.compile(r"(?:[ \t\f]|\\(?:\r\n|\r|\n)|\r\n|\r|\n|#[^\r\n]*)*")
_REST_OF_LINE = re.compile(r"[ \t\f]*(?:#[^\r\n]*)?(?=[\r\n])")
_COMMENT = re.compile(r"[ \t\f]*#[^\r\n]*(?=[\r\n])")


@dataclass(frozen=True, slots=True)
class Sequenced:
    """A list in `text` whose items stand at `spans`, between `open` (behind its bracket) and `close` (its other bracket).

    A list without brackets (of an import) may not be broken into lines.
    """

    text: str
    spans: Sequence[Span]
    open: int
    close: int
    bracketed: bool = True

    def comma(self, index: int) -> int | None:
        """The offset behind the comma that follows an item; None where there is none."""
        gap = _GAP.match(self.text, self.spans[index].end)
        at = gap.end() if gap else self.close
        return at + 1 if at < self.close and self.text[at] == "," else None

    def indent(self, index: int) -> str | None:
        """The indentation of an item that begins its line, else None."""
        start = self.spans[index].start
        before = self.text[line_start(self.text, start) : start]
        return before if self.bracketed and not before.strip() else None


def rewritten(items: Sequenced, removed: Set[int], added: Mapping[int, Sequence[str]]) -> list[Edit]:
    """Edits that take out the items numbered in `removed` and put the texts of `added` behind the item of their number.

    What is added behind a removed item takes its place. Number -1 stands for the begin of an empty list.
    """
    gone, edits = set(removed), []
    for index, texts in added.items():
        rest = list(texts)
        if rest and index in gone:
            gone.discard(index)
            span = items.spans[index]
            edits.append(Edit(span.start, span.end, rest.pop(0)))
        if rest:
            edits += _added(items, index, rest)
    return edits + _removed(items, gone)


def _added(items: Sequenced, index: int, texts: Sequence[str]) -> list[Edit]:
    if index < 0:
        return [Edit(items.open, items.open, ", ".join(texts))]
    text, end, comma, indent = items.text, items.spans[index].end, items.comma(index), items.indent(index)
    if comma is None:
        if indent is None or index == 0:
            return [Edit(end, end, "".join(f", {each}" for each in texts))]
        block = ",".join(f"\n{indent}{each}" for each in texts)
        comment = _COMMENT.match(text, end)
        if comment is None:
            return [Edit(end, end, "," + block)]
        return [Edit(end, end, ","), Edit(comment.end(), comment.end(), block)]
    rest = _REST_OF_LINE.match(text, comma)
    if indent is not None and rest is not None:
        return [Edit(rest.end(), rest.end(), "".join(f"\n{indent}{each}," for each in texts))]
    return [Edit(comma, comma, "".join(f" {each}," for each in texts))]


def _removed(items: Sequenced, gone: Set[int]) -> list[Edit]:
    if gone and len(gone) == len(items.spans):
        return [Edit(items.open, items.close, "")]
    edits = []
    tail = len(items.spans)
    while tail - 1 in gone and _own_lines(items, tail - 1) is None:
        tail -= 1
    if tail < len(items.spans):
        edits += _tail(items, tail)
    for index in sorted(each for each in gone if each < tail):
        edits.append(_own_lines(items, index) or _inline(items, index))
    return edits


def _own_lines(items: Sequenced, index: int) -> Edit | None:
    """The deletion of an item's lines, where it shares them with nothing else."""
    span, text = items.spans[index], items.text
    comma = items.comma(index)
    rest = _REST_OF_LINE.match(text, span.end if comma is None else comma)
    if items.indent(index) is None or rest is None or rest.end() >= items.close:
        return None
    return Edit(line_start(text, span.start), line_end(text, rest.end()), "")


def _tail(items: Sequenced, first: int) -> list[Edit]:
    """The deletion of the last items, from `first` on; the comma behind the last one stays for the one before."""
    before, last = items.spans[first - 1].end, items.spans[-1].end
    if "#" not in "".join(
        items.text[items.spans[i - 1].end : items.spans[i].start] for i in range(first, len(items.spans))
    ):
        return [Edit(before, last, "")]
    return [_inline(items, index) for index in range(first, len(items.spans))]


def _inline(items: Sequenced, index: int) -> Edit:
    span = items.spans[index]
    end = items.comma(index) or span.end
    if index + 1 < len(items.spans):
        following = items.spans[index + 1].start
        if not items.text[end:following].strip(" \t"):
            end = following
    return Edit(span.start, end, "")
