"""What is worth a syntax tree: a byte test for files, an index of a file's top-level statements. Never imports libcst."""

from __future__ import annotations

import ast
import gc
import re
import symtable
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from selulint.syntax.bindings import DEFINITIONS, IMPORTS, Names

# Slim's layers, the MLPs of Haiku and Equinox and some blocks of torchvision and timm apply a ReLU that nobody writes.
_IMPLICIT = ("slim.", "contrib.layers", "fully_connected", "nets.mlp", "nn.mlp", "ops.mlp", "convmlp")
_BLOCKS = ("normactivation", "convnormact", "convbnact", "import mlp")
_MARKERS = ("relu", "selu", "alphadropout", "alpha_dropout", *_IMPLICIT, *_BLOCKS)
# The digits by which people write SELU's alpha and scale by hand, and what such a function is made of.
_CONSTANTS = ("1.67", "1.05")
_EXPONENTIALS = ("elu", "exp")
_BYTE_MARKERS, _BYTE_CONSTANTS, _BYTE_EXPONENTIALS = (
    tuple(word.encode() for word in words) for words in (_MARKERS, _CONSTANTS, _EXPONENTIALS)
)

_MARKED = re.compile("|".join(map(re.escape, _MARKERS)), re.IGNORECASE)
_QUOTED = re.compile("[\"']")
_LINE_END = re.compile(r"\r\n?|\n")
_IDENTIFIER = re.compile(r"[^\W\d]\w*")
_CALLED = re.compile(r"([^\W\d]\w*)\s*\(")

# Keras objects that are registered under a name are used by that name, in a string.
_BY_STRINGS = "custom_object"

