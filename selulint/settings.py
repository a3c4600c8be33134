"""What a run is asked to do: frozen settings, the command line over the nearest configuration file over defaults."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from selulint.diagnostic import NOTICES, Severity
from selulint.discover import Globs

DEFAULT_EXCLUDES = (
    *(".bzr", ".direnv", ".eggs", ".git", ".git-rewrite", ".hg", ".ipynb_checkpoints", ".mypy_cache", ".nox"),
    *(".pants.d", ".pyenv", ".pytest_cache", ".pytype", ".ruff_cache", ".svn", ".tox", ".venv", ".vscode"),
    *("__pycache__", "__pypackages__", "_build", "buck-out", "build", "dist", "node_modules", "site-packages", "venv"),
)
OUTPUT_FORMATS = ("full", "concise", "json")
SEVERITIES = {severity.name.lower(): severity for severity in Severity}
EXACT = 1000


class SettingsError(Exception):
    """A setting cannot be used; the message is one line that says where it stands and why."""


def restrictions(paths: Sequence[str]) -> tuple[list[str], tuple[tuple[str, tuple[str, ...]], ...]]:
    """`net.py::Net` taken apart: the paths, and which models which files are restricted to.

    A file that is also named as a whole is not restricted.
    """
    plain: list[str] = []
    only: dict[str, list[str]] = {}
    whole: set[str] = set()
    for path in paths:
        file, colons, name = path.rpartition("::")
        if not colons or not file or not name or os.path.lexists(path):
            plain.append(path)
            whole.add(os.path.realpath(path))
            continue
        plain.append(file)
        only.setdefault(os.path.realpath(file), []).append(name)
    kept = tuple((file, tuple(dict.fromkeys(names))) for file, names in only.items() if file not in whole)
    return list(dict.fromkeys(plain)), kept


def is_named(model: str, names: Sequence[str]) -> bool:
    """Whether one of the names means a model, or the class of which it is a method."""
    return model in names or model.partition(".")[0] in names


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one run. Selectors are rule names, codes, prefixes of codes, or "ALL".

    `select` None means the rules that run unasked; the more specific of a select and an ignore wins, ignore on a tie.
    `jobs` 0 means as many processes as there are cores. `source` names the configuration file, "" where there is none.
    `only` restricts files (real paths) to models: `net.py::Net`.
    """

    select: tuple[str, ...] | None = None
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    per_file_ignores: tuple[tuple[Globs, tuple[str, ...]], ...] = ()
    severity: tuple[tuple[str, Severity], ...] = ()
    fixable: tuple[str, ...] = ("ALL",)
    unfixable: tuple[str, ...] = ()
    exclude: tuple[Globs, ...] = (Globs(os.sep, DEFAULT_EXCLUDES),)
    force_exclude: bool = False
    respect_gitignore: bool = True
    fix: bool = False
    unsafe_fixes: bool = False
    diff: bool = False
    show_unknown: bool = False
    output_format: str = "full"
    jobs: int = 0
    source: str = ""
    only: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def names_in(self, path: str) -> tuple[str, ...]:
        """The models that a file is restricted to; () where it is not."""
        if not self.only:
            return ()
        real = os.path.realpath(path)
        return next((names for file, names in self.only if file == real), ())

    def enabled(self, code: str, name: str, default: bool = True, path: str | None = None) -> bool:
        """Whether a rule runs, and reports in `path` where one is given; `default` is whether it runs unasked."""
        selected = (0 if default else -1) if self.select is None else specificity(self.select, code, name)
        selected = max(selected, specificity(self.extend_select, code, name))
        if specificity(self.ignore, code, name) >= selected:
            return False
        return path is None or not any(
            matches(selector, code, name)
            for globs, selectors in self.per_file_ignores
            for selector in selectors
            if globs.matches(path)
        )

    def may_fix(self, code: str, name: str) -> bool:
        """Whether the fixes of a rule may be offered and applied."""
        return specificity(self.fixable, code, name) > specificity(self.unfixable, code, name)

    def severity_of(self, code: str, name: str) -> Severity | None:
        """The severity that the user gave a rule, None where there is none."""
        found = [(specificity((selector,), code, name), severity) for selector, severity in self.severity]
        best = max(found, key=lambda pair: pair[0], default=(-1, None))
        return best[1] if best[0] >= 0 else None


