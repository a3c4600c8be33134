"""The program as a user meets it: arguments, output, exit codes, and what is not imported."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from selulint import __version__, cli
from selulint.cli import main
from selulint.run import FileResult, write

ROOT = Path(__file__).resolve().parent.parent
RELU = "import torch.nn as nn\n\nnet = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))\n"
CLEAN = "import torch.nn as nn\n\nnet = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))\n"


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


class Program:
    """Runs the program in this process; `stdin` is what it reads."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.capsys, self.monkeypatch = capsys, monkeypatch

    def __call__(self, *arguments: str, stdin: bytes = b"") -> Outcome:
        self.monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as caught:
            main(list(arguments))
        captured = self.capsys.readouterr()
        assert isinstance(caught.value.code, int)
        return Outcome(caught.value.code, captured.out, captured.err)


@pytest.fixture
def selulint(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    monkeypatch.chdir(tmp_path)
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return Program(capsys, monkeypatch)


def put(name: str, text: str = RELU) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def shell(*arguments: str, **more: object) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "selulint", *arguments]
    return subprocess.run(command, capture_output=True, env=environment, check=False, **more)  # type: ignore[call-overload, no-any-return]


def test_a_finding_is_shown_with_its_code_and_exits_one(selulint: Program) -> None:
    put("net.py")
    outcome = selulint("net.py")
    assert outcome.code == 1 and outcome.err == ""
    assert "net.py:3:38: SELU101 relu-activation [warning] " in outcome.out
    assert "3 | net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))\n" in outcome.out
    assert "  | " + " " * 37 + "^^^^^^^^^\n" in outcome.out
    assert "= fix (safe): " in outcome.out and "Found 1 warning (1 fixable with --fix).\n" in outcome.out


def test_a_clean_run_exits_zero(selulint: Program) -> None:
    put("net.py", CLEAN)
    put("other.py", "x = 1\n")
    assert selulint() == Outcome(0, "All checks passed!\n", "")


@pytest.mark.parametrize("arguments", [(), (".",), ("check",), ("check", "."), ("--output-format=full", "net.py")])
def test_no_command_means_check_and_no_path_means_here(selulint: Program, arguments: tuple[str, ...]) -> None:
    put("net.py")
    assert selulint(*arguments).code == 1


def test_a_path_may_be_called_like_a_command(selulint: Program) -> None:
    put("rule/net.py")
    put("check/net.py", CLEAN)
    assert "rule/net.py:3:38" in selulint("--output-format", "concise", "rule").out
    assert "rule/net.py:3:38" in selulint("check", "rule").out
    assert "rule/net.py:3:38" in selulint("./rule").out
    assert selulint("check", "check").out == "All checks passed!\n"


def test_fix_writes_and_exits_zero_and_a_second_run_changes_nothing(selulint: Program) -> None:
    path = put("src/net.py")
    clean = put("src/clean.py", CLEAN)
    first = selulint("--fix", "src")
    assert first.code == 0 and first.out.startswith("Fixed ") and first.out.endswith("All checks passed!\n")
    text = path.read_text()
    assert "nn.SELU()" in text and "ReLU" not in text and clean.read_text() == CLEAN
    assert selulint("--fix", "src") == Outcome(0, "All checks passed!\n", "")
    assert path.read_text() == text and sorted(os.listdir("src")) == ["clean.py", "net.py"]


def test_diff_shows_the_change_writes_nothing_and_exits_one(selulint: Program) -> None:
    path = put("net.py")
    put("clean.py", CLEAN)
    outcome = selulint("--diff", ".")
    assert outcome.code == 1 and path.read_text() == RELU
    assert outcome.out.startswith("--- net.py\n+++ net.py\n@@ ") and "\n-net = nn.Sequential(" in outcome.out
    assert outcome.err == "Would fix 1 finding in 1 file(s).\n"
    patch = subprocess.run(["git", "apply", "-p0"], input=outcome.out.encode(), capture_output=True, check=False)
    assert patch.returncode == 0, patch.stdout
    assert selulint(".").code == 0 and selulint("--diff", ".") == Outcome(0, "", "")


