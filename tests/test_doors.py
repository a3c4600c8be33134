"""The rooms and doors of the package: who may import whom, how long a module may be, what stands at the top level."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "selulint"
MODULES = sorted(path.relative_to(ROOT) for path in PACKAGE.rglob("*.py"))
MAX_LINES = 400
# What each room may import of ours; a name ending in a dot stands for all that is in the room.
DOORS = {
    "diagnostic": (),
    "source": (),
    "frameworks.": ("frameworks",),
    "moments.": ("moments",),
    "ops": ("diagnostic",),
    "graph": ("diagnostic", "ops"),
    "operations": ("graph", "moments"),
    "preactivations": ("graph", "moments", "operations"),
    "predict": ("diagnostic", "graph", "moments", "operations"),
    "rules.": (
        "rules",
        "graph",
        "diagnostic",
        "moments",
        "operations",
        "preactivations",
        "predict",
        "fix.activations",
        "fix.dropouts",
        "fix.inputs",
        "fix.initialisers",
        "fix.migration",
        "fix.residuals",
        "fix.mixed",
        "fix.norms",
        "fix.constraints",
        "fix.fans",
        "fix.order",
    ),
    "discover": (),
    "settings": ("diagnostic", "discover", "rules"),
    "suppress": ("diagnostic", "settings", "source"),
    "report.graphs": ("graph", "moments", "predict"),
    "report.migrations": ("migrate", "moments", "diagnostic", "source"),
    "report.measurements": ("moments", "verify.parent", "verify.readings"),
    "report.verify_page": ("moments", "report", "verify.parent", "verify.readings"),
    "report.verify_figure": ("moments", "report", "verify.readings"),
    "verify.": ("verify", "moments"),
    "report.": ("report", "diagnostic", "source"),
    "syntax.": ("syntax", "diagnostic", "source"),
}
# These must not, when they are imported, pull in what takes 0.3 s or more.
LIGHT = (
    "cli",
    "terminal",
    "model_commands",
    "verify_command",
    "run",
    "discover",
    "settings",
    "suppress",
    "source",
    "diagnostic",
    "report.",
    "syntax.triage",
    "syntax.bindings",
    "graph",
    "operations",
    "predict",
)
TOP_LEVEL = {"pyproject.toml", "selulint", "tests", "fixtures", "README.md", "LICENSE", "CHANGELOG.md", "action.yml"}


@cache
def tree(module: Path) -> ast.Module:
    return ast.parse((ROOT / module).read_text(encoding="utf-8"))


def imports(module: Path, deep: bool = True) -> Iterator[str]:
    """Dotted names that a module imports: anywhere, or with `deep` off only when it is itself imported."""
    stack: list[ast.AST] = [tree(module)]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        typing_only = isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        if not typing_only and (deep or not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))):
            stack.extend(ast.iter_child_nodes(node))


def inside(name: str, room: str) -> bool:
    return name == room or name.startswith(room.rstrip(".") + ".")


def ours(module: Path) -> str:
    parts = module.with_suffix("").parts[1:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(name: str) -> str | None:
    return next((room for room in DOORS if (inside(name, room) if room.endswith(".") else name == room)), None)


def wrong_doors(module: Path) -> list[str]:
    room = room_of(ours(module))
    if room is None:
        return []
    reached = [name.removeprefix("selulint.") for name in imports(module) if name.startswith("selulint.")]
    return [name for name in reached if not any(inside(name, allowed) for allowed in DOORS[room])]


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_imports_only_go_through_the_doors(module: Path) -> None:
    assert wrong_doors(module) == []


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_trees_of_the_standard_library_and_frameworks_stay_in_their_rooms(module: Path) -> None:
    names = set(imports(module))
    if ours(module) != "syntax.triage":
        assert not [name for name in names if inside(name, "symtable")]
    if not any(inside(ours(module), room) for room in ("syntax", "evaluate", "graph", "ops")):
        assert not [name for name in names if inside(name, "ast")]
    if not any(inside(ours(module), room) for room in ("syntax.concrete", "fix")):
        assert not [name for name in names if inside(name, "libcst")]
    if not inside(ours(module), "verify"):
        rooms = ("torch", "keras", "tensorflow", "numpy", "jax", "flax")
        assert not [name for name in names if any(inside(name, room) for room in rooms)]


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_no_slow_half_of_libcst_on_the_lint_path(module: Path) -> None:
    slow = ("libcst.metadata", "libcst.matchers", "libcst.codemod", "libcst.CSTVisitor", "libcst.MetadataWrapper")
    assert not [name for name in imports(module) if any(inside(name, room) for room in slow)]
    attributes = {node.attr for node in ast.walk(tree(module)) if isinstance(node, ast.Attribute)}
    assert not attributes & {"MetadataWrapper", "CSTVisitor", "PositionProvider"}


def test_the_light_modules_import_no_heavy_one() -> None:
    heavy = ("libcst", "torch", "selulint.check", "selulint.evaluate", "selulint.fix", "selulint.rules", "pathspec")
    checked = 0
    for module in MODULES:
        if any(inside(ours(module), room) if room.endswith(".") else ours(module) == room for room in LIGHT):
            checked += 1
            assert not [name for name in imports(module, deep=False) if any(inside(name, each) for each in heavy)]
    assert checked >= len(LIGHT)


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_modules_stay_short_and_are_named_for_what_they_hold(module: Path) -> None:
    if not inside(ours(module), "frameworks"):  # tables of data
        assert len((ROOT / module).read_text(encoding="utf-8").splitlines()) <= MAX_LINES
    assert not {"utils", "util", "helpers", "helper", "common", "base", "misc"} & set(module.with_suffix("").parts)


def test_only_the_command_line_prints() -> None:
    for module in MODULES:
        calls = [ast.unparse(node.func) for node in ast.walk(tree(module)) if isinstance(node, ast.Call)]
        if ours(module) not in ("cli", "terminal", "model_commands", "verify_command"):
            assert not {"print", "click.echo", "click.secho", "sys.stdout.write", "sys.stderr.write"} & set(calls), (
                module
            )


def test_the_top_level_is_as_fixed() -> None:
    generated = {"build", "dist", "shared"}
    found = {path.name for path in ROOT.iterdir() if not path.name.startswith(".") and path.suffix != ".egg-info"}
    assert found - generated <= TOP_LEVEL


def test_the_doors_can_close(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checks above must be able to fail."""
    (tmp_path / "selulint" / "rules").mkdir(parents=True)
    bad = Path("selulint/rules/bad.py")
    (tmp_path / bad).write_text("import libcst\ndef f():\n    from selulint.evaluate import machine\n    import ast\n")
    monkeypatch.setattr("test_doors.ROOT", tmp_path)
    assert wrong_doors(bad) == ["evaluate.machine"]
    assert set(imports(bad)) == {"libcst", "selulint.evaluate.machine", "ast"}
    assert set(imports(bad, deep=False)) == {"libcst"}
