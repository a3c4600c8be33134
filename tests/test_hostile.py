"""Whatever a file holds: bounded time and memory, one clear line where something cannot be done, nothing lost."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

SECONDS, BYTES = 30, 3_000_000_000
HEAD = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n\n\n"
NET = "nn.Sequential(nn.Linear(3, 3), nn.SELU(), nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 1))"


def model(init: str, forward: str = "return self.net(x)", before: str = "") -> str:
    """A file whose model runs `init` before it builds its layers."""
    body = "".join(f"        {line}\n" for line in init.splitlines())
    run = "".join(f"        {line}\n" for line in forward.splitlines())
    return (
        f"{HEAD}{before}class M(nn.Module):\n    def __init__(self, c):\n        super().__init__()\n{body}"
        f"        self.net = {NET}\n\n    def forward(self, x):\n{run}"
    )


def twice(statement: str, first: str, rounds: int = 60) -> str:
    return f"{first}\nfor i in range({rounds}):\n    {statement}"


GROWING = {
    "list": twice("v = v + v", "v = [nn.ReLU()]"),
    "list_times": twice("v = v * 5000", "v = [nn.ReLU()]"),
    "list_stars": twice("v = [*v, *v]", "v = [nn.ReLU()]"),
    "tuple_stars": twice("v = (*v, *v)", "v = (nn.ReLU(),)"),
    "tuple_augmented": twice("v += v", "v = (1,)"),
    "module_list": twice("v = v + v", "v = nn.ModuleList([nn.ReLU()])"),
    "sequential": twice("v = nn.Sequential(*v, *v)", "v = nn.Sequential(nn.ReLU())"),
    "string": twice("v = v + v", "v = 'relu'"),
    "string_times": twice("v = v * 999", "v = 'relu'"),
    "replaced": twice("v = v.replace('a', 'aa')", "v = 'a'"),
    "formatted": twice('v = f"{v}{v}"', "v = 'a'"),
    "format": twice("v = '{0}{0}'.format(v)", "v = 'a'"),
    "wide_format": "v = '{:>1000000000}'.format(3)\nw = '%1000000000d' % 3\nu = f'{3:>1000000000}'",
    "narrow_format": "for i in range(200):\n    v = f'{i:99999999}'\n    w = f'{1.5:.9999999f}'",
    "nested": twice("v = (v, v)", "v = (1,)") + "\nmax(v)\nstr(v)\nself.conv = nn.Conv2d(3, 3, v)\nself.v = v",
    "joined": twice("if c: a, b = (a, b), (b, a)\n    else: a, b = (b, b), (a, a)", "a, b = (1,), (2,)", 30),
    "blocks": twice("v = nn.Sequential(v, v)", "v = nn.ReLU()", 40),
    "numbers": "v = 2 ** 10 ** 9\nw = 1 << 10 ** 9\nu = (1 << 500) << 500 << 500\nself.t = nn.Linear(3, u)",
    "huge_sizes": "self.a = nn.Conv2d(3, 3, 1e200)\nself.b = nn.Conv2d(3, 3, 1e308)\nself.d = nn.Conv2d(3, 3, "
    + "9" * 400
    + ")",
    "ranges": "for i in range(10 ** 12): pass\nsum(range(10 ** 10))\nlist(range(10 ** 9))\n[0] * 10 ** 9",
    "ten_thousand": "v = [nn.ReLU()] * 10_000\nfor i in range(256):\n    self.a = v[i]\nself.s = nn.Sequential(*v)",
    "long_joins": "v = []\nfor i in range(256):\n    for j in range(256):\n        if c: v.append(nn.SELU())",
    "sums": "v = list(range(4096))\nfor i in range(256):\n    for j in range(256):\n        sum(v)",
    "forever": "while True:\n    c = c + 1",
    "inside_itself": "self.m = self\nv = []\nv.append(v)\nd = {}\nd['d'] = d\nself.l = nn.ModuleList([self])",
}
DEEP = {
    "and": f"{HEAD}def f(x):\n    y = F.relu(x)" + " and x" * 10_000 + "\n    return y\n",
    "elif": f"{HEAD}def f(x):\n    if x: return F.selu(x)\n" + "    elif x > 1: return F.relu(x)\n" * 700,
    "strings": f"{HEAD}class M(nn.Module):\n    text = (" + "'relu' " * 1_000 + ")\n",
    "terms": f"{HEAD}def f(x):\n    return " + " + ".join(["F.relu(x)"] * 700) + "\n",
    "inherited": HEAD
    + "class C0(nn.Module):\n    act = nn.ReLU()\n"
    + "".join(f"class C{i}(C{i - 1}): pass\n" for i in range(1, 1_200)),
    "cyclic": HEAD + "".join(f"class {a}({b}):\n    act = nn.SELU()\n\n\n" for a, b in ("AB", "BA", "SS")),
    "itself": model("self.a = M(c)", "return self(F.relu(x))"),
    "mutual": f"{HEAD}def f(x):\n    return g(F.relu(x))\n\n\ndef g(x):\n    return f(F.selu(x))\n\n\nm = {NET}\n",
    "unknown_ifs": model(
        "pass", "\n".join(["if q(): x = F.relu(x)\nelif p(): x = F.selu(x)"] * 40) + "\nreturn self.net(x)"
    ),
}


def run(*arguments: str, cwd: Path, text: bytes | None = None) -> subprocess.CompletedProcess[str]:
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))

    done = subprocess.run(
        [sys.executable, "-m", "selulint", "--isolated", "--output-format", "concise", *arguments],
        cwd=cwd,
        input=text,
        capture_output=True,
        timeout=SECONDS,
        preexec_fn=limited,
    )
    out, err = (stream.decode("utf-8", "replace") for stream in (done.stdout, done.stderr))
    assert "Traceback" not in out + err, err
    assert "internal-error" not in out, out
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)


@pytest.mark.parametrize("name", GROWING)
def test_what_grows_without_bound_ends(name: str, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(model(GROWING[name]))
    assert run("net.py", cwd=tmp_path).returncode in (0, 1)


@pytest.mark.parametrize("name", DEEP)
def test_what_is_deep_or_goes_in_circles_ends(name: str, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(DEEP[name])
    done = run("net.py", cwd=tmp_path)
    assert done.returncode in (0, 1, 2)
    if done.returncode == 2:
        (line, *_) = done.stdout.splitlines()
        assert "cannot-parse" in line
        assert "too deeply nested" in line


@pytest.mark.parametrize("codec", ["punycode", "undefined", "idna", "no-such-codec", "rot13"])
def test_odd_codecs_are_said_in_one_line(codec: str, tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(f"# coding: {codec}\n{HEAD}m = {NET}\n")
    before = path.read_bytes()
    for switches in ((), ("--diff", "--unsafe-fixes"), ("--fix",)):
        done = run("net.py", *switches, cwd=tmp_path)
        assert done.returncode in (0, 1, 2)
    assert codec == "idna" or path.read_bytes() == before


@pytest.mark.parametrize("codec", ["unicode_escape", "utf-7", "raw_unicode_escape"])
def test_bytes_that_no_edit_touches_stay(codec: str, tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    text = f"# coding: {codec}\n{HEAD}x = 'a+AGE-\\u00e9'\nm = {NET}\n"
    path.write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "selulint", "--isolated", "--fix", "net.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert "Traceback" not in done.stderr
    assert path.read_text() == text
    assert done.returncode == 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_special_files_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "net.py").write_text(f"{HEAD}m = {NET}\n")
    done = run("pipe.py", "net.py", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("error: pipe.py: not a regular file\n") == 1
    assert "net.py:6:" in done.stdout


def test_names_on_several_lines_are_printed_on_one(tmp_path: Path) -> None:
    (tmp_path / "new\nline.py").write_text(f"{HEAD}m = {NET}\n")
    done = run("new\nline.py", cwd=tmp_path)
    assert all(line.startswith(("new\\nline.py:6:", "Found")) for line in done.stdout.splitlines())


def test_a_report_does_not_overwrite_what_it_is_about(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(f"{HEAD}m = {NET}\n")
    done = run("net.py", "--output-file", "net.py", cwd=tmp_path)
    assert done.returncode == 2
    assert path.read_text() == f"{HEAD}m = {NET}\n"


def test_hard_links_are_not_severed(tmp_path: Path) -> None:
    path, other = tmp_path / "net.py", tmp_path / "other.py"
    path.write_text(f"{HEAD}m = {NET}\n")
    os.link(path, other)
    done = run("net.py", "--fix", "--unsafe-fixes", cwd=tmp_path)
    assert done.returncode == 2
    assert "hard links" in done.stderr
    assert path.read_text() == other.read_text() == f"{HEAD}m = {NET}\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no full device")
def test_a_full_disk_under_the_report_is_said(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(f"{HEAD}m = {NET}\n")
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "selulint", "--isolated", "net.py"],
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 2
    assert done.stderr == "error: the report cannot be written: no space left on device\n"


@pytest.mark.parametrize("text", ["tool = 3 # selulint", "[[tool]]\nselulint = 1", "selulint = " + "[" * 5_000])
def test_configurations_that_make_no_sense_are_said(text: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    (tmp_path / "net.py").write_text("x = 1\n")
    done = subprocess.run([sys.executable, "-m", "selulint", "net.py"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: pyproject.toml: ")
    assert len(done.stderr.splitlines()) == 1


PROJECTS = {
    "circle": {
        "net.py": "from other import A\nm = nn.Sequential(A(), nn.ReLU())",
        "other.py": "from net import m as A",
    },
    "star_of_itself": {"net.py": f"from net import *\nm = {NET}\nk = unknown(nn.ReLU())"},
    "stars_of_each_other": {
        "net.py": "".join(f"from m{j} import *\n" for j in range(12)) + f"m = {NET}\nk = unknown(nn.ReLU())",
        **{
            f"m{i}.py": "".join(f"from m{j} import *\n" for j in range(12) if i != j) + HEAD + f"k{i} = {NET}"
            for i in range(12)
        },
    },
    "no_python": {"net.py": f"from other import A\nm = nn.Sequential(A(), *{NET})", "other.py": "def ("},
    "directory": {"net.py": f"from other import A\nm = nn.Sequential(A(), *{NET})", "other.py/x.txt": ""},
    "beyond": {"net.py": f"from ......... import A\nfrom . import B\nm = nn.Sequential(A(), B(), *{NET})"},
}


@pytest.mark.parametrize("name", PROJECTS)
def test_imports_that_lead_nowhere_end(name: str, tmp_path: Path) -> None:
    for path, text in PROJECTS[name].items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(HEAD + text + "\n" if path == "net.py" else text)
    assert run("net.py", cwd=tmp_path).returncode in (0, 1)


# Programs that once ended in an internal error.
FRAGILE = {
    "import_two_blocks_deep": f"net = {NET}\nfor i in range(3):\n    if i:\n        import a\n    obs = i",
    "result_written_into": (
        "class Down(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.conv = nn.Conv2d(8, 8, 3)\n"
        "    def forward(self, x):\n        return F.relu(self.conv(x))\n\n\n"
        "class Levels(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.down = Down()\n\n"
        "    def forward(self, x):\n        return [self.down(x), x]\n\n\n"
        "class Both(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.levels = Levels()\n\n"
        "    def once(self, x):\n        found = self.levels(x)\n        for i in range(2):\n"
        "            found[i] = nn.Upsample(size=8)(found[i])\n        return found[0]\n\n"
        "    def forward(self, x):\n        return self.once(x), self.once(x)"
    ),
}


@pytest.mark.parametrize("name", FRAGILE)
def test_programs_that_once_failed_are_judged(name: str, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(HEAD + FRAGILE[name] + "\n")
    assert "SELU904" not in run("net.py", cwd=tmp_path).stdout
