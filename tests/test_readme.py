"""The README shows what the tool prints: its sample model is linted, and every console session compared."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from selulint.rules import all_rules

README = (Path(__file__).parent.parent / "README.md").read_text()
SESSIONS = re.findall(r"```console\n\$ selulint (.*?)\n(.*?)```", README, re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("readme")
    code = re.search(r"```python\n(# net\.py\n.*?)```", README, re.DOTALL)
    assert code is not None
    (path / "net.py").write_text(code.group(1))
    return path


def test_there_are_sessions() -> None:
    assert len(SESSIONS) >= 2


@pytest.mark.parametrize(("arguments", "shown"), SESSIONS)
def test_session(folder: Path, arguments: str, shown: str) -> None:
    run = [sys.executable, "-m", "selulint", *arguments.split()]
    environment = {**os.environ, "NO_COLOR": "1"}
    done = subprocess.run(run, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.stdout.rstrip("\n") == shown.rstrip("\n")


def test_every_rule_is_in_the_table() -> None:
    for rule in all_rules():
        assert f"| {rule.code} | {rule.name} | {rule.summary} |" in README
