"""Proof on real models: packages of the corpus are copied, fixed with everything allowed, imported, and run.

Run by path: `pytest tests/real_models.py -m corpus -s`. A refusal with a reason is fine, a broken model is not.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from corpus import read_manifest, unpack

pytest.importorskip("torch")
pytestmark = pytest.mark.corpus

ROOT = Path(__file__).resolve().parent.parent
TORCHVISION = """
    alexnet vgg11 vgg11_bn vgg13 vgg16 densenet121 densenet169 googlenet:96 resnet18 resnet34 resnet50 resnext50_32x4d
    wide_resnet50_2 squeezenet1_0 squeezenet1_1 mnasnet0_5 mnasnet1_0 mobilenet_v2 mobilenet_v3_small mobilenet_v3_large
    shufflenet_v2_x0_5 shufflenet_v2_x1_0 regnet_x_400mf regnet_y_400mf efficientnet_b0 convnext_tiny
"""
TIMM = """
    mixer_s32_224:224 resmlp_12_224:224 gmlp_ti16_224:224 convnext_atto poolformer_s12 resnet18 resnet10t vgg11 densenet121
    mobilenetv2_050 mobilenetv3_small_050 efficientnet_lite0 regnetx_002 repvgg_a0 ghostnet_050 mnasnet_small legacy_seresnet18
    resnest14d darknet17 dla34 hrnet_w18_small inception_v3:96 nf_resnet26 selecsls42 skresnet18 starnet_s1 gernet_s lcnet_035
    tinynet_e edgenext_xx_small fbnetc_100 ese_vovnet19b_slim cspdarknet53 dpn48b rexnet_100 hardcorenas_a
    vit_tiny_patch16_224:224 botnet26t_256:256 pit_ti_224:224 levit_128s:224