def test_diff_of_a_file_without_a_final_newline_can_be_applied(selulint: Program) -> None:
    put("net.py", RELU.rstrip("\n"))
    outcome = selulint("--diff", "net.py")
    assert "\\ No newline at end of file\n" in outcome.out
    assert (
        subprocess.run(["git", "apply", "-p0"], input=outcome.out.encode(), check=False, capture_output=True).returncode
        == 0
    )
    assert selulint("net.py").code == 0


REFUSED = RELU.replace("nn.ReLU()", "nn.LayerNorm(4), nn.ReLU()")


@pytest.mark.parametrize("output_format", ["full", "concise"])
def test_what_is_not_fixed_is_said_with_its_reason(selulint: Program, output_format: str) -> None:
    put("net.py", REFUSED)
    outcome = selulint("--fix", "--unsafe-fixes", "--output-format", output_format, "net.py")
    assert outcome.code == 1 and Path("net.py").read_text() == REFUSED
    assert "no fix: layer_norm stays in the chain" in outcome.out
    assert "Not fixed, with a reason: layer_norm stays in the chain (1)." in outcome.out
    assert "layer_norm stays in the chain" in selulint("--diff", "--unsafe-fixes", "net.py").err
    (found,) = json.loads(selulint("--fix", "--unsafe-fixes", "--output-format", "json", "net.py").out)
    assert found["refused"] == "layer_norm stays in the chain" and found["fix"] is None


TWO = (
    RELU
    + "other = nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 2))\n\n\n"
    + """class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(7, 8), nn.ReLU(), nn.Linear(8, 2))

    def forward(self, x):
        return self.body(x)
"""
)


def test_a_path_may_name_one_model(selulint: Program) -> None:
    put("net.py", TWO)
    outcome = selulint("--output-format", "concise", "net.py::Net")
    assert outcome.out.count("SELU101") == 1 and "net.py:10:" in outcome.out
    selulint("--fix", "--select", "SELU101", "net.py::Net")
    text = Path("net.py").read_text()
    assert text.count("nn.ReLU()") == 2 and text.count("nn.SELU()") == 1 and "self.apply(_init_weights)" in text
    assert selulint("net.py::Net").code == 0
    assert selulint("net.py::Net", "net.py").out.count("SELU101") == 2


@pytest.mark.parametrize("text", [TWO, "x = 1\n"])
def test_a_model_that_is_not_there_is_an_error(selulint: Program, text: str) -> None:
    put("net.py", text)
    outcome = selulint("--fix", "net.py::Nat")
    assert outcome.code == 2 and "no model called `Nat`" in outcome.out
    assert Path("net.py").read_text() == text


