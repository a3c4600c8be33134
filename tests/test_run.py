"""Many files: what becomes of bad ones, the barrier, the pool, and the write that loses nothing."""

from __future__ import annotations

import os
import signal
import stat
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from selulint import run
from selulint.diagnostic import Diagnostic, Severity, Span
from selulint.run import FileResult, WriteError, lint, lint_bytes, plan, write
from selulint.settings import Settings
from selulint.source import Source

RELU = b"import torch.nn as nn\nnet = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))\n"
Check = Callable[[Source, Settings], list[Diagnostic]]


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def checking(monkeypatch: pytest.MonkeyPatch) -> Callable[[Check], None]:
    """Puts a function in the place of `check_source`."""

    def put(check: Check) -> None:
        module = ModuleType("selulint.check")
        module.check_source = check  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "selulint.check", module)

    return put


def results(*files: str, **options: object) -> list[FileResult]:
    return list(lint(plan(files), replace(Settings(jobs=1), **options)))  # type: ignore[arg-type]


def said(result: FileResult) -> list[tuple[str, str, str]]:
    """Name, place and message of each diagnostic."""
    places = [
        "{}:{}".format(*result.source.locate(each.span.start)) if each.span and result.source else ""
        for each in result.diagnostics
    ]
    return [(each.name, place, each.message) for each, place in zip(result.diagnostics, places, strict=True)]


def test_a_hidden_relu_is_found() -> None:
    result = lint_bytes("a.py", RELU, Settings())
    assert [(name, place) for name, place, _ in said(result)] == [("relu-activation", "2:38")]
    assert result.faulty and not result.failed


def test_a_clean_file_has_an_empty_result() -> None:
    assert lint_bytes("a.py", b"x = 1\n", Settings()) == FileResult("a.py")


@pytest.mark.parametrize("mark", [b"", b"relu\n"], ids=["no candidate", "candidate"])
@pytest.mark.parametrize(
    ("data", "name", "place", "message"),
    [
        (b"x = 1\ndef f(:\n    pass\n", "cannot-parse", 2, "invalid syntax"),
        (b"x = 1\ndef f(x, x): pass\n", "cannot-parse", 2, "duplicate argument 'x' in function definition"),
        (b"if x:\npass\n", "cannot-parse", 2, "expected an indented block"),
        (b"x = '''\n", "cannot-parse", 1, "unterminated triple-quoted string literal"),
        (b"x = \xff\n", "cannot-read", None, "not valid utf-8 at byte"),
        (b"# coding: nope\nx = 1\n", "cannot-read", None, "unknown encoding: nope"),
        (b"x = 1\x00\n", "cannot-parse", None, "null byte"),
        (b"x = " + b"(" * 5000 + b")" * 5000 + b"\n", "cannot-parse", None, ""),
        (b"x = " + b"-" * 200_000 + b"1\n", "cannot-parse", None, ""),
    ],
    ids=["syntax", "scope", "indent", "string", "bytes", "cookie", "null", "parentheses", "deep"],
)
def test_a_bad_file_is_one_error_with_line_and_reason(
    mark: bytes, data: bytes, name: str, place: int | None, message: str
) -> None:
    data = data.replace(b"\n", b"\n" + mark, 1) if mark and data.startswith(b"#") else data + mark
    result = lint_bytes("a.py", data, Settings())
    assert result.failed and len(result.diagnostics) == 1
    ((found, where, text),) = said(result)
    assert found == name and message in text and "\n" not in text
    assert place is None or where.startswith(f"{place}:")


def test_a_file_that_cannot_be_opened_is_reported_and_the_others_go_on() -> None:
    Path("a.py").write_bytes(RELU)
    Path("dir.py").mkdir()
    first, second, third = results("a.py", "dir.py", "gone.py")
    assert first.faulty and not first.failed
    assert said(second) == [("cannot-read", "", "is a directory")]
    assert said(third) == [("cannot-read", "", "no such file or directory")]


