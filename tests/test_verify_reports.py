"""The reports of `selulint verify`: the page in a browser, the picture, the charts, two models side by side."""

from __future__ import annotations

import importlib.util
import json
import math
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from selulint.report.charts import Series, chart, ticks
from selulint.report.measurements import objects, text
from selulint.report.verify_figure import FigureError, figure
from selulint.report.verify_page import Part, page
from selulint.verify.parent import Outcome
from selulint.verify.readings import Cause, Expected, Reading, judge, returned

ROOT = Path(__file__).parent.parent
CAUSE = Cause("net.py", 7, 3, "SELU201", "selu-default-init", "`fc` <feeds> a SELU", explains=True)


def _outcome(variances: Sequence[float], depth: int = 0) -> Outcome:
    variances = [*variances] * max(depth, 1)
    runs = [
        [
            Reading("selu", f"net.{index}", "/x/net.py:9", True, 0.02, value * factor, 0.9, 0.1, 0.0, 0.5**index)
            for index, value in enumerate(variances)
        ]
        for factor in (0.9, 1.0, 1.1)
    ]
    moved = [returned(name, runs[0], [replace(each, variance=2 * each.variance) for each in runs[0]]) for name in "ab"]
    kept = tuple(each for each in moved if each is not None)
    return Outcome("net.py:<Net>", judge(runs), tuple(map(tuple, runs)), kept, None, "cpu", ((64, 9),), ("a <note>",))


def _predicted(outcome: Outcome) -> Outcome:
    layers = [
        replace(each, expected=Expected(0.01, each.reading.variance * 1.05, 0.7 * each.reading.variance, 1.4))
        for each in outcome.verdict.layers
    ]
    return replace(outcome, verdict=replace(outcome.verdict, layers=tuple(layers)))


GOOD, BAD = _outcome((1.0, 0.95, 1.1)), _outcome((1.0, 0.5, 0.2, 0.01))
VOID = {"meta", "wbr"}


