"""What commands share: exit codes, complaints on stderr, whether to colour, writing a report to a file."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TextIO

import click

if TYPE_CHECKING:
    from selulint.run import FileResult

CLEAN, FINDINGS, FAILURE = 0, 1, 2


def complain(message: str) -> None:
    message = "".join(each if each.isprintable() else repr(each)[1:-1] for each in message)
    click.echo(f"{click.style('error', fg='red', bold=True) if colored(sys.stderr) else 'error'}: {message}", err=True)


def to_file(path: str, pieces: Iterable[str]) -> bool:
    try:
        with open(path, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.writelines(pieces)
    except OSError as error:
        complain(f"{path}: {(error.strerror or str(error)).lower()}")
        return False
    return True


@contextlib.contextmanager
def interruptible(begun: Sequence[FileResult], total: int) -> Iterator[None]:
    """While files are written: an interrupt says which are fixed; `begun` are the results whose writing has begun."""
    try:
        yield
    except KeyboardInterrupt:
        fixed = [each.path for each in begun if _is_written(each)]
        are = "file is" if len(fixed) == 1 else "files are"
        complain(f"interrupted: {len(fixed)} {are} fixed, the other {total - len(fixed)} are as they were")
        for path in fixed:
            click.echo(f"  fixed: {path}", err=True)
        raise


def _is_written(result: FileResult) -> bool:
    try:
        with open(result.path, "rb") as file:
            return file.read() == result.after
    except OSError:
        return False


def colored(stream: TextIO) -> bool:
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (stream.isatty() and os.environ.get("TERM") != "dumb")


def diff(result: FileResult) -> Iterator[str]:
    """What fixes change in a file, as a unified diff."""
    from difflib import unified_diff

    assert result.before is not None and result.after is not None and result.source is not None
    before, after = (_text_of(result, data).split("\n") for data in (result.before, result.after))
    lines = [[line + "\n" for line in text[:-1]] + ([text[-1]] if text[-1] else []) for text in (before, after)]
    for line in unified_diff(lines[0], lines[1], result.path, result.path):
        yield line if line.endswith("\n") else line + "\n\\ No newline at end of file\n"


def _text_of(result: FileResult, data: bytes) -> str:
    assert result.source is not None
    try:
        return data.decode(result.source.encoding, "replace")
    except (UnicodeError, LookupError):
        return data.decode("latin-1")
