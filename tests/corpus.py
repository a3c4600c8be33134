"""Real packages, every file of them: no internal error, no hang, and fixes that keep the laws.

Run by path: `pytest tests/corpus.py -m corpus`. Wheels are kept in $SELULINT_CORPUS, or in the user's temporary directory.
"""

from __future__ import annotations

import ast
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fixture_files import is_spliced

from selulint.diagnostic import FAILURES
from selulint.fix.loop import UNSAFELY_UNCOVERED
from selulint.graph import Kind
from selulint.run import lint_bytes
from selulint.settings import Settings
from selulint.source import Source
from selulint.syntax import triage

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = None

pytestmark = pytest.mark.corpus

SECONDS_PER_FILE = 5.0
# Fixing runs the linter up to a dozen times over one file.
SECONDS_PER_FIX = 40.0
# The largest share of ops without a meaning with which a package counts as understood.
MOST_UNKNOWN = 0.25
MANIFEST = Path(__file__).resolve().parent.parent / "fixtures" / "corpus.toml"


@dataclass(slots=True)
class Examined:
    """What became of one file: findings by rule, fixes applied, ops and those not understood, seconds, and faults.

    `ops` and `unknowns` count the models that hold a ReLU or a SELU.
    """

    package: str
    path: str
    candidate: bool = False
    findings: Counter[str] = field(default_factory=Counter)
    fixes: int = 0
    ops: int = 0
    unknowns: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)


class Late(BaseException):
    """A time limit is over; no barrier for exceptions may hold it back."""


@contextmanager
def _limit(seconds: float) -> Iterator[None]:
    def stop(signum: int, frame: Any) -> None:
        raise Late

    old = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)


def examine(package: str, path: str) -> Examined:
    """Lint one file, then fix it with everything allowed, and check the laws."""
    found = Examined(package, path)
    data = Path(path).read_bytes()
    found.candidate = triage.is_candidate(data)
    try:
        with _limit(SECONDS_PER_FILE * 2):
            start = time.process_time()
            result = lint_bytes(path, data, Settings())
            found.seconds = time.process_time() - start
        found.findings = Counter(each.name for each in result.diagnostics)
        found.faults += [each.message for each in result.diagnostics if each.code in FAILURES]
        if found.seconds > SECONDS_PER_FILE:
            found.faults.append(f"takes {found.seconds:.1f} s")
        if found.candidate and not found.faults:
            with _limit(SECONDS_PER_FIX):
                found.ops, found.unknowns = _understanding(path, data)
                _fix(found, data)
    except Late:
        found.faults.append("does not come to an end")
    return found


def _understanding(path: str, data: bytes) -> tuple[int, int]:
    from selulint.evaluate.roots import models_of
    from selulint.syntax.lazy import File

    models = models_of(File(Source.decode(path, data)))
    telling = [model.ops for model in models if any(model.of(Kind.ACTIVATION, "relu", "relu6", "selu"))]
    ops = [op for each in telling for op in each if op.kind is not Kind.INPUT]
    return len(ops), sum(op.kind is Kind.OPAQUE for op in ops)


def _fix(found: Examined, data: bytes) -> None:
    settings = Settings(fix=True, unsafe_fixes=True)
    result = lint_bytes(found.path, data, settings)
    found.faults += [f"fixing: {each.message}" for each in result.diagnostics if each.code in FAILURES]
    found.fixes = len(result.fixed)
    if result.after is None or found.faults:
        return
    try:
        ast.parse(result.after)
    except SyntaxError as error:
        found.faults.append(f"the fixed file does not parse: {error}")
        return
    if not is_spliced(found.path, result):
        found.faults.append("something else is changed than what the fixes say")
    again = lint_bytes(found.path, result.after, settings)
    if again.after is not None:
        found.faults.append("a second run changes the fixed file again")
    after = (
        each
        for each in lint_bytes(found.path, result.after, Settings()).diagnostics
        if each.code not in UNSAFELY_UNCOVERED
    )
    added = Counter(each.name for each in after) - found.findings
    if added:
        found.faults.append(f"the fix adds findings: {dict(added)}")


