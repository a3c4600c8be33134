"""False alarms and misses of the verdict over many draws: correct networks are never accused, faulty ones always."""

from __future__ import annotations

from typing import Any

import pytest

from selulint.verify.readings import judge

torch = pytest.importorskip("torch")
from faulty_networks import FAULTS, readings  # noqa: E402

pytestmark = pytest.mark.benchmark


def _alarms(width: int, depth: int, groups: int, seeds: int) -> int:
    alarms = 0
    for group in range(groups):
        runs = [readings("correct", width, depth, seed=group * seeds + each) for each in range(seeds)]
        alarms += not judge(runs).normalizing
    return alarms


@pytest.mark.parametrize("depth", [8, 32])
@pytest.mark.parametrize(
    ("width", "groups", "seeds", "allowed"), [(64, 200, 5, 2), (256, 200, 1, 0), (1024, 200, 1, 0)]
)
def test_false_alarms(
    width: int, groups: int, seeds: int, allowed: int, depth: int, capsys: pytest.CaptureFixture[Any]
) -> None:
    torch.set_num_threads(1)
    alarms = _alarms(width, depth, groups, seeds)
    with capsys.disabled():
        print(f"\nwidth {width}, depth {depth}, median of {seeds}: {alarms} false alarms of {groups}", end="")
    assert alarms <= allowed


@pytest.mark.parametrize("fault", FAULTS)
def test_faulty_networks_are_caught(fault: str, capsys: pytest.CaptureFixture[Any]) -> None:
    torch.set_num_threads(1)
    caught = total = 0
    for width in (64, 256, 1024):
        for depth in (8, 32):
            for group in range(10 if width < 1024 else 2):
                runs = [readings(fault, width, depth, seed=5 * group + each) for each in range(5)]
                caught += not judge(runs).normalizing
                total += 1
    with capsys.disabled():
        print(f"\n{fault}: {caught} of {total} caught", end="")
    assert caught == total
