"""The rule fixtures: where they are, what they expect, and the import spellings under which each is read again."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from selulint.diagnostic import Diagnostic
from selulint.fix.apply import splice
from selulint.fix.tidy import tidied
from selulint.run import FileResult
from selulint.settings import Settings
from selulint.source import Source

ROOT = Path(__file__).resolve().parent.parent / "fixtures" / "rules"
_EXPECT = re.compile(r"[ \t]*# expect: (?P<rules>[\w, -]+)$", re.M)
_RESULTS = (".fixed.py", ".unsafe.py")
_FRAMEWORKS = ("torch", "keras", "tensorflow")
# Longest first: where a chain of attributes stops to be modules and starts to be what a `from` import can name.
_MODULES = tuple(
    sorted(
        (
            *(
                "torch",
                "torch.nn",
                "torch.nn.functional",
                "torch.nn.init",
                "torch.nn.modules.activation",
                "torch.utils",
            ),
            *(
                "torch.utils.data",
                "torch.optim",
                "torch.serialization",
                "torch.nn.utils",
                "torch.nn.utils.parametrizations",
            ),
            *("keras", "keras.layers", "keras.initializers", "keras.activations", "keras.models", "keras.optimizers"),
            *("keras.ops", "keras.constraints", "keras.losses", "keras.backend", "keras.callbacks", "keras.datasets"),
            *("keras.regularizers", "keras.utils", "tensorflow", "tensorflow.nn", "tensorflow.math"),
        ),
        key=len,
        reverse=True,
    )
)
SPELLINGS = ("short", "full", "named")


@dataclass(frozen=True, slots=True)
class Fixture:
    """One fixture: its path and its text with the expectations in it."""

    path: Path
    marked: str

    @property
    def text(self) -> str:
        """The text without the expectations, as it is linted and fixed."""
        return _EXPECT.sub("", self.marked)

    @property
    def expected(self) -> list[tuple[int, str]]:
        """Line and rule of every expected finding, in order."""
        found = []
        for number, line in enumerate(self.marked.split("\n"), 1):
            match = _EXPECT.search(line)
            if match:
                found += [(number, rule.strip()) for rule in match["rules"].split(",")]
        return sorted(found)

    def result(self, suffix: str) -> Path:
        """Where the text after fixing lies: `reason.fixed.py` or `reason.unsafe.py`."""
        return self.path.with_suffix(suffix)

    @property
    def settings(self) -> Settings:
        """What a user runs who wants this rule: one that does not run unasked is asked for."""
        return Settings(extend_select=(self.path.parent.name,))

    @property
    def framework(self) -> str:
        return "torch" if re.search(r"^(import|from) torch\b", self.marked, re.M) else "keras"


def fixtures() -> list[Fixture]:
    """Every fixture of every rule, in order of path."""
    paths = (path for path in sorted(ROOT.glob("*/*.py")) if not path.name.endswith(_RESULTS))
    return [Fixture(path, path.read_text(encoding="utf-8")) for path in paths]


def respelled(fixture: Fixture, spelling: str) -> Fixture:
    """The same program with its framework imports spelled otherwise; expectations move with their lines.

    "short" is `nn.X`, `F.x`, `layers.X`; "full" is `torch.nn.X`, `tf.keras.layers.X`; "named" is `from torch.nn import X as Y`.
    """
    tree = ast.parse(fixture.marked)
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom) and _is_ours(node)]
    names = dict(pair for node in imports for pair in _bound(node))
    style = {"short": _short, "full": _full, "named": _named}[spelling]
    taken = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - set(names)
    new_imports: dict[str, None] = {}
    edits: list[tuple[int, int, str]] = []
    offsets = Offsets(fixture.marked)
    for start, end, dotted in _uses(tree, names, offsets):
        line, text = style(dotted, taken)
        new_imports[line] = None
        edits.append((start, end, text))
    for node in imports:
        start, end = offsets(node.lineno, node.col_offset), offsets(node.end_lineno or 0, node.end_col_offset or 0)
        edits.append((start, end, "\n".join(new_imports) if node is imports[0] else "import abc"))
    text = fixture.marked
    for start, end, content in sorted(edits, reverse=True):
        text = text[:start] + content + text[end:]
    return Fixture(fixture.path, text)


def _is_ours(node: ast.Import | ast.ImportFrom) -> bool:
    modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
    return all(module.split(".")[0] in _FRAMEWORKS for module in modules)


def _bound(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    for alias in node.names:
        if isinstance(node, ast.ImportFrom):
            yield alias.asname or alias.name, f"{node.module}.{alias.name}"
        elif alias.asname:
            yield alias.asname, alias.name
        else:
            yield alias.name.split(".")[0], alias.name.split(".")[0]


def _uses(tree: ast.Module, names: dict[str, str], offsets: Offsets) -> Iterator[tuple[int, int, str]]:
    """Every longest chain `a.b.c` that starts at an imported name: its range and its canonical dotted name."""
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if id(node) in inner or not isinstance(node, ast.Attribute | ast.Name):
            continue
        parts: list[ast.expr] = []
        root: ast.expr = node
        while isinstance(root, ast.Attribute):
            parts.append(root)
            root = root.value
        if not isinstance(root, ast.Name) or root.id not in names or not isinstance(root.ctx, ast.Load):
            continue
        attributes = [part.attr for part in reversed(parts) if isinstance(part, ast.Attribute)]
        dotted = ".".join([names[root.id], *attributes]).replace("tensorflow.keras", "keras", 1)
        yield offsets(node.lineno, node.col_offset), offsets(node.end_lineno or 0, node.end_col_offset or 0), dotted


class Offsets:
    """Line (from 1) and UTF-8 column of `ast` to an offset in the text."""

    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line) + 1)

    def __call__(self, line: int, column: int) -> int:
        return self.starts[line - 1] + len(self.lines[line - 1].encode()[:column].decode())


def _split(dotted: str) -> tuple[str, str, str]:
    """The module of a dotted name, the first name in it, and the rest with its dots."""
    module = next(module for module in _MODULES if dotted == module or dotted.startswith(module + "."))
    first, dot, rest = dotted[len(module) + 1 :].partition(".")
    return module, first, dot + rest


_SHORT = {
    "torch.nn": ("from torch import nn", "nn"),
    "torch.nn.functional": ("import torch.nn.functional as F", "F"),
    "torch.nn.init": ("from torch.nn import init", "init"),
    "keras.layers": ("from keras import layers", "layers"),
    "tensorflow": ("import tensorflow as tf", "tf"),
}


def _short(dotted: str, taken: Iterable[str]) -> tuple[str, str]:
    for module in sorted(_SHORT, key=len, reverse=True):
        line, alias = _SHORT[module]
        if (dotted == module or dotted.startswith(module + ".")) and alias not in taken:
            return line, alias + dotted[len(module) :]
    return f"import {dotted.split('.')[0]}", dotted


def _full(dotted: str, taken: Iterable[str]) -> tuple[str, str]:
    module = _split(dotted)[0]
    if dotted.startswith(("keras", "tensorflow")):
        return "import tensorflow as tf", "tf." + dotted.removeprefix("tensorflow.")
    return f"import {module}", dotted


def _named(dotted: str, taken: Iterable[str]) -> tuple[str, str]:
    module, first, rest = _split(dotted)
    if not first:
        return f"import {module}", dotted
    alias = f"Our{first}" if first[0].isupper() else f"our_{first}"
    origin = f"tensorflow.{module}" if module.startswith("keras.") else module
    return f"from {origin} import {first} as {alias}", alias + rest


def is_spliced(path: str, result: FileResult) -> bool:
    """Whether the fixed text is the old one with the edits that were announced, applied in one or two passes."""
    assert result.before is not None and result.after is not None
    old, new = Source.decode(path, result.before).text, Source.decode(path, result.after).text
    cuts = range(len(result.fixed) + 1)
    return any(_spliced(_spliced(old, result.fixed[:cut]), result.fixed[cut:]) == new for cut in cuts)


def _spliced(text: str, fixed: Sequence[Diagnostic]) -> str:
    edits = {edit for each in fixed if each.fix is not None for edit in each.fix.edits}
    if not all(edit.end <= len(text) for edit in edits):
        return ""
    try:
        return tidied(Source("net.py", text), splice(text, edits))
    except SyntaxError:  # edits of another pass
        return ""
