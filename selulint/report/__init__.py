"""What is shown of a run; the reporters are modules of this package, imported when one is asked for."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from selulint.diagnostic import Applicability, Diagnostic, Severity
from selulint.source import Source

# Output format to module and function; each function takes a Report and yields text, newlines included.
REPORTERS = {
    "full": ("selulint.report.text", "full"),
    "concise": ("selulint.report.text", "concise"),
    "json": ("selulint.report.json", "objects"),
}
STATISTICS = {
    "full": ("selulint.report.text", "statistics"),
    "concise": ("selulint.report.text", "statistics"),
    "json": ("selulint.report.json", "statistics"),
}


@dataclass(frozen=True, slots=True)
class Report:
    """Diagnostics in order, each with the text that its spans refer to (None where it has no span).

    `fixed` counts the findings that fixes removed, in `changed` files; `complete` is False where something could not
    be done, which a report must not call a pass. `fixing` says that fixes were asked for.
    """

    entries: tuple[tuple[Diagnostic, Source | None], ...]
    fixed: int = 0
    changed: int = 0
    complete: bool = True
    color: bool = False
    fixing: bool = False

    def count(self, severity: Severity) -> int:
        return sum(diagnostic.severity is severity for diagnostic, _ in self.entries)

    def fixable(self, applicability: Applicability) -> int:
        return sum(fix_level(diagnostic) is applicability for diagnostic, _ in self.entries)

    def refusals(self) -> list[tuple[str, int]]:
        """Why findings have no fix, and how many; the most frequent reason first."""
        reasons = Counter(diagnostic.refused for diagnostic, _ in self.entries if diagnostic.refused)
        return sorted(reasons.items(), key=lambda row: (-row[1], row[0]))

    def by_rule(self) -> list[tuple[str, str, int, int, int]]:
        """Code, name, count, and how many of these have a safe and an unsafe fix; the most frequent first."""
        totals = Counter((diagnostic.code, diagnostic.name) for diagnostic, _ in self.entries)
        levels = Counter((diagnostic.code, fix_level(diagnostic)) for diagnostic, _ in self.entries)
        rows = [
            (code, name, total, levels[code, Applicability.SAFE], levels[code, Applicability.UNSAFE])
            for (code, name), total in totals.items()
        ]
        return sorted(rows, key=lambda row: (-row[2], row[0]))


def fix_level(diagnostic: Diagnostic) -> Applicability | None:
    """How safe the diagnostic's fix is, None where there is none."""
    return None if diagnostic.fix is None else diagnostic.fix.applicability


def render(report: Report, output_format: str, statistics: bool = False) -> Iterator[str]:
    """The report, or its table of statistics, as pieces of text."""
    module, function = (STATISTICS if statistics else REPORTERS)[output_format]
    pieces: Iterator[str] = getattr(importlib.import_module(module), function)(report)
    return pieces
