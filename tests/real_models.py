"""Proof on real models: packages of the corpus are copied, fixed with everything allowed, imported, and run.

Run by path: `pytest tests/real_models.py -m corpus -s`. A refusal with a reason is fine, a broken model is not.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from corpus import read_manifest, unpack

pytest.importorskip("torch")
pytestmark = pytest.mark.corpus

ROOT = Path(__file__).resolve().parent.parent
PLAIN = "weights=None"
# Package, where the models are, and each model's name with its arguments and the side of its square images.
TABLE: tuple[tuple[str, str, str, tuple[tuple[str, str, int], ...]], ...] = (
    (
        "torchvision",
        "torchvision/models torchvision/ops",
        "torchvision.models",
        (
            *((name, PLAIN, 96) for name in "alexnet vgg11 vgg11_bn vgg13 vgg16 densenet121 densenet169".split()),
            *((name, PLAIN, 64) for name in "resnet18 resnet34 resnet50 resnext50_32x4d wide_resnet50_2".split()),
            *((name, PLAIN, 64) for name in "squeezenet1_0 squeezenet1_1 mnasnet0_5 mnasnet1_0".split()),
            *((name, PLAIN, 64) for name in "mobilenet_v2 mobilenet_v3_small mobilenet_v3_large".split()),
            *((name, PLAIN, 64) for name in "shufflenet_v2_x0_5 shufflenet_v2_x1_0".split()),
            *((name, PLAIN, 64) for name in "regnet_x_400mf regnet_y_400mf efficientnet_b0 convnext_tiny".split()),
            ("googlenet", f"{PLAIN}, init_weights=True", 96),
        ),
    ),
)
CHILD = r"""
import importlib, importlib.abc, importlib.machinery, json, sys, types
import torch
from torch.overrides import TorchFunctionMode

STUBBED = ("PIL", "yaml", "huggingface_hub", "safetensors", "tqdm", "requests", "scipy")

class Loose(type):
    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Loose(name, (), {"__init__": lambda self, *a, **k: None})

class Stub(types.ModuleType):
    __path__ = []
    def __getattr__(self, name):
        return getattr(Loose("Root", (), {}), name)

class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in STUBBED or name in FORCED:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
    def create_module(self, spec):
        return Stub(spec.name)
    def exec_module(self, module):
        pass

class Selus(TorchFunctionMode):
    found = ()
    def __torch_function__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if getattr(function, "__name__", "") in ("selu", "selu_"):
            values = result.detach().double()
            self.found += ((values.mean().item(), values.var().item()),)
        return result

# Compiled operators and what needs other packages; none of it is in a model.
FORCED = ("torchvision._meta_registrations", "torchvision.datasets", "torchvision.io", "torchvision.transforms")
directory, module, table = json.loads(sys.argv[1])
sys.path.insert(0, directory)
sys.meta_path.append(Finder())
sys.meta_path.insert(0, type("First", (Finder,), {"find_spec": lambda self, name, path=None, target=None:
    importlib.machinery.ModuleSpec(name, self, is_package=True) if name in FORCED else None})())
torch.set_num_threads(1)
library = importlib.import_module(module)
for name, arguments, side in table:
    torch.manual_seed(0)
    try:
        model = getattr(library, name)(**eval(f"dict({arguments})"))
        rows = torch.randn(4, 3, side, side, generator=torch.Generator().manual_seed(1))
        with Selus() as selus:
            out = model(rows)
        out = out if isinstance(out, torch.Tensor) else out[0]
        out.float().sum().backward()
        print(json.dumps([name, "", selus.found]), flush=True)
    except Exception as error:
        print(json.dumps([name, f"{type(error).__name__}: {error}"[:300], []]), flush=True)
"""


def _ran(
    directory: Path, module: str, table: tuple[tuple[str, str, int], ...]
) -> dict[str, tuple[str, list[list[float]]]]:
    command = [sys.executable, "-c", CHILD, json.dumps([str(directory), module, table])]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1_800)
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    assert rows, done.stderr[-2_000:]
    return {name: (error, found) for name, error, found in rows}


def test_the_table_is_large() -> None:
    assert sum(len(table) for *_, table in TABLE) >= 26


@pytest.mark.parametrize(("package", "parts", "module", "table"), TABLE, ids=[each[0] for each in TABLE])
def test_fixed_packages_run(
    package: str,
    parts: str,
    module: str,
    table: tuple[tuple[str, str, int], ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = unpack(package, read_manifest())
    old = _ran(source, module, table)
    shutil.copytree(source / package, tmp_path / package)
    command = [sys.executable, "-m", "selulint", "--isolated", "--fix", "--unsafe-fixes", "--exit-zero", *parts.split()]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    fixed = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert fixed.returncode == 0, fixed.stderr
    new = _ran(tmp_path, module, table)
    able = [name for name, (error, _) in old.items() if not error]
    runs = [name for name in able if name in new and not new[name][0]]
    migrated = [name for name in runs if new[name][1]]
    normal = [name for name in migrated if all(_is_normal(*each) for each in new[name][1])]
    with capsys.disabled():
        print(f"\n{package}: {len(able)} of {len(table)} run unfixed, {len(runs)} of them fixed")
        print(f"  with SELU {len(migrated)}, self-normalizing at initialisation {len(normal)}: {', '.join(normal)}")
        for name in migrated:
            if name not in normal:
                print(f"  outside: {name}: {[each for each in new[name][1] if not _is_normal(*each)][:3]}")
        for name in (each for each in old if each not in able):
            print(f"  not runnable here: {name}: {old[name][0][:150]}")
    assert not [(name, new.get(name)) for name in able if name not in runs]
    assert able


def _is_normal(mean: float, variance: float) -> bool:
    return abs(mean) <= 0.1 and 0.8 <= variance <= 1.5