def corpus_directory() -> Path:
    given = os.environ.get("SELULINT_CORPUS")
    return Path(given) if given else Path(tempfile.gettempdir()) / f"selulint-corpus-{os.getuid()}"


def read_manifest() -> dict[str, Any]:
    if tomllib is None:
        pytest.skip("reading the manifest needs tomllib (Python 3.11)")
    return tomllib.loads(MANIFEST.read_text(encoding="utf-8"))


def unpack(package: str, manifest: dict[str, Any]) -> Path:
    """The directory with the sources of a pinned package, downloaded and unpacked where they are not there yet."""
    version, target = manifest["packages"][package], manifest["target"]
    place = corpus_directory() / f"{package}-{version}"
    if place.exists():
        return place
    with tempfile.TemporaryDirectory() as wheels:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        command += ["--python-version", target["python-version"], "--dest", wheels, f"{package}=={version}"]
        for platform in target["platform"]:
            command += ["--platform", platform]
        subprocess.run(command, check=True, timeout=300)
        (wheel,) = Path(wheels).glob("*.whl")
        if digest := manifest.get("sha256", {}).get(package):
            assert hashlib.sha256(wheel.read_bytes()).hexdigest() == digest, (
                f"{wheel.name} is not the wheel that was pinned"
            )
        place.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=place.parent))
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(fresh)
        fresh.rename(place)
    return place


@pytest.fixture(scope="module")
def examined() -> list[Examined]:
    manifest = read_manifest()
    jobs = [
        (package, str(path))
        for package in manifest["packages"]
        for path in sorted(unpack(package, manifest).rglob("*.py"))
    ]
    found = []
    with ProcessPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:
        futures = [pool.submit(examine, *job) for job in jobs]
        for job, future in zip(jobs, futures, strict=True):
            try:
                found.append(future.result())
            except BrokenProcessPool:
                found.append(Examined(*job, faults=["the process died, here or in a file before"]))
    return found


def test_every_file_is_linted_and_fixed_without_a_fault(
    examined: list[Examined], capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():
        print("\n" + table(examined))
    faults = [f"{each.path}: {fault}" for each in examined for fault in each.faults]
    assert not faults, "\n".join(faults)


def test_the_corpus_is_large_and_has_something_to_find(examined: list[Examined]) -> None:
    assert len(examined) > 2_000
    found = sum((each.findings for each in examined), Counter())
    assert found["relu-activation"] > 100
    assert sum(each.fixes for each in examined) > 20


@pytest.mark.parametrize("package", ["timm", "torchvision"])
def test_most_ops_are_understood(examined: list[Examined], package: str) -> None:
    rows = [each for each in examined if each.package == package]
    if not rows:
        pytest.skip("not in the manifest")
    assert _share(rows) < MOST_UNKNOWN, f"{_share(rows):.1%} of the ops are not understood"


def _share(rows: list[Examined]) -> float:
    """The part of all ops that is not understood."""
    return sum(each.unknowns for each in rows) / max(sum(each.ops for each in rows), 1)


def table(examined: list[Examined]) -> str:
    """A line for every package: files, findings by rule, fixes, ops and the share not understood, seconds, slowest file."""
    rules = sorted({rule for each in examined for rule in each.findings})
    header = ["package", "files", "candidates", *rules, "fixes", "ops", "unknown", "seconds", "slowest"]
    lines = [header]
    packages = list(dict.fromkeys(each.package for each in examined))
    for package in [*packages, "all"]:
        rows = [each for each in examined if package in (each.package, "all")]
        counts = [len(rows), sum(each.candidate for each in rows)]
        counts += [sum(each.findings[rule] for each in rows) for rule in rules]
        counts += [sum(each.fixes for each in rows), sum(each.ops for each in rows)]
        slowest = max(rows, key=lambda each: each.seconds)
        seconds = [f"{sum(each.seconds for each in rows):.1f}", f"{slowest.seconds:.2f} {Path(slowest.path).name}"]
        lines.append([package, *map(str, counts), f"{_share(rows):.1%}", *seconds])
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
