"""What measuring costs: a forward pass that is measured against a plain one, alternating in one run."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from selulint.verify.measure import Recorder, parameter_names  # noqa: E402

pytestmark = pytest.mark.benchmark

ALLOWED = 1.15
ROUNDS = 15
nn, functional = torch.nn, torch.nn.functional


class Chain(nn.Module):  # type: ignore[name-defined, misc]
    """32 layers of width 1024."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(1024, 1024) for _ in range(32))

    def forward(self, x: Any) -> Any:
        for layer in self.layers:
            x = functional.selu(layer(x))
        return x


class Bottleneck(nn.Module):  # type: ignore[name-defined, misc]
    """1 x 1, 3 x 3, 1 x 1, and a skip path."""

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.enter, self.leave = nn.Conv2d(before, width, 1, bias=False), nn.Conv2d(width, 4 * width, 1, bias=False)
        self.middle = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.skip = nn.Conv2d(before, 4 * width, 1, stride, bias=False) if before != 4 * width else nn.Identity()
        self.norms = nn.ModuleList(nn.BatchNorm2d(size) for size in (width, width, 4 * width))

    def forward(self, x: Any) -> Any:
        y = functional.relu(self.norms[0](self.enter(x)))
        y = functional.relu(self.norms[1](self.middle(y)))
        return functional.relu(self.norms[2](self.leave(y)) + self.skip(x))


class Residual50(nn.Module):  # type: ignore[name-defined, misc]
    """As deep and as wide as a ResNet-50."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        blocks, before = [], 64
        for stage, (width, count) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3))):
            for index in range(count):
                blocks.append(Bottleneck(before, width, 2 if stage and not index else 1))
                before = 4 * width
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(before, 1000)

    def forward(self, x: Any) -> Any:
        x = functional.max_pool2d(functional.relu(self.stem(x)), 3, 2, 1)
        return self.head(self.blocks(x).mean((2, 3)))


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


NETS: dict[str, tuple[Callable[[], Any], tuple[int, ...]]] = {
    "MLP 1024 x 32, batch 256": (Chain, (256, 1024)),
    "like ResNet-50, batch 8 x 112 x 112": (Residual50, (8, 3, 112, 112)),
}


@pytest.mark.parametrize("name", NETS)
def test_measuring_costs_little(name: str, capsys: pytest.CaptureFixture[Any]) -> None:
    torch.set_num_threads(1)
    device = _device()
    build, shape = NETS[name]
    net = build().to(device).eval()
    x = torch.randn(shape, device=device)
    names = parameter_names(net)

    def wait() -> None:
        if device == "cuda":
            torch.cuda.synchronize()

    def plain() -> None:
        net(x)

    def measured() -> int:
        with Recorder(names) as recorder:
            net(x)
        return len(recorder.readings())

    ratios = []
    with torch.no_grad():
        assert measured() >= 32
        plain()
        for _ in range(ROUNDS):
            times = []
            for run in (plain, measured):
                wait()
                start = time.process_time() if device == "cpu" else time.perf_counter()
                run()
                wait()
                times.append((time.process_time() if device == "cpu" else time.perf_counter()) - start)
            ratios.append(times[1] / times[0])
    with capsys.disabled():
        print(f"\n{name} on {device}: measured / plain {median(ratios):.3f}", end="")
    assert median(ratios) <= ALLOWED


def test_the_device_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every number that leaves the device on its own would be a synchronisation."""
    moved = []
    for name in ("item", "tolist", "cpu", "__float__", "__bool__"):
        original = getattr(torch.Tensor, name)

        def counted(self: Any, *args: Any, _original: Any = original, _name: str = name, **kwargs: Any) -> Any:
            moved.append(_name)
            return _original(self, *args, **kwargs)

        monkeypatch.setattr(torch.Tensor, name, counted)
    net = Chain()
    with Recorder(parameter_names(net), detail=True, gradients=True) as recorder:
        output = net(torch.randn(4, 1024))
    output.sum().backward()
    assert len(recorder.readings()) == 32
    assert moved.count("cpu") == 1 and set(moved) <= {"cpu", "tolist"}, moved
