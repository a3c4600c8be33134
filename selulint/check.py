"""One file, top to bottom: text to models, models to findings, findings to diagnostics."""

from __future__ import annotations

from collections.abc import Iterator

from selulint.diagnostic import Diagnostic, Finding, Severity
from selulint.evaluate.roots import models_of
from selulint.graph import Model
from selulint.rules import Rule, all_rules
from selulint.settings import Settings
from selulint.source import Source
from selulint.syntax.lazy import File, ParseError


class InternalError(Exception):
    """Something of ours failed on a file; `rule` names the rule, or the stage where it was none."""

    def __init__(self, rule: str, cause: BaseException) -> None:
        super().__init__(f"{rule}: {type(cause).__name__}: {cause}")
        self.rule = rule


def check_source(source: Source, settings: Settings) -> list[Diagnostic]:
    """All diagnostics of one text under these settings, in order of place.

    Raises ParseError where the text is no Python, InternalError where a rule or the evaluator fails.
    """
    rules = [each for each in all_rules() if settings.enabled(each.code, each.name, each.default, source.path)]
    models = _models(source)
    found: dict[tuple[str, int, int], Diagnostic] = {}
    for each in rules:
        for model in models:
            for finding in _findings(each, model):
                diagnostic = _diagnostic(each, finding, source, settings)
                key = (each.code, finding.span.start, finding.span.end)
                found[key] = _better(found.get(key), diagnostic)
    return sorted(found.values(), key=lambda d: (d.span.start, d.span.end, d.code) if d.span else (0, 0, d.code))


def _models(source: Source) -> list[Model]:
    try:
        return models_of(File(source))
    except (ParseError, SyntaxError):
        raise
    except Exception as error:
        raise InternalError("evaluator", error) from error


def _findings(rule: Rule, model: Model) -> Iterator[Finding]:
    try:
        yield from rule.check(model)
    except Exception as error:
        raise InternalError(rule.name, error) from error


def _better(first: Diagnostic | None, second: Diagnostic) -> Diagnostic:
    """Of two findings at one place the graver one; of equals the one with a fix."""
    if first is None or second.severity > first.severity:
        return second
    return second if first.fix is None and second.fix is not None and second.severity == first.severity else first


def _diagnostic(rule: Rule, finding: Finding, source: Source, settings: Settings) -> Diagnostic:
    own = rule.severity if finding.severity is None else finding.severity
    chosen: Severity | None = settings.severity_of(rule.code, rule.name)
    fix = finding.fix if settings.may_fix(rule.code, rule.name) else None
    return Diagnostic(
        rule.code,
        rule.name,
        own if chosen is None else chosen,
        finding.message,
        source.path,
        finding.span,
        finding.related,
        fix,
        finding.prediction,
    )