def specificity(selectors: Iterable[str], code: str, name: str) -> int:
    """How closely the best of the selectors names a rule: -1 not at all, 0 by "ALL", more for a longer prefix."""
    return max((_closeness(selector, code, name) for selector in selectors), default=-1)


def _closeness(selector: str, code: str, name: str) -> int:
    if selector == "ALL":
        return 0
    if selector in (code, name):
        return EXACT
    return len(selector) if selector and code.startswith(selector) else -1


def matches(selector: str, code: str, name: str) -> bool:
    """Whether a selector names a rule."""
    return _closeness(selector, code, name) >= 0


def known_rules() -> dict[str, tuple[str, bool]]:
    """Code of every rule and of the tool's own diagnostics, to its name and whether it runs unasked."""
    from selulint.rules import all_rules

    known = {rule.code: (rule.name, rule.default) for rule in all_rules()}
    return known | {notice.code: (notice.name, True) for notice in NOTICES}


def unknown_selector(selector: str) -> str | None:
    """Why a selector names no rule, in a few words; None where it names one."""
    known = known_rules()
    if any(matches(selector, code, name) for code, (name, _) in known.items()):
        return None
    if selector == "ALL":
        return None
    from difflib import get_close_matches

    if selector[:4].upper() == "SELU" and selector[4:].isdigit():
        shared = {code: len(os.path.commonprefix([selector.upper(), code])) for code in known}
        close = [code for code in known if shared[code] == max(shared.values()) > len("SELU")][:1]
    else:
        names = [*(name for name, _ in known.values()), "all"]
        close = get_close_matches(selector.lower().replace("_", "-"), names, 1, 0.6)
        close = ["ALL" if name == "all" else name for name in close]
    return f"unknown rule `{selector}`" + (f", did you mean `{close[0]}`?" if close else "")


Parse = Callable[[Any, str, str], Any]


def _boolean(value: Any, root: str, where: str) -> bool:
    if isinstance(value, bool):
        return value
    raise SettingsError(f"{where}: expected true or false, found {_shown(value)}")


def _strings(value: Any, root: str, where: str) -> tuple[str, ...]:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return tuple(value)
    raise SettingsError(f"{where}: expected a list of strings, found {_shown(value)}")


def _selectors(value: Any, root: str, where: str) -> tuple[str, ...]:
    selectors = _strings(value, root, where)
    for selector in selectors:
        if reason := unknown_selector(selector):
            raise SettingsError(f"{where}: {reason}")
    return selectors


def _globs(value: Any, root: str, where: str) -> tuple[Globs, ...]:
    globs = Globs(root, tuple(pattern.removeprefix("./") for pattern in _strings(value, root, where)))
    try:
        globs.verdict("x")
    except ValueError as error:
        raise SettingsError(f"{where}: {error}") from error
    return (globs,)


def _table(value: Any, where: str) -> Mapping[str, Any]:
    if isinstance(value, dict):
        return value
    raise SettingsError(f"{where}: expected a table, found {_shown(value)}")


def _per_file(value: Any, root: str, where: str) -> tuple[tuple[Globs, tuple[str, ...]], ...]:
    return tuple(
        (_globs([pattern], root, f"{where}.{pattern}")[0], _selectors(selectors, root, f'{where}."{pattern}"'))
        for pattern, selectors in _table(value, where).items()
    )


def _severities(value: Any, root: str, where: str) -> tuple[tuple[str, Severity], ...]:
    found = []
    for selector, name in _table(value, where).items():
        if reason := unknown_selector(selector):
            raise SettingsError(f"{where}: {reason}")
        found.append((selector, SEVERITIES[_one_of(tuple(SEVERITIES), name, f"{where}.{selector}")]))
    return tuple(found)


def _one_of(choices: Sequence[str], value: Any, where: str) -> str:
    if isinstance(value, str) and value in choices:
        return value
    raise SettingsError(f"{where}: expected one of {', '.join(choices)}, found {_shown(value)}")


def _output_format(value: Any, root: str, where: str) -> str:
    return _one_of(OUTPUT_FORMATS, value, where)


