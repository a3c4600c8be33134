"""One file, top to bottom: text to models, models to findings, findings to diagnostics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from os.path import basename

from selulint.diagnostic import (
    INTERNAL_ERROR,
    NO_SUCH_MODEL,
    NOT_UNDERSTOOD,
    Applicability,
    Diagnostic,
    Finding,
    Fix,
    Refusal,
    Severity,
)
from selulint.evaluate.roots import models_of
from selulint.graph import Kind, Model, Op
from selulint.rules import Rule, all_rules
from selulint.settings import Settings, is_named
from selulint.source import Source
from selulint.syntax.project import file_of


class InternalError(Exception):
    """Something of ours failed on a file; `rule` names the rule, or the stage where it was none."""

    def __init__(self, rule: str, cause: BaseException) -> None:
        super().__init__(f"{rule}: {type(cause).__name__}: {cause}")
        self.rule = rule


def check_source(source: Source, settings: Settings) -> list[Diagnostic]:
    """All diagnostics of one text under these settings, in order of place; a rule that fails is one of them.

    Raises SyntaxError where the text is no Python, InternalError where the evaluator fails.
    """
    rules = [each for each in all_rules() if settings.enabled(each.code, each.name, each.default, source.path)]
    models = models_of_source(source)
    names = settings.names_in(source.path)
    if names and not all(any(is_named(model.name, (name,)) for model in models) for name in names):
        models += [model for model in models_of_source(source, parts=True) if model.part]
    found: dict[tuple[str, int, int], Diagnostic] = {}
    failed: list[Diagnostic] = []
    for each in rules:
        try:
            for model in models:
                for finding in each.check(model):
                    less = _with_less_confidence(finding, model)
                    diagnostic = _diagnostic(each, less, model, source, settings)
                    key = (each.code, finding.span.start, finding.span.end)
                    found[key] = _better(found.get(key), diagnostic)
        except Exception as error:  # the barrier around a rule: the others still have their say
            failed.append(_failure(each.name, error, source.path))
    failed += _missing(names, models, source.path)
    everything = [*failed, *_unknowns(models, source.path, settings), *found.values()]
    return sorted(everything, key=lambda d: (d.span.start, d.span.end, d.code) if d.span else (0, 0, d.code))


def models_of_source(source: Source, parts: bool = False) -> list[Model]:
    """The models of a text. Raises SyntaxError for no Python, InternalError where the evaluator fails."""
    try:
        return models_of(file_of(source), parts)
    except SyntaxError:
        raise
    except Exception as error:
        raise InternalError("evaluator", error) from error


def _missing(names: Sequence[str], models: list[Model], path: str) -> Iterator[Diagnostic]:
    for name in names:
        if not any(is_named(model.name, (name,)) for model in models):
            known = ", ".join(dict.fromkeys(model.name.partition(".")[0] for model in models))
            has = f"it has {known}" if known else "there are none that hold an activation or dropout"
            message, notice = f"no model called `{name}`: {has}", NO_SUCH_MODEL
            yield Diagnostic(notice.code, notice.name, notice.severity, message, path, None)


def _failure(rule: str, error: Exception, path: str) -> Diagnostic:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" ({basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno})" if trace is not None else ""
    message = f"`{rule}` failed: {type(error).__name__}: {error}{place}; this is a bug of selulint"
    return Diagnostic(INTERNAL_ERROR.code, INTERNAL_ERROR.name, INTERNAL_ERROR.severity, message, path, None)


def _unknowns(models: list[Model], path: str, settings: Settings) -> Iterator[Diagnostic]:
    """What was too much to evaluate, always; every operation that is not understood, where that is asked for."""
    notice = NOT_UNDERSTOOD
    unfinished = [model for model in models if model.unfinished]
    if unfinished:
        first, others = unfinished[0], len(unfinished) - 1
        span = first.owner.span if first.owner is not None else None
        more, them = (f" (and {others} more)", "them") if others else ("", "it")
        message = f"`{first.name}`{more} is too much to evaluate: nothing is said about {them}"
        yield Diagnostic(notice.code, notice.name, notice.severity, message, path, span)
    if settings.show_unknown:
        places = {op.place: op for model in models for op in _unknown_ops(model) if op.place is not None}
        for place, op in places.items():
            message = f"not understood: {op.function}"
            yield Diagnostic(notice.code, notice.name, notice.severity, message, path, place.span)


def _unknown_ops(model: Model) -> Iterator[Op]:
    """What is not understood between a model's layers, before them, or on the way to what it returns."""
    needed = set(model.outputs)
    for op in reversed(model.ops):
        if op.kind in (Kind.PARAMETRIC, Kind.ACTIVATION) or op.index in needed:
            needed.update(op.inputs)
    return (op for op in model.of(Kind.OPAQUE) if op.index in needed)


def _with_less_confidence(finding: Finding, model: Model) -> Finding:
    """A finding that rests on names which the file does not bind says so, and nothing is fixed unasked."""
    if not model.assumed:
        return finding
    fix = finding.fix
    if isinstance(fix, Fix) and fix.applicability is Applicability.SAFE:
        reason = "; ".join(filter(None, (fix.reason, "the file does not import what it uses")))
        fix = replace(fix, applicability=Applicability.UNSAFE, reason=reason)
    names = " and ".join(f"`{name}`" for name in model.assumed)
    return replace(finding, message=f"{finding.message} (assuming the usual {names}, not imported here)", fix=fix)


def _better(first: Diagnostic | None, second: Diagnostic) -> Diagnostic:
    """Of two findings at one place the graver one; of equals the one with a fix. It is a finding of both models."""
    if first is None:
        return second
    # Of equals, the one that can be fixed, then the one that tells more places.
    is_better = second.severity == first.severity and (
        (second.fix is not None, bool(second.related)) > (first.fix is not None, bool(first.related))
    )
    better = second if second.severity > first.severity or is_better else first
    return replace(better, models=tuple(dict.fromkeys((*first.models, *second.models))))


def _diagnostic(rule: Rule, finding: Finding, model: Model, source: Source, settings: Settings) -> Diagnostic:
    own = rule.severity if finding.severity is None else finding.severity
    chosen: Severity | None = settings.severity_of(rule.code, rule.name)
    fix = finding.fix if settings.may_fix(rule.code, rule.name) else None
    refused = fix.reason if isinstance(fix, Refusal) else ""
    return Diagnostic(
        rule.code,
        rule.name,
        own if chosen is None else chosen,
        finding.message,
        source.path,
        finding.span,
        finding.related,
        fix if isinstance(fix, Fix) else None,
        finding.prediction,
        refused,
        (model.name,),
    )
