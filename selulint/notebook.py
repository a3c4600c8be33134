"""Jupyter notebooks as one text: code cells in order, magics out of the way; edits go back into the strings that change."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any, ClassVar

from selulint.source import Source, SourceError
from selulint.syntax import triage

SUFFIX = ".ipynb"
# ast.PyCF_ALLOW_TOP_LEVEL_AWAIT: cells may await anything.
_TOP_LEVEL_AWAIT = 0x2000
# A statement of this form stands before every cell, so that nothing that is inserted moves over it.
_BOUNDARY = re.compile(r'^"\u241e cell (\d+)"$', re.MULTILINE)
# What IPython understands and Python does not, kept behind a statement that can stand anywhere.
_KEPT = "  # \u241e ipython: "
_RESTORED = re.compile(rf"^([ \t]*)[^\n]*?{_KEPT}(.*)$", re.MULTILINE)
_MAGIC = re.compile(r"[ \t]*(?:[%!?]|[\w.]+(?:\[[^\]]*\])?\?{1,2}[ \t]*$|(?P<target>[\w., =]+?)[ \t]*=[ \t]*[%!])")
# Cell magics whose cell is Python all the same.
_PYTHON_CELLS = frozenset({"time", "timeit", "capture", "prun", "python", "python3", "pypy", "debug", "memit", "mprun"})
_NUMBER = re.compile(r"[-+.\w]+")
_SPACE = re.compile(r"[ \t\r\n]*")

# Message, line and column of a syntax error.
SyntaxProblem = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class _Text:
    """A string of the file: its value, and where it stands, quotes included."""

    value: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _List:
    items: tuple[Any, ...]
    start: int
    end: int


@dataclass(slots=True)
class Notebook(Source):
    """The code of a notebook; positions are a cell's number (from 1, all cells counted), line and column in it."""

    compile_flags: ClassVar[int] = _TOP_LEVEL_AWAIT
    raw: str = ""
    cells: dict[int, _Text | _List] = field(default_factory=dict)
    _problems: dict[int, SyntaxProblem] = field(default_factory=dict)

    @classmethod
    def decode(cls, path: str, data: bytes) -> Notebook:
        """Read a notebook of format 4. Raises SourceError for anything else; one of another language has no cells."""
        try:
            raw = data.decode("utf-8")
            tree, _ = _value(raw, _SPACE.match(raw).end())  # type: ignore[union-attr]
        except (ValueError, IndexError, RecursionError) as error:
            raise SourceError(f"no notebook: {error or 'the JSON ends too early'}") from error
        if not isinstance(tree, dict) or not isinstance(tree.get("cells"), _List):
            raise SourceError("no notebook of format 4: it has no list of cells")
        cells: dict[int, _Text | _List] = {}
        if _language(tree) in ("python", ""):
            for number, cell in enumerate(tree["cells"].items, 1):
                source = cell.get("source") if isinstance(cell, dict) else None
                kind = cell.get("cell_type") if isinstance(cell, dict) else None
                if isinstance(kind, _Text) and kind.value == "code" and isinstance(source, _Text | _List):
                    cells[number] = source
        read = {number: _python(_content(source)) for number, source in cells.items()}
        text = "".join(f'"\u241e cell {number}"\n{code}'.rstrip("\n") + "\n" for number, (code, _) in read.items())
        problems = {number: problem for number, (_, problem) in read.items() if problem is not None}
        return cls(path, text, "utf-8", False, [], raw, cells, problems)

    def with_text(self, text: str) -> Notebook:
        return Notebook(self.path, text, self.encoding, self.bom, [], self.raw, self.cells, self._problems)

    def problems(self) -> list[SyntaxProblem]:
        """What is wrong with the cells that are no Python, the lines counted in the whole text."""
        starts = dict(zip(*reversed(self._boundaries()), strict=True))
        return [(message, starts[number] + line, column) for number, (message, line, column) in self._problems.items()]

    def encode(self, text: str) -> bytes:
        """The file with the cells as `text` has them; all other bytes stay. Raises SourceError where cells are lost."""
        pieces = _BOUNDARY.split(text)
        found = {int(number): code for number, code in zip(pieces[1::2], pieces[2::2], strict=True)}
        if pieces[0].strip() or list(found) != list(self.cells):
            raise SourceError("the fixed text does not fall into the notebook's cells")
        raw, at = [], 0
        for number, source in self.cells.items():
            old = _content(source)
            new = _RESTORED.sub(r"\1\2", found[number][1:])
            new = new[: len(new) - 1] if new.endswith("\n") and not old.endswith("\n") else new
            trailing = old[len(old.rstrip("\n")) :]
            new = new.rstrip("\n") + trailing
            if new != old:
                raw += [self.raw[at : source.start], self._respelled(source, old, new)]
                at = source.end
        return ("".join(raw) + self.raw[at:]).encode("utf-8")

    def _respelled(self, source: _Text | _List, old: str, new: str) -> str:
        """The JSON of a cell's source: the strings of lines that stay are the file's own."""
        if isinstance(source, _Text):
            return self._quoted(new)
        before, after = [item.value for item in source.items], new.splitlines(keepends=True)
        kept = [self.raw[item.start : item.end] for item in source.items]
        lines: list[str] = []
        for tag, first, last, begin, end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
            lines += kept[first:last] if tag == "equal" else [self._quoted(line) for line in after[begin:end]]
        opening = self.raw[source.start : source.items[0].start]
        closing = self.raw[source.items[-1].end : source.end]
        gap = "," + opening[1:] if len(kept) == 1 else self.raw[source.items[0].end : source.items[1].start]
        return opening + gap.join(lines) + closing

    def _quoted(self, text: str) -> str:
        return json.dumps(text, ensure_ascii=self.raw.isascii())

    def position(self, offset: int) -> tuple[int | None, int, int]:
        line, column = self.locate(offset)
        starts, numbers = self._boundaries()
        index = bisect_right(starts, line) - 1
        return (None, line, column) if index < 0 else (numbers[index], line - starts[index], column)

    def shown(self, number: int) -> str:
        return _RESTORED.sub(r"\1\2", self.line(number))

    def extent(self, line: int) -> tuple[int, int]:
        starts, _ = self._boundaries()
        index = bisect_right(starts, line)
        last = starts[index] - 1 if index < len(starts) else len(self.line_starts) - 1
        return (starts[index - 1] + 1 if index else 1), max(last, 1)

    def _boundaries(self) -> tuple[list[int], list[int]]:
        """Lines on which cells begin (the boundary's own), and the cells' numbers."""
        found = [(self.locate(match.start())[0], int(match[1])) for match in _BOUNDARY.finditer(self.text)]
        return [line for line, _ in found], [number for _, number in found]


