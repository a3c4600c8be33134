"""Sliding windows over images, whose second moment is uneven where windows hang over the edge."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, prod

# For each axis the second moment along it, with mean 1: an image's is taken for the product of the two.
Image = tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class Axis:
    """A window along one axis: its size, its step, and the zeros before and behind the image."""

    size: int
    stride: int = 1
    before: int = 0
    behind: int = 0
    dilation: int = 1


def even(sides: tuple[int, ...]) -> Image:
    return tuple((1.0,) * side for side in sides)


def places(image: Image) -> int:
    return prod(len(line) for line in image)


def unevenness(image: Image) -> float:
    """The relative variance of the second moment over places."""
    return max(0.0, prod(sum(each * each for each in line) / len(line) for line in image) - 1.0)


@lru_cache(maxsize=1024)
def slide(image: Image, axes: tuple[Axis, ...]) -> tuple[Image, float] | None:
    """The image behind a window of equal weights, and the factor of its mean; None where the window does not fit."""
    found = [_along(line, axis) for line, axis in zip(image, axes, strict=True)]
    known = [each for each in found if each]
    if len(known) < len(found):
        return None
    means = [sum(line) / len(line) for line in known]
    if min(means, default=1.0) <= 0.0:
        return None
    scaled = tuple(tuple(each / mean for each in line) for line, mean in zip(known, means, strict=True))
    return scaled, prod(means)


def _along(line: tuple[float, ...], axis: Axis) -> list[float]:
    side = len(line)
    reach = axis.dilation * (axis.size - 1) + 1
    count = (side + axis.before + axis.behind - reach) // axis.stride + 1
    found = []
    for place in range(count):
        start = place * axis.stride - axis.before
        taps = (start + tap * axis.dilation for tap in range(axis.size))
        found.append(sum(line[tap] for tap in taps if 0 <= tap < side) / axis.size)
    return found


def bent(image: Image, power: float) -> Image:
    """What becomes of an image where the second moment grows by that power of itself."""
    if all(max(line) == min(line) for line in image):
        return image
    lines = []
    for line in image:
        raised = [each**power if each > 0.0 else 0.0 for each in line]
        mean = sum(raised) / len(raised)
        lines.append(tuple(each / mean for each in raised) if mean > 0.0 else line)
    return tuple(lines)


def same(side: int, size: int, stride: int, dilation: int) -> tuple[int, int]:
    """The zeros before and behind with which TensorFlow makes ceil(side / stride) places."""
    count = ceil(side / stride)
    missing = max(0, (count - 1) * stride + dilation * (size - 1) + 1 - side)
    return missing // 2, missing - missing // 2
