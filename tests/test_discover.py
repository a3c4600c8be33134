"""Paths to files: ignore files, excludes, explicit names, links, and what is said of bad paths."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from selulint.discover import Discovery, Globs, discover
from selulint.settings import DEFAULT_EXCLUDES


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def make(*names: str, text: str = "x = 1\n") -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)


def excluding(*patterns: str) -> list[Globs]:
    return [Globs(os.getcwd(), patterns)]


def reasons(found: Discovery) -> list[tuple[str, str]]:
    return [(problem.path, problem.reason) for problem in found.problems]


def test_walks_directories_in_order_and_keeps_python_files_only() -> None:
    make("src/b.py", "src/a.pyi", "src/deep/er/c.py", "src/readme.md", "src/nb.ipynb", "src/py")
    found = discover(["src"])
    assert found.files == ["src/a.pyi", "src/b.py", "src/deep/er/c.py", "src/nb.ipynb"]
    assert found.problems == []
    assert discover(["."]).files == found.files
    assert discover(["./src/"]).files == found.files
    assert discover([os.path.abspath("src")]).files == [os.path.abspath(name) for name in found.files]


def test_default_excludes_hold_for_directories_below_but_not_for_the_one_that_is_named() -> None:
    make("a.py", "build/b.py", "build/__pycache__/c.py", ".venv/lib/d.py", "x/node_modules/e.py")
    excludes = excluding(*DEFAULT_EXCLUDES)
    assert discover(["."], excludes).files == ["a.py"]
    assert discover(["build"], excludes).files == ["build/b.py"]
    assert discover(["build"], excludes, force_exclude=True).files == []


def test_excludes_do_not_look_at_directories_above_the_root() -> None:
    make("build/project/src/a.py")
    os.chdir("build/project")
    assert discover(["src"], excluding("build")).files == ["src/a.py"]


@pytest.mark.parametrize(
    ("pattern", "kept"),
    [
        ("src/gen", ["src/a.py", "src/sub/gen/c.py"]),
        ("gen", ["src/a.py"]),
        ("*/gen/*.py", ["src/a.py", "src/sub/gen/c.py"]),
        ("**/c.py", ["src/a.py", "src/gen/b.py"]),
        ("src", []),
    ],
)
def test_exclude_patterns(pattern: str, kept: list[str]) -> None:
    make("src/a.py", "src/gen/b.py", "src/sub/gen/c.py")
    assert discover(["."], excluding(pattern)).files == kept


def test_a_named_file_is_taken_though_excluded_unless_exclusion_is_forced() -> None:
    make("build/a.py")
    assert discover(["build/a.py"], excluding("build")).files == ["build/a.py"]
    assert discover(["build/a.py"], excluding("build"), force_exclude=True) == Discovery()


def test_named_files_need_no_suffix() -> None:
    make("script", "a.ipynb")
    found = discover(["script", "a.ipynb"])
    assert found.files == ["a.ipynb", "script"] and found.problems == []


def test_obeys_gitignore_as_git_does() -> None:
    subprocess.run(["git", "init", "-q"], check=True)
    make("a.py", "gen/b.py", "pkg/c.py", "pkg/skip_me.py", "pkg/keep_me.py", "pkg/in/skip_x.py", "top.py", "pkg/top.py")
    make("local.py", "out/d.py", "out/deep/e.py")
    Path(".gitignore").write_text("# comment\n\ngen/\n/top.py\nskip_*.py\nout/*\n")
    Path("pkg/.gitignore").write_text("!skip_me.py\n")
    Path(".git/info/exclude").write_text("local.py\n")
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "*.py"], check=True, capture_output=True, text=True
    )
    assert discover(["."]).files == sorted(listed.stdout.split())
    assert "pkg/skip_me.py" in listed.stdout and "pkg/in/skip_x.py" not in listed.stdout


def test_ignore_files_above_the_walked_directory_hold_up_to_the_repository() -> None:
    make("repo/pkg/a.py", "repo/pkg/b_pb2.py")
    Path("repo/.git").mkdir()
    Path("repo/.gitignore").write_text("*_pb2.py\n")
    Path(".gitignore").write_text("a.py\n")
    assert discover(["repo/pkg"]).files == ["repo/pkg/a.py"]
    assert discover(["repo/pkg"], respect_gitignore=False).files == ["repo/pkg/a.py", "repo/pkg/b_pb2.py"]


def test_an_ignored_directory_that_is_named_is_walked() -> None:
    make("gen/a.py", "gen/b_pb2.py")
    Path(".git").mkdir()
    Path(".gitignore").write_text("gen/\n*_pb2.py\n")
    assert discover(["gen"]).files == ["gen/a.py"]


def test_a_broken_ignore_file_is_no_error() -> None:
    make("a.py")
    Path(".gitignore").write_bytes(b"\xff\xfe*.txt\n[\n!\n")
    assert discover(["."]).files == ["a.py"]


def test_one_file_by_several_names_is_found_once_under_its_own() -> None:
    make("z.py")
    os.symlink("z.py", "a.py")
    os.symlink(".", "loop")
    assert discover([".", "z.py", "./z.py", "a.py", "loop/z.py"]).files in (["loop/z.py"], ["z.py"])
    assert discover([".", "a.py"]).files == ["z.py"]


def test_symlink_loops_end() -> None:
    make("d/a.py")
    os.symlink("../d", "d/again")
    os.symlink("self", "self.py")
    os.symlink("self.py", "self")
    found = discover([".", "self.py"])
    assert found.files == ["d/a.py"]
    assert {problem.path for problem in found.problems} == {"self.py"}


def test_bad_paths_are_named_with_the_reason_and_the_others_go_on() -> None:
    make("ok.py", "texts/readme.md")
    os.symlink("nowhere", "broken.py")
    found = discover(["missing.py", "broken.py", "texts", "ok.py"])
    assert found.files == ["ok.py"]
    assert reasons(found) == [
        ("missing.py", "no such file or directory"),
        ("broken.py", "broken symbolic link to nowhere"),
        ("texts", "no Python files found"),
    ]


def test_a_broken_link_inside_a_directory_is_reported_only_where_it_looks_like_python() -> None:
    make("d/a.py")
    os.symlink("gone", "d/b.py")
    os.symlink("gone", "d/c.txt")
    found = discover(["d"])
    assert found.files == ["d/a.py"] and reasons(found) == [("d/b.py", "broken symbolic link to gone")]


def test_an_unreadable_directory_is_reported_and_its_neighbours_found(monkeypatch: pytest.MonkeyPatch) -> None:
    make("d/a.py", "d/secret/b.py", "d/z/c.py")
    scandir = os.scandir

    def refuse(path: str) -> object:
        if path.rstrip("/").endswith("secret"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = discover(["d"])
    assert found.files == ["d/a.py", "d/z/c.py"]
    assert reasons(found) == [("d/secret/", "permission denied")]


def test_names_with_odd_characters() -> None:
    names = ["a b.py", "ü.py", "[x].py", "#y.py", "line\nbreak.py"]
    make(*names)
    raw = os.fsdecode(b"\xff.py")
    Path(raw).write_text("")
    assert discover(["."]).files == sorted([*names, raw])


def test_a_large_tree_is_walked_fast() -> None:
    for directory in range(100):
        Path(f"d{directory}").mkdir()
        for number in range(100):
            Path(f"d{directory}/f{number}.py").touch()
    Path(".git").mkdir()
    Path(".gitignore").write_text("".join(f"pattern{number}*\n" for number in range(30)) + "build/\n*.pyc\n")
    began = time.process_time()
    assert len(discover(["."], excluding(*DEFAULT_EXCLUDES)).files) == 10_000
    assert time.process_time() - began < 2