class Balanced(HTMLParser):
    """Reads a page and fails where tags are not closed in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attributes: object) -> None:
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: object) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


PAGES = {
    "one": [Part("", GOOD)],
    "bad": [Part("", BAD, (CAUSE,))],
    "predicted": [Part("", _predicted(BAD), (CAUSE,))],
    "two": [Part("as written", BAD, (CAUSE,)), Part("fixed", GOOD, (), "by 2 fixes")],
    "deep": [Part("", _outcome((1.0, 0.9), depth=100))],
    "single": [Part("", _outcome((1.0,)))],
    "overflow": [Part("", _outcome((1.0, math.inf, math.nan, 0.0)))],
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_and_needs_nothing_else(name: str) -> None:
    found = "".join(page(PAGES[name], "selulint"))
    reader = Balanced()
    reader.feed(found)
    assert reader.open == []
    assert reader.seen.count("svg") >= 4 and "script" not in reader.seen and "link" not in reader.seen
    assert not re.search(r"https?:|url\(|src=|@import", found)
    assert "&lt;Net&gt;" in found and "<Net>" not in found and "<feeds>" not in found
    assert "nan" not in re.findall(r'(?:points|cx|cy|y\d?)="([^"]*)"', found)


def test_a_page_shows_predictions_with_their_band_where_there_are_some() -> None:
    found = "".join(page(PAGES["predicted"], ""))
    assert 'class="line ghost"' in found and 'class="band ghost"' in found and "predicted from the source" in found
    assert "ghost&quot;" not in found and 'class="line ghost"' not in "".join(page(PAGES["bad"], ""))
    assert "0.525 (0.35-1.4)" in found
    assert "predicted" in "".join(text(_predicted(BAD), ()))


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PROBE = """<script>addEventListener('load',()=>{const box=s=>document.querySelector(s).getBoundingClientRect();
document.body.dataset.probe=[innerWidth,document.documentElement.scrollWidth,getComputedStyle(document.body).backgroundColor,
getComputedStyle(document.body).color,Math.round(box('figure:nth-child(2)').top-box('figure').top),
Math.round(box('.tick').height*10)/10].join('|')})</script>"""


def _browse(folder: Path, parts: list[Part], width: int, dark: bool) -> list[str]:
    path = folder / "report.html"
    path.write_text("".join(page(parts, "")).replace("</body>", PROBE + "</body>"))
    command = [str(CHROMIUM), "--headless=new", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += [f"--user-data-dir={folder / 'profile'}", f"--window-size={width},900"]
    command += [f"--blink-settings=preferredColorScheme={int(not dark)}", "--virtual-time-budget=2000"]
    done = subprocess.run([*command, path.as_uri()], capture_output=True, text=True, timeout=120)
    found = re.search(r'data-probe="([^"]*)"', done.stdout)
    assert found is not None, done.stderr[-500:]
    return found.group(1).split("|")


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
@pytest.mark.parametrize("name", ["two", "deep"])
def test_in_a_browser_the_page_fits_its_window_in_light_and_dark(name: str, tmp_path: Path) -> None:
    light = _browse(tmp_path, PAGES[name], 1200, dark=False)
    dark = _browse(tmp_path, PAGES[name], 1200, dark=True)
    narrow = _browse(tmp_path, PAGES[name], 500, dark=False)
    for width, scrolled, *_ in (light, dark, narrow):
        assert int(scrolled) <= int(width)
    assert light[2:4] == ["rgb(246, 247, 249)", "rgb(26, 31, 43)"]
    assert dark[2:4] == ["rgb(17, 20, 26)", "rgb(230, 233, 239)"]
    assert int(light[4]) == 0 and int(narrow[4]) > 100  # charts stand side by side, or below each other
    assert min(float(light[5]), float(narrow[5])) >= 11  # the height of the charts' letters


def test_ticks_are_round_and_few() -> None:
    assert ticks(0, 1, False) == [0, 0.2, 0.4, 0.6, 0.8, 1]
    assert ticks(-0.12, 0.12, False) == [-0.1, -0.05, 0, 0.05, 0.1]
    assert ticks(0.7, 6, True) == [1, 2, 5]
    assert ticks(0.7, 1.8, True) == [1, 1.5]
    assert ticks(1e-9, 2, True) == pytest.approx([1e-9, 1e-7, 1e-5, 1e-3, 1e-1])
    for low, high in ((1e-30, 1e30), (1, 1.0001), (5e-7, 6e-7)):
        assert len(ticks(low, high, False)) <= 8 and len(ticks(low, high, True)) <= 8


def test_charts_leave_out_what_is_not_there_and_mark_what_is_outside() -> None:
    series = Series("one", "x", [1.0, None, 3.0], bad=frozenset({2}), titles=["a", "", "c & d"])
    found = chart("t", [series])
    assert found.count("<circle") == 2 and found.count("point one bad") == 1 and "c &amp; d" in found
    assert found.count("<polyline") == 1
    assert "<polyline" not in chart("t", [Series("one", "x", [None, None])])
    assert chart("t", [Series("one", "x", [1, 2, math.inf, 1, 2])], log=True).count("<polyline") == 2


def test_an_overflow_does_not_return() -> None:
    base, far = [_outcome((1.0, value)).runs[0] for value in (math.inf, 1.0)]
    found = returned("x2", base, far)
    assert found is not None and not found.returns


def test_json_has_no_overflows() -> None:
    found = json.loads("".join(objects(_outcome((1.0, math.inf, math.nan)), ())), parse_constant=pytest.fail)
    assert [each["variance"] for each in found["layers"]] == [1.0, None, None]


def test_a_picture_needs_matplotlib_and_says_so(tmp_path: Path) -> None:
    path = str(tmp_path / "x.png")
    if importlib.util.find_spec("matplotlib") is None:
        with pytest.raises(FigureError, match=r"matplotlib is not installed: pip install 'selulint\[report\]'"):
            figure(PAGES["two"], path)
        return
    for parts in PAGES.values():
        figure(parts, path)
        assert Path(path).read_bytes().startswith(b"\x89PNG") and Path(path).stat().st_size > 20_000
    with pytest.raises(FigureError, match="no such file or directory"):
        figure(PAGES["two"], str(tmp_path / "nowhere" / "x.png"))


def _verify(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "selulint", "verify", *arguments, "--seeds", "2"]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=folder)


def test_two_models_side_by_side(tmp_path: Path) -> None:
    source = ROOT / "fixtures" / "models" / "torch_relu_sequential.py"
    copy = tmp_path / source.name
    shutil.copyfile(source, copy)
    html = tmp_path / "two.html"
    done = _verify(tmp_path, f"{copy}:build", "--compare", "--html", str(html))
    assert done.returncode == 1, done.stderr
    assert "  relu -> selu  " in done.stdout and "fixed mean  fixed variance" in done.stdout
    assert "\nas written: not self-normalizing: activation 0 (relu" in done.stdout
    assert re.search(r"\nwith \d+ fix(es)? \(--fix --unsafe-fixes\): self-normalizing: every", done.stdout)
    assert "<b>As written: not self-normalizing</b>" in html.read_text()
    assert copy.read_bytes() == source.read_bytes()
    found = json.loads(_verify(tmp_path, f"{copy}:build", "--compare", "--output-format", "json").stdout)
    assert (found["self_normalizing"], found["fixed"]["self_normalizing"]) == (False, True)
    assert found["findings"][0]["explains"] and found["findings"][0]["code"] == "SELU101"
    assert {path.name for path in tmp_path.iterdir()} == {copy.name, html.name}


def test_what_no_fix_changes_is_not_compared(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "from torch import nn\ndef net():\n    return nn.Sequential(nn.Linear(4, 4), nn.Tanh())\n"
    )
    done = _verify(tmp_path, "net.py:net", "--compare")
    assert done.returncode == 1
    assert "no fix changes its code, so there is nothing to compare" in done.stderr
    assert "not self-normalizing: no hidden activation was seen" in done.stdout


def test_reports_that_cannot_be_written_are_failures(tmp_path: Path) -> None:
    target = f"{ROOT / 'fixtures' / 'models' / 'torch_relu_sequential.py'}:build"
    done = _verify(tmp_path, target, "--html", "nowhere/report.html")
    assert (done.returncode, done.stderr) == (2, "error: nowhere/report.html: no such file or directory\n")
