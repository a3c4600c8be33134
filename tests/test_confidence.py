"""Findings that rest on names which the file does not import: said, but with less confidence."""

from __future__ import annotations

from selulint.check import check_source
from selulint.diagnostic import Applicability, Diagnostic
from selulint.settings import Settings
from selulint.source import Source

NETWORK = "net = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 1))\n"


def _only(text: str) -> Diagnostic:
    (found,) = check_source(Source("snippet.py", text), Settings())
    return found


def test_an_imported_name_needs_no_assumption() -> None:
    found = _only(f"from torch import nn\n\n{NETWORK}")
    assert "assuming" not in found.message
    assert found.fix is not None and found.fix.applicability is Applicability.SAFE


def test_a_name_that_nothing_binds_is_said_to_be_assumed_and_nothing_is_fixed_unasked() -> None:
    found = _only(NETWORK)
    assert found.name == "relu-activation"
    assert "assuming the usual `nn`, not imported here" in found.message
    assert found.fix is not None and found.fix.applicability is Applicability.UNSAFE
    assert "does not import" in found.fix.reason


def test_only_the_names_that_the_model_uses_are_mentioned() -> None:
    text = f"from torch import nn\n\n{NETWORK}\n\ndef other(x):\n    return F.relu(x)\n"
    assert "assuming" not in _only(text).message


def test_a_name_that_the_file_binds_itself_is_not_taken_for_the_usual_one() -> None:
    assert not check_source(Source("snippet.py", f"nn = load()\n{NETWORK}"), Settings())