def _content(source: _Text | _List) -> str:
    if isinstance(source, _Text):
        return source.value
    return "".join(item.value for item in source.items if isinstance(item, _Text))


def _language(tree: dict[str, Any]) -> str:
    metadata = tree.get("metadata")
    for key, name in (("language_info", "name"), ("kernelspec", "language")):
        about = metadata.get(key) if isinstance(metadata, dict) else None
        value = about.get(name) if isinstance(about, dict) else None
        if isinstance(value, _Text):
            return value.value.lower()
    return ""


def _python(code: str) -> tuple[str, SyntaxProblem | None]:
    """A cell's code with what only IPython understands put behind statements that do nothing, or all of it where it is
    no Python; and what is wrong with it then, if the cell should be Python.
    """
    if code.lstrip().startswith("%%"):
        name = code.lstrip()[2:].split(None, 1)[0] if code.lstrip()[2:].strip() else ""
        if name not in _PYTHON_CELLS:
            return _blanked(code), None
    elif triage.syntax_error(code, "<cell>", scopes=False) is None:
        return code, None
    plain = "\n".join(_plain_lines(code.split("\n")))
    problem = triage.syntax_error(plain, "<cell>", scopes=False)
    return (plain, None) if problem is None else (_blanked(code), problem)


def _blanked(code: str) -> str:
    return "\n".join(f"pass{_KEPT}{line}" if line.strip() else line for line in code.split("\n"))


def _plain_lines(lines: Sequence[str]) -> Iterator[str]:
    """Magics at the beginning of statements; a line that goes on (with a backslash) goes on with its magic."""
    continues = False
    for line in lines:
        is_magic = continues or _MAGIC.match(line) is not None
        yield _stand_in(line, continues) if is_magic else line
        continues = is_magic and line.rstrip().endswith("\\")


def _stand_in(line: str, continues: bool = False) -> str:
    if not line.strip():
        return line
    indent = line[: len(line) - len(line.lstrip(" \t"))]
    match = _MAGIC.match(line)
    target = match["target"].strip() if match and match["target"] else ""
    statement = f"{target} = None" if target and "," not in target else "pass"
    if continues:
        statement = "#"
    return f"{indent}{statement}{_KEPT}{line[len(indent) :]}"


def _value(text: str, at: int) -> tuple[Any, int]:
    """The JSON value at a position, strings and lists with their places, and where it ends. Raises ValueError."""
    if text[at] == '"':
        value, end = scanstring(text, at + 1)
        return _Text(value, at, end), end
    if text[at] == "[":
        items, end = _items(text, at + 1, "]")
        return _List(tuple(items), at, end), end
    if text[at] == "{":
        pairs, end = _items(text, at + 1, "}")
        return {key.value: value for key, value in pairs}, end
    match = _NUMBER.match(text, at)
    if match is None:
        raise ValueError(f"no JSON at character {at}")
    return None, match.end()


def _items(text: str, at: int, closing: str) -> tuple[list[Any], int]:
    """What stands up to a closing bracket: values, or pairs of a key and a value."""
    found: list[Any] = []
    at = _skip(text, at)
    while text[at] != closing:
        item, at = _value(text, at)
        at = _skip(text, at)
        if closing == "}":
            if not isinstance(item, _Text) or text[at] != ":":
                raise ValueError(f"no JSON at character {at}")
            value, at = _value(text, _skip(text, at + 1))
            item, at = (item, value), _skip(text, at)
        found.append(item)
        if text[at] == ",":
            at = _skip(text, at + 1)
        elif text[at] != closing:
            raise ValueError(f"no JSON at character {at}")
    return found, at + 1


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    assert match is not None
    return match.end()