def test_a_write_that_fails_keeps_the_finding_and_exits_two(selulint: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put("net.py")
    put("other.py")

    def fail(source: str, target: str) -> None:
        if target.endswith("net.py"):
            raise OSError(28, "No space left on device")
        replace(source, target)

    replace = os.replace
    monkeypatch.setattr(os, "replace", fail)
    outcome = selulint("--fix", "--output-format", "concise")
    assert outcome.code == 2 and path.read_text() == RELU and "SELU()" in Path("other.py").read_text()
    assert outcome.err == "error: net.py: cannot be written: no space left on device; left as it was\n"
    assert "net.py:3:38: SELU101" in outcome.out and "Fixed 1 finding in 1 file." in outcome.out


def test_bad_files_are_a_line_each_the_others_go_on_and_the_exit_is_two(selulint: Program) -> None:
    put("net.py")
    put("broken.py", "def f(:\n")
    Path("bytes.py").write_bytes(b"x = 1\nx = 2\nx = '\xff'\n")
    os.symlink("nowhere", "link.py")
    Path("empty").mkdir()
    outcome = selulint("--output-format=concise", "net.py", "broken.py", "bytes.py", "link.py", "empty", "gone.py")
    assert outcome.code == 2
    assert outcome.err.splitlines() == [
        "error: link.py: broken symbolic link to nowhere",
        "error: empty: no Python files found",
        "error: gone.py: no such file or directory",
    ]
    lines = outcome.out.splitlines()
    assert lines[0].startswith("broken.py:1:7: SELU902 cannot-parse [error] invalid syntax")
    assert lines[1].startswith("bytes.py: SELU903 cannot-read [error] not valid utf-8 at byte 17")
    assert lines[2].startswith("net.py:3:38: SELU101 relu-activation") and len(lines) == 4


@pytest.mark.parametrize("option", ["--fix", "--diff", "--exit-zero", "--statistics", "--output-format=json"])
@pytest.mark.parametrize("name", ["broken.py", "gone.py"])
def test_what_could_not_be_done_never_ends_in_zero(selulint: Program, option: str, name: str) -> None:
    put("broken.py", "def f(:\n")
    outcome = selulint(option, name)
    assert outcome.code == 2
    assert "passed" not in outcome.out
    assert name in outcome.out + outcome.err


def test_notes_alone_do_not_fail_and_exit_zero_hides_findings(selulint: Program) -> None:
    put("net.py")
    assert selulint("--exit-zero", "net.py").code == 0
    put("selulint.toml", '[severity]\nrelu-activation = "note"\n')
    outcome = selulint("net.py")
    assert outcome.code == 0 and "[note]" in outcome.out and "Found 1 note" in outcome.out


def test_rules_are_selected(selulint: Program) -> None:
    put("net.py")
    assert selulint("--select", "SELU2,SELU3").code == 0
    assert selulint("--ignore", "relu-activation").code == 0
    assert selulint("--select", "SELU2", "--extend-select", "SELU101").code == 1
    assert selulint("--per-file-ignores", "n*.py:SELU101").code == 0
    assert selulint("--fix", "--unfixable", "SELU101").code == 1
    assert Path("net.py").read_text() == RELU


def test_a_suppression_hides_a_finding(selulint: Program) -> None:
    put("net.py", RELU.rstrip("\n") + "  # selulint: ignore[relu-activation] on purpose\n")
    assert selulint("net.py") == Outcome(0, "All checks passed!\n", "")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[tool.selulint]\nignore = ['relu']\n", "pyproject.toml: [tool.selulint] ignore: unknown rule `relu`"),
        ("[tool.selulint]\nfix = 'yes'\n", 'pyproject.toml: [tool.selulint] fix: expected true or false, found "yes"'),
        ("[tool.selulint]\nfx = 1\n", "pyproject.toml: [tool.selulint] fx: unknown key"),
    ],
)
def test_bad_settings_are_one_line_and_exit_two(selulint: Program, text: str, line: str) -> None:
    put("net.py")
    put("pyproject.toml", text)
    outcome = selulint("net.py")
    assert outcome.code == 2 and outcome.out == "" and outcome.err.startswith(f"error: {line}")
    assert outcome.err.count("\n") == 1
    assert selulint("--isolated", "net.py").code == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("--selct", "x"),
        ("--output-format", "xml"),
        ("--jobs", "-1"),
        ("-", "a.py"),
        ("--per-file-ignores", "x"),
        ("rule", "x"),
    ],
)
def test_bad_arguments_exit_two_without_a_traceback(selulint: Program, arguments: tuple[str, ...]) -> None:
    outcome = selulint(*arguments)
    assert outcome.code == 2 and outcome.err and "Traceback" not in outcome.err


def test_stdin(selulint: Program) -> None:
    piped = RELU.encode()
    outcome = selulint("-", "--output-format=concise", stdin=piped)
    assert outcome.code == 1 and outcome.out.startswith("-:3:38: SELU101")
    assert selulint("-", "--stdin-filename", "a/b.py", "--output-format=concise", stdin=piped).out.startswith(
        "a/b.py:3:38"
    )
    fixed = selulint("--fix", "-", stdin=piped)
    assert fixed.code == 0 and "nn.SELU()" in fixed.out and "Fixed 1 finding" in fixed.err
    assert selulint("--fix", "-", stdin=fixed.out.encode()).out == fixed.out
    assert selulint("--diff", "-", "--stdin-filename", "b.py", stdin=piped).out.startswith("--- b.py\n+++ b.py\n")
    excluded = selulint("--fix", "--force-exclude", "--stdin-filename", "build/b.py", "-", stdin=piped)
    assert excluded.code == 0 and excluded.out == RELU


