"""The real pre-commit runs both hooks on a repository that uses this project as a hook repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
RELU = "import torch.nn as nn\n\nnet = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))\n"
CONFIG = """\
repos:
  - repo: {repository}
    rev: {revision}
    hooks:
      - id: selulint
      - id: selulint-fix
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Git and pre-commit see nothing of the machine's own settings."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PRE_COMMIT", "PYTHON"))}
    who = {f"GIT_{role}_{what}": "t@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    home = str(tmp_path_factory.mktemp("pre-commit"))
    return {**own, **who, "GIT_CONFIG_GLOBAL": os.devnull, "PRE_COMMIT_HOME": home, "NO_COLOR": "1"}


def git(directory: Path, environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=directory, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def commit_all(directory: Path, environment: dict[str, str]) -> str:
    git(directory, environment, "init", "-q")
    git(directory, environment, "add", "-A")
    git(directory, environment, "commit", "-q", "-m", "all")
    return git(directory, environment, "rev-parse", "HEAD")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> str:
    """A pre-commit configuration that names a copy of the working tree."""
    copy = tmp_path_factory.mktemp("hooks")
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file() and not name.startswith(("tests/", "fixtures/")):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    return CONFIG.format(repository=copy, revision=commit_all(copy, environment))


def repository(place: Path, config: str, environment: dict[str, str], files: dict[str, str]) -> None:
    (place / ".pre-commit-config.yaml").write_text(config)
    for name, text in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    commit_all(place, environment)


def pre_commit(place: Path, environment: dict[str, str], hook: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pre_commit", "run", hook, "--all-files", "--verbose"]
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)


def test_both_hooks(tmp_path: Path, config: str, environment: dict[str, str]) -> None:
    files = {"net.py": RELU, "notes.ipynb": "{}", "build/old.py": RELU, "pyproject.toml": "[tool.selulint]\n"}
    repository(tmp_path, config, environment, files)
    found = pre_commit(tmp_path, environment, "selulint")
    assert found.returncode == 1 and "exit code: 1" in found.stdout, found.stdout + found.stderr
    assert "net.py:3:38: SELU101 relu-activation [warning]" in found.stdout and "build/old.py" not in found.stdout
    assert (tmp_path / "net.py").read_text() == RELU

    fixed = pre_commit(tmp_path, environment, "selulint-fix")
    assert fixed.returncode == 1 and "files were modified by this hook" in fixed.stdout
    text = (tmp_path / "net.py").read_text()
    assert "nn.SELU()" in text and (tmp_path / "build/old.py").read_text() == RELU

    for hook in ("selulint", "selulint-fix"):
        git(tmp_path, environment, "add", "-A")
        again = pre_commit(tmp_path, environment, hook)
        assert again.returncode == 0 and "Passed" in again.stdout, again.stdout
    assert (tmp_path / "net.py").read_text() == text


def test_a_broken_file_fails_the_hook(tmp_path: Path, config: str, environment: dict[str, str]) -> None:
    repository(tmp_path, config, environment, {"broken.py": "def f(:\n"})
    found = pre_commit(tmp_path, environment, "selulint-fix")
    assert found.returncode == 1 and "exit code: 2" in found.stdout and "broken.py:1:7: SELU902" in found.stdout