def test_an_exception_becomes_a_diagnostic_that_names_rule_and_place(checking: Callable[[Check], None]) -> None:
    class Carrier(Exception):
        rule = "relu-activation"

    def failing(source: Source, settings: Settings) -> list[Diagnostic]:
        if source.path == "plain.py":
            raise ZeroDivisionError("division\nby zero")
        if source.path == "rule.py":
            try:
                raise KeyError("gain")
            except KeyError as error:
                raise Carrier from error
        return []

    checking(failing)
    for name in ("a.py", "plain.py", "rule.py"):
        Path(name).write_bytes(RELU)
    good, plain, rule = results("a.py", "plain.py", "rule.py")
    assert good.diagnostics == ()
    assert plain.failed and rule.failed
    ((name, _, message),) = said(plain)
    assert name == "internal-error" and message.startswith("selulint failed: ZeroDivisionError: division by zero (")
    ((name, _, message),) = said(rule)
    assert name == "internal-error" and message.startswith("`relu-activation` failed: KeyError: 'gain' (test_run.py:")


def test_an_exception_inside_a_real_rule_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from selulint import check
    from selulint.rules import all_rules

    def broken(model: object) -> object:
        raise ValueError("boom")

    rules = [replace(each, check=broken) if each.name == "relu-activation" else each for each in all_rules()]
    monkeypatch.setattr(check, "all_rules", lambda: rules)
    ((name, _, message),) = said(lint_bytes("a.py", RELU, Settings()))
    assert name == "internal-error" and "`relu-activation` failed: ValueError: boom" in message


def test_suppressions_count_in_files_that_are_no_candidates() -> None:
    result = lint_bytes("a.py", b"x = 1  # selulint: ignore[relu-activation]\n", Settings())
    assert [(name, place) for name, place, _ in said(result)] == [("unused-suppression", "1:8")]
    fixed = lint_bytes("a.py", b"x = 1  # selulint: ignore[relu-activation]\n", Settings(fix=True))
    assert fixed.after == b"x = 1\n" and fixed.diagnostics == ()


def test_warnings_of_the_compiler_are_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.py").write_bytes(b"x = '\\d'\nrelu = 1 is 1\n")
    assert results("a.py")[0].diagnostics == ()
    assert capsys.readouterr().err == ""


def test_files_are_read_again_where_keeping_them_would_take_too_much_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "KEPT_BYTES", len(RELU))
    for name in ("a.py", "b.py"):
        Path(name).write_bytes(RELU)
    tasks = plan(["a.py", "b.py"])
    assert [task.data is None for task in tasks] == [False, True]
    assert all(result.faulty for result in lint(tasks, Settings(jobs=1)))


def reporting_its_process(source: Source, settings: Settings) -> list[Diagnostic]:
    if "die" in source.text:
        os._exit(1)
    return [Diagnostic("SELU101", "relu-activation", Severity.WARNING, str(os.getpid()), source.path, Span(0, 1))]


