"""What `selulint verify` measured as a picture (PNG, or any format that matplotlib tells by the name)."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

from selulint.moments.maps import THEOREM_1_BOX
from selulint.report.measurements import about
from selulint.report.verify_page import Part
from selulint.verify.readings import Measured, is_hidden

_COLORS = ("#2458c5", "#a3480f")
_DOTS = 150
_MISSING = "matplotlib is not installed: pip install 'selulint[report]'"


class FigureError(Exception):
    """The picture cannot be made; the message is one line that says why."""


def figure(parts: Sequence[Part], path: str) -> None:
    """Draw variance, mean, gradient and dead units by depth into a file. Raises FigureError."""
    try:
        # The figure alone, without pyplot: no display is looked for and no state is left.
        figures: Any = importlib.import_module("matplotlib.figure")
    except ImportError as error:
        raise FigureError(_MISSING) from error
    drawn = figures.Figure(figsize=(11, 7), layout="constrained")
    axes = drawn.subplots(2, 2).flatten()
    for index, part in enumerate(parts):
        layers = [(place, each) for place, each in enumerate(part.outcome.verdict.layers) if is_hidden(each.reading)]
        _draw(axes, layers, _COLORS[index], part.label or "measured")
    for axis, title in zip(axes, ("variance", "mean", "gradient (RMS)", "dead units"), strict=True):
        axis.set_title(title)
        axis.set_xlabel("activation")
        axis.grid(alpha=0.3)
    for axis, (low, high) in zip(axes[:2], reversed(THEOREM_1_BOX), strict=True):
        axis.axhspan(low, high, color="#1f9d61", alpha=0.15, label="box of Theorem 1")
    for axis in (axes[0], axes[2]):
        axis.set_yscale("log", nonpositive="mask")
    axes[3].set_ylim(-0.02, 1.02)
    axes[0].legend()
    verdicts = "; ".join(_verdict(part) for part in parts)
    drawn.suptitle(f"{parts[0].outcome.target}: {verdicts}\n{about(parts[0].outcome)}")
    try:
        drawn.savefig(path, dpi=_DOTS)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise FigureError(f"{path}: {reason.lower()}") from error


def _verdict(part: Part) -> str:
    said = "self-normalizing" if part.outcome.verdict.normalizing else "not self-normalizing"
    return f"{part.label} {said}".strip()


def _draw(axes: Any, layers: Sequence[tuple[int, Measured]], color: str, label: str) -> None:
    x = [place for place, _ in layers]
    readings = [each.reading for _, each in layers]
    axes[0].fill_between(
        x, [each.lowest for _, each in layers], [each.highest for _, each in layers], color=color, alpha=0.15
    )
    figures = ("variance", "mean", "gradient", "dead")
    for axis, name in zip(axes, figures, strict=True):
        values = [getattr(reading, name) for reading in readings]
        axis.plot(
            x, [float("nan") if value is None else value for value in values], "o-", color=color, ms=4, label=label
        )
    expected = [(place, each.expected) for place, each in layers if each.expected is not None]
    if expected:
        places = [place for place, _ in expected]
        axes[0].plot(places, [each.variance for _, each in expected], "s--", color="#6b7482", ms=4, label="predicted")
        axes[1].plot(places, [each.mean for _, each in expected], "s--", color="#6b7482", ms=4)
