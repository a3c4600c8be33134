"""Paths to Python files: directories are walked, .gitignore and exclude patterns obeyed, each file found once."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

SUFFIXES = (".py", ".pyi", ".ipynb")
SPECIAL = frozenset("*?[]!\\/#")


@dataclass(frozen=True, slots=True)
class Globs:
    """Patterns in .gitignore syntax and the absolute directory that they are relative to. Raises ValueError on use."""

    root: str
    patterns: tuple[str, ...]

    def verdict(self, path: str) -> bool | None:
        """True where an absolute path (a directory ends in "/") matches, False where a "!" pattern takes it back."""
        return _compiled(self.patterns).verdict(_below(path, self.root))

    def matches(self, path: str) -> bool:
        """Whether a path (a directory ends in "/"), or a directory above it inside `root`, matches."""
        absolute = os.path.abspath(path) + ("/" if path.endswith("/") else "")
        parts = _below(absolute, self.root).split("/")
        places = ["/".join(parts[: index + 1]) + "/" for index in range(len(parts) - 1)]
        return any(_compiled(self.patterns).verdict(place) for place in [*places, "/".join(parts)])

    def sparing(self, path: str) -> Globs:
        """Without the patterns that match `path` itself: what a user names is meant, even where it is excluded."""
        if not self.matches(path):
            return self
        kept = tuple(pattern for pattern in self.patterns if not Globs(self.root, (pattern,)).matches(path))
        return Globs(self.root, kept)


def _below(path: str, root: str) -> str:
    """`path` relative to `root`; where it is not below it, its last part alone."""
    prefix = root if root.endswith(os.sep) else root + os.sep
    if path.startswith(prefix):
        return path[len(prefix) :].replace(os.sep, "/")
    tail = "/" if path.endswith("/") else ""
    return os.path.basename(path.rstrip("/")) + tail


@dataclass(frozen=True, slots=True)
class _Matcher:
    """Compiled patterns. Plain names are looked up in sets: pathspec tries a regular expression for each pattern."""

    names: frozenset[str]
    directories: frozenset[str]
    spec: Any

    def verdict(self, relative: str) -> bool | None:
        name = relative.rstrip("/").rpartition("/")[2]
        if name in self.names or (relative.endswith("/") and name in self.directories):
            return True
        if self.spec is None:
            return None
        include: bool | None = self.spec.check_file(relative).include
        return include


@cache
def _compiled(patterns: tuple[str, ...]) -> _Matcher:
    plain = [] if any(pattern.startswith("!") for pattern in patterns) else [each for each in patterns if _plain(each)]
    rest = [pattern for pattern in patterns if pattern not in plain]
    spec = None
    if any(pattern.strip() and not pattern.startswith("#") for pattern in rest):
        from pathspec import GitIgnoreSpec

        spec = GitIgnoreSpec.from_lines(rest)
    names = frozenset(pattern for pattern in plain if not pattern.endswith("/"))
    return _Matcher(names, frozenset(pattern[:-1] for pattern in plain if pattern.endswith("/")), spec)


def _plain(pattern: str) -> bool:
    name = pattern.removesuffix("/")
    return bool(name) and name == name.strip() and SPECIAL.isdisjoint(name)


@dataclass(frozen=True, slots=True)
class Problem:
    """A path that could not be dealt with, and why, in one line."""

    path: str
    reason: str


@dataclass(slots=True)
class Discovery:
    """What was found: files sorted by path, problems in order of the paths."""

    files: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def discover(
    paths: Sequence[str],
    exclude: Sequence[Globs] = (),
    force_exclude: bool = False,
    respect_gitignore: bool = True,
) -> Discovery:
    """The Python files that `paths` name or hold. A file that a path names is taken even where it is excluded, unless
    `force_exclude`; a file reached by two names is taken once, by the name that is no symbolic link."""
    found = Discovery()
    files: dict[str, tuple[bool, str]] = {}
    for path in paths:
        directory = os.path.isdir(path)
        if force_exclude and any(globs.matches(path + "/" if directory else path) for globs in exclude):
            continue
        hits = _walk(path, exclude, respect_gitignore, found) if directory else _single(path, found)
        for key, linked, name in hits:
            files[key] = min(files.get(key, (True, "\U0010ffff")), (linked, name))
    found.files = sorted(name for _, name in files.values())
    return found


Hit = tuple[str, bool, str]


def _single(path: str, found: Discovery) -> Iterator[Hit]:
    try:
        status = os.stat(path)
    except OSError as error:
        found.problems.append(Problem(path, _reason(path, error)))
        return
    if not stat.S_ISREG(status.st_mode):
        found.problems.append(Problem(path, "not a regular file"))
        return
    yield os.path.realpath(path), os.path.islink(path), os.path.normpath(path)


def _reason(path: str, error: OSError) -> str:
    if isinstance(error, FileNotFoundError) and os.path.islink(path):
        return f"broken symbolic link to {os.readlink(path)}"
    return (error.strerror or str(error)).lower()


def _walk(top: str, exclude: Sequence[Globs], respect_gitignore: bool, found: Discovery) -> Iterator[Hit]:
    """Files below a directory; symbolic links to directories are not followed, so that a loop of links ends."""
    absolute = os.path.realpath(top)
    ignores = [globs.sparing(absolute + "/") for globs in _ignores_above(absolute)] if respect_gitignore else []
    given = os.path.abspath(top)
    excludes = [globs.sparing(given + "/") for globs in exclude]
    shown = "" if os.path.normpath(top) == "." else os.path.join(os.path.normpath(top), "")
    before = len(found.problems)
    stack: list[tuple[str, str, str, list[Globs]]] = [(shown, given + "/", absolute + "/", ignores)]
    empty = True
    while stack:
        name, path, real, above = stack.pop()
        try:
            with os.scandir(name or ".") as entries:
                children = list(entries)
        except OSError as error:
            found.problems.append(Problem(name or ".", _reason(name, error)))
            continue
        here = [*above, *_ignore_file(real, ".gitignore", real)] if respect_gitignore and _holds(children) else above
        for entry in children:
            if not entry.is_symlink() and entry.is_dir(follow_symlinks=False):
                if not _skipped(path + entry.name + "/", real + entry.name + "/", excludes, here):
                    stack.append((name + entry.name + "/", f"{path}{entry.name}/", f"{real}{entry.name}/", here))
            elif entry.name.endswith(SUFFIXES):
                if _skipped(path + entry.name, real + entry.name, excludes, here):
                    continue
                if hit := _taken(entry, name, real, found):
                    empty = False
                    yield hit
    if empty and len(found.problems) == before:
        found.problems.append(Problem(top, "no Python files found"))


def _holds(children: Sequence[os.DirEntry[str]]) -> bool:
    return any(entry.name == ".gitignore" for entry in children)


def _taken(entry: os.DirEntry[str], name: str, real: str, found: Discovery) -> Hit | None:
    if not entry.is_symlink():
        return (real + entry.name, False, name + entry.name) if entry.is_file() else None
    path = name + entry.name
    if not os.path.exists(path):
        found.problems.append(Problem(path, _reason(path, FileNotFoundError())))
        return None
    return (os.path.realpath(path), True, path) if os.path.isfile(path) else None


def _skipped(path: str, real: str, excludes: Sequence[Globs], ignores: Sequence[Globs]) -> bool:
    if any(globs.verdict(path) for globs in excludes):
        return True
    for globs in reversed(ignores):
        if (verdict := globs.verdict(real)) is not None:
            return verdict
    return False


def _ignores_above(directory: str) -> list[Globs]:
    """The ignore files of the repository that hold for `directory`, without its own; weakest first."""
    chain = []
    above = directory
    while not os.path.exists(os.path.join(above, ".git")):
        parent = os.path.dirname(above)
        if parent == above:
            return []
        chain.append(parent)
        above = parent
    found = _ignore_file(os.path.join(above, ".git", "info"), "exclude", above)
    for place in reversed(chain):
        found += _ignore_file(place, ".gitignore", place)
    return found


def _ignore_file(directory: str, name: str, root: str) -> list[Globs]:
    """The patterns of one ignore file; none where there is none or it cannot be read, as git does."""
    try:
        with open(os.path.join(directory, name), encoding="utf-8", errors="surrogateescape") as file:
            lines = tuple(line for line in file.read().splitlines() if line.strip() and not line.startswith("#"))
        _compiled(lines)
    except (OSError, ValueError):
        return []
    return [Globs(root.rstrip("/") or "/", lines)] if lines else []
