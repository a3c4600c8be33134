"""Measuring every activation of a running PyTorch (or Keras on torch) model, functional ones too."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from selulint.verify.readings import GATES, HANDWRITTEN, HIDDEN, Reading

PARAMETRIC = frozenset(
    "linear bilinear matmul mm bmm addmm conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d "
    "embedding multi_head_attention_forward einsum".split()
)
# Values within this share of a bounded function's bound count as saturated.
_SATURATION = 0.03
_BOUNDS = {"selu": (-1.7580993408473766, None), "elu": (-1.0, None), "tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0)}
# Details (per unit) are taken from this many samples, the pooled moments from all.
_DETAIL_ROWS = 256


@dataclass(slots=True, eq=False)
class _Seen:
    """One activation while the model runs; numbers stay on the device until the end."""

    function: str
    layer: str
    line: str
    count: int
    sums: tuple[torch.Tensor, torch.Tensor]
    detail: tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None = None
    gradients: list[torch.Tensor] = field(default_factory=list)
    before: int = 0
    source: Any = None


@dataclass(slots=True)
class _Parts:
    """What ran since the last layer that an activation may be written of: a curve (exp, ELU) and a bend (max, ReLU).

    `start` is the number of activations seen before, `whole` the outcome so far.
    """

    start: int = 0
    curve: torch.Size | None = None
    bent: bool = False
    whole: torch.Tensor | None = None

    def note(self, name: str, result: torch.Tensor) -> None:
        if name in _CURVES:
            self.curve = result.shape
        elif name in _BENDS:
            self.bent = True

    def complete(self, name: str, result: torch.Tensor, args: Any) -> bool:
        """Whether an operation makes a hand-written activation of them, or scales one that it made."""
        self.note(name, result)
        if name in _CURVES or name in _BENDS or self.curve != result.shape or not _has_values(result):
            return False
        tensors = [each for each in args if isinstance(each, torch.Tensor) and each.dim()]
        if name in _SCALES:
            found = self.whole is not None and len(tensors) == 1 and tensors[0] is self.whole
        else:
            found = name == "where" or (self.bent and len(tensors) == 2 and self.whole is None)
        self.whole = result if found else self.whole
        return found


_CURVES = frozenset({"exp", "expm1", "elu", "celu"})
_BENDS = frozenset({"max", "min", "maximum", "minimum", "relu"})
_SCALES = frozenset({"mul", "rmul", "imul"})
COMPOSING = frozenset({"exp", "expm1", "max", "min", "maximum", "minimum", "where", "add", "radd", "iadd"}) | _SCALES


class Recorder(TorchFunctionMode):
    """While it is entered, every activation's output is summed up: forward hooks would miss functional ones.

    `names` leads from a parameter's data pointer to its name; `detail` asks for the figures per unit, `gradients` for
    those of the backward pass, too. `drops` tells afterwards whether there was a dropout, active or not.
    """

    def __init__(self, names: Mapping[int, str], detail: bool = False, gradients: bool = False) -> None:
        super().__init__()
        self.seen: list[_Seen] = []
        self._names, self._detail, self._gradients = names, detail, gradients
        self.layer, self._parametric = "", 0
        self._parts = _Parts()
        self.drops = False

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: Any = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        self.ran(getattr(func, "__name__", "").strip("_"), result, args, kwargs or {})
        return result

    def ran(self, name: str, result: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Take note of one operation and what came out of it."""
        if name in COMPOSING and isinstance(result, torch.Tensor) and self._parts.complete(name, result, args):
            del self.seen[self._parts.start :]
            self._record(HANDWRITTEN, result)
        if name in HIDDEN or name == "sigmoid":
            if isinstance(result, torch.Tensor) and _has_values(result):
                self._record(name, result)
                self._parts.note(name, result)
        elif name.endswith("dropout"):
            self.drops = True
        elif name in PARAMETRIC:
            self._parametric += 1
            self._parts = _Parts(len(self.seen))
            for value in (*args[1:3], *kwargs.values()):
                if isinstance(value, torch.Tensor) and (found := self._names.get(value.data_ptr())):
                    self.layer = found
                    break

    def _record(self, name: str, result: torch.Tensor) -> None:
        flat = result.detach().reshape(-1)
        if flat.dtype not in (torch.float32, torch.float64):
            flat = flat.float()
        seen = _Seen(name, self.layer, _caller(), flat.numel(), (flat.sum(), torch.dot(flat, flat)))
        seen.before = self._parametric
        if self._detail and result.dim() > 1:
            seen.detail = _per_unit(name, result.detach()[:_DETAIL_ROWS].float())
        if self._gradients and result.requires_grad:
            result.register_hook(  # type: ignore[no-untyped-call]
                lambda gradient: seen.gradients.append(gradient.detach().float().square().mean().sqrt())
            )
        self.seen.append(seen)

    def readings(self) -> list[Reading]:
        """The figures of all activations in order; the one place where the device is waited for."""
        if not self.seen:
            return []
        rows = self._fetched()
        others = any(each.function in HIDDEN - GATES for each in self.seen if each.before < self._parametric)
        found = []
        for each, (first, second, *rest) in zip(self.seen, rows, strict=True):
            mean = first / each.count
            unit, dead, saturated = rest[:3] if each.detail else (None, None, None)
            saturated = saturated if each.function in _BOUNDS else None
            gradient = rest[3] if each.gradients else None
            inner = each.before < self._parametric and not (each.function in GATES and others)
            variance = max(second / each.count - mean * mean, 0.0) if second == second else second
            found.append(
                Reading(each.function, each.layer, each.line, inner, mean, variance, unit, dead, saturated, gradient)
            )
        return found

    def _fetched(self) -> list[list[float]]:
        """All that was computed on the device, in one go: sums, the three details, the gradient; 0 where there is none."""
        device = self.seen[0].sums[0].device
        nothing = torch.zeros((), device=device)
        rows = []
        for each in self.seen:
            gradient = torch.stack(each.gradients).mean() if each.gradients else nothing
            parts = (*each.sums, *(each.detail or (nothing,) * 3), gradient)
            rows.append(torch.stack([part.to(device) for part in parts]))
        # Double precision only on the CPU: MPS has none.
        found: list[list[float]] = torch.stack(rows).cpu().double().tolist()
        return found


