"""Settings: which rules run, where settings come from, and one clear line for each bad one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from selulint import settings as module
from selulint.diagnostic import Severity
from selulint.settings import Settings, SettingsError, resolve

RULES = {
    "SELU101": ("relu-activation", True),
    "SELU102": ("leaky-activation", False),
    "SELU201": ("selu-default-init", True),
    "SELU202": ("selu-wrong-init", True),
    "SELU901": ("unused-suppression", True),
}


@pytest.fixture(autouse=True)
def _rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "known_rules", lambda: RULES)


def running(settings: Settings, path: str | None = None) -> list[str]:
    return [code for code, (name, default) in RULES.items() if settings.enabled(code, name, default, path)]


@pytest.mark.parametrize(
    ("options", "codes"),
    [
        ({}, ["101", "201", "202", "901"]),
        ({"select": ["ALL"]}, ["101", "102", "201", "202", "901"]),
        ({"select": ["SELU2"]}, ["201", "202"]),
        ({"select": ["relu-activation"]}, ["101"]),
        ({"select": ["SELU101", "SELU901"]}, ["101", "901"]),
        ({"extend-select": ["leaky-activation"]}, ["101", "102", "201", "202", "901"]),
        ({"select": ["SELU1"], "extend-select": ["SELU201"]}, ["101", "102", "201"]),
        ({"ignore": ["SELU2"]}, ["101", "901"]),
        ({"ignore": ["ALL"]}, []),
        ({"ignore": ["ALL"], "select": ["SELU101"]}, ["101"]),
        ({"select": ["SELU2"], "ignore": ["SELU201"]}, ["202"]),
        ({"select": ["SELU201"], "ignore": ["SELU2"]}, ["201"]),
        ({"select": ["SELU201"], "ignore": ["selu-default-init"]}, []),
        ({"select": []}, []),
    ],
)
def test_the_more_specific_selector_wins(options: dict[str, list[str]], codes: list[str]) -> None:
    assert running(resolve([], options)) == [f"SELU{code}" for code in codes]


def test_per_file_ignores_are_relative_to_the_file_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[tool.selulint.per-file-ignores]\n"old/*.py" = ["SELU2"]\n"test_*.py" = ["ALL"]\n'
    )
    (tmp_path / "old").mkdir()
    monkeypatch.chdir(tmp_path / "old")
    settings = resolve(["."], {})
    assert running(settings, "a.py") == ["SELU101", "SELU901"]
    assert running(settings, str(tmp_path / "old" / "a.py")) == ["SELU101", "SELU901"]
    assert running(settings, "../new.py") == ["SELU101", "SELU201", "SELU202", "SELU901"]
    assert running(settings, "../sub/test_x.py") == []


def test_severity_and_fixability_by_rule(tmp_path: Path) -> None:
    (tmp_path / "selulint.toml").write_text(
        'fixable = ["ALL"]\nunfixable = ["SELU2"]\n[severity]\nSELU2 = "note"\nselu-wrong-init = "error"\n'
    )
    settings = resolve(["."], {})
    assert settings.severity_of("SELU201", "selu-default-init") is Severity.NOTE
    assert settings.severity_of("SELU202", "selu-wrong-init") is Severity.ERROR
    assert settings.severity_of("SELU101", "relu-activation") is None
    assert settings.may_fix("SELU101", "relu-activation") and not settings.may_fix("SELU201", "selu-default-init")


def test_the_nearest_file_wins_whole_and_the_command_line_wins_over_it(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.selulint]\nignore = ["SELU101"]\nselect = ["ALL"]\n')
    inner = tmp_path / "inner" / "pkg"
    inner.mkdir(parents=True)
    (tmp_path / "inner" / "pyproject.toml").write_text("[tool.other]\nx = 1\n")
    assert running(resolve(["inner/pkg"], {})) == ["SELU102", "SELU201", "SELU202", "SELU901"]
    (tmp_path / "inner" / "pyproject.toml").write_text('[tool.selulint]\nselect = ["SELU101"]\n')
    assert running(resolve(["inner/pkg"], {})) == ["SELU101"]
    assert running(resolve(["inner/pkg", "other.py"], {})) == ["SELU102", "SELU201", "SELU202", "SELU901"]
    assert running(resolve(["inner/pkg"], {"select": ["SELU201"]})) == ["SELU201"]
    assert running(resolve(["inner/pkg"], {}, isolated=True)) == ["SELU101", "SELU201", "SELU202", "SELU901"]
    assert running(resolve(["inner/pkg"], {}, config="pyproject.toml"))[0] == "SELU102"


def test_selulint_toml_goes_before_pyproject_and_its_keys_stand_at_the_top(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.selulint]\nselect = ["SELU101"]\n')
    (tmp_path / "selulint.toml").write_text('select = ["SELU201"]\nunsafe-fixes = true\n')
    settings = resolve(["."], {})
    assert running(settings) == ["SELU201"] and settings.unsafe_fixes and settings.source == "selulint.toml"


def test_a_pyproject_that_does_not_speak_of_us_is_not_judged(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("this is [ not toml")
    assert resolve(["."], {}) == resolve(["."], {}, isolated=True)


def test_exclude_replaces_and_extend_exclude_adds(tmp_path: Path) -> None:
    def excluded(options: dict[str, list[str]], path: str) -> bool:
        return any(globs.matches(path) for globs in resolve([], options).exclude)

    assert excluded({}, "build/a.py") and not excluded({}, "gen/a.py")
    assert excluded({"exclude": ["gen"]}, "gen/a.py") and not excluded({"exclude": ["gen"]}, "build/a.py")
    assert excluded({"exclude": ["./gen/"]}, "gen/a.py") and not excluded({"exclude": ["./gen/"]}, "x/gen.py")
    assert excluded({"extend-exclude": ["gen"]}, "gen/a.py") and excluded({"extend-exclude": ["gen"]}, "build/a.py")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("selct = []", "selct: unknown key, did you mean `select`?"),
        ("line-length = 3", "line-length: unknown key"),
        ('select = ["SELU199"]', "select: unknown rule `SELU199`, did you mean `SELU101`?"),
        ('ignore = ["relu_activation"]', "ignore: unknown rule `relu_activation`, did you mean `relu-activation`?"),
        ('ignore = ["selu101"]', "ignore: unknown rule `selu101`, did you mean `SELU101`?"),
        ('ignore = ["E501"]', "ignore: unknown rule `E501`"),
        ('select = "SELU101"', 'select: expected a list of strings, found "SELU101"'),
        ("select = [1]", "select: expected a list of strings, found [1]"),
        ('fix = "yes"', 'fix: expected true or false, found "yes"'),
        ("unsafe-fixes = 1", "unsafe-fixes: expected true or false, found 1"),
        ('output-format = "xml"', 'output-format: expected one of full, concise, json, found "xml"'),
        ("jobs = true", "jobs: expected a number of processes (0: one per core), found true"),
        ('severity = "error"', 'severity: expected a table, found "error"'),
        ('severity = { relu-activation = "bad" }', "severity.relu-activation: expected one of note, warning, error, "),
        ('severity = { relu = "note" }', "severity: unknown rule `relu`"),
        ('per-file-ignores = { "*.py" = ["x"] }', 'per-file-ignores."*.py": unknown rule `x`'),
        ('exclude = ["a", "!"]', "exclude: "),
    ],
)
def test_a_bad_setting_is_one_line_with_file_and_key(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.selulint]\n{text}\n")
    with pytest.raises(SettingsError) as caught:
        resolve(["."], {})
    line = str(caught.value)
    assert line.startswith(f"pyproject.toml: [tool.selulint] {message}") and "\n" not in line


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("pyproject.toml", b"[tool.selulint\n", "pyproject.toml: "),
        ("pyproject.toml", b"[tool]\nselulint = 3\n", "pyproject.toml: [tool.selulint]: expected a table, found 3"),
        ("selulint.toml", b"fix = \xff\n", "selulint.toml: "),
        ("selulint.toml", b"fixx = true\n", "selulint.toml: fixx: unknown key, did you mean `fix`?"),
    ],
)
def test_a_bad_file_is_one_line_with_its_name(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(SettingsError) as caught:
        resolve(["."], {})
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


def test_a_named_file_must_exist_and_speak_of_us(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^gone\.toml: No such file or directory$"):
        resolve(["."], {}, config="gone.toml")
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    with pytest.raises(SettingsError, match=r"^pyproject\.toml: no \[tool\.selulint\] table$"):
        resolve(["."], {}, config="pyproject.toml")


def test_a_bad_option_names_the_option() -> None:
    with pytest.raises(SettingsError, match=r"^--select: unknown rule `nope`$"):
        resolve([], {"select": ["nope"]})


def test_without_tomllib_only_settings_of_ours_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tomllib", None)
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["selulint"]\n')
    assert resolve(["."], {}).source == ""
    (tmp_path / "pyproject.toml").write_text("[tool.selulint]\nfix = true\n")
    with pytest.raises(SettingsError, match=r"^pyproject\.toml: reading settings needs Python 3\.11 or newer$"):
        resolve(["."], {})
