"""The files around a file: which of them an import means, without importing anything. Read once, kept while unchanged."""

from __future__ import annotations

import os
import stat
from collections import OrderedDict
from functools import lru_cache

from selulint.source import Source, SourceError
from selulint.syntax.lazy import File

# Files whose syntax trees are kept at once; a package's own layers are used by all of its models.
KEPT_FILES = 160
# Not looked for around a file: the frameworks, which the tables know, also where their own sources are linted.
_FRAMEWORKS = frozenset({"torch", "keras", "tensorflow", "tf_keras", "jax", "flax", "haiku", "equinox", "numpy"})
_ROOT_MARKS = ("pyproject.toml", "setup.py", "setup.cfg", ".git")
_MAX_BYTES = 2_000_000

_files: OrderedDict[str, File] = OrderedDict()
# Time and size of what was read from disk; a text that came from elsewhere (stdin, a fix in the making) has none.
_stamps: dict[str, tuple[int, int]] = {}


def find_import(importer: str, dotted: str) -> tuple[str, tuple[str, ...]] | None:
    """What a dotted name means in a file: the path of a module (or of a directory that is a package without
    `__init__.py`), and the names inside it that remain; None where the project has no such module.

    Relative names start with dots. Absolute ones are looked for beside the file, in the directory that holds its
    outermost package, and in the directories above up to the project's root.
    """
    here = os.path.dirname(os.path.abspath(importer))
    names = dotted.lstrip(".")
    level = len(dotted) - len(names)
    parts = tuple(names.split(".")) if names else ()
    if level:
        for _ in range(level - 1):
            here = os.path.dirname(here)
        return _descend(here, parts)
    if parts[0] in _FRAMEWORKS:
        return None
    for directory in _search_path(here):
        if _is_module(directory, parts[0]) and (found := _descend(directory, parts)) is not None:
            return found
    return None


def submodule(path: str, name: str) -> str | None:
    """The path of a module inside the package at `path` (its `__init__.py`, or its directory)."""
    directory = os.path.dirname(path) if os.path.basename(path) == "__init__.py" else path
    return _module_path(directory, name) if os.path.isdir(directory) else None


def file_of(source: Source) -> File:
    """A text as a file; the one that is known already where it has this text. Raises SyntaxError for no Python."""
    path = os.path.abspath(source.path)
    known = _files.get(path)
    if known is not None and known.source.text == source.text:
        return known
    _stamps.pop(path, None)
    return _keep(path, File(source))


def open_file(path: str) -> File | None:
    """The file at a path; None where it cannot be read or is no Python: that is said when it is checked itself."""
    try:
        status = os.stat(path)
        stamp = (status.st_mtime_ns, status.st_size)
        if _stamps.get(path) != stamp or path not in _files:
            if status.st_size > _MAX_BYTES or not stat.S_ISREG(status.st_mode):
                return None
            with open(path, "rb") as handle:
                data = handle.read()
            file_of(Source.decode(path, data))
            _stamps[path] = stamp
        return _files[path]
    except (OSError, SourceError, SyntaxError):
        return None


def _keep(path: str, file: File) -> File:
    _files[path] = file
    _files.move_to_end(path)
    while len(_files) > KEPT_FILES:
        _files.popitem(last=False)
    return file


def _descend(directory: str, parts: tuple[str, ...]) -> tuple[str, tuple[str, ...]] | None:
    """Follow names into packages as far as there are files; what is left are names inside the last module."""
    path = os.path.join(directory, "__init__.py") if _exists(os.path.join(directory, "__init__.py")) else directory
    for number, part in enumerate(parts):
        below = _module_path(directory, part)
        if below is None:
            return (path, parts[number:]) if path != directory else None
        path = below
        if not below.endswith(".py"):
            directory = below
        elif os.path.basename(below) == "__init__.py":
            directory = os.path.dirname(below)
        else:
            return path, parts[number + 1 :]
    return path, ()


def _is_module(directory: str, name: str) -> bool:
    return _module_path(directory, name) is not None


@lru_cache(maxsize=4096)
def _module_path(directory: str, name: str) -> str | None:
    inner = os.path.join(directory, name)
    for path in (os.path.join(inner, "__init__.py"), inner + ".py"):
        if os.path.isfile(path):
            return path
    return inner if os.path.isdir(inner) and _holds_python(inner) else None


def _holds_python(directory: str) -> bool:
    try:
        return any(name.endswith(".py") for name in os.listdir(directory))
    except OSError:
        return False


@lru_cache(maxsize=4096)
def _exists(path: str) -> bool:
    return os.path.isfile(path)


@lru_cache(maxsize=256)
def _search_path(here: str) -> tuple[str, ...]:
    found = [here]
    directory = here
    while os.path.isfile(os.path.join(directory, "__init__.py")):
        directory = os.path.dirname(directory)
    if directory != here:
        found.append(directory)
    above: list[str] = []
    for _ in range(6):
        above.append(directory)
        if any(os.path.exists(os.path.join(directory, mark)) for mark in _ROOT_MARKS):
            return tuple(dict.fromkeys([*found, *above]))
        parent = os.path.dirname(directory)
        if parent == directory:
            break
        directory = parent
    return tuple(found)