def _jobs(value: Any, root: str, where: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise SettingsError(f"{where}: expected a number of processes (0: one per core), found {_shown(value)}")


def _shown(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else repr(value)


OPTIONS: dict[str, Parse] = {
    "select": _selectors,
    "extend-select": _selectors,
    "ignore": _selectors,
    "per-file-ignores": _per_file,
    "severity": _severities,
    "fixable": _selectors,
    "unfixable": _selectors,
    "exclude": _globs,
    "extend-exclude": _globs,
    "force-exclude": _boolean,
    "respect-gitignore": _boolean,
    "fix": _boolean,
    "unsafe-fixes": _boolean,
    "output-format": _output_format,
    "jobs": _jobs,
}


def resolve(
    paths: Sequence[str], options: Mapping[str, Any], config: str | None = None, isolated: bool = False
) -> Settings:
    """Settings of a run over `paths`: `options` of the command line over `config` or the nearest file over defaults.

    One configuration file serves a run: the nearest one at or above the directory that holds all the paths.
    Raises SettingsError.
    """
    settings = Settings(exclude=(Globs(os.getcwd(), DEFAULT_EXCLUDES),))
    if config is not None and not isolated:
        table = _read(config)
        if table is None:
            raise SettingsError(f"{config}: no [tool.selulint] table")
        settings = _merge(settings, table, os.path.dirname(os.path.abspath(config)), _where(config), config)
    elif not isolated and (found := _nearest(paths)):
        path, table = found
        settings = _merge(settings, table, os.path.dirname(os.path.abspath(path)), _where(path), path)
    diff, show_unknown = bool(options.get("diff", False)), bool(options.get("show-unknown", False))
    given = {key: value for key, value in options.items() if key not in ("diff", "show-unknown")}
    return replace(_merge(settings, given, os.getcwd(), "--", settings.source), diff=diff, show_unknown=show_unknown)


def _where(path: str) -> str:
    return f"{path}: [tool.selulint] " if os.path.basename(path) == "pyproject.toml" else f"{path}: "


def _merge(settings: Settings, table: Mapping[str, Any], root: str, where: str, source: str) -> Settings:
    """`settings` with the keys of `table` in their place; `extend-exclude` adds to `exclude`."""
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in OPTIONS:
            raise SettingsError(f"{where}{key}: unknown key{_similar(key)}")
        values[key.replace("-", "_")] = OPTIONS[key](value, root, f"{where}{key}")
    if "extend_exclude" in values:
        values["exclude"] = values.get("exclude", settings.exclude) + values.pop("extend_exclude")
    return replace(settings, **values, source=source)


def _similar(key: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(key.replace("_", "-"), OPTIONS, 1, 0.7)
    return f", did you mean `{close[0]}`?" if close else ""


def _nearest(paths: Sequence[str]) -> tuple[str, Mapping[str, Any]] | None:
    directory = _common(paths)
    while True:
        for name in ("selulint.toml", "pyproject.toml"):
            path = os.path.join(directory, name)
            if os.path.isfile(path) and (table := _read(os.path.relpath(path))) is not None:
                return os.path.relpath(path), table
        above = os.path.dirname(directory)
        if above == directory:
            return None
        directory = above


def _common(paths: Sequence[str]) -> str:
    absolute = [os.path.abspath(path) for path in paths] or [os.getcwd()]
    directories = [path if os.path.isdir(path) else os.path.dirname(path) for path in absolute]
    try:
        return os.path.commonpath(directories)
    except ValueError:  # different drives
        return directories[0]


def _read(path: str) -> Mapping[str, Any] | None:
    """The table of settings in a file; None where a pyproject.toml has none."""
    try:
        if not os.path.isfile(path) and os.path.exists(path):
            raise SettingsError(f"{path}: not a regular file")
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror or error}") from error
    whole_file = os.path.basename(path) != "pyproject.toml"
    if not whole_file and b"selulint" not in data:
        return None
    try:
        toml = importlib.import_module("tomllib")
    except ModuleNotFoundError as error:
        if not whole_file and b"[tool.selulint" not in data:
            return None
        raise SettingsError(f"{path}: reading settings needs Python 3.11 or newer") from error
    try:
        document = toml.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{path}: {' '.join(str(error).split())}") from error
    if whole_file:
        return _table(document, path)
    table = _table(document.get("tool", {}), f"{path}: [tool]").get("selulint")
    return None if table is None else _table(table, f"{path}: [tool.selulint]")
