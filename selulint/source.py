"""One file's text: decoding, encoding back to the same bytes, and offsets to lines and columns."""

from __future__ import annotations

import codecs
import io
import re
import tokenize
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import ClassVar

_LINE_END = re.compile(r"\r\n|\r|\n")


class SourceError(Exception):
    """The bytes of a file cannot be read as Python text; the message says why in one line."""


def _undecodable(data: bytes, error: Exception) -> str:
    """Why the bytes cannot be decoded; for the first two lines `tokenize` does not say which byte is wrong."""
    if isinstance(error, SyntaxError) and "missing encoding" in str(error):
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as cause:
            error = cause
    if isinstance(error, UnicodeDecodeError):
        return f"not valid {error.encoding} at byte {error.start}: {error.reason}"
    return str(error)


@dataclass(slots=True)
class Source:
    """Decoded text of one file. Offsets everywhere count characters of `text`, newlines as they are in the file."""

    path: str
    text: str
    encoding: str = "utf-8"
    bom: bool = False
    _line_starts: list[int] = field(default_factory=list, repr=False)
    # Flags with which Python compiles such a text.
    compile_flags: ClassVar[int] = 0

    @classmethod
    def decode(cls, path: str, data: bytes) -> Source:
        """Decode by BOM and PEP 263 cookie. Raises SourceError for an unknown encoding or undecodable bytes."""
        bom = data.startswith(codecs.BOM_UTF8)
        try:
            encoding = tokenize.detect_encoding(io.BytesIO(data).readline)[0]
            encoding = "utf-8" if encoding == "utf-8-sig" else encoding
            text = data[3:].decode("utf-8") if bom else data.decode(encoding)
        except (SyntaxError, LookupError, ValueError) as error:
            raise SourceError(_undecodable(data, error)) from error
        return cls(path, text, encoding, bom)

    def encode(self, text: str) -> bytes:
        """Bytes of `text` in this file's encoding, with its byte order mark if it had one. Raises UnicodeError."""
        return (codecs.BOM_UTF8 if self.bom else b"") + text.encode(self.encoding)

    def is_faithful(self, data: bytes) -> bool:
        """Whether encoding the text gives the bytes that it was decoded from; not every codec does."""
        try:
            return self.encode(self.text) == data
        except (UnicodeError, SourceError):
            return False

    @property
    def newline(self) -> str:
        """The file's first newline sequence; a line feed where it has none."""
        found = _LINE_END.search(self.text)
        return found.group() if found else "\n"

    @property
    def line_starts(self) -> list[int]:
        """Offset of the first character of every line."""
        if not self._line_starts:
            self._line_starts = [0, *(match.end() for match in _LINE_END.finditer(self.text))]
        return self._line_starts

    def locate(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, both counted from 1, the column in characters."""
        line = bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1

    def position(self, offset: int) -> tuple[int | None, int, int]:
        """Cell of a notebook (None in other files), line and column of an offset as users count them."""
        return None, *self.locate(offset)

    def place(self, offset: int) -> str:
        """A position to be put behind the file's name: `4:7`, or `cell 2:4:7`."""
        cell, line, column = self.position(offset)
        return f"cell {cell}:{line}:{column}" if cell else f"{line}:{column}"

    def extent(self, line: int) -> tuple[int, int]:
        """First and last line (from 1, of the whole text) of the cell or file around a line."""
        last = len(self.line_starts)
        return 1, last - (not self.line(last))

    def with_text(self, text: str) -> Source:
        """The same file with another text."""
        return Source(self.path, text, self.encoding, self.bom)

    def shown(self, number: int) -> str:
        """A line (from 1) as its author wrote it."""
        return self.line(number)

    def line(self, number: int) -> str:
        """Text of a line (from 1) without its newline."""
        starts = self.line_starts
        end = starts[number] if number < len(starts) else len(self.text)
        return self.text[starts[number - 1] : end].rstrip("\r\n")
