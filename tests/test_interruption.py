"""A script with a statement that is too much to evaluate: what was built before it is still checked, where that is safe."""

from __future__ import annotations

from selulint.check import check_source
from selulint.settings import Settings
from selulint.source import Source

NET = "nn.Sequential(nn.Linear(8, 8), nn.SELU(), nn.Linear(8, 1))"
SWEEP = (
    "for i in range(256):\n    for j in range(256):\n        many = nn.Sequential(nn.SELU(), nn.Linear(i, j))\n        "
)
INSIDE = SWEEP.replace("\n", "\n    ")
SETUP = f"def setup(width):\n    {INSIDE}pass\n    nn.init.normal_(net[0].weight, 0, 8**-0.5)\n"


def found(*statements: str) -> list[tuple[str, int]]:
    text = "\n".join(("from torch import nn", *statements, ""))
    diagnostics = check_source(Source("script.py", text), Settings(select=("selu-default-init",)))
    return [(each.name, text.count("\n", 0, each.span.start) + 1) for each in diagnostics if each.span is not None]


def test_models_around_an_endless_statement_are_checked() -> None:
    names = found(f"net = {NET}", SWEEP + "many", f"late = {NET}")
    assert names == [("selu-default-init", 2), ("not-understood", 3), ("selu-default-init", 7)]


def test_a_loop_that_only_uses_a_model_leaves_it_as_it_is() -> None:
    assert ("selu-default-init", 2) in found(f"net = {NET}", SWEEP + "net(many(x))")


def test_nothing_is_said_about_a_model_that_the_statement_initialises() -> None:
    assert found(f"net = {NET}", SWEEP + "nn.init.normal_(net[0].weight, 0, i)") == [("not-understood", 3)]


def test_nothing_is_said_about_a_model_that_the_rest_of_the_statement_may_initialise() -> None:
    assert found(SETUP, f"net = {NET}", "whole = nn.Sequential(*net, nn.Tanh())", "setup(8)") == [
        ("not-understood", 11)
    ]


def test_what_the_statement_binds_is_unknown() -> None:
    whole = "net = nn.Sequential(nn.Linear(8, 8), nn.SELU(), last, nn.Linear(8, 1))"
    assert found(SWEEP + "last = many", whole) == [("not-understood", 2), ("selu-default-init", 6)]
