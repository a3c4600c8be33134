"""The rules: one file each, found by walking this package; a rule is a function from a model's graph to findings."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from inspect import getdoc

from selulint.diagnostic import Finding, Severity
from selulint.graph import Model

Check = Callable[[Model], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule's identity and its check. `name` reads after "ignore"; `default` says whether it runs unasked."""

    code: str
    name: str
    severity: Severity
    default: bool
    check: Check

    @property
    def doc(self) -> str:
        """The documentation of the rule, as Markdown with fixed headings."""
        return getdoc(self.check) or ""

    @property
    def summary(self) -> str:
        return self.doc.partition("\n")[0].rstrip(".")


def rule(code: str, severity: Severity, default: bool = True) -> Callable[[Check], Rule]:
    """Make a rule of a check function; the function's name, with dashes, is the rule's name."""

    def declare(check: Check) -> Rule:
        return Rule(code, check.__name__.replace("_", "-"), severity, default, check)

    return declare


@cache
def all_rules() -> tuple[Rule, ...]:
    """Every rule of the package, in order of code."""
    found = []
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, Rule):
                found.append(value)
    return tuple(sorted(set(found), key=lambda each: each.code))