# Substrings without which none of the cues below can match; they make the common "no" cheap.
_TRAINED_HINTS = (
    "load",
    "pretrained",
    "weights",
    "Weights",
    "model_urls",
    "default_cfgs",
    "KerasLayer",
    "checkpoint",
    "Saver",
    "safetensors",
    "keras.applications",
)
_TRAINED = re.compile(
    r"""\b(?:
        load_state_dict | from_pretrained | load_from_checkpoint | load_weights | load_model | restore_checkpoint
        | init_from_checkpoint | safetensors | model_urls | default_cfgs | build_model_with_cfg
        | hub\.KerasLayer | saved_model\.load | hub\.load | load_state_dict_from_url | train\.Saver | keras\.applications
        | torch\.load\s*\(
        | pretrained \b ["']? (?: \s*:\s*\w+ )? \s*[=:]\s* True \b
        | weights ["']? \s*[=:]\s* ["']imagenet["']
        | weights \s*[=:] [^,)\n]* _Weights \b
        | \w+_Weights\.[A-Z]
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Statement:
    """One top-level statement, or several that share a line; offsets count characters and cover whole lines.

    `kind` is "def", "class", "import" or "other"; `binds` the names it binds in the module, in order; `mentions` the names
    it reads (for a def or class every word of its text); `relevant` whether models may be built in it or with it;
    `marked` names the methods of a relevant class that hold a marker themselves or call what is relevant; of a relevant
    function, the function itself where it holds a marker. `nodes` are the syntax trees.
    """

    start: int
    end: int
    kind: str
    binds: tuple[str, ...]
    mentions: frozenset[str]
    relevant: bool
    marked: frozenset[str] = frozenset()
    nodes: tuple[ast.stmt, ...] = ()


def is_candidate(data: bytes) -> bool:
    """Whether a file can hold anything of interest, told from its bytes alone."""
    low = data.lower()
    if any(marker in low for marker in _BYTE_MARKERS):
        return True
    return any(text in low for text in _BYTE_CONSTANTS) and any(text in low for text in _BYTE_EXPONENTIALS)


def trained_weights(text: str) -> bool:
    """Whether the text shows that trained weights are loaded somewhere; in doubt True, which only withholds safe fixes."""
    return any(hint in text for hint in _TRAINED_HINTS) and _TRAINED.search(text) is not None


def syntax_error(text: str, path: str, scopes: bool = True) -> tuple[str, int, int] | None:
    """Message, line and column (both from 1) of the first syntax error; None for good Python.

    Without `scopes` only the grammar counts: notebooks may `await` anywhere.
    """
    try:
        with _quiet():
            if scopes:
                symtable.symtable(text, path, "exec")
            else:
                ast.parse(text)
    except SyntaxError as error:
        return error.msg, max(error.lineno or 1, 1), max(error.offset or 1, 1)
    except (ValueError, RecursionError, MemoryError) as error:
        return _not_python(error).msg, 1, 1
    return None


def index(text: str, starts: list[int] | None = None) -> tuple[Statement, ...]:
    """The top-level statements of a module in order. Raises SyntaxError for a text that is no Python."""
    starts = line_starts(text) if starts is None else starts
    drafts = [_draft(text, starts, group) for group in _groups(text, starts, _parse(text).body)]
    relevant = _relevant(text, drafts)
    builders = {drafts[number].binds[0] for number in relevant if drafts[number].kind in ("def", "class")}
    return tuple(
        Statement(
            draft.start,
            draft.end,
            draft.kind,
            draft.binds,
            draft.mentions,
            number in relevant,
            _marked_methods(text, draft, builders) if number in relevant else frozenset(),
            draft.nodes,
        )
        for number, draft in enumerate(drafts)
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """No warnings about the user's escape sequences, and no garbage collection: a young tree holds no garbage."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if collecting:
            gc.enable()


def _parse(text: str) -> ast.Module:
    try:
        with _quiet():
            return ast.parse(text)
    except (ValueError, RecursionError, MemoryError) as error:
        raise _not_python(error) from error


def _not_python(error: BaseException) -> SyntaxError:
    message = str(error) if isinstance(error, ValueError) else "too deeply nested"
    return SyntaxError(message, ("<text>", 1, 1, ""))


def line_starts(text: str) -> list[int]:
    """Offset of every line, and the length of the text, as Python counts lines: form feeds do not end one."""
    if "\r" in text:
        return [0, *(match.end() for match in _LINE_END.finditer(text)), len(text)]
    starts = [0, *accumulate(len(line) + 1 for line in text.split("\n"))]
    starts[-1] = len(text)
    return starts


class _Group(NamedTuple):
    """Statements that share a logical line; `first` to `last` (excluded) are line numbers from 0."""

    first: int
    last: int
    nodes: list[ast.stmt]


def _groups(text: str, starts: list[int], body: Iterable[ast.stmt]) -> list[_Group]:
    groups: list[_Group] = []
    for node in body:
        decorators = node.decorator_list if isinstance(node, DEFINITIONS) else []
        first = min(node.lineno, *(each.lineno for each in decorators)) - 1 if decorators else node.lineno - 1
        last = _logical_end(text, starts, node)
        if groups and first < groups[-1].last:
            before = groups.pop()
            groups.append(_Group(before.first, max(last, before.last), [*before.nodes, node]))
        else:
            groups.append(_Group(first, last, [node]))
    return groups


def _logical_end(text: str, starts: list[int], node: ast.stmt) -> int:
    """The number of the line after a statement's last one; a backslash behind `;` carries it on."""
    last = node.end_lineno or node.lineno
    line = text[starts[last - 1] : starts[last]].rstrip("\r\n")
    if line.endswith("\\"):
        tail = line.encode()[node.end_col_offset or 0 :].decode()
        while tail.endswith("\\") and "#" not in tail and last + 1 < len(starts):
            last += 1
            tail = text[starts[last - 1] : starts[last]].rstrip("\r\n")
    return last


class _Draft(NamedTuple):
    """A statement of which nobody knows yet whether it is relevant.

    `aliases` are names that an import binds to something whose own name is a marker; `remarks` are the lines of docstrings.
    """

    start: int
    end: int
    kind: str
    binds: tuple[str, ...]
    mentions: frozenset[str]
    aliases: tuple[str, ...]
    methods: tuple[tuple[str, int, int], ...] = ()
    remarks: tuple[tuple[int, int], ...] = ()
    nodes: tuple[ast.stmt, ...] = ()


def _draft(text: str, starts: list[int], group: _Group) -> _Draft:
    start, end = starts[group.first], starts[group.last]
    node = group.nodes[0]
    if isinstance(node, DEFINITIONS):
        kind = "class" if isinstance(node, ast.ClassDef) else "def"
        words = frozenset(_IDENTIFIER.findall(text, start, end))
        remarks = tuple(_remarks(starts, [node]))
        return _Draft(start, end, kind, (node.name,), words, (), _methods(starts, node), remarks, tuple(group.nodes))
    names = Names()
    for each in group.nodes:
        names.scan(each)
    aliases = tuple(local for local, name in names.imported.items() if _MARKED.search(name))
    kind = "import" if all(isinstance(each, IMPORTS) for each in group.nodes) else "other"
    remarks = ((start, end),) if all(map(_is_remark, group.nodes)) else ()
    return _Draft(
        start, end, kind, tuple(names.binds), frozenset(names.reads), aliases, (), remarks, tuple(group.nodes)
    )


def _remarks(starts: list[int], nodes: Iterable[ast.stmt]) -> Iterator[tuple[int, int]]:
    """The lines of the docstrings of definitions and of those inside them."""
    for node in nodes:
        if isinstance(node, DEFINITIONS):
            first, *others = node.body
            after = others[0].lineno if others else node.end_lineno or 0
            if _is_remark(first) and node.lineno < first.lineno and (not others or (first.end_lineno or 0) < after):
                yield starts[first.lineno - 1], starts[first.end_lineno or 0]
            yield from _remarks(starts, node.body)


def _is_remark(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _methods(starts: list[int], node: ast.stmt) -> tuple[tuple[str, int, int], ...]:
    """Names and offsets of the methods of a class."""
    body = node.body if isinstance(node, ast.ClassDef) else []
    methods = (each for each in body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))
    return tuple((each.name, starts[each.lineno - 1], starts[each.end_lineno or 0]) for each in methods)


def _marked_methods(text: str, draft: _Draft, builders: set[str]) -> frozenset[str]:
    if draft.kind == "def":
        return frozenset(draft.binds if _is_marked(text, draft, draft.start, draft.end) else ())
    return frozenset(
        name
        for name, start, end in draft.methods
        if _is_marked(text, draft, start, end) or not builders.isdisjoint(_CALLED.findall(text, start, end))
    )


def _is_marked(text: str, draft: _Draft, start: int, end: int) -> bool:
    """Whether a part of a statement holds a marker outside of comments and docstrings."""
    low = text[start:end].lower()
    return any(marker in low for marker in _MARKERS) and any(
        not _is_aside(text, draft, match.start()) for match in _MARKED.finditer(text, start, end)
    )


def _is_aside(text: str, draft: _Draft, at: int) -> bool:
    if any(start <= at < end for start, end in draft.remarks):
        return True
    before, hash_, _ = text[text.rfind("\n", 0, at) + 1 : at].partition("#")
    # A quote may mean that the hash stands in a string; then the marker counts, wherever it is.
    return bool(hash_) and not _QUOTED.search(before)


def _relevant(text: str, drafts: list[_Draft]) -> set[int]:
    """Numbers of the statements that hold a marker, and of those that are tied to them by names.

    A class is tied to the definitions, and to the marked assignments and imports, that it mentions; a function to the
    definitions that it calls, since one that only passes a model class on builds no model. Other statements are tied to
    every relevant definition they mention, and to each other by any variable of the module that they share: a model that
    is built up by `model.add(...)` or `x = layer(x)` is one thing.
    """
    exponential = any(word in text.lower() for word in _EXPONENTIALS)
    mentioning: dict[str, list[int]] = {}
    building: dict[str, list[int]] = {}
    others: dict[str, list[int]] = {}
    variables: set[str] = set()
    for number, draft in enumerate(drafts):
        if draft.kind == "import":
            continue
        if draft.kind == "other":
            variables.update(draft.binds)
        for name in draft.mentions.union(draft.binds):
            (others if draft.kind == "other" else mentioning).setdefault(name, []).append(number)
        if draft.kind != "other":
            called = _CALLED.findall(text, draft.start, draft.end) if draft.kind == "def" else draft.mentions
            for name in {*called, *draft.binds}:
                building.setdefault(name, []).append(number)

    found: set[int] = set()
    work: list[int] = []
    spent: set[tuple[str, int]] = set()

    def reach(name: str, users: dict[str, list[int]]) -> None:
        if (name, id(users)) in spent:
            return
        spent.add((name, id(users)))
        tied = users.get(name, ())
        work.extend(number for number in tied if number not in found)
        found.update(tied)

    for number, draft in enumerate(drafts):
        spelled_out = exponential and any(text.find(digits, draft.start, draft.end) >= 0 for digits in _CONSTANTS)
        marked = spelled_out or _is_marked(text, draft, draft.start, draft.end)
        if not marked:
            continue
        if draft.kind != "import":
            found.add(number)
            work.append(number)
        for name in draft.aliases if draft.kind == "import" else draft.binds:
            reach(name, building if draft.kind in ("def", "class") else mentioning)
            reach(name, others)
    if found and _BY_STRINGS in text:
        return {number for number, draft in enumerate(drafts) if draft.kind != "import"}
    while work:
        draft = drafts[work.pop()]
        if draft.kind == "other":
            for name in draft.mentions.union(draft.binds) & variables:
                reach(name, others)
        else:
            reach(draft.binds[0], building)
            reach(draft.binds[0], others)
    return found
