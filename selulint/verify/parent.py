"""Asking a child process to run a model, so that nothing the model does can end ours. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from selulint.verify.process import ChildError, ask
from selulint.verify.readings import Reading, Return, Verdict, judge, returned

_CHILD = "selulint.verify.child"
# A child that the system killed is asked again for this part of the samples, this many times.
_LESS, _AGAIN = 4, 3


class VerifyError(Exception):
    """The model could not be run; the message is one line that says why."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to run and how. `inputs` are shapes as text (none: told from the first layer), `data` a .npy or .pt file.

    `sources` has texts that take the place of files while the model is loaded, by absolute path.
    """

    target: str
    args: Any = None
    inputs: tuple[str, ...] = ()
    input_dtype: str = ""
    data: str = ""
    seeds: int = 5
    batch: int = 256
    device: str = "auto"
    dtype: str = "float32"
    train: bool = False
    timeout: float = 600.0
    sources: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Owner:
    """Where the class or function that makes a layer is written: a file and its lines."""

    path: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """The verdict, and how the run came about.

    `moved` tells what became of moved inputs; `dropped` is the verdict with dropout active, None where there is none (or
    `train` has it active anyhow). `owners` has, by layer (the whole model is ""), who makes it, the innermost first;
    `files` are the files of the model's own code.
    """

    target: str
    verdict: Verdict
    runs: tuple[tuple[Reading, ...], ...]
    moved: tuple[Return, ...]
    dropped: Verdict | None
    device: str
    shapes: tuple[tuple[int, ...], ...]
    notes: tuple[str, ...]
    train: bool = False
    dtype: str = "float32"
    owners: Mapping[str, tuple[Owner, ...]] = field(default_factory=dict)
    files: tuple[str, ...] = ()


def verify(request: Request) -> Outcome:
    """Run a model in a child process and judge what it showed. Raises VerifyError."""
    found = _asked(request)
    if "error" in found:
        raise VerifyError(f"{request.target}: {found['error']}")
    owners = {name: tuple(Owner(*each) for each in lines) for name, lines in found["owners"].items()}
    runs = located([_readings(run) for run in found["runs"]], owners)
    if not any(runs):
        raise VerifyError(f"{request.target}: no activation was seen while it ran")
    moved = [returned(name, runs[-1], _readings(run)) for name, run in found["moved"].items()]
    return Outcome(
        request.target,
        judge(runs),
        runs,
        tuple(each for each in moved if each is not None),
        judge([_readings(found["dropped"])]) if found["dropped"] else None,
        found["device"],
        tuple(tuple(shape) for shape in found["shapes"]),
        tuple(found["notes"]),
        request.train,
        request.dtype,
        owners,
        tuple(found["files"]),
    )


def located(
    runs: Sequence[Sequence[Reading]], owners: Mapping[str, Sequence[Owner]]
) -> tuple[tuple[Reading, ...], ...]:
    """The runs with the line that makes the layer where no line of the model's own code asks for the activation."""
    return tuple(tuple(_located(each, owners.get(each.layer, ())) for each in run) for run in runs)


def _located(reading: Reading, owners: Sequence[Owner]) -> Reading:
    if reading.line or not owners or owners[0].first != owners[0].last:
        return reading
    return replace(reading, line=f"{owners[0].path}:{owners[0].first}")


def _readings(run: list[dict[str, Any]]) -> tuple[Reading, ...]:
    return tuple(Reading(**each) for each in run)


def _asked(request: Request) -> dict[str, Any]:
    """The child's answer, with fewer samples where the system kills it for its memory."""
    asked = {name: getattr(request, name) for name in request.__dataclass_fields__}
    notes: list[str] = []
    for again in range(_AGAIN + 1):
        limit = request.batch // _LESS**again
        try:
            found = ask(_CHILD, {**asked, "limit": limit if again else None}, request.timeout)
        except ChildError as error:
            if not error.killed or again == _AGAIN or limit // _LESS < 1:
                raise VerifyError(f"{request.target}: {error}") from error
            notes.append(f"the system ended a run, perhaps for want of memory: at most {limit // _LESS} samples")
            continue
        found["notes"] = [*notes, *found.get("notes", ())]
        return found
    raise AssertionError("the last try returns or raises")
