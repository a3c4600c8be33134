"""What `selulint verify` measured as one HTML file that needs nothing else: inline CSS and SVG, no scripts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from selulint.moments.maps import THEOREM_1_BOX
from selulint.report.charts import Series, chart
from selulint.report.measurements import about, cells, collapsed_at, headings, is_fine, number, observations, sentence
from selulint.verify.parent import Outcome
from selulint.verify.readings import Cause, Measured, is_hidden, mean_is_inside, variance_is_inside

_STYLE = """
:root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--text:#1a1f2b;--faint:#5a6372;--rule:#dfe3ea;--grid:#e8ebf0;
--one:#2458c5;--two:#8a3fc2;--ghost:#6b7482;--good:#146c43;--good-soft:#d8f0e3;--bad:#b3261e;--bad-soft:#fbe3e1;
--box:#1f9d6126;--code:#eef1f6}
@media(prefers-color-scheme:dark){:root{--page:#11141a;--card:#191e27;--text:#e6e9ef;--faint:#a0a9b8;--rule:#2c3442;
--grid:#272e3a;--one:#7da8ff;--two:#cf9bff;--ghost:#98a2b3;--good:#6fdca4;--good-soft:#14382a;--bad:#ff9088;
--bad-soft:#45201f;--box:#34d39926;--code:#232a36}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1120px;margin:0 auto;padding:28px 20px 48px}
h1{font-size:22px;line-height:1.3;margin:0 0 4px;overflow-wrap:anywhere}
h2{font-size:16px;margin:32px 0 10px}
p{margin:6px 0}
.about{color:var(--faint)}
.verdicts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));gap:16px;margin:18px 0}
.verdict{padding:14px 18px;border-radius:10px;border-left:5px solid}
.verdict b{display:block;font-size:17px}
.verdict.good{background:var(--good-soft);border-color:var(--good)}.verdict.good b{color:var(--good)}
.verdict.bad{background:var(--bad-soft);border-color:var(--bad)}.verdict.bad b{color:var(--bad)}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));gap:16px}
figure{margin:0;background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:14px 14px 8px;min-width:0}
figcaption{font-weight:600}figcaption small{display:block;font-weight:400;color:var(--faint);font-size:13px}
.keys{display:flex;flex-wrap:wrap;gap:2px 16px;margin:6px 0 2px;font-size:13px;color:var(--faint)}
.keys span{white-space:nowrap}.keys i{display:inline-block;width:18px;margin-right:6px;vertical-align:middle}
.keys i.line{border-top:2.5px solid}.keys i.dash{border-top:2px dashed}.keys i.dots{border-top:2px dotted}
.keys i.any{border-color:var(--text)}.keys i.area{height:10px;background:var(--box);
border:1px solid var(--good)}
.keys i.one{border-color:var(--one)}.keys i.two{border-color:var(--two)}.keys i.ghost{border-color:var(--ghost)}
.keys i.dot{width:9px;height:9px;border-radius:50%;background:var(--bad)}
svg{display:block;width:100%;height:auto;font:12px system-ui,sans-serif}
.grid{stroke:var(--grid)}.tick{fill:var(--faint)}.box{fill:var(--box)}
.line{fill:none;stroke-width:2;stroke-linejoin:round}.line.one{stroke:var(--one)}.line.two{stroke:var(--two)}
.line.ghost{stroke:var(--ghost);stroke-dasharray:5 4;stroke-width:1.6}
.line.m1{stroke-dasharray:7 4}.line.m2{stroke-dasharray:2 3}
.point{stroke:var(--card);stroke-width:1}.point.one{fill:var(--one)}.point.two{fill:var(--two)}
.point.ghost{fill:var(--ghost)}.point.bad{fill:var(--bad)}
.band{opacity:.18}.band.one{fill:var(--one)}.band.two{fill:var(--two)}.band.ghost{fill:var(--ghost)}
.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--rule);border-radius:10px}
table{border-collapse:collapse;width:100%;font-size:13.5px}
th,td{padding:6px 12px;text-align:right;white-space:nowrap;border-bottom:1px solid var(--rule);
font-variant-numeric:tabular-nums}
th{color:var(--faint);font-weight:600}tr:last-child td{border-bottom:0}
.word{text-align:left}
td.outside{color:var(--bad);font-weight:600}td.inside{color:var(--good)}td.unjudged{color:var(--faint)}
code,td.mono{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.92em}
code{background:var(--code);padding:1px 5px;border-radius:4px;overflow-wrap:anywhere}
ul{margin:6px 0;padding-left:20px}li{margin:6px 0;overflow-wrap:anywhere}
footer{margin-top:32px;color:var(--faint);font-size:13px}
@media(max-width:520px){main{padding:20px 12px 36px}h1{font-size:19px}figure{padding:12px 8px 6px}
figcaption,.keys{padding:0 4px}svg{font-size:14px}}
@media print{body{background:none}.cards figure,.scroll{break-inside:avoid}}
"""
_CLASSES = ("one", "two")


@dataclass(frozen=True, slots=True)
class Part:
    """One model of a page, with what to call it ("" where there is only one) and what else to say of it."""

    label: str
    outcome: Outcome
    causes: tuple[Cause, ...] = ()
    remark: str = ""


def page(parts: Sequence[Part], footer: str) -> Iterator[str]:
    """The file, in pieces: verdict, charts by depth, findings, a table; of one model, or of two side by side."""
    target = escape(parts[0].outcome.target)
    yield '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width,initial-scale=1">'
    yield f"<title>selulint verify {target}</title><style>{_STYLE}</style></head><body><main>"
    yield f"<h1>{_breakable(target)}</h1>"
    yield f'<p class="about">{escape(about(parts[0].outcome))}</p>'
    yield f'<div class="verdicts">{"".join(_verdict(part) for part in parts)}</div>'
    yield '<div class="cards">'
    yield from _figures(parts)
    yield "</div>"
    for part in parts:
        yield from _findings(part)
    yield from _notes(parts)
    for part in parts:
        yield f"<h2>{escape(_titled('Every activation', part))}</h2>"
        yield from _table(part.outcome)
    yield f"<footer>{escape(footer)}</footer></main></body></html>\n"


def _breakable(text: str) -> str:
    """A name that may be broken where its parts meet."""
    return "".join(f"{each}<wbr>" if each in "/_.:" else each for each in text)


def _titled(title: str, part: Part) -> str:
    return f"{title}, {part.label}" if part.label else title


def _verdict(part: Part) -> str:
    good = part.outcome.verdict.normalizing
    text = sentence(part.outcome)
    head, _, tail = text.partition(": ")
    label = f"{part.label.capitalize()}: " if part.label else ""
    if not label:
        head = head[:1].upper() + head[1:]
    tail = tail[:1].upper() + tail[1:] + "." * bool(tail)
    return f'<div class="verdict {"good" if good else "bad"}"><b>{escape(label + head)}</b>{_message(tail)}</div>'


# A model, its activations (None where one is not hidden), and the class that colours its lines.
Line = tuple[Part, list[Measured | None], str]


def _figures(parts: Sequence[Part]) -> Iterator[str]:
    means, variances = THEOREM_1_BOX
    lines = [(part, _hidden(part.outcome), _CLASSES[index]) for index, part in enumerate(parts)]
    predicted = any(each.expected for _, layers, _ in lines for each in layers if each)
    keys = [(f"line {name}", part.label or "measured (median of the seeds)") for part, _, name in lines]
    keys += [("dash ghost", "predicted from the source")] * predicted
    several = keys[: len(lines)] if len(lines) > 1 else []
    judged = [*keys, ("area", "box of Theorem 1"), ("dot", "outside")]
    yield _figure(
        "Variance by depth",
        "shaded: smallest to largest of the seeds" if len(parts[0].outcome.runs) > 1 else "",
        chart("variance by depth", list(_variances(lines)), variances, log=True),
        judged,
    )
    yield _figure("Mean by depth", "", chart("mean by depth", list(_means(lines)), means), judged)
    gradients = [_series(part, layers, name, "gradient") for part, layers, name in lines]
    if any(value is not None for each in gradients for value in each.values):
        yield _figure(
            "Gradient flow",
            "root mean square at each activation, for random gradients of variance 1 at the output",
            chart("gradient by depth", gradients, log=True),
            several,
        )
    for name, title, note in _SHARES:
        shares = [_series(part, layers, kind, name) for part, layers, kind in lines]
        if any(value is not None for each in shares for value in each.values):
            svg = chart(f"{title} by depth", shares, within=(0.0, 0.25), percent=True)
            yield _figure(title, note, svg, several)
    moved = list(_moved(lines))
    if moved:
        yield _figure(
            "Contraction",
            "distance between runs with moved inputs and the run with unmoved ones: "
            + "; ".join(f"{part.label}: {_returns(part)}" if part.label else _returns(part) for part, _, _ in lines),
            chart("distance of moved inputs by depth", moved, log=True),
            [
                *(keys[: len(lines)] if len(lines) > 1 else ()),
                ("line any", "x2"),
                ("dash any", "x0.5"),
                ("dots any", "+0.5"),
            ],
        )


_SHARES = (
    ("dead", "Dead units", "share of units that give nothing (ReLU) or one value (others) for the whole batch"),
    ("saturated", "Saturation", "share of values within 3 % of the function's bound"),
)


def _moved(lines: Sequence[Line]) -> Iterator[Series]:
    for part, _, name in lines:
        for index, each in enumerate(part.outcome.moved):
            yield Series(f"{name} m{index}", each.name, [_floored(value) for value in each.distances], points=False)


def _floored(value: float | None) -> float | None:
    return value if value is None else max(value, _NOTHING)


# A distance below this is nothing.
_NOTHING = 1e-3


def _returns(part: Part) -> str:
    moved = part.outcome.moved
    if collapsed_at(part.outcome) is not None:
        return "all that differs between samples is lost"
    if len({each.returns for each in moved}) == 1:
        return f"depth {'takes back' if moved[0].returns else 'does not take back'} the moves"
    return ", ".join(f"{each.name} {'returns' if each.returns else 'stays'}" for each in moved)


def _figure(title: str, note: str, svg: str, keys: Sequence[tuple[str, str]]) -> str:
    small = f"<small>{escape(note)}</small>" if note else ""
    legend = "".join(f'<span><i class="{kind}"></i>{escape(text)}</span>' for kind, text in keys)
    return f'<figure><figcaption>{title}{small}</figcaption><div class="keys">{legend}</div>{svg}</figure>'


def _hidden(outcome: Outcome) -> list[Measured | None]:
    return [each if is_hidden(each.reading) else None for each in outcome.verdict.layers]


def _variances(lines: Sequence[Line]) -> Iterator[Series]:
    for _, layers, _ in lines:
        expected = [each.expected if each else None for each in layers]
        if any(expected):
            low, high = ([getattr(each, end) if each else None for each in expected] for end in ("low", "high"))
            values = [each.variance if each else None for each in expected]
            yield Series("ghost", "predicted", values, low, high)
    for part, layers, name in lines:
        low = [each.lowest if each else None for each in layers]
        high = [each.highest if each else None for each in layers]
        values = [each.reading.variance if each else None for each in layers]
        yield Series(name, part.label, values, low, high, _marked(layers, False), _titles(layers))


def _means(lines: Sequence[Line]) -> Iterator[Series]:
    for _, layers, _ in lines:
        expected = [each.expected.mean if each and each.expected else None for each in layers]
        if any(each is not None for each in expected):
            yield Series("ghost", "predicted", expected)
    for part, layers, name in lines:
        values = [each.reading.mean if each else None for each in layers]
        yield Series(name, part.label, values, (), (), _marked(layers, True), _titles(layers))


def _series(part: Part, layers: list[Measured | None], name: str, figure: str) -> Series:
    values = [getattr(each.reading, figure) if each else None for each in layers]
    shown = "" if figure == "gradient" else "%"
    titles = [
        f"{each.reading.layer or each.reading.function}: {figure} {_percent(value) if shown else number(value)}"
        if each
        else ""
        for each, value in zip(layers, values, strict=True)
    ]
    return Series(name, part.label, values, titles=titles)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _marked(layers: Sequence[Measured | None], mean: bool) -> frozenset[int]:
    """The activations whose mean, or variance, is outside."""
    readings = [(index, each.reading) for index, each in enumerate(layers) if each]
    if mean:
        return frozenset(index for index, each in readings if not mean_is_inside(each.mean))
    return frozenset(index for index, each in readings if not variance_is_inside(each.variance))


def _titles(layers: Sequence[Measured | None]) -> list[str]:
    return [_title(index, each) if each else "" for index, each in enumerate(layers)]


def _title(index: int, each: Measured) -> str:
    reading = each.reading
    behind = f" behind {reading.layer}" if reading.layer else ""
    return f"{index}: {reading.function}{behind}\nmean {number(reading.mean)}, variance {number(reading.variance)}"


def _findings(part: Part) -> Iterator[str]:
    if is_fine(part.outcome) or not part.causes:
        return
    yield f"<h2>{escape(_titled('What the linter says of this code', part))}</h2><ul>"
    for each in part.causes:
        place, rest = f"<code>{escape(each.place)}</code>", f"{each.code} {each.name}"
        lead = "<b>Explains the first activation outside.</b> " if each.explains else ""
        yield f"<li>{lead}{place} <b>{escape(rest)}</b> {_message(each.message)}</li>"
    yield "</ul>"


def _message(text: str) -> str:
    """A message with what stands in backticks as code."""
    parts = text.split("`")
    return "".join(
        f"<code>{escape(part)}</code>" if index % 2 and index < len(parts) - 1 else escape(part)
        for index, part in enumerate(parts)
    )


def _notes(parts: Sequence[Part]) -> Iterator[str]:
    notes = []
    for part in parts:
        own = [part.remark, *observations(part.outcome), *part.outcome.notes, *part.outcome.verdict.reasons]
        notes += [f"{part.label}: {each}" if part.label else each for each in own if each]
    if notes:
        yield "<h2>Notes</h2><ul>"
        yield from (f"<li>{escape(each[:1].upper() + each[1:])}</li>" for each in dict.fromkeys(notes))
        yield "</ul>"


def _table(outcome: Outcome) -> Iterator[str]:
    names = headings(outcome)
    words = {"activation", "layer", "where", "verdict"}
    yield '<div class="scroll"><table><thead><tr>'
    yield "".join(f"<th{_word(name, words)}>{escape(name or '#')}</th>" for name in names)
    yield "</tr></thead><tbody>"
    for index, each in enumerate(outcome.verdict.layers):
        yield "<tr>"
        for name, text in zip(names, cells(index, each, outcome), strict=True):
            kind = _kind(text) if name == "verdict" else "mono" if name in ("layer", "where") else ""
            hint = f' title="{escape(each.reading.line, quote=True)}"' if name == "where" and text else ""
            classes = " ".join(filter(None, ("word" if name in words else "", kind)))
            yield f"<td{f' class={chr(34)}{classes}{chr(34)}' if classes else ''}{hint}>{escape(text)}</td>"
        yield "</tr>"
    yield "</tbody></table></div>"


def _word(name: str, words: set[str]) -> str:
    return ' class="word"' if name in words else ""


def _kind(text: str) -> str:
    return text if text in ("inside", "outside") else "unjudged"