def test_much_work_is_shared_between_processes_in_the_same_order(
    checking: Callable[[Check], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    checking(reporting_its_process)
    files = [f"f{number:02}.py" for number in range(20)]
    for name in files:
        Path(name).write_bytes(b"relu\n")
    own = str(os.getpid())
    assert {result.diagnostics[0].message for result in lint(plan(files), Settings(jobs=2))} == {own}
    monkeypatch.setattr(run, "POOL_BYTES", 50)
    assert {result.diagnostics[0].message for result in lint(plan(files), Settings(jobs=1))} == {own}
    pooled = list(lint(plan(files), Settings(jobs=2)))
    assert [result.path for result in pooled] == files
    assert own not in {result.diagnostics[0].message for result in pooled}


def test_a_process_that_dies_is_an_error_of_its_files(
    checking: Callable[[Check], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    checking(reporting_its_process)
    monkeypatch.setattr(run, "POOL_BYTES", 5)
    Path("a.py").write_bytes(b"relu = 'die'\n")
    Path("b.py").write_bytes(b"relu = 'die'\n")
    for result in lint(plan(["a.py", "b.py"]), Settings(jobs=2)):
        assert [name for name, _, _ in said(result)] == ["internal-error"]


def fixed(path: str, before: bytes = b"old\n", after: bytes = b"new\n") -> FileResult:
    return FileResult(path, before=before, after=after)


def test_write_keeps_the_mode_and_leaves_nothing_behind() -> None:
    Path("a.py").write_bytes(b"old\n")
    os.chmod("a.py", 0o751)
    write(fixed("a.py"))
    assert Path("a.py").read_bytes() == b"new\n" and stat.S_IMODE(os.stat("a.py").st_mode) == 0o751
    assert os.listdir() == ["a.py"]


def test_write_goes_through_symbolic_links() -> None:
    Path("real").mkdir()
    Path("real/a.py").write_bytes(b"old\n")
    os.symlink("real/a.py", "link.py")
    write(fixed("link.py"))
    assert os.path.islink("link.py") and Path("real/a.py").read_bytes() == b"new\n"


def test_a_file_that_has_changed_meanwhile_is_left_alone() -> None:
    Path("a.py").write_bytes(b"newer\n")
    with pytest.raises(WriteError, match="changed on disk"):
        write(fixed("a.py"))
    assert Path("a.py").read_bytes() == b"newer\n"


@pytest.mark.parametrize("step", ["replace", "chmod", "fdopen"])
def test_a_write_that_fails_leaves_the_old_file(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("a.py").write_bytes(b"old\n")

    def fail(*arguments: object, **more: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(WriteError, match=r"^cannot be written: no space left on device; left as it was$"):
        write(fixed("a.py"))
    assert [(path.name, path.read_bytes()) for path in Path.cwd().iterdir()] == [("a.py", b"old\n")]


@pytest.mark.parametrize(
    ("module", "step", "times"),
    [(tempfile, "mkstemp", 1), (os, "chmod", 1), (os, "replace", 1), (os, "chmod", 2), (os, "replace", 2)],
)
def test_an_interrupt_while_a_file_is_written_leaves_nothing_beside_it(
    module: ModuleType, step: str, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first waits until the file is in its place; one more breaks off at once, for disks that hang."""
    Path("a.py").write_bytes(b"old\n")
    handler = signal.getsignal(signal.SIGINT)
    original = getattr(module, step)

    def interrupted(*arguments: Any, **more: Any) -> Any:
        done = original(*arguments, **more)
        for _ in range(times):
            signal.raise_signal(signal.SIGINT)
        return done

    monkeypatch.setattr(module, step, interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(fixed("a.py"))
    assert signal.getsignal(signal.SIGINT) is handler
    done = times == 1 or step == "replace"
    assert os.listdir() == ["a.py"] and Path("a.py").read_bytes() == (b"new\n" if done else b"old\n")


def test_a_file_that_may_not_be_written_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("a.py").write_bytes(b"old\n")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(WriteError, match="not writable"):
        write(fixed("a.py"))
    assert Path("a.py").read_bytes() == b"old\n"


@pytest.mark.parametrize(
    ("prefix", "encoding"),
    [
        (b"", "utf-8"),
        (b"\xef\xbb\xbf", "utf-8"),
        (b"# coding: latin-1\n", "latin-1"),
        (b"# coding: cp1251\n", "cp1251"),
    ],
)
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_a_fix_keeps_encoding_mark_and_newlines(prefix: bytes, encoding: str, newline: bytes) -> None:
    word = "привет" if encoding == "cp1251" else "größe"
    data = prefix + f"# {word}\n".encode(encoding) + RELU.replace(b"net =", b"net  =")
    data = data.replace(b"\n", newline)
    result = lint_bytes("a.py", data, Settings(fix=True))
    assert result.after is not None and result.before == data and result.fixed
    assert result.after.startswith(prefix.replace(b"\n", newline))
    assert f"# {word}".encode(encoding) + newline in result.after
    assert b"SELU" in result.after and b"ReLU" not in result.after
    assert result.after.count(b"\n") == result.after.count(newline)
    again = lint_bytes("a.py", result.after, Settings(fix=True))
    assert again.after is None and not again.faulty
