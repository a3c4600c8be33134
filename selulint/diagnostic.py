"""What the linter says: spans, severities, edits, fixes, findings, diagnostics. Imports nothing of ours."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias


class Severity(IntEnum):
    """How bad a finding is; notes alone never fail a run."""

    NOTE = 0
    WARNING = 1
    ERROR = 2


class Applicability(IntEnum):
    """How far a fix may be applied without a human; ordered, so that `>=` asks whether a fix applies."""

    DISPLAY = 0
    UNSAFE = 1
    SAFE = 2


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A half-open range of characters in the decoded text of one file."""

    start: int
    end: int

    def overlaps(self, other: Span) -> bool:
        """True where the two ranges share a character, or are the same insertion point."""
        if self.start == self.end and other.start == other.end:
            return self.start == other.start
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Replace `text[start:end]` by `content`; an insertion where start equals end."""

    start: int
    end: int
    content: str

    @property
    def span(self) -> Span:
        return Span(self.start, self.end)


class Refused(Exception):
    """There is no fix that would be right; the message says why."""


@dataclass(frozen=True, slots=True)
class Fix:
    """Edits that are applied all together or not at all, with how safe they are and why not safer."""

    message: str
    edits: tuple[Edit, ...]
    applicability: Applicability
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """In the place of a fix: why there is none that would be right."""

    reason: str


Repair: TypeAlias = Fix | Refusal


@dataclass(frozen=True, slots=True)
class Related:
    """Another place of the same finding: the layer, the activation, the initialiser."""

    message: str
    span: Span


@dataclass(frozen=True, slots=True)
class Prediction:
    """Predicted statistics at a layer: mean and variance of its activation; `end` is what becomes of them."""

    layer: str
    mean: float
    variance: float
    end: Prediction | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule yields: a place, a message, related places and perhaps a fix; `severity` None means the rule's."""

    span: Span
    message: str
    related: tuple[Related, ...] = ()
    fix: Repair | None = None
    severity: Severity | None = None
    prediction: Prediction | None = None


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A finding with the rule and the file it belongs to; `span` is None when it concerns the file as a whole.

    `refused` says why there is no fix, or why it was taken back, "" where there is one or never could be. `models` are
    the names of the models that have the finding.
    """

    code: str
    name: str
    severity: Severity
    message: str
    path: str
    span: Span | None
    related: tuple[Related, ...] = ()
    fix: Fix | None = None
    prediction: Prediction | None = None
    refused: str = ""
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Notice:
    """A diagnostic of the tool's own, that no rule makes."""

    code: str
    name: str
    severity: Severity
    summary: str


UNUSED_SUPPRESSION = Notice(
    "SELU901", "unused-suppression", Severity.WARNING, "a suppression that hides nothing or cannot be understood"
)
CANNOT_PARSE = Notice("SELU902", "cannot-parse", Severity.ERROR, "the file is not valid Python")
CANNOT_READ = Notice("SELU903", "cannot-read", Severity.ERROR, "the file cannot be opened or decoded")
INTERNAL_ERROR = Notice("SELU904", "internal-error", Severity.ERROR, "selulint itself failed on the file")
NOT_UNDERSTOOD = Notice(
    "SELU905", "not-understood", Severity.NOTE, "code that could not be evaluated, so nothing is said of it"
)
NO_SUCH_MODEL = Notice(
    "SELU906", "no-such-model", Severity.ERROR, "the model that a path names (`net.py::Net`) is not in the file"
)
NOTICES = (UNUSED_SUPPRESSION, CANNOT_PARSE, CANNOT_READ, INTERNAL_ERROR, NOT_UNDERSTOOD, NO_SUCH_MODEL)
FAILURES = frozenset(notice.code for notice in (CANNOT_PARSE, CANNOT_READ, INTERNAL_ERROR, NO_SUCH_MODEL))