"""
# An expression for the model, and the shapes of its inputs.
MONAI = (
    ("nets.FullyConnectedNet(32, 4, [64, 64, 64], dropout=0.1, act='relu')", "64x32"),
    ("nets.VarFullyConnectedNet(32, 4, 8, [64], [64])", "64x32"),
    ("nets.BasicUNet(2, 1, 2, features=(16, 16, 32, 32, 64, 16))", "1x1x64x64"),
    ("nets.UNet(2, 1, 2, (16, 32, 64), (2, 2), num_res_units=2, act='relu')", "1x1x64x64"),
    ("nets.SegResNet(2, 8, 1, 2)", "1x1x64x64"),
    ("nets.AutoEncoder(2, 1, 1, (16, 32), (2, 2), act='relu')", "2x1x32x32"),
    ("nets.VarAutoEncoder(2, (1, 32, 32), 1, 8, (16, 32), (2, 2))", "2x1x32x32"),
    ("nets.Classifier((1, 32, 32), 4, (8, 16), (2, 2), act='relu')", "2x1x32x32"),
    ("nets.Discriminator((1, 32, 32), (8, 16), (2, 2))", "2x1x32x32"),
    ("nets.Critic((1, 32, 32), (8, 16), (2, 2))", "2x1x32x32"),
    ("nets.Generator(16, (8, 4, 4), (8, 4), (2, 2), act='relu')", "2x16"),
    ("nets.Regressor((1, 32, 32), (2,), (8, 16), (2, 2))", "2x1x32x32"),
    ("nets.DenseNet(2, 1, 3, init_features=16, block_config=(2, 2, 2))", "2x1x64x64"),
    ("nets.resnet18(spatial_dims=2, n_input_channels=1, num_classes=3)", "2x1x64x64"),
    ("nets.SENet(2, 1, nets.senet.SEBottleneck, (1, 1, 1, 1), 1, 1, num_classes=3)", "2x1x64x64"),
    ("nets.HighResNet(2, 1, 2)", "1x1x32x32"),
    ("nets.VNet(2, 1, 2)", "1x1x32x32"),
    ("nets.AttentionUnet(2, 1, 2, (8, 16, 32), (2, 2))", "1x1x32x32"),
    ("nets.DynUNet(2, 1, 2, (3, 3, 3), (1, 2, 2), (2, 2))", "1x1x32x32"),
    ("nets.RegUNet(2, 1, 8, 2)", "1x1x32x32"),
    ("nets.MedNeXt(2, 8, 1, 2)", "1x1x32x32"),
)
_NBEATS = "layer_width=128, nr_params=1, batch_norm=False, dropout=0.05, activation='ReLU'"
_MIXER = "ff_size=64, activation=torch.relu, dropout=0.1, normalize_before=True, norm_type=torch.nn.LayerNorm"
DARTS = (
    ("tide_model._ResidualBlock(16, 16, 64, 0.1, True)", "8x16"),
    ("tcn_model._ResidualBlock(8, 3, 2, 0.1, False, 1, 4, 8, 8)", "2x8x32"),
    (f"nbeats._Block(4, {_NBEATS}, expansion_coefficient_dim=5, input_chunk_length=24, target_length=36, "
     "g_type=nbeats._GType.GENERIC)", "64x24"),
    (f"nbeats._Stack(2, 4, {_NBEATS}, expansion_coefficient_dim=5, input_chunk_length=24, target_length=36, "
     "g_type=nbeats._GType.GENERIC)", "64x24"),
    (f"nhits._Block(24, 12, 2, {_NBEATS}, pooling_kernel_size=2, n_freq_downsample=2, MaxPool1d=True)", "64x24"),
    (f"tsmixer_model._FeatureMixing(24, 8, 8, {_MIXER})", "4x24x8"),
)  # fmt: skip
FORECASTING = (
    ("mlp.FullyConnectedModule(16, 4, 64, 3, torch.nn.ReLU, 0.1, False)", "64x16"),
    ("nhits.MLP(16, 4, [64, 64], 'ReLU', 0.0)", "64x16"),
    ("nhits.StaticFeaturesEncoder(16, 64)", "64x16"),
    ("nbeats.NBEATSGenericBlock(64, 16, 3, backcast_length=10, forecast_length=5)", "64x10"),
    ("nbeats.NBEATSTrendBlock(64, 3, backcast_length=10, forecast_length=5)", "64x10"),
    ("tft.GatedResidualNetwork(16, 32, 16, 0.1)", "64x16"),
)


@dataclass(frozen=True, slots=True)
class Proof:
    """A package, where its models are, how they are imported and built, and what this machine need not have for that."""

    package: str
    parts: tuple[str, ...]
    imports: str
    table: tuple[tuple[str, str], ...]
    forced: tuple[str, ...] = ()


def _named(names: str, spelled: str) -> Iterator[tuple[str, str]]:
    for each in names.split():
        name, _, side = each.partition(":")
        yield spelled.format(name), "x".join(("4", "3", side or "64", side or "64"))


_SUBMODULES = "from pytorch_forecasting.models.{} import {} as {}"
PROOFS = (
    Proof(
        "torchvision",
        ("torchvision/models", "torchvision/ops"),
        "import torchvision.models as models",
        (
            *_named(TORCHVISION.replace("googlenet:96", ""), "models.{}(weights=None)"),
            ("models.googlenet(weights=None, init_weights=True)", "4x3x96x96"),
        ),
        # Compiled operators and what needs other packages; none of it is in a model.
        ("torchvision._meta_registrations", "torchvision.datasets", "torchvision.io", "torchvision.transforms"),
    ),
    Proof("timm", ("timm",), "import timm", tuple(_named(TIMM, "timm.create_model('{}')"))),
    Proof("monai", ("monai/networks",), "import monai.networks.nets as nets", MONAI),
    Proof(
        "darts",
        ("darts/models", "darts/utils"),
        "from darts.models.forecasting import nbeats, nhits, tcn_model, tide_model, tsmixer_model",
        DARTS,
    ),
    Proof(
        "pytorch_forecasting",
        ("pytorch_forecasting/models",),
        "\n".join(
            (
                _SUBMODULES.format("mlp", "submodules", "mlp"),
                _SUBMODULES.format("nbeats", "sub_modules", "nbeats"),
                _SUBMODULES.format("nhits", "sub_modules", "nhits"),
                _SUBMODULES.format("temporal_fusion_transformer", "sub_modules", "tft"),
            )
        ),
        FORECASTING,
    ),
)
CHILD = r"""
import importlib, importlib.abc, importlib.machinery, json, sys, types
import torch
from torch.overrides import TorchFunctionMode

directory, own, forced, imports, table = json.loads(sys.argv[1])

class Loose(type):
    # What is not installed: classes to derive from, decorators that leave what they decorate, values of any name.
    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return cls if name[:1].islower() else Loose(name, (), {"__init__": lambda self, *a, **k: None})
    def __call__(cls, *arguments, **keywords):
        if len(arguments) == 1 and not keywords and isinstance(arguments[0], (type, types.FunctionType)):
            return arguments[0]
        return super().__call__()
    def __iter__(cls):
        return iter(())
    def __getitem__(cls, item):
        return cls

class Stub(types.ModuleType):
    __path__ = []
    __version__ = "99.0"
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        members = {"__call__": lambda self, *a, **k: a[0] if a else None, "__getattr__": lambda self, name: self}
        return torch.nn.Module if name == "LightningModule" else Loose(name, (), members)

