"""What commands share: exit codes, complaints on stderr, whether to colour, writing a report to a file."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import TextIO

import click

CLEAN, FINDINGS, FAILURE = 0, 1, 2


def complain(message: str) -> None:
    click.echo(f"{click.style('error', fg='red', bold=True) if colored(sys.stderr) else 'error'}: {message}", err=True)


def to_file(path: str, pieces: Iterable[str]) -> bool:
    try:
        with open(path, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.writelines(pieces)
    except OSError as error:
        complain(f"{path}: {(error.strerror or str(error)).lower()}")
        return False
    return True


def colored(stream: TextIO) -> bool:
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (stream.isatty() and os.environ.get("TERM") != "dumb")
