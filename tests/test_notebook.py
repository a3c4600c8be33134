"""Notebooks: one namespace over all cells, magics tolerated, and only the strings that change are rewritten."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selulint.notebook import Notebook
from selulint.report import Report, render
from selulint.run import FileResult, lint_bytes
from selulint.settings import Settings
from selulint.source import SourceError

PLAIN, FIX = Settings(), Settings(fix=True)
NET = (
    "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.fc = nn.Linear(9, 81)\n"
    "        self.act = nn.SELU()\n        self.out = nn.Linear(81, 1)\n\n    def forward(self, x):\n"
    "        return self.out(self.act(self.fc(x)))"
)


def cell(source: str, kind: str = "code", split: bool = True) -> dict[str, Any]:
    code = {"execution_count": 1, "outputs": [{"text": ["é\n"], "output_type": "stream"}]} if kind == "code" else {}
    return {"cell_type": kind, **code, "metadata": {}, "source": source.splitlines(keepends=True) if split else source}


def notebook(*cells: dict[str, Any], language: str = "python", **how: Any) -> bytes:
    tree = {
        "cells": list(cells),
        "metadata": {"kernelspec": {"language": language}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return (json.dumps(tree, **{"indent": 1, "ensure_ascii": False, **how}) + "\n").encode()


def lint(data: bytes, settings: Settings = PLAIN) -> FileResult:
    result = lint_bytes("net.ipynb", data, settings)
    assert not result.failed, [each.message for each in result.diagnostics]
    return result


def concise(result: FileResult) -> list[str]:
    entries = tuple((each, result.source) for each in result.diagnostics)
    lines = "".join(render(Report(entries, 0, 0, True, False), "concise", False)).splitlines()
    return [line.partition(" [")[0] for line in lines[:-1]]


def code_of(data: bytes) -> list[str]:
    cells = json.loads(data)["cells"]
    return ["".join(each["source"]) for each in cells if each["cell_type"] == "code"]


def test_cells_share_a_namespace_and_findings_name_the_cell() -> None:
    data = notebook(cell("# A net", "markdown"), cell("import torch.nn as nn\n"), cell(NET), cell("net = Net()"))
    assert concise(lint(data)) == ["net.ipynb:cell 3:4:19: SELU201 selu-default-init"]


def test_json_reports_the_cell_and_the_line_in_it() -> None:
    result = lint(notebook(cell("import torch.nn as nn"), cell(NET)))
    entries = tuple((each, result.source) for each in result.diagnostics)
    (found,) = json.loads("".join(render(Report(entries, 0, 0, True, False), "json", False)))
    assert (found["cell"], found["location"]) == (2, {"row": 4, "column": 19})


def test_frames_show_the_cell_only_and_magics_as_they_were_written() -> None:
    data = notebook(cell("import torch.nn as nn"), cell("%time x = 1\n" + NET), cell("Net()"))
    result = lint(data)
    entries = tuple((each, result.source) for each in result.diagnostics)
    frame = "".join(render(Report(entries, 0, 0, True, False), "full", False))
    assert "\n 5 |         self.fc = nn.Linear(9, 81)\n" in frame
    first = lint(
        notebook(cell("%time x = 1\nimport torch.nn as nn\nm = nn.Sequential(nn.Linear(9, 9), nn.SELU())\nm(0)"))
    )
    shown = "".join(
        render(Report(tuple((d, first.source) for d in first.diagnostics), 0, 0, True, False), "full", False)
    )
    assert "1 | %time x = 1\n2 | import torch.nn as nn\n3 | m = nn" in shown


MAGICS = [
    "%matplotlib inline",
    "!pip install torch",
    "files = !ls -la",
    "a = b = %who_ls",
    "?Net",
    "Net?",
    "net.fc??",
    "!echo \\\n  more",
    "if True:\n    %time f()\n    !ls",
    "%%bash\necho $(ls\nfor x in *; do :; done",
    "%%time\nx = 1",
    "%%html\n<b>{</b>",
    "%%writefile net.py\nimport (",
    "await net.fit()",
    "x = 5 %\\\n  3",
    "y = (7\n% 4)",
]


@pytest.mark.parametrize("magic", MAGICS)
def test_what_only_ipython_understands_is_tolerated_and_kept(magic: str) -> None:
    data = notebook(cell(magic), cell("import torch.nn as nn"), cell(f"{NET}\n"), cell(magic + "\n"))
    assert concise(lint(data)) == ["net.ipynb:cell 3:4:19: SELU201 selu-default-init"]
    fixed = lint(data, FIX).after
    assert fixed is not None
    assert [code_of(fixed)[0], code_of(fixed)[3]] == [magic, magic + "\n"]


def test_a_fix_changes_only_the_strings_that_it_must() -> None:
    data = notebook(cell("import torch.nn as nn\n# é"), cell(NET), cell("x = 'é'", split=False))
    fixed = lint(data, FIX).after
    assert fixed is not None
    before, after = data.decode().split("\n"), fixed.decode().split("\n")
    added = [line for line in after if line not in before]
    assert [line for line in before if line not in after] == []
    assert all(
        "_init_weights" in line or "init" in line or "module" in line or line.strip() == '"\\n",' for line in added
    )
    assert "self.apply(_init_weights)" in code_of(fixed)[1]
    assert lint(fixed, FIX).after is None
    compile("\n".join(code_of(fixed)), "net", "exec")


@pytest.mark.parametrize("how", [{"indent": None}, {"indent": 4}, {"ensure_ascii": True}, {"separators": (",", ":")}])
def test_the_files_own_layout_is_kept(how: dict[str, Any]) -> None:
    data = notebook(
        cell("import torch.nn as nn  # é"), cell(NET), cell(NET.replace("Net", "Other"), split=False), **how
    )
    fixed = lint(data, FIX).after
    assert fixed is not None
    assert json.dumps(json.loads(fixed), **{"indent": 1, "ensure_ascii": False, **how}) + "\n" == fixed.decode()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{relu", "no notebook"),
        (b"relu", "no notebook"),
        (b'["relu"]', "no notebook of format 4: it has no list of cells"),
        (b'{"worksheets": ["relu"]}', "no notebook of format 4: it has no list of cells"),
        (b"\xff\xferelu", "no notebook"),
        (b'{"relu": 1, "cells": [' + b"[" * 100_000, "no notebook"),
    ],
)
def test_what_is_no_notebook_is_said(data: bytes, message: str) -> None:
    (found,) = lint_bytes("net.ipynb", data, PLAIN).diagnostics
    assert found.name == "cannot-read"
    assert found.message.startswith(message)


def test_a_syntax_error_names_its_cell() -> None:
    result = lint_bytes("net.ipynb", notebook(cell("import torch"), cell("x = 1\nrelu = (")), PLAIN)
    assert concise(result) == ["net.ipynb:cell 2:2:8: SELU902 cannot-parse"]


def test_a_broken_cell_hides_no_other() -> None:
    first = cell("import torch.nn as nn")
    data = notebook(first, cell("ef broken():\n    pass\n  !ls"), cell(NET))
    others = concise(lint(notebook(first, first, cell(NET))))
    broken = "net.ipynb:cell 2:1:4: SELU902 cannot-parse"
    assert others
    assert concise(lint_bytes("net.ipynb", data, PLAIN)) == [broken, *others]
    fixed = lint_bytes("net.ipynb", data, FIX)
    assert concise(fixed) == [broken]
    assert fixed.after is not None
    assert b"ef broken():" in fixed.after


def test_cells_of_another_language_may_be_indented() -> None:
    data = notebook(cell("import torch.nn as nn"), cell("%%bash\nfor x in *; do\n    echo $x\ndone"), cell(NET))
    assert not lint(data).failed


def test_other_languages_and_odd_cells_are_left_alone() -> None:
    odd: list[Any] = [{"cell_type": "code"}, {"source": "x"}, "text", cell("relu <- (")]
    assert not lint(notebook(*odd[:3])).diagnostics
    assert not lint(notebook(*odd, language="R")).diagnostics


def test_a_cell_that_forges_a_boundary_is_not_fixed() -> None:
    data = notebook(cell('import torch.nn as nn\n"\u241e cell 7"'), cell(NET))
    assert lint_bytes("net.ipynb", data, FIX).after is None
    assert lint(data).diagnostics[0].fix is not None


sources = st.lists(st.text(alphabet="abx=1 \n#%!?'\"\\é\u2028()", max_size=30), max_size=5)


@given(sources, st.booleans(), st.booleans(), st.sampled_from([None, 1, 4]))
def test_nothing_changes_where_nothing_is_edited(
    codes: list[str], split: bool, ascii: bool, indent: int | None
) -> None:
    cells = [cell(code, split=split) for code in codes]
    data = notebook(*cells, indent=indent, ensure_ascii=ascii)
    try:
        source = Notebook.decode("net.ipynb", data)
    except SourceError:
        pytest.fail("a notebook that cannot be read")
    assert source.encode(source.text) == data
