"""Every rule fixture, strictly: what is found where, and what the fixes make of it."""

from __future__ import annotations

import ast
import os
from collections import Counter
from dataclasses import replace
from functools import cache

import pytest
from fixture_files import ROOT, SPELLINGS, Fixture, fixtures, respelled

from selulint.diagnostic import Diagnostic
from selulint.fix.loop import UNCOVERED, UNSAFELY_UNCOVERED
from selulint.rules import all_rules
from selulint.run import FileResult, lint_bytes
from selulint.settings import Settings
from selulint.source import Source
from selulint.syntax import triage

ALL = fixtures()
BLESS = os.environ.get("SELULINT_BLESS") == "1"
LEVELS = (".fixed.py", ".unsafe.py")


def _name(fixture: Fixture) -> str:
    return f"{fixture.path.parent.name}/{fixture.path.stem}"


@cache
def _lint(text: str, settings: Settings) -> FileResult:
    return lint_bytes("fixture.py", text.encode(), settings)


def _level(fixture: Fixture, suffix: str) -> Settings:
    return replace(fixture.settings, fix=True, unsafe_fixes=suffix == ".unsafe.py")


def _found(text: str, settings: Settings) -> list[tuple[int, str]]:
    result = _lint(text, settings)
    assert not result.failed, [each.message for each in result.diagnostics]
    source = Source("fixture.py", text)
    return sorted((source.locate(_start(each))[0], each.name) for each in result.diagnostics)


def _start(diagnostic: Diagnostic) -> int:
    assert diagnostic.span is not None, diagnostic.message
    return diagnostic.span.start


def _fixed(text: str, settings: Settings) -> str:
    result = _lint(text, settings)
    assert not result.failed, [each.message for each in result.diagnostics]
    return text if result.after is None else result.after.decode()


def _counts(text: str, settings: Settings) -> Counter[str]:
    return Counter(rule for _, rule in _found(text, replace(settings, fix=False)))


def _check_laws(text: str, settings: Settings) -> None:
    fixed = _fixed(text, settings)
    ast.parse(fixed)
    assert _fixed(fixed, settings) == fixed, "a second run changes the file again"
    added = _counts(fixed, settings) - _counts(text, settings)
    spared = UNSAFELY_UNCOVERED if settings.unsafe_fixes else UNCOVERED
    for uncovered in (each.name for each in all_rules() if each.code in spared):
        del added[uncovered]
    assert not added, f"the fix adds findings: {dict(added)}\n{fixed}"


def test_there_are_fixtures() -> None:
    assert len(ALL) >= 80
    assert sum(len(fixture.expected) for fixture in ALL) >= 150


@pytest.mark.parametrize("fixture", ALL, ids=_name)
def test_findings_are_exactly_the_expected_ones(fixture: Fixture) -> None:
    assert _found(fixture.text, fixture.settings) == fixture.expected


@pytest.mark.parametrize("fixture", [each for each in ALL if each.expected], ids=_name)
def test_triage_lets_the_file_through(fixture: Fixture) -> None:
    assert triage.is_candidate(fixture.text.encode())


@pytest.mark.parametrize("suffix", LEVELS)
@pytest.mark.parametrize("fixture", ALL, ids=_name)
def test_fixes_give_the_blessed_text_and_keep_the_laws(fixture: Fixture, suffix: str) -> None:
    settings, path = _level(fixture, suffix), fixture.result(suffix)
    _check_laws(fixture.text, settings)
    fixed = _fixed(fixture.text, settings)
    base = fixture.text if suffix == ".fixed.py" else _fixed(fixture.text, _level(fixture, ".fixed.py"))
    if BLESS:
        path.unlink(missing_ok=True)
        if fixed != base:
            path.write_text(fixed, encoding="utf-8")
    assert (path.read_text(encoding="utf-8") if path.exists() else base) == fixed


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("fixture", ALL, ids=_name)
def test_import_spelling_does_not_matter(fixture: Fixture, spelling: str) -> None:
    other = respelled(fixture, spelling)
    ast.parse(other.text)
    assert [rule for _, rule in other.expected] == [rule for _, rule in fixture.expected]
    assert _found(other.text, fixture.settings) == other.expected
    for settings in (_level(fixture, suffix) for suffix in LEVELS):
        _check_laws(other.text, settings)
        assert _counts(_fixed(other.text, settings), settings) == _counts(_fixed(fixture.text, settings), settings)


def test_no_blessed_file_is_an_orphan() -> None:
    known = {fixture.result(suffix) for fixture in ALL for suffix in LEVELS}
    assert not [path for suffix in LEVELS for path in ROOT.glob(f"*/*{suffix}") if path not in known]