def test_stdin_keeps_its_bytes(tmp_path: Path) -> None:
    data = b"\xef\xbb\xbf" + RELU.replace("\n", "\r\n").encode()
    done = shell("--fix", "-", input=data, cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.startswith(b"\xef\xbb\xbfimport")
    assert done.stdout.count(b"\n") == done.stdout.count(b"\r\n") and b"nn.SELU()" in done.stdout


def test_json_is_a_list_also_where_there_is_nothing(selulint: Program) -> None:
    put("net.py")
    (found,) = json.loads(selulint("--output-format", "json", "net.py").out)
    assert found["code"] == "SELU101" and found["filename"] == os.path.abspath("net.py")
    assert found["location"] == {"row": 3, "column": 38} and found["fix"]["applicability"] == "safe"
    put("net.py", CLEAN)
    assert json.loads(selulint("--output-format", "json", "net.py").out) == []


def test_statistics_and_output_file(selulint: Program) -> None:
    put("net.py")
    outcome = selulint("--statistics", "net.py")
    assert outcome.code == 1 and "1  SELU101  relu-activation  1\n" in outcome.out
    assert selulint("--output-file", "report.txt", "net.py") == Outcome(1, "", "")
    assert "SELU101" in Path("report.txt").read_text()
    outcome = selulint("--output-file", "no/where.txt", "net.py")
    assert outcome.code == 2 and outcome.err == "error: no/where.txt: no such file or directory\n"


def test_show_files(selulint: Program) -> None:
    put("b.py")
    put("a.py", "def broken(:")
    put("build/c.py")
    put("d.ipynb", "{}")
    assert selulint("--show-files") == Outcome(0, "a.py\nb.py\nd.ipynb\n", "")
    assert selulint("--show-files", "--extend-exclude", "b.*").out == "a.py\nd.ipynb\n"
    assert selulint("--show-files", "build/c.py", "d.ipynb").out == "build/c.py\nd.ipynb\n"
    assert selulint("--show-files", "--force-exclude", "build/c.py").out == ""


def test_notebooks_without_a_word_of_interest_are_not_even_parsed(selulint: Program) -> None:
    put("a.ipynb", "{")
    assert selulint("a.ipynb").code == 0


def test_show_settings(selulint: Program) -> None:
    put("selulint.toml", 'select = ["SELU1"]\n')
    outcome = selulint("--show-settings", "--fix")
    assert outcome.code == 0 and "# from selulint.toml\n" in outcome.out
    assert "\nselect = [SELU1]\n" in "\n" + outcome.out and "\nfix = true\n" in outcome.out


def test_rule_documents_one_all_or_lists(selulint: Program) -> None:
    listed = selulint("rule")
    assert listed.code == 0 and "SELU101  relu-activation " in listed.out and "SELU902  cannot-parse " in listed.out
    by_name, by_code = selulint("rule", "relu-activation"), selulint("rule", "SELU101")
    assert by_name == by_code and by_name.out.startswith("# relu-activation (SELU101, warning)\n")
    assert "\n## Why\n" in by_name.out
    everything = selulint("rule", "--all").out
    assert by_name.out in everything and everything.count("\n# ") == listed.out.count("\n") - 1
    assert selulint("rule", "relu-activatoin").err == (
        "error: unknown rule `relu-activatoin`, did you mean `relu-activation`?\n"
    )


def test_version_and_help(selulint: Program) -> None:
    assert selulint("--version").out == f"selulint {__version__}\n"
    text = (ROOT / "pyproject.toml").read_text()
    assert f'\nversion = "{__version__}"\n' in text
    assert "--unsafe-fixes" in selulint("check", "--help").out and "rule" in selulint("--help").out


@pytest.mark.parametrize(
    ("environment", "colored"),
    [
        ({}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ({"NO_COLOR": "1"}, False),
    ],
)
def test_colour(selulint: Program, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], colored: bool) -> None:
    put("net.py")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert ("\x1b[" in selulint("net.py").out) is colored
    assert "\x1b[" not in selulint("net.py", "--output-format=json").out
    selulint("net.py", "--output-file", "report.txt")
    assert "\x1b[" not in Path("report.txt").read_text()


def test_names_that_cannot_be_encoded_are_shown_escaped(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.py")
    (tmp_path / name).write_text(RELU)
    done = shell("--output-format=concise", ".", cwd=tmp_path)
    assert done.returncode == 1 and done.stdout.startswith(b"caf\\udce9.py:3:38: SELU101")


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text("import torch.nn as nn\n" + (RELU.splitlines()[2] + "\n") * 300)
    for arguments, reader in (("--output-format=json .", "head -c 10"), ("--output-format=concise .", "true")):
        command = f"'{sys.executable}' -m selulint {arguments} | {reader}; exit ${{PIPESTATUS[0]}}"
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(["bash", "-c", command], capture_output=True, cwd=tmp_path, env=environment, check=False)
        assert done.stderr == b"" and done.returncode == 1


def test_an_interrupt_exits_without_a_traceback(selulint: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    put("net.py")

    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "plan", interrupted)
    outcome = selulint("net.py")
    assert outcome.code == 130 and "Traceback" not in outcome.err


def test_an_interrupt_says_which_files_are_fixed(selulint: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it comes between the writing of a file and the next step."""
    names = [put(name).name for name in ("a.py", "b.py", "c.py", "d.py")]
    written = []

    def interrupted(result: FileResult) -> None:
        write(result)
        written.append(result.path)
        if len(written) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(cli, "write", interrupted)
    outcome = selulint("--fix", ".")
    assert outcome.code == 130 and "Traceback" not in outcome.err
    assert "interrupted: 2 files are fixed, the other 2 are as they were" in outcome.err
    fixed = [each.removeprefix("  fixed: ") for each in outcome.err.splitlines() if each.startswith("  fixed: ")]
    changed = [name for name in names if Path(name).read_text() != RELU]
    assert fixed == written and [Path(each).name for each in fixed] == changed and len(changed) == 2


def test_a_bar_is_shown_only_on_a_terminal_and_on_long_runs(selulint: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(40):
        put(f"f{number}.py", "x = 1\n")
    monkeypatch.setattr(cli, "PATIENCE_SECONDS", -1.0)
    assert selulint(".") == Outcome(0, "All checks passed!\n", "")

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    def bar() -> str:
        terminal = Terminal()
        monkeypatch.setattr(sys, "stderr", terminal)
        assert selulint(".").out == "All checks passed!\n"
        return terminal.getvalue()

    assert "Checking" in bar()
    monkeypatch.setattr(cli, "PATIENCE_SECONDS", 1000.0)
    assert bar() == ""


HEAVY = ("libcst", "torch", "keras", "numpy", "concurrent.futures.process")


def imported(tmp_path: Path, *arguments: str) -> set[str]:
    """Which of the heavy modules a run of the program imports."""
    script = (
        "import sys\nfrom selulint.cli import main\ntry:\n    main()\nfinally:\n"
        f"    print('LOADED', *[name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)
    marked = [line for line in done.stdout.splitlines() if line.startswith("LOADED")]
    assert len(marked) == 1, done.stderr
    return set(marked[0].split()[1:])


def test_nothing_heavy_is_imported_where_there_is_no_candidate(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    (tmp_path / "broken.py").write_text("def f(:\n")
    for arguments in (
        ["--version"],
        ["--help"],
        ["."],
        ["--fix", "."],
        ["--diff", "a.py"],
        ["--select=ALL", "."],
        ["rule"],
    ):
        assert imported(tmp_path, *arguments) == set(), arguments


def test_the_test_for_heavy_imports_can_fail(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(RELU)
    assert imported(tmp_path, ".") == {"libcst"}
