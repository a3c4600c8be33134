"""Where the names of a file are used: by code, and by strings and comments that may mean code."""

from __future__ import annotations

import re
import tokenize
from collections.abc import Iterator
from functools import lru_cache

from selulint.diagnostic import Span
from selulint.syntax.lazy import File

WORD = re.compile(r"(?<![\w.])[^\W\d]\w*")
_EXPRESSION = re.compile(r"[\w.\[\]|]+(?:(?:, *| \| )[\w.\[\]|]+)*")


def uses(file: File, name: str) -> Iterator[Span]:
    """Where a name may be meant, its bindings included."""
    tokens = _tokens(file)
    if tokens is None:
        yield Span(-1, 0)  # a place that no edit covers: the name counts as used
    for span, token, before in tokens or ():
        if (token.type == tokenize.NAME and token.string == name and before != ".") or _quotes(token, name):
            yield span


@lru_cache(maxsize=4)
def used_outside_imports(file: File) -> frozenset[str] | None:
    """The names that may be meant anywhere but in the import statements of the module; None where that cannot be told."""
    tokens = _tokens(file)
    if tokens is None:
        return None
    imports = [(each.start, each.end) for each in file.statements if each.kind == "import"]
    found: set[str] = set()
    for span, token, before in tokens:
        while imports and imports[0][1] <= span.start:
            imports.pop(0)
        if imports and imports[0][0] <= span.start:
            continue
        if token.type == tokenize.NAME and before != ".":
            found.add(token.string)
        else:
            found.update(name for name in WORD.findall(token.string) if _quotes(token, name))
    return frozenset(found)


@lru_cache(maxsize=2)
def _tokens(file: File) -> list[tuple[Span, tokenize.TokenInfo, str]] | None:
    """The tokens that can hold names, each with the text of the token before; None where `tokenize` gives up."""
    source = file.source
    starts = source.line_starts
    lines = iter([source.text[a:b] for a, b in zip(starts, [*starts[1:], len(source.text)], strict=True)])
    found = []
    before = ""
    try:
        for token in tokenize.generate_tokens(lambda: next(lines, "")):
            if token.type in (tokenize.NAME, tokenize.STRING, tokenize.COMMENT):
                start, end = (starts[row - 1] + column for row, column in (token.start, token.end))
                found.append((Span(start, end), token, before))
            before = token.string
    except (tokenize.TokenError, SyntaxError):
        return None
    return found


def _quotes(token: tokenize.TokenInfo, name: str) -> bool:
    """Whether a string or comment may mean the name: `__all__`, annotations in quotes, type comments, old f-strings."""
    if token.type == tokenize.COMMENT:
        return token.string.startswith("# type:") and name in WORD.findall(token.string)
    if token.type != tokenize.STRING or name not in token.string:
        return False
    prefix, _, content = token.string.partition(token.string[-1])
    content = content.strip("\"'")
    formatted = "f" in prefix.lower()
    return name in WORD.findall(content) and (formatted or _EXPRESSION.fullmatch(content) is not None)
