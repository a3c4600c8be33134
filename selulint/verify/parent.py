"""Asking a child process to run a model, so that nothing the model does can end ours. Imports no torch."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from selulint.verify.readings import Reading, Verdict, judge

_MISSING = "No module named 'torch'"


class VerifyError(Exception):
    """The model could not be run; the message is one line that says why."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to run and how. `inputs` are shapes as text (none: told from the first layer), `data` a .npy or .pt file."""

    target: str
    args: Any = None
    inputs: tuple[str, ...] = ()
    input_dtype: str = "float32"
    data: str = ""
    seeds: int = 5
    batch: int = 256
    device: str = "auto"
    dtype: str = "float32"
    train: bool = False
    timeout: float = 600.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """The verdict, and how the run came about. `moved` has the last activation for moved inputs ("x2", "x0.5", "+0.5")."""

    target: str
    verdict: Verdict
    runs: tuple[tuple[Reading, ...], ...]
    moved: Mapping[str, Reading]
    device: str
    shapes: tuple[tuple[int, ...], ...]
    notes: tuple[str, ...]


def verify(request: Request) -> Outcome:
    """Run a model in a child process and judge what it showed. Raises VerifyError."""
    with tempfile.TemporaryDirectory(prefix="selulint-") as place:
        answer = os.path.join(place, "answer.json")
        asked = {name: getattr(request, name) for name in request.__dataclass_fields__} | {"answer": answer}
        command = [sys.executable, "-m", "selulint.verify.child"]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        try:
            done = subprocess.run(
                command,
                input=json.dumps(asked),
                capture_output=True,
                text=True,
                errors="replace",
                timeout=request.timeout,
                env=environment,
            )
        except subprocess.TimeoutExpired as error:
            raise VerifyError(f"{request.target}: not done after {request.timeout:g} s (--timeout)") from error
        if not os.path.exists(answer):
            raise VerifyError(f"{request.target}: {_death(done)}")
        with open(answer, encoding="utf-8") as file:
            found = json.load(file)
    if "error" in found:
        raise VerifyError(f"{request.target}: {found['error']}")
    runs = tuple(tuple(Reading(**each) for each in run) for run in found["runs"])
    if not any(runs):
        raise VerifyError(f"{request.target}: no activation was seen while it ran")
    moved = {name: Reading(**run[-1]) for name, run in found["moved"].items() if run}
    shapes = tuple(tuple(shape) for shape in found["shapes"])
    return Outcome(request.target, judge(runs), runs, moved, found["device"], shapes, tuple(found["notes"]))


def _death(done: subprocess.CompletedProcess[str]) -> str:
    if _MISSING in done.stderr:
        return "torch is not installed: pip install 'selulint[torch]'"
    last = next((line.strip() for line in reversed(done.stderr.splitlines()) if line.strip()), "")
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        memory = ", perhaps for want of memory" if name == "SIGKILL" else ""
        return f"the model's process was ended by {name}{memory}"
    return f"the model's process ended with status {done.returncode}" + (f": {last[:300]}" if last else "")
