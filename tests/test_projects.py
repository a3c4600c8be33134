"""Projects of several files: what imports mean, and that a file is judged by its own lines only."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

import pytest

from selulint.evaluate import calls, replay
from selulint.evaluate.roots import models_of
from selulint.graph import Init, Op
from selulint.run import lint_bytes
from selulint.settings import Settings
from selulint.source import Source
from selulint.syntax.lazy import File
from selulint.syntax.project import find_import

ROOT = Path(__file__).parent.parent / "fixtures"
PROJECTS = ROOT / "projects"
FILES = sorted(PROJECTS.rglob("*.py"))
PLAIN = Settings()
EVERYTHING = Settings(fix=True, unsafe_fixes=True)


def _found(path: Path) -> list[tuple[int, str]]:
    result = lint_bytes(str(path), path.read_bytes(), PLAIN)
    assert not result.failed, [each.message for each in result.diagnostics]
    source = Source(str(path), path.read_text())
    return sorted((source.locate(each.span.start)[0], each.name) for each in result.diagnostics if each.span)


def _expected(path: Path) -> list[tuple[int, str]]:
    lines = path.read_text().splitlines()
    marks = ((number, line.partition("# expect: ")[2]) for number, line in enumerate(lines, 1))
    return sorted((number, name) for number, names in marks for name in names.split(", ") if name)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PROJECTS)))
def test_files_are_understood_through_their_imports(path: Path) -> None:
    assert _found(path) == _expected(path)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PROJECTS)))
def test_fixes_change_the_file_they_belong_to_and_hold(path: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(PROJECTS, project)
    copy = project / path.relative_to(PROJECTS)
    result = lint_bytes(str(copy), copy.read_bytes(), EVERYTHING)
    if result.after is None:
        assert not [each for each in result.diagnostics if each.fix]
        return
    ast.parse(result.after)
    copy.write_bytes(result.after)
    assert lint_bytes(str(copy), result.after, EVERYTHING).after is None
    assert len(_found(copy)) < len(_expected(path))


def test_imports_are_found_where_python_would(tmp_path: Path) -> None:
    for name in (
        "pkg/__init__.py",
        "pkg/sub/__init__.py",
        "pkg/sub/deep.py",
        "pkg/near.py",
        "plain/inner.py",
        "top.py",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "pyproject.toml").touch()
    deep = str(tmp_path / "pkg/sub/deep.py")
    assert find_import(deep, ".deep.Name") == (deep, ("Name",))
    assert find_import(deep, "..near.Name") == (str(tmp_path / "pkg/near.py"), ("Name",))
    assert find_import(deep, "pkg.sub.Name") == (str(tmp_path / "pkg/sub/__init__.py"), ("Name",))
    assert find_import(deep, "pkg.sub.deep.Name.attr") == (deep, ("Name", "attr"))
    assert find_import(deep, "top.thing") == (str(tmp_path / "top.py"), ("thing",))
    assert find_import(str(tmp_path / "top.py"), "plain.inner.thing") == (str(tmp_path / "plain/inner.py"), ("thing",))
    assert find_import(deep, "nowhere.thing") is None
    assert find_import(deep, "....outside.thing") is None


def test_the_frameworks_are_not_looked_for(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("nn = None\n")
    assert find_import(str(tmp_path / "net.py"), "torch.nn") is None


def test_a_change_on_disk_is_seen(tmp_path: Path) -> None:
    blocks, net = tmp_path / "blocks.py", tmp_path / "net.py"
    net.write_text(
        "import torch.nn as nn\nfrom blocks import Act\n\n"
        "net = nn.Sequential(nn.Linear(9, 9), Act(), nn.Dropout(0.1), nn.Linear(9, 9))\nselu = net\n"
    )
    for name, expected in (("selu", [(4, "dropout-with-selu"), (4, "selu-default-init")]), ("leaky_relu", [])):
        blocks.write_text(
            "import torch.nn as nn\n\n\nclass Act(nn.Module):\n"
            f"    def forward(self, x):\n        return nn.functional.{name}(x)\n"
        )
        assert _found(net) == expected


def _init(init: Init | None) -> object:
    return init and (init.name, init.gain, init.default, init.place and init.place.span, dict(init.args))


def _graph(path: Path) -> list[str]:
    models = models_of(File(Source.decode(str(path), path.read_bytes())))
    return [_line(model.name, op) for model in models for op in model.ops]


def _line(name: str, op: Op) -> str:
    places = [place and place.span for place in (op.place, op.symbol, op.call, op.chooser)]
    facts = (op.kind, op.name, op.inputs, op.label, op.rivals, op.fan_in, op.addressed, op.args)
    return f"{name} {op.index} {facts} {_init(op.weight)} {_init(op.bias)} {places}"


@pytest.mark.parametrize(
    "path", [*sorted((ROOT / "graphs").glob("*.py")), *sorted((ROOT / "models").glob("*.py")), *FILES], ids=str
)
def test_replaying_blocks_gives_what_evaluating_them_gives(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replayed = _graph(path)
    monkeypatch.setattr(replay, "build", lambda vm, cls, args, place, construct: construct())
    monkeypatch.setattr(replay, "run", lambda vm, instance, args, place, evaluate: evaluate())
    assert calls.replay is replay
    assert _graph(path) == replayed
