"""CPU time against TorchFix on the same sources, measured in one run: `pytest tests/benchmarks -m benchmark`."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import pytest
from corpus import read_manifest, unpack

pytestmark = pytest.mark.benchmark

TORCHFIX = "torchfix==0.7.0"
REQUIRED_RATIO = 1 / 30


def _cpu_seconds(command: Sequence[str], codes: Sequence[int], cwd: Path) -> float:
    """User and system seconds of a child process, its own children included; it must exit with one of the codes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=1_800)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode in codes, done.stderr[-2_000:]
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


@pytest.fixture(scope="module")
def torchfix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The executable of a freshly installed TorchFix."""
    place = tmp_path_factory.mktemp("torchfix")
    venv.create(place, with_pip=True)
    subprocess.run([place / "bin" / "python", "-m", "pip", "install", "--quiet", TORCHFIX], check=True, timeout=600)
    return place / "bin" / "torchfix"


def test_a_thirtieth_of_torchfix(torchfix: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sources = unpack("timm", read_manifest()) / "timm"
    files = sum(1 for _ in sources.rglob("*.py"))
    assert files > 200
    command = [
        sys.executable,
        "-m",
        "selulint",
        "--isolated",
        "--jobs",
        "1",
        "--output-format",
        "concise",
        str(sources),
    ]
    # The machine's speed drifts: ours is measured before and after theirs, and the median counts.
    runs = [_cpu_seconds(command, (0, 1), tmp_path) for _ in range(2)]
    theirs = _cpu_seconds([str(torchfix), str(sources)], (0, 1), tmp_path)
    runs += [_cpu_seconds(command, (0, 1), tmp_path) for _ in range(3)]
    ours = median(runs)
    with capsys.disabled():
        print(
            f"\nCPU seconds on timm ({files} files): TorchFix {theirs:.1f}, selulint {ours:.2f} "
            f"(median of {min(runs):.2f} to {max(runs):.2f}), 1/{theirs / ours:.1f}"
        )
    assert ours <= theirs * REQUIRED_RATIO


def test_no_candidate_costs_next_to_nothing(tmp_path: Path) -> None:
    """Files without a word of interest are read and parsed for syntax, and no heavy library is imported for them."""
    (tmp_path / "plain.py").write_text("import os\n\n\ndef main():\n    return os.getcwd()\n")
    script = (
        "import sys; from selulint.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert end.code in (0, None), end.code\n"
        "assert not {'libcst', 'torch', 'keras'} & set(sys.modules)"
    )
    environment = {**os.environ, "NO_COLOR": "1"}
    subprocess.run(
        [sys.executable, "-c", script, "--isolated", str(tmp_path)], check=True, cwd=tmp_path, env=environment
    )
