"""Many files: read, triage, check, suppress, fix; the barrier around each file; the pool; the safe write."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import stat
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from selulint.diagnostic import (
    CANNOT_PARSE,
    CANNOT_READ,
    FAILURES,
    INTERNAL_ERROR,
    Applicability,
    Diagnostic,
    Notice,
    Severity,
    Span,
)
from selulint.notebook import SUFFIX, Notebook
from selulint.settings import Settings, is_named
from selulint.source import Source, SourceError
from selulint.suppress import MARKER, suppress
from selulint.syntax import triage

if TYPE_CHECKING:
    from types import FrameType

    from selulint.graph import Model

# Below this a pool costs more than it gains: each worker imports LibCST (0.3 s) before it starts.
POOL_BYTES = 2_000_000
# A file that is no candidate only gets a syntax check, which is about this much cheaper than a full one.
IDLE_COST = 1 / 16
KEPT_BYTES = 64_000_000
# Nobody writes such a file by hand; a notebook with its pictures may be large.
MAX_BYTES = 256_000_000
# Syntax trees are many long-lived objects: collecting this much more rarely saves a sixth of the time for 25 MB.
# Nearly everything that is made for a file is dropped with it: garbage is collected between files, by this many bytes.
COLLECT_BYTES = 3_000_000
_uncollected = [0]


@dataclass(frozen=True, slots=True)
class FileResult:
    """What became of one file. `source` is the text that the spans of `diagnostics` refer to (after fixes, where there
    are some); `before` and `after` are the file's bytes where fixes change them, else None."""

    path: str
    diagnostics: tuple[Diagnostic, ...] = ()
    source: Source | None = None
    fixed: tuple[Diagnostic, ...] = ()
    before: bytes | None = None
    after: bytes | None = None

    @property
    def failed(self) -> bool:
        """Whether something could not be done: the file could not be read, parsed or checked."""
        return any(each.code in FAILURES for each in self.diagnostics)

    @property
    def faulty(self) -> bool:
        """Whether there is a warning or an error; notes alone do not fail a run."""
        return any(each.severity >= Severity.WARNING for each in self.diagnostics)


@dataclass(frozen=True, slots=True)
class Task:
    """One file to do; `data` is None where it is to be read (again), because keeping it would take too much memory."""

    path: str
    data: bytes | None
    cost: float
    candidate: bool


class WriteError(Exception):
    """A fixed file could not be written; the old one is untouched. The message says why."""


class ModelsError(Exception):
    """The models of a file cannot be shown. The message is one line with the path and the reason."""


def plan(files: Sequence[str]) -> list[Task]:
    """Read and triage the files, which is cheap, so that the work ahead is known."""
    tasks, kept = [], 0
    for path in files:
        try:
            data: bytes | None = _read(path)
        except OSError:
            tasks.append(Task(path, None, 0, False))
            continue
        assert data is not None
        candidate = triage.is_candidate(data)
        cost = len(data) * (1 if candidate else IDLE_COST)
        if kept + len(data) > KEPT_BYTES:
            data = None
        else:
            kept += len(data)
        tasks.append(Task(path, data, cost, candidate))
    return tasks


def lint(tasks: Sequence[Task], settings: Settings) -> Iterator[FileResult]:
    """Results in the order of the tasks; several processes compute where there is enough to do, none of them writes."""
    jobs = min(settings.jobs or _cores(), len(tasks))
    if jobs > 1 and sum(task.cost for task in tasks) > POOL_BYTES:
        yield from _pooled(tasks, settings, jobs)
        return
    with _calm():
        for task in tasks:
            yield lint_task(task, settings)


