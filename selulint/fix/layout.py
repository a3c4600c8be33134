"""How a file is laid out: lines, newlines, indentation, quotes, blank lines around definitions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

_LITERAL = re.compile(r"""(?<!["'\w])[rRbBuUfF]{0,2}(["'])(?!\1)[^"'\\\n]*\1""")
_FIRST_BLOCK = re.compile(
    r"^[^\s#][^\r\n]*:[ \t]*(?:#[^\r\n]*)?(?:\r\n|\r|\n)(?:[ \t]*(?:\r\n|\r|\n))*([ \t]+)[^\s#]", re.M
)
_NEWLINE = re.compile(r"\r\n|\r|\n")
_COMMENT_LINE = re.compile(r"[ \t]*#[^\r\n]*")


@lru_cache(maxsize=4)
def quote(text: str) -> str:
    """The quote character of most of the short strings; the double one where they are even."""
    marks = [match[1] for match in _LITERAL.finditer(text)]
    return "'" if marks.count("'") > marks.count('"') else '"'


def with_newlines(content: str, newline: str) -> str:
    return content.replace("\r\n", "\n").replace("\n", newline)


@lru_cache(maxsize=4)
def indent_unit(text: str) -> str:
    """One level of indentation as the file has it; four spaces where it has none."""
    found = _FIRST_BLOCK.search(text)
    return found[1] if found else "    "


def indented(lines: Sequence[str], unit: str) -> list[str]:
    """Lines that are written with four spaces a level, with `unit` a level."""
    return [unit * ((len(line) - len(line.lstrip(" "))) // 4) + line.lstrip(" ") for line in lines]


def line_start(text: str, offset: int) -> int:
    return max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1


def line_tail(text: str, offset: int) -> int:
    """Offset of the newline (or the end of the text) that ends the line of `offset`."""
    found = _NEWLINE.search(text, offset)
    return found.start() if found else len(text)


def line_end(text: str, offset: int) -> int:
    """Offset behind the newline that ends the line of `offset`."""
    found = _NEWLINE.search(text, offset)
    return found.end() if found else len(text)


def above_comments(text: str, offset: int) -> int:
    """The begin of the comment lines right above the line that begins at `offset`."""
    while offset:
        above = line_start(text, offset - (2 if text[offset - 2 : offset] == "\r\n" else 1))
        if not _COMMENT_LINE.fullmatch(text[above:offset].rstrip("\r\n")):
            break
        offset = above
    return offset


def blank_lines_above(text: str, offset: int) -> int:
    """How many blank lines stand above the line that begins at `offset`; two at the top of the text."""
    lines = _NEWLINE.split(text[:offset])[:-1]
    count = 0
    while lines and not lines[-1].strip():
        lines.pop()
        count += 1
    return count if lines else max(count, 2)