class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def __init__(self, names):
        self.names = names
    def find_spec(self, name, path=None, target=None):
        frame = sys._getframe(1)
        while "importlib" in frame.f_code.co_filename:
            frame = frame.f_back
        wanted = name.startswith(self.names) if self.names else name.split(".")[0] != own
        if wanted and frame.f_code.co_filename.startswith(directory):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
    def create_module(self, spec):
        return Stub(spec.name)
    def exec_module(self, module):
        pass

class Activations(TorchFunctionMode):
    seen, before = (), "the input"
    def __torch_function__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        name = getattr(function, "__name__", "").strip("_")
        if name in ("selu", "relu", "gelu", "silu", "relu6", "leaky_relu", "hardswish"):
            values = result.detach().double()
            self.seen += ((name, values.mean().item(), values.var().item(), self.before),)
        if isinstance(result, torch.Tensor) and result.dim() and name not in ("get", "set", "size", "dim", "detach"):
            self.before = name
        return result

sys.path.insert(0, directory)
if forced:
    sys.meta_path.insert(0, Finder(tuple(forced)))
sys.meta_path.append(Finder(()))
torch.set_num_threads(2)
scope = {"torch": torch}
exec(compile(imports, directory + "/imports.py", "exec"), scope)
for expression, shapes in table:
    torch.manual_seed(0)
    try:
        model = eval(expression, scope)
        generator = torch.Generator().manual_seed(1)
        inputs = [torch.randn([int(side) for side in shape.split("x")], generator=generator) for shape in shapes.split()]
        with Activations() as activations:
            out = model(*inputs)
        while not isinstance(out, torch.Tensor):
            out = next(each for each in out if each is not None)
        out.float().sum().backward()
        print(json.dumps([expression, "", activations.seen]), flush=True)
    except Exception as error:
        print(json.dumps([expression, f"{type(error).__name__}: {error}"[:300], []]), flush=True)
"""
# Name, mean, variance, and the operation before it.
Seen = list[tuple[str, float, float, str]]


def _ran(directory: Path, proof: Proof) -> dict[str, tuple[str, Seen]]:
    own = proof.package.replace("-", "_")
    request = [str(directory), own, proof.forced, proof.imports, proof.table]
    command = [sys.executable, "-c", CHILD, json.dumps(request)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1_800)
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    assert rows, done.stderr[-2_000:]
    return {name: (error, [tuple(each) for each in found]) for name, error, found in rows}


def test_the_table_is_large() -> None:
    assert sum(len(proof.table) for proof in PROOFS) >= 90


@pytest.mark.parametrize("proof", PROOFS, ids=[each.package for each in PROOFS])
def test_fixed_packages_run(proof: Proof, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = unpack(proof.package, read_manifest())
    old = _ran(source, proof)
    folder = proof.package.replace("-", "_")
    shutil.copytree(source / folder, tmp_path / folder)
    command = [sys.executable, "-m", "selulint", "--isolated", "--fix", "--unsafe-fixes", "--exit-zero", *proof.parts]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    fixed = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert fixed.returncode == 0, fixed.stderr
    new = _ran(tmp_path, proof)
    able = [name for name, (error, _) in old.items() if not error]
    runs = [name for name in able if name in new and not new[name][0]]
    changed = [name for name in runs if _selus(new[name][1]) > _selus(old[name][1])]
    whole = [name for name in changed if all(each[0] == "selu" for each in new[name][1])]
    with capsys.disabled():
        print(f"\n{proof.package}: {len(able)} of {len(old)} run unfixed, {len(runs)} of these fixed")
        print(f"  with SELU {len(changed)}, with nothing else {len(whole)}")
        for name in changed:
            print(f"  {name}: {_verdict(new[name][1])}")
        for name in (each for each in old if each not in able):
            print(f"  not runnable here: {name}: {old[name][0][:150]}")
    assert not [(name, new.get(name)) for name in able if name not in runs]
    assert able


def _selus(seen: Seen) -> int:
    return sum(name == "selu" for name, *_ in seen)


def _verdict(seen: Seen) -> str:
    selus = [each for each in seen if each[0] == "selu"]
    outside = [each for each in selus if not (abs(each[1]) <= 0.1 and 0.8 <= each[2] <= 1.5)]
    if not outside:
        return f"all {len(selus)} SELUs self-normalizing"
    _, mean, variance, before = outside[0]
    first = selus.index(outside[0]) + 1
    others = sorted({name for name, *_ in seen} - {"selu"})
    beside = f"; beside {', '.join(others)}" if others else ""
    return (
        f"{len(outside)} of {len(selus)} SELUs outside, the first is number {first} behind {before} "
        f"(mean {mean:.2g}, variance {variance:.2g}){beside}"
    )
