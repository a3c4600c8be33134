"""What every rule owes its users: identity, documentation, messages, fixtures."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache

import pytest
from fixture_files import Fixture, fixtures

from selulint.diagnostic import NOTICES, Diagnostic
from selulint.rules import Rule, all_rules
from selulint.run import lint_bytes

HEADINGS = ["What", "Why", "Example", "Use instead", "Fix safety", "References"]
RULES = all_rules()
LAYERS = re.compile(r"Linear|Dense|dense|Conv|conv|matmul|fully_connected|@ ")
# The gain that PyTorch's initialisers have for "selu" has no counterpart in Keras, so nothing can be wrong there.
TORCH_ONLY = {"selu-gain-init"}


def _name(rule: Rule) -> str:
    return rule.name


def _of(rule: Rule, framework: str, positive: bool) -> list[Fixture]:
    own = [each for each in fixtures() if each.path.parent.name == rule.name and each.framework == framework]
    return [each for each in own if (rule.name in {name for _, name in each.expected}) == positive]


def test_codes_and_names_are_unique() -> None:
    identities = [*RULES, *NOTICES]
    assert not [code for code, count in Counter(each.code for each in identities).items() if count > 1]
    assert not [name for name, count in Counter(each.name for each in identities).items() if count > 1]
    assert len(RULES) >= 8


def test_every_fixture_directory_belongs_to_a_rule() -> None:
    assert {each.path.parent.name for each in fixtures()} == {rule.name for rule in RULES}


@pytest.mark.parametrize("rule", RULES, ids=_name)
def test_identity(rule: Rule) -> None:
    assert re.fullmatch(r"SELU[1-8]\d\d", rule.code)
    assert re.fullmatch(r"[a-z]+(-[a-z0-9]+)+", rule.name)


@pytest.mark.parametrize("rule", RULES, ids=_name)
def test_documentation(rule: Rule) -> None:
    assert re.findall(r"^## (.+)$", rule.doc, re.M) == HEADINGS
    sections = re.split(r"^## .+$", rule.doc, flags=re.M)
    assert all(section.strip() for section in sections)
    assert rule.summary and rule.summary[0].isupper()
    for example in (sections[3], sections[4]):
        assert re.search(r"```python\n.+?\n```", example, re.S)


@pytest.mark.parametrize("framework", ["torch", "keras"])
@pytest.mark.parametrize("rule", RULES, ids=_name)
def test_fixtures_in_each_framework(rule: Rule, framework: str) -> None:
    if framework == "torch" or rule.name not in TORCH_ONLY:
        assert _of(rule, framework, positive=True)
    assert _of(rule, framework, positive=False)


@pytest.mark.parametrize("rule", RULES, ids=_name)
def test_messages(rule: Rule) -> None:
    """Messages quote the user's spelling in backticks, start in lower case, and end without a full stop."""
    found = [each for fixture in fixtures() for each in _diagnostics(fixture) if each.name == rule.name]
    assert found
    for each in found:
        assert re.match(r"[a-z`]", each.message), each.message
        assert not each.message.endswith("."), each.message
        assert "\n" not in each.message and each.message.count("`") % 2 == 0 and "`" in each.message, each.message
        assert each.code == rule.code
        for related in each.related:
            assert not related.message.endswith(".")
        if each.fix is not None:
            assert each.fix.edits and re.match(r"[a-z`]", each.fix.message) and not each.fix.message.endswith(".")


@pytest.mark.parametrize("rule", RULES, ids=_name)
def test_findings_name_their_other_places(rule: Rule) -> None:
    """The layer, the activation and the initialiser are one finding: nearly every one has them as related places.

    A function by itself, in a file without layers, has no other place.
    """
    layered = [fixture for fixture in fixtures() if LAYERS.search(fixture.text)]
    found = [each for fixture in layered for each in _diagnostics(fixture) if each.name == rule.name]
    assert sum(bool(each.related) for each in found) >= 0.8 * len(found)
    for each in found:
        assert len(set(each.related)) == len(each.related)


@cache
def _diagnostics(fixture: Fixture) -> tuple[Diagnostic, ...]:
    return lint_bytes("fixture.py", fixture.text.encode(), fixture.settings).diagnostics