@contextlib.contextmanager
def _calm() -> Iterator[None]:
    """Without the compiler's warnings about the user's code, and with garbage collected only between files."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        collecting = gc.isenabled()
        gc.disable()
        try:
            yield
        finally:
            if collecting:
                gc.enable()


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _pooled(tasks: Sequence[Task], settings: Settings, jobs: int) -> Iterator[FileResult]:
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    executor = ProcessPoolExecutor(jobs, initializer=_start_worker)
    futures = [executor.submit(lint_task, task, settings) for task in tasks]
    try:
        for task, future in zip(tasks, futures, strict=True):
            try:
                yield future.result()
            except BrokenProcessPool:
                message = "the process that checked this file died, perhaps for want of memory"
                yield FileResult(task.path, (_notice(INTERNAL_ERROR, task.path, message),))
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


def _start_worker() -> None:
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings.simplefilter("ignore")
    gc.disable()


def lint_task(task: Task, settings: Settings) -> FileResult:
    """Do one file. Never raises: what goes wrong becomes a diagnostic of this file."""
    try:
        data = _read(task.path) if task.data is None else task.data
    except OSError as error:
        return FileResult(task.path, (_notice(CANNOT_READ, task.path, (error.strerror or str(error)).lower()),))
    if task.candidate:
        _uncollected[0] += len(data)
        if _uncollected[0] > COLLECT_BYTES:
            _uncollected[0] = 0
            gc.collect()
    return lint_bytes(task.path, data, settings, task.candidate)


def lint_bytes(path: str, data: bytes, settings: Settings, candidate: bool | None = None) -> FileResult:
    """Lint, and fix if the settings say so, the bytes of one file; `candidate` is what triage said of them."""
    result = _lint_bytes(path, data, settings, candidate)
    if not settings.names_in(path):
        return result
    return replace(result, diagnostics=_shown(result.diagnostics, path, settings))


def _lint_bytes(path: str, data: bytes, settings: Settings, candidate: bool | None) -> FileResult:
    source = None
    if settings.names_in(path):
        candidate = True
    elif path.endswith(SUFFIX) and not triage.is_candidate(data):
        return FileResult(path)
    try:
        source = decode(path, data)
        if broken := _broken(source):
            return FileResult(path, (broken,), source)
        if triage.is_candidate(data) if candidate is None else candidate:
            return _lint_candidate(source, data, settings)
        diagnostics = suppress(source, (), settings) if MARKER in source.text else ()
        return _fixed(source, data, settings) if diagnostics and _changes(settings) else _plain(source, diagnostics)
    except SourceError as error:
        return FileResult(path, (_notice(CANNOT_READ, path, str(error)),))
    except SyntaxError as error:
        return FileResult(path, (_notice(CANNOT_PARSE, path, error.msg),), source)
    except Exception as error:  # the barrier: one file's failure is that file's diagnostic
        return FileResult(path, (_notice(INTERNAL_ERROR, path, _blame(error)),), source)


def models_in(path: str, parts: bool = False) -> list[Model]:
    """What is understood of the models of one file; with `parts`, also of those inside others.

    Raises ModelsError where the file cannot be read, parsed or evaluated.
    """
    try:
        return models_of_text(path, _read(path), parts)
    except OSError as error:
        raise ModelsError(f"{path}: {(error.strerror or str(error)).lower()}") from error


def models_of_text(path: str, data: bytes, parts: bool = False) -> list[Model]:
    """What is understood of the models in the bytes of a file, as in `models_in`."""
    from selulint.check import InternalError, models_of_source

    try:
        source = decode(path, data)
        if broken := _broken(source):
            assert broken.span is not None
            raise ModelsError(f"{path}:{source.place(broken.span.start)}: {broken.message}")
        return models_of_source(source, parts)
    except (SourceError, SyntaxError, InternalError) as error:
        raise ModelsError(f"{path}: {error}") from error


def decode(path: str, data: bytes) -> Source:
    """The text of a file or notebook. Raises SourceError."""
    return Notebook.decode(path, data) if path.endswith(SUFFIX) else Source.decode(path, data)


def _plain(source: Source, diagnostics: Sequence[Diagnostic]) -> FileResult:
    found = (*_problems(source), *diagnostics)
    return FileResult(source.path, found, source if found else None)


def _problems(source: Source) -> list[Diagnostic]:
    """Cells that are no Python: the others are checked as if these were empty."""
    return [_unparsed(source, *each) for each in (source.problems() if isinstance(source, Notebook) else ())]


def _changes(settings: Settings) -> bool:
    return settings.fix or settings.diff


def _lint_candidate(source: Source, data: bytes, settings: Settings) -> FileResult:
    return _fixed(source, data, settings) if _changes(settings) else _plain(source, check(source, settings))


def _fixed(source: Source, data: bytes, settings: Settings) -> FileResult:
    from selulint.fix.loop import fix_text

    if not source.is_faithful(data):
        message = f"not fixed: its encoding ({source.encoding}) does not give the same bytes back"
        return _plain(source, [*check(source, settings), _notice(CANNOT_READ, source.path, message)])
    level = Applicability.UNSAFE if settings.unsafe_fixes else Applicability.SAFE
    outcome = fix_text(source, settings, lambda text: check(text, settings), level)
    diagnostics = list(outcome.remaining)
    if outcome.error:
        diagnostics.append(_notice(INTERNAL_ERROR, source.path, outcome.error))
    if outcome.text == source.text:
        return _plain(source, diagnostics)
    try:
        after = source.encode(outcome.text)
    except SourceError as error:
        return _plain(source, [*check(source, settings), _notice(INTERNAL_ERROR, source.path, f"not fixed: {error}")])
    fixed = source.with_text(outcome.text)
    return FileResult(source.path, (*_problems(fixed), *diagnostics), fixed, tuple(outcome.applied), data, after)


def check(source: Source, settings: Settings) -> list[Diagnostic]:
    """The diagnostics of one text that no suppression hides, and those about the suppressions themselves."""
    from selulint.check import check_source

    found = suppress(source, check_source(source, settings), settings)
    names = settings.names_in(source.path)
    # What a restricted run does not fix still counts: a fix must not spoil the other models of the file.
    return [each if _concerns(each, names) else replace(each, fix=None, refused="") for each in found]


def _concerns(diagnostic: Diagnostic, names: Sequence[str]) -> bool:
    return not names or diagnostic.code in FAILURES or any(is_named(each, names) for each in diagnostic.models)


def _shown(diagnostics: Sequence[Diagnostic], path: str, settings: Settings) -> tuple[Diagnostic, ...]:
    names = settings.names_in(path)
    return tuple(each for each in diagnostics if _concerns(each, names))


def _broken(source: Source) -> Diagnostic | None:
    try:
        error = triage.syntax_error(source.text, source.path, scopes=not isinstance(source, Notebook))
    except (RecursionError, MemoryError):
        return _notice(CANNOT_PARSE, source.path, "too deeply nested to be parsed")
    return None if error is None else _unparsed(source, *error)


def _unparsed(source: Source, message: str, line: int, column: int) -> Diagnostic:
    line = min(max(line, 1), len(source.line_starts))
    offset = source.line_starts[line - 1] + min(max(column - 1, 0), len(source.line(line)))
    return _notice(CANNOT_PARSE, source.path, message, Span(offset, min(offset + 1, len(source.text))))


def _notice(notice: Notice, path: str, message: str, span: Span | None = None) -> Diagnostic:
    return Diagnostic(notice.code, notice.name, notice.severity, " ".join(message.split()), path, span)


def _blame(error: Exception) -> str:
    """What failed, in which rule where the exception carries one, and where in the tool."""
    rule = getattr(error, "rule", None)
    cause = error.__cause__ if rule and error.__cause__ is not None else error
    trace = cause.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = ""
    if trace is not None:
        place = f" ({os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno})"
    who = f"`{rule}` failed" if rule else "selulint failed"
    return f"{who}: {type(cause).__name__}: {cause}{place}; this is a bug of selulint"


def _read(path: str) -> bytes:
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file")
    if status.st_size > MAX_BYTES:
        raise OSError(errno.EFBIG, f"larger than {MAX_BYTES // 1_000_000} MB")
    with open(path, "rb") as file:
        return file.read()


def write(result: FileResult) -> None:
    """Put a fixed file in its place: whole or not at all, with its mode, through symbolic links. Raises WriteError."""
    assert result.before is not None and result.after is not None
    target = os.path.realpath(result.path)
    try:
        if _read(target) != result.before:
            raise WriteError("changed on disk while it was checked; not written")
        if os.stat(target).st_nlink > 1:
            raise WriteError("has other names (hard links), which a new file would not have; left as it was")
        if not os.access(target, os.W_OK):
            raise WriteError("not writable; left as it was")
        with _one_interrupt_held():
            _replace(target, result.after)
    except OSError as error:
        raise WriteError(f"cannot be written: {(error.strerror or str(error)).lower()}; left as it was") from error


@contextlib.contextmanager
def _one_interrupt_held() -> Iterator[None]:
    """An interrupt waits until this is over, so that no half of it is left; a second one does not, where a disk hangs."""
    import signal
    import threading

    usual = signal.getsignal(signal.SIGINT)
    if not callable(usual) or threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[tuple[int, FrameType | None]] = []

    def hold(number: int, frame: FrameType | None) -> None:
        if held:
            usual(number, frame)
        held.append((number, frame))

    signal.signal(signal.SIGINT, hold)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
    if held:
        usual(*held[0])


def _replace(target: str, data: bytes) -> None:
    import tempfile

    status = os.stat(target)
    handle, temporary = tempfile.mkstemp(prefix=".selulint-", dir=os.path.dirname(target))
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        if sys.platform != "win32" and (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
            with contextlib.suppress(OSError):
                os.chown(temporary, status.st_uid, status.st_gid)
        os.chmod(temporary, stat.S_IMODE(status.st_mode))
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