def _has_values(result: torch.Tensor) -> bool:
    """Whether there is something to measure: Keras also runs layers on tensors that are only shapes."""
    return result.is_floating_point() and result.numel() > 1 and not result.is_meta


def _per_unit(name: str, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Mean over units of the variance over samples, share of dead units, share of saturated values.

    Units are the channels (axis 1) of images and the last axis of everything else; places and steps count as samples.
    """
    axis = 1 if values.dim() >= 4 else values.dim() - 1
    units = values.transpose(0, axis).reshape(values.shape[axis], -1)
    variance = units.var(dim=1, unbiased=False)
    dead = (units.amax(dim=1) <= 0 if name in ("relu", "relu6", "threshold") else variance == 0).float().mean()
    low, high = _BOUNDS.get(name, (None, None))
    saturated = torch.zeros((), device=values.device)
    if low is not None:
        width = abs(low) if low else 1.0
        saturated = (units <= low + _SATURATION * width).float().mean()
    if high is not None:
        saturated = saturated + (units >= high - _SATURATION * abs(high)).float().mean()
    return variance.mean(), dead, saturated


@cache
def is_library(path: str) -> bool:
    """Whether code is not the model's own: the frameworks', ours, or made up."""
    if path.startswith("<"):
        return True
    folders = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]
    for name in _LIBRARIES:
        origin = getattr(sys.modules.get(name), "__file__", None)
        if origin:
            folders.append(os.path.dirname(os.path.abspath(origin)))
    return os.path.abspath(path).startswith(tuple(folder + os.sep for folder in folders))


_LIBRARIES = ("torch", "keras", "tensorflow", "lightning", "pytorch_lightning", "importlib")


# What stands behind this module's functions called the model: a test, or nothing.
_RUNNER = "selulint.verify.running"


def _caller() -> str:
    """Where the model's own code asked for the operation that runs now: "path:line"."""
    frame: Any = sys._getframe(2)
    while frame is not None and frame.f_globals.get("__name__") != _RUNNER:
        if not is_library(frame.f_code.co_filename):
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back
    return ""


def parameter_names(model: Any) -> dict[int, str]:
    """Data pointer of every weight to the name of its layer ("features.0" for "features.0.weight")."""
    found: dict[int, str] = {}
    if isinstance(model, torch.nn.Module):
        for name, parameter in model.named_parameters():
            if not isinstance(parameter, torch.nn.parameter.UninitializedParameter):
                found.setdefault(parameter.data_ptr(), name.rpartition(".")[0] or name)
    for variable in getattr(model, "variables", ()):  # Keras says names as paths
        value = getattr(variable, "value", None)
        if isinstance(value, torch.Tensor):
            path = str(getattr(variable, "path", getattr(variable, "name", "")))
            found[value.data_ptr()] = path.rpartition("/")[0] or path
    return found
