"""Charts as inline SVG: values by depth, with a band and a box. Colours are CSS variables of the page that holds them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT = 460, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 14, 34
# A point of more series than this is too small to be hit by a pointer, and hides the line.
_MANY_POINTS = 80
# A logarithmic axis that spans less than this has linear ticks.
_NARROW = 4.0
_SMALLEST, _LARGEST = 1e-45, 1e38


@dataclass(frozen=True, slots=True)
class Series:
    """A line: a value for each place on the x axis (None: no point). `low` and `high` are its band, `bad` the places
    that are marked, `titles` what a pointer over a point is told; `name` is the class that colours it."""

    name: str
    label: str
    values: Sequence[float | None]
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()
    bad: frozenset[int] = frozenset()
    titles: Sequence[str] = ()
    points: bool = True


@dataclass(frozen=True, slots=True)
class _Axis:
    low: float
    high: float
    log: bool

    def at(self, value: float) -> float:
        """The share of the axis at which a value stands, from 0 to 1."""
        if self.log:
            value = math.log10(min(max(value, _SMALLEST), _LARGEST))
            low, high = math.log10(self.low), math.log10(self.high)
        else:
            low, high = self.low, self.high
        return min(max((value - low) / (high - low), 0.0), 1.0)

    def y(self, value: float) -> float:
        return _TOP + (1 - self.at(value)) * (_HEIGHT - _TOP - _BOTTOM)


def chart(
    title: str,
    series: Sequence[Series],
    box: tuple[float, float] | None = None,
    log: bool = False,
    within: tuple[float, float] | None = None,
    percent: bool = False,
) -> str:
    """An SVG figure. `box` is a range that is shaded; `within` a range that the axis covers in any case."""
    count = max((len(each.values) for each in series), default=0)
    axis = _axis(series, [*(box or ()), *(within or ())], log)
    label = escape(title, quote=True)
    pieces = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">']
    if box is not None:
        top, bottom = axis.y(box[1]), axis.y(box[0])
        pieces.append(
            f'<rect class="box" x="{_LEFT}" y="{top:.1f}" width="{_WIDTH - _LEFT - _RIGHT}" height="{bottom - top:.1f}"/>'
        )
    pieces.extend(_grid(axis, count, percent))
    for each in series:
        pieces.extend(_line(each, axis, count))
    pieces.append("</svg>")
    return "".join(pieces)


def _axis(series: Sequence[Series], covered: Sequence[float], log: bool) -> _Axis:
    values = [*covered]
    for each in series:
        values.extend(v for line in (each.values, each.low, each.high) for v in line if v is not None)
    values = [v for v in values if math.isfinite(v) and (v > 0 or not log)]
    low, high = min(values, default=1.0), max(values, default=1.0)
    if log:
        low, high = max(low, _SMALLEST), min(high, _LARGEST)
        return _Axis(low / 1.25, max(high, low) * 1.25, True)
    room = (high - low) * 0.08 or 1.0
    return _Axis(low - room if low < 0 else low, high + room, False)


def ticks(low: float, high: float, log: bool, wanted: int = 5) -> list[float]:
    """Round numbers between two, as few as can be read."""
    if log and high / low < _NARROW:
        return [each for each in ticks(low, high, False, wanted) if each > 0]
    if log:
        first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
        steps: Sequence[int] = (1, 2, 5) if last - first <= 2 else (1,)
        every = max(1, math.ceil((last - first) / (wanted + 1)))
        found = [step * 10.0**power for power in range(first, last + 1, every) for step in steps]
        return [each for each in found if low <= each <= high]
    rough = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    return [round(index * step, 12) for index in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _grid(axis: _Axis, count: int, percent: bool) -> Iterator[str]:
    for value in ticks(axis.low, axis.high, axis.log):
        y = axis.y(value)
        text = f"{value:.0%}" if percent else _shown(value)
        yield f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text class="tick" x="{_LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'
    step = max(1, next(each for each in (1, 2, 5, 10, 20, 50, 100, 200, 500, 10**9) if count <= each * 12))
    for index in range(0, count, step):
        x = _x(index, count)
        yield f'<text class="tick" x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 17}" text-anchor="middle">{index}</text>'
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    yield f'<text class="tick" x="{middle}" y="{_HEIGHT - 3}" text-anchor="middle">activation</text>'


def _shown(value: float) -> str:
    if value and not 1e-3 <= abs(value) < 1e4:
        power = math.floor(math.log10(abs(value)) + 1e-9)
        factor = value / 10.0**power
        head = "" if math.isclose(factor, 1) else f"{factor:g}·"
        return f'{head}10<tspan dy="-4" font-size="80%">{power}</tspan>'.replace(">-", ">−")
    return f"{value:g}".replace("-", "−")


def _x(index: int, count: int) -> float:
    inner = _WIDTH - _LEFT - _RIGHT - 20
    return _LEFT + 10 + (inner / 2 if count < 2 else inner * index / (count - 1))


def _line(series: Series, axis: _Axis, count: int) -> Iterator[str]:
    yield from _band(series, axis, count)
    for run in _runs(series.values):
        points = " ".join(f"{_x(index, count):.1f},{axis.y(value):.1f}" for index, value in run)
        yield f'<polyline class="line {series.name}" points="{points}"/>'
    for index, value in enumerate(series.values):
        if value is None:
            continue
        place = f'cx="{_x(index, count):.1f}" cy="{axis.y(_finite(value)):.1f}"'
        bad = " bad" * (index in series.bad)
        if series.points and (count <= _MANY_POINTS or bad):
            told = f"<title>{escape(series.titles[index])}</title>" if series.titles else ""
            size = 3.6 if count <= 40 else 2.4
            yield f'<circle class="point {series.name}{bad}" {place} r="{size}">{told}</circle>'


def _finite(value: float) -> float:
    """Where a value stands that is none: an overflow above everything."""
    return value if math.isfinite(value) else _LARGEST * 10


def _band(series: Series, axis: _Axis, count: int) -> Iterator[str]:
    if not series.low or not series.high:
        return
    ends = [None if a is None or b is None else (a, b) for a, b in zip(series.low, series.high, strict=True)]
    places = [(index, each) for index, each in enumerate(ends) if each is not None]
    if len(places) < 2:
        return
    upper = [f"{_x(index, count):.1f},{axis.y(_finite(high)):.1f}" for index, (_, high) in places]
    lower = [f"{_x(index, count):.1f},{axis.y(_finite(low)):.1f}" for index, (low, _) in reversed(places)]
    yield f'<polygon class="band {series.name}" points="{" ".join([*upper, *lower])}"/>'


def _runs(values: Sequence[float | None]) -> Iterator[list[tuple[int, float]]]:
    """Points that are joined: over activations that are not judged, but not over an overflow."""
    run: list[tuple[int, float]] = []
    for index, value in enumerate(values):
        if value is None:
            continue
        if math.isfinite(value):
            run.append((index, value))
            continue
        if len(run) > 1:
            yield run
        run = []
    if len(run) > 1:
        yield run
