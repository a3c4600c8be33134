"""Running a child process of ours that runs foreign code: whatever that does, this returns, and leaves nothing running."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from typing import IO, Any

_MISSING = "No module named 'torch'"
# How much of what the child writes to stderr is kept: the end of it.
_KEPT = 65_536
# What the child's code sees: measuring needs every operation to be run one by one, and leaves no files behind.
_ENVIRONMENT = {
    "TORCHDYNAMO_DISABLE": "1",
    "PYTORCH_JIT": "0",
    "MPLBACKEND": "Agg",
    "PYTHONDONTWRITEBYTECODE": "1",
}


class ChildError(Exception):
    """The child gave no answer; the message is one line that says why. `killed` where the system seems to have done it."""

    def __init__(self, message: str, killed: bool = False) -> None:
        super().__init__(message)
        self.killed = killed


def ask(module: str, request: Mapping[str, Any], timeout: float) -> dict[str, Any]:
    """Run `python -m module REQUEST` where REQUEST is a file, and return what it wrote to the request's `answer` file.

    The child has a session of its own, so that its own children go with it. Raises ChildError.
    """
    with tempfile.TemporaryDirectory(prefix="selulint-") as place:
        asked, answer = os.path.join(place, "request.json"), os.path.join(place, "answer.json")
        with open(asked, "w", encoding="utf-8") as file:
            json.dump({**request, "answer": answer}, file)
        environment = {
            **os.environ,
            **_ENVIRONMENT,
            "KERAS_BACKEND": _backend(),
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        }
        with subprocess.Popen(
            [sys.executable, "-m", module, asked],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        ) as child:
            status, said = _wait(child, timeout)
        if status is None:
            raise ChildError(f"not done after {timeout:g} s (--timeout)")
        if not os.path.exists(answer):
            raise _death(status, said)
        with open(answer, encoding="utf-8") as answered:
            found: dict[str, Any] = json.load(answered)
    return found


def _backend() -> str:
    """What Keras is to run on: TensorFlow where that is asked for, or (as the child finds out) needed by the model."""
    asked = os.environ.get("KERAS_BACKEND") == "tensorflow" and importlib.util.find_spec("tensorflow") is not None
    return "tensorflow" if asked else "torch"


def _wait(child: subprocess.Popen[bytes], timeout: float) -> tuple[int | None, str]:
    """The child's exit status, None if it took too long, and the end of what it said."""
    kept = bytearray()
    assert child.stderr is not None
    reader = threading.Thread(target=_drain, args=(child.stderr, kept), daemon=True)
    reader.start()
    status = None
    try:
        status = child.wait(timeout)
    except subprocess.TimeoutExpired:
        pass
    finally:
        _end(child)
        reader.join(1.0)
    return status, kept.decode("utf-8", "replace")


def _drain(stream: IO[bytes], kept: bytearray) -> None:
    with contextlib.suppress(OSError, ValueError):
        while piece := os.read(stream.fileno(), _KEPT):
            kept.extend(piece)
            del kept[:-_KEPT]


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the child and what it started."""
    with contextlib.suppress(OSError):
        if sys.platform == "win32":
            child.kill()
        else:
            os.killpg(child.pid, signal.SIGKILL)


def _death(status: int, said: str) -> ChildError:
    if _MISSING in said:
        return ChildError("torch is not installed: pip install 'selulint[torch]'")
    last = next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "")
    if status < 0:
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = f"signal {-status}"
        killed = name == "SIGKILL"
        memory = ", perhaps for want of memory: try a smaller --batch" if killed else ""
        return ChildError(f"the model's process was ended by {name}{memory}", killed)
    return ChildError(f"the model's process ended with status {status}" + (f": {last[:300]}" if last else ""))
